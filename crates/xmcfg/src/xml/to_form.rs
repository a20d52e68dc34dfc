//! From XML to a form.

use super::XmlError;
use super::tree::Element;
use crate::sxp::Sxp;

/// The form of the first domain.
pub(super) fn form(root: &Element) -> Result<Sxp, XmlError> {
    let vm = root.child("vm").ok_or(XmlError::NoVm)?;
    let named = vm.child("name");
    let text =
        |key: &str| named.and_then(|name| name.child(key)).map(|child| child.text.trim()).unwrap_or_default();
    let mut form = vec!["vm".into(), Sxp::pair("name", text("label"))];
    let memory = vm.child("memory");
    let mib = |key| memory.map(|memory| mib(memory, key)).transpose().map(Option::flatten);
    form.extend(mib("dynamic_max")?.map(|mib| Sxp::pair("memory", mib)));
    form.extend(mib("static_max")?.map(|mib| Sxp::pair("maxmem", mib)));
    for (key, attribute) in [
        ("on_poweroff", "actions_after_shutdown"),
        ("on_reboot", "actions_after_reboot"),
        ("on_crash", "actions_after_crash"),
    ] {
        // The words of Xen-API, in those of xend.
        let word = vm.attribute(attribute).replace("_and_", "-").replace('_', "-");
        add(&mut form, key, &word);
    }
    add(&mut form, "description", text("description"));
    let (most, online) = (vm.attribute("vcpus_max"), vm.attribute("vcpus_at_startup"));
    if most != online
        && let (Ok(_), Ok(online)) = (most.parse::<u32>(), online.parse::<u32>())
    {
        let mask = 1u128.checked_shl(online).map_or(u128::MAX, |bit| bit - 1);
        form.push(Sxp::pair("vcpu_avail", mask.to_string()));
    }
    add(&mut form, "vcpus", most);
    let mut maps = Vec::new();
    for param in vm.all("vcpu_param") {
        let value = param.attribute("value");
        match param.attribute("key") {
            "weight" => add(&mut form, "cpu_weight", value),
            "cap" => add(&mut form, "cpu_cap", value),
            key if key.starts_with("cpumap") => maps.push(Sxp::List(
                value.split(',').map(str::trim).filter(|cpu| !cpu.is_empty()).map(Sxp::from).collect(),
            )),
            _ => {}
        }
    }
    if !maps.is_empty() {
        form.push(Sxp::pair("cpus", maps));
    }
    add(&mut form, "pool_name", vm.attribute("pool_name"));
    for (key, attribute) in [("bootloader", "bootloader"), ("bootloader_args", "bootloader_args")] {
        add(&mut form, key, vm.child("pv").map(|pv| pv.attribute(attribute)).unwrap_or_default());
    }
    form.push(Sxp::pair("image", image(vm)));
    add(&mut form, "s3_integrity", vm.attribute("s3_integrity"));
    form.extend(devices(root, vm).map(|device| Sxp::pair("device", device)));
    Ok(Sxp::List(form))
}

fn add(form: &mut Vec<Sxp>, key: &str, value: &str) {
    if !value.is_empty() {
        form.push(Sxp::pair(key, value));
    }
}

fn mib(memory: &Element, key: &'static str) -> Result<Option<String>, XmlError> {
    let text = memory.attribute(key);
    if text.is_empty() {
        return Ok(None);
    }
    match text.parse::<u64>() {
        Ok(bytes) => Ok(Some(bytes.div_ceil(1 << 20).to_string())),
        Err(_) => Err(XmlError::Value {
            value: text.into(),
            attribute: key,
            element: "memory",
            takes: "a number of bytes",
        }),
    }
}

fn image(vm: &Element) -> Sxp {
    let mut image = Vec::new();
    let platform: Vec<(&str, &str)> =
        vm.all("platform").map(|pair| (pair.attribute("key"), pair.attribute("value"))).collect();
    if let Some(pv) = vm.child("pv") {
        image.push("linux".into());
        for key in ["kernel", "ramdisk"] {
            add(&mut image, key, pv.attribute(key));
        }
        // `root=` begins the arguments where there is one.
        let args = pv.attribute("args");
        add(&mut image, "args", args);
    } else {
        image.push("hvm".into());
        let params = vm.child("hvm").into_iter().flat_map(|hvm| hvm.all("boot_param"));
        let order =
            params.filter(|param| param.attribute("key") == "order").map(|param| param.attribute("value"));
        if !platform.iter().any(|(key, _)| *key == "boot") {
            order.for_each(|order| add(&mut image, "boot", order));
        }
    }
    image.extend(platform.into_iter().map(|(key, value)| Sxp::pair(key, value)));
    Sxp::List(image)
}

fn devices<'a>(root: &'a Element, vm: &'a Element) -> impl Iterator<Item = Sxp> + 'a {
    let disks = vm.all("vbd").map(|vbd| disk(root, vbd));
    let vifs = vm.all("vif").map(|vif| {
        let name = vif.attribute("device");
        let is_usual = name.strip_prefix("eth").is_some_and(|number| number.parse::<u32>().is_ok());
        let vifname = if is_usual { "" } else { name };
        let pairs =
            [("bridge", vif.attribute("network")), ("mac", vif.attribute("mac")), ("vifname", vifname)];
        device("vif", pairs)
    });
    let tpms = vm.all("vtpm").map(|vtpm| device("vtpm", [("backend", vtpm.attribute("backend"))]));
    let pci: Vec<Sxp> = vm.all("pci").map(pci).collect();
    let pci = (!pci.is_empty()).then(|| Sxp::List([vec!["pci".into()], pci].concat()));
    let scsi = vm.all("vscsi").map(|vscsi| {
        device("vscsi", ["feature-host", "p-dev", "v-dev"].map(|key| (key, vscsi.attribute(key))))
    });
    let displays =
        vm.all("console").filter(|console| console.attribute("protocol") == "rfb").flat_map(|console| {
            let pairs =
                console.all("other_config").map(|pair| (pair.attribute("key"), pair.attribute("value")));
            [Sxp::List(vec!["vkbd".into()]), device("vfb", pairs)]
        });
    let is_hvm = vm.child("hvm").is_some();
    disks.chain(pci).chain(scsi).chain(vifs).chain(tpms).chain(displays.filter(move |_| !is_hvm))
}

fn device<'a>(class: &str, pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Sxp {
    let pairs =
        pairs.into_iter().filter(|(_, value)| !value.is_empty()).map(|(key, value)| Sxp::pair(key, value));
    Sxp::List(std::iter::once(class.into()).chain(pairs).collect())
}

fn disk(root: &Element, vbd: &Element) -> Sxp {
    let image = root.all("vdi").find(|vdi| vdi.attribute("name") == vbd.attribute("vdi"));
    let uname = image.map(|vdi| vdi.attribute("src")).unwrap_or_default();
    let class = if uname.starts_with("tap2:") {
        "tap2"
    } else if uname.starts_with("tap:") {
        "tap"
    } else {
        "vbd"
    };
    let suffix = if vbd.attribute("type") == "CD" { ":cdrom" } else { "" };
    let is_shared = image.is_some_and(|vdi| vdi.attribute("sharable") == "True");
    let mode = match vbd.attribute("mode") {
        "RW" if is_shared => "w!",
        "RW" => "w",
        _ => "r",
    };
    Sxp::List(vec![
        class.into(),
        Sxp::pair("uname", uname),
        Sxp::pair("dev", format!("{}{suffix}", vbd.attribute("device"))),
        Sxp::pair("mode", mode),
    ])
}

fn pci(pci: &Element) -> Sxp {
    let keys = ["slot", "domain", "key", "bus", "vdevfn", "func"];
    let Sxp::List(mut items) = device("dev", keys.map(|key| (key, pci.attribute(key)))) else {
        return Sxp::List(Vec::new());
    };
    let options: Vec<Sxp> = pci
        .all("pci_opt")
        .map(|option| Sxp::pair(option.attribute("key"), option.attribute("value")))
        .collect();
    if !options.is_empty() {
        items.push(Sxp::List([vec!["opts".into()], options].concat()));
    }
    Sxp::List(items)
}
