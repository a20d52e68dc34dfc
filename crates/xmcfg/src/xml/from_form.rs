//! From a form to XML, as xm's Xen-API client made it.

use super::XmlError;
use super::tree::Element;
use crate::cpus::Cpus;
use crate::pyhash::hash;
use crate::sxp::Sxp;

/// What was printed, and what has no place in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Printed {
    /// The text.
    pub text: String,
    /// Entries of the form that XML has no place for.
    pub left_out: Vec<String>,
}

/// Keys of an image that are written as properties of the machine.
const PLATFORM: &[&str] = &[
    "acpi",
    "apic",
    "boot",
    "device_model",
    "loader",
    "fda",
    "fdb",
    "keymap",
    "isa",
    "localtime",
    "monitor",
    "pae",
    "rtc_timeoffset",
    "serial",
    "soundhw",
    "stdvga",
    "usb",
    "usbdevice",
    "hpet",
    "timer_mode",
    "vpt_align",
    "viridian",
    "vhpt",
    "guest_os_type",
    "hap",
    "oos",
    "pci_msitranslate",
    "pci_power_mgmt",
    "xen_platform_pci",
    "nomigrate",
];

/// Prints a form.
///
/// # Errors
/// A rule for a domain's end that Xen-API has no word for; memory that is no number.
pub fn print(form: &Sxp) -> Result<Printed, XmlError> {
    let disks = disks(form);
    let root = Element::new::<&str>("xm", []).with([vm(form, &disks)?]).with(disks.iter().map(vdi));
    Ok(Printed { text: root.print(), left_out: left_out(form) })
}

struct Disk {
    name: String,
    uname: String,
    device: String,
    is_cd: bool,
    mode: String,
}

fn text(form: &Sxp, key: &str) -> String {
    form.text(key).unwrap_or_default()
}

fn devices<'a>(form: &'a Sxp, classes: &'a [&'a str]) -> impl Iterator<Item = &'a Sxp> {
    let devices = form.all("device").filter_map(|device| device.items().get(1));
    devices.filter(move |device| device.head().is_some_and(|head| classes.contains(&head)))
}

fn disks(form: &Sxp) -> Vec<Disk> {
    let mut disks: Vec<Disk> = Vec::new();
    for form in devices(form, &["vbd", "tap", "tap2"]) {
        let (uname, dev) = (text(form, "uname"), text(form, "dev"));
        let mut name = hash(&uname).to_string();
        // Names are names of one thing.
        while disks.iter().any(|disk| disk.name == name) {
            name.push_str("-2");
        }
        let bare = dev.strip_prefix("ioemu:").unwrap_or(&dev);
        let (device, kind) = bare.split_once(':').unwrap_or((bare, "disk"));
        disks.push(Disk {
            name,
            uname,
            device: device.into(),
            is_cd: kind == "cdrom",
            mode: text(form, "mode"),
        });
    }
    disks
}

fn named(label: &str, description: &str) -> Element {
    let blank = if description.is_empty() { " " } else { description };
    Element::new::<&str>("name", []).with([
        Element::new::<&str>("label", []).with_text(label),
        Element::new::<&str>("description", []).with_text(blank),
    ])
}

fn pair(element: &str, key: &str, value: &str) -> Element {
    Element::new(element, [("key", key), ("value", value)])
}

fn vm(form: &Sxp, disks: &[Disk]) -> Result<Element, XmlError> {
    let or =
        |key: &str, default: &str| form.text(key).filter(|text| !text.is_empty()).unwrap_or(default.into());
    let no_image = Sxp::List(Vec::new());
    let image = form.get("image").unwrap_or(&no_image);
    let pool = or("pool_name", "Pool-0");
    let attributes = [
        ("is_a_template", "false".into()),
        ("auto_power_on", "false".into()),
        ("s3_integrity", or("s3_integrity", "0")),
        ("vcpus_max", or("vcpus", "1")),
        ("vcpus_at_startup", or("vcpus", "1")),
        ("pool_name", pool),
        (
            "actions_after_shutdown",
            action("on_poweroff", &or("on_poweroff", "destroy"), &["destroy", "restart"])?,
        ),
        ("actions_after_reboot", action("on_reboot", &or("on_reboot", "restart"), &["destroy", "restart"])?),
        (
            "actions_after_crash",
            action(
                "on_crash",
                &or("on_crash", "restart"),
                &[
                    "destroy",
                    "coredump_and_destroy",
                    "restart",
                    "coredump_and_restart",
                    "preserve",
                    "rename_restart",
                ],
            )?,
        ),
        ("PCI_bus", String::new()),
        ("superpages", image.text("superpages").unwrap_or("0".into())),
    ];
    let mut vm = Element::new("vm", attributes).with([
        named(&text(form, "name"), &text(form, "description")),
        Element::new::<&str>("version", []).with_text("0"),
        boot(form, image),
        memory(&or("memory", "128"), &or("maxmem", ""))?,
    ]);
    vm.children.extend(disks.iter().enumerate().map(|(number, disk)| vbd(disk, number == 0)));
    vm.children.extend(devices(form, &["vif"]).enumerate().map(|(number, form)| vif(form, number)));
    let backend = |form: &Sxp| form.text("backend").unwrap_or("0".into());
    vm.children
        .extend(devices(form, &["vtpm"]).map(|form| Element::new("vtpm", [("backend", backend(form))])));
    vm.children.extend(devices(form, &["pci"]).flat_map(|form| form.all("dev").map(pci)));
    vm.children.extend(devices(form, &["vscsi"]).map(|form| {
        Element::new("vscsi", ["feature-host", "p-dev", "v-dev"].map(|key| (key, text(form, key))))
    }));
    vm.children.extend(displays(form, image));
    vm.children.extend(PLATFORM.iter().filter_map(|key| Some(pair("platform", key, &image.text(key)?))));
    vm.children.push(pair("vcpu_param", "weight", &or("cpu_weight", "256")));
    vm.children.push(pair("vcpu_param", "cap", &or("cpu_cap", "0")));
    vm.children.extend(cpumaps(form));
    vm.children.push(pair("other_config", "transient", "True"));
    Ok(vm)
}

fn action(key: &'static str, word: &str, words: &[&str]) -> Result<String, XmlError> {
    let under = word.replace('-', "_");
    if words.contains(&under.as_str()) {
        return Ok(under);
    }
    let takes = if key == "on_crash" { "what Xen-API has a word for" } else { "destroy or restart" };
    Err(XmlError::Value { value: under, attribute: key, element: "vm", takes })
}

fn boot(form: &Sxp, image: &Sxp) -> Element {
    if image.head() == Some("hvm") {
        let order = image.text("boot").unwrap_or("c".into());
        return Element::new("hvm", [("boot_policy", "BIOS order")]).with([pair(
            "boot_param",
            "order",
            &order,
        )]);
    }
    let root = image.text("root").filter(|root| !root.is_empty()).map(|root| format!("root={root}"));
    let args = [root.unwrap_or_default(), text(image, "args")].join(" ");
    Element::new(
        "pv",
        [
            ("kernel", text(image, "kernel")),
            ("bootloader", text(form, "bootloader")),
            ("ramdisk", text(image, "ramdisk")),
            ("args", args.trim().into()),
            ("bootloader_args", text(form, "bootloader_args")),
        ],
    )
}

fn memory(start: &str, most: &str) -> Result<Element, XmlError> {
    let bytes = |mib: &str, attribute| match mib.parse::<u64>() {
        Ok(mib) => Ok((u128::from(mib) << 20).to_string()),
        Err(_) => {
            Err(XmlError::Value { value: mib.into(), attribute, element: "memory", takes: "whole MiB" })
        }
    };
    let start = bytes(start, "dynamic_max")?;
    let most = if most.is_empty() || most == "0" { start.clone() } else { bytes(most, "static_max")? };
    let attributes = [
        ("static_min", "0".into()),
        ("static_max", most),
        ("dynamic_min", start.clone()),
        ("dynamic_max", start),
    ];
    Ok(Element::new("memory", attributes))
}

fn vbd(disk: &Disk, is_first: bool) -> Element {
    Element::new(
        "vbd",
        [
            ("name", format!("vdb{}", disk.name)),
            ("vdi", format!("vdi{}", disk.name)),
            ("mode", if disk.mode.starts_with('w') { "RW" } else { "RO" }.into()),
            ("device", disk.device.clone()),
            ("bootable", u8::from(is_first).to_string()),
            ("type", if disk.is_cd { "CD" } else { "disk" }.into()),
            ("qos_algorithm_type", String::new()),
        ],
    )
}

fn vdi(disk: &Disk) -> Element {
    let name = format!("vdi{}", disk.name);
    let bool = |is: bool| if is { "True" } else { "False" }.to_owned();
    Element::new(
        "vdi",
        [
            ("name", name.clone()),
            ("src", disk.uname.clone()),
            ("type", "system".into()),
            ("size", "-1".into()),
            ("sharable", bool(disk.mode == "w!")),
            ("read_only", bool(!disk.mode.starts_with('w'))),
        ],
    )
    .with([named(&name, "")])
}

fn vif(form: &Sxp, number: usize) -> Element {
    let device = form.text("vifname").unwrap_or(format!("eth{number}"));
    Element::new(
        "vif",
        [
            ("name", format!("vif{}", hash(&device))),
            ("mac", text(form, "mac")),
            ("mtu", String::new()),
            ("device", device),
            ("qos_algorithm_type", String::new()),
            ("network", text(form, "bridge")),
            ("security_label", text(form, "label")),
        ],
    )
}

fn pci(form: &Sxp) -> Element {
    let keys = ["domain", "bus", "slot", "func", "vdevfn", "key"].map(|key| (key, text(form, key)));
    let options: Vec<(String, String)> = form
        .all("opts")
        .flat_map(|options| &options.items()[1..])
        .filter_map(|option| Some((option.items().first()?.atom()?, option.items().get(1)?.atom()?)))
        .collect();
    let mut element = Element::new("pci", keys);
    if !options.is_empty() {
        let list: Vec<String> = options.iter().map(|(key, value)| format!("{key}={value}")).collect();
        element.attributes.push(("opts_str".into(), list.join(",")));
    }
    element.with(options.iter().map(|(key, value)| pair("pci_opt", key, value)))
}

/// Consoles: the display of a fully virtualised guest, and those of a paravirtualised one.
fn displays(form: &Sxp, image: &Sxp) -> Vec<Element> {
    const KEYS: &[&str] = &[
        "vnc",
        "sdl",
        "vncdisplay",
        "vnclisten",
        "vncunused",
        "vncpasswd",
        "display",
        "xauthority",
        "keymap",
        "opengl",
    ];
    let console = |pairs: Vec<(String, String)>| {
        let configs = pairs.into_iter().map(|(key, value)| pair("other_config", &key, &value));
        Element::new("console", [("protocol", "rfb")]).with(configs)
    };
    let is_on = |key: &str| image.text(key).is_some_and(|value| !matches!(value.as_str(), "" | "0"));
    let mut found = Vec::new();
    if image.head() == Some("hvm") && (is_on("vnc") || is_on("sdl")) {
        found.push(console(
            KEYS.iter().filter_map(|key| Some(((*key).to_owned(), image.text(key)?))).collect(),
        ));
    }
    found.extend(devices(form, &["vfb"]).map(|form| {
        let pairs = form.items()[1..].iter();
        console(
            pairs.filter_map(|pair| Some((pair.head()?.to_owned(), pair.items().get(1)?.atom()?))).collect(),
        )
    }));
    found
}

/// The processors of each vCPU.
fn cpumaps(form: &Sxp) -> Vec<Element> {
    let cpus = form.get("cpus").and_then(|value| Cpus::read(value).ok().flatten());
    let most = form.text("vcpus").and_then(|text| text.parse().ok()).unwrap_or(1);
    let maps = cpus.map(|cpus| cpus.sets(most)).unwrap_or_default();
    maps.iter()
        .enumerate()
        .map(|(number, set)| {
            let list: Vec<String> = set.iter().map(|cpu| cpu.to_string()).collect();
            pair("vcpu_param", &format!("cpumap{number}"), &list.join(","))
        })
        .collect()
}

/// Entries with a meaning that are written nowhere.
fn left_out(form: &Sxp) -> Vec<String> {
    const WRITTEN: &[&str] = &[
        "name",
        "memory",
        "maxmem",
        "on_poweroff",
        "on_reboot",
        "on_crash",
        "description",
        "vcpus",
        "cpus",
        "cpu_cap",
        "cpu_weight",
        "pool_name",
        "bootloader",
        "bootloader_args",
        "image",
        "s3_integrity",
        "device",
        "localtime",
        "oos",
        "nomigrate",
    ];
    const DEVICES: &[&str] = &["vbd", "tap", "tap2", "vif", "vtpm", "pci", "vscsi", "vfb", "vkbd", "console"];
    let says = |value: &Sxp| value.atom().is_none_or(|text| !matches!(text.as_str(), "" | "0" | "ignore"));
    let entries = form.items().iter().skip(1).filter_map(|entry| {
        let key = entry.head()?;
        let is_lost = !WRITTEN.contains(&key) && entry.items().get(1).is_some_and(says);
        is_lost.then(|| key.to_owned())
    });
    let ip = form.get("image").and_then(|image| image.text("ip")).map(|_| "ip".to_owned());
    let devices = form.all("device").filter_map(|device| device.items().get(1)?.head());
    let devices = devices.filter(|class| !DEVICES.contains(class)).map(str::to_owned);
    let mut all: Vec<String> = entries.chain(ip).chain(devices).collect();
    all.dedup();
    all
}
