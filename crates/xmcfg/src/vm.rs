//! From variables to the form `(vm ...)` that xm sent to xend, entry by entry in its order.

use thiserror::Error;
use xmpy::Host;

use crate::devices::{self, DeviceError, vfb};
use crate::sxp::Sxp;
use crate::table::Support;
use crate::value::Value;
use crate::variables::Variables;

/// Variables make no configuration: xm's words.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum VmError {
    /// A device is wrong.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// A file that the domain begins with is not there.
    #[error("Cannot find {what} \"{name}\"")]
    CannotFind {
        /// The variable.
        what: &'static str,
        /// The file.
        name: String,
    },
    /// A root file system from nowhere.
    #[error("Must set nfs root and nfs server")]
    NfsServer,
    /// Two labels.
    #[error("Multiple access_control definitions.")]
    TwoLabels,
    /// A label that is none.
    #[error("Invalid access_control specifier: {0}")]
    Label(String),
}

/// A form, and what is to be said about it.
#[derive(Clone, Debug, PartialEq)]
pub struct Made {
    /// `(vm ...)`.
    pub form: Sxp,
    /// For stderr, a line each.
    pub warnings: Vec<String>,
}

/// What the form of a domain is made of besides its variables.
#[derive(Clone, Copy)]
pub struct Around<'a> {
    /// The name of the configuration's file, which a domain without a name has.
    pub file_name: &'a str,
    /// Its console is wanted at once, which xm told the boot loader.
    pub with_console: bool,
    /// The machine that reads the configuration.
    pub host: &'a dyn Host,
}

/// Makes the form.
///
/// # Errors
/// [`VmError`]: the first thing that is wrong, in xm's order.
pub fn vm(vars: &Variables, around: Around<'_>) -> Result<Made, VmError> {
    let mut warnings = Vec::new();
    let vars = &with_nics(vars, &mut warnings);
    devices::check_first(vars)?;
    let args = args(vars)?;
    let security = security(vars)?;
    let cpuid = |name| vars.texts(name).map_err(DeviceError::from).and_then(|texts| devices::cpuid(&texts));
    let (cpuid, cpuid_check) = (cpuid("cpuid")?, cpuid("cpuid_check")?);
    let image = image(vars, around, args, (&cpuid, &cpuid_check))?;
    let devices = devices::devices(vars, around.host)?;

    let mut form = vec!["vm".into(), Sxp::pair("name", name(vars, around.file_name))];
    for key in TOP {
        let value = match *key {
            "cpuid" => Some(cpuid.clone()).filter(|form| !form.items().is_empty()),
            "cpuid_check" => Some(cpuid_check.clone()).filter(|form| !form.items().is_empty()),
            _ => vars.non_empty(key).map(|value| Sxp::from(&value)),
        };
        form.extend(value.map(|value| Sxp::pair(key, value)));
    }
    form.extend(vcpus(vars));
    form.extend(vars.non_empty("uuid").map(|uuid| Sxp::pair("uuid", &uuid)));
    // Processor 0 is one.
    form.extend(vars.get("cpu").map(|cpu| Sxp::pair("cpu", &cpu)));
    form.extend(vars.non_empty("cpus").map(|cpus| Sxp::pair("cpus", &cpus)));
    let cap = vars.get("cpu_cap").or_else(|| vars.get("cap"));
    form.extend(cap.map(|cap| Sxp::pair("cpu_cap", &cap)));
    form.extend(vars.get("cpu_weight").map(|weight| Sxp::pair("cpu_weight", &weight)));
    for key in ["blkif", "netif", "tpmif"] {
        form.extend(vars.non_empty(key).map(|_| Sxp::pair("backend", vec![key.into()])));
    }
    for (key, variable) in [("localtime", "localtime"), ("oos", "oos"), ("pool_name", "pool")] {
        form.extend(vars.non_empty(variable).map(|value| Sxp::pair(key, &value)));
    }
    for key in XL {
        form.extend(vars.non_empty(key).map(|value| Sxp::pair(key, &value)));
    }
    form.extend(boot_loader(vars, around.with_console));
    form.push(Sxp::pair("image", image));
    form.extend(vars.non_empty("s3_integrity").map(|value| Sxp::pair("s3_integrity", &value)));
    form.extend(security);
    form.extend(devices);
    warnings.extend(without_effect(vars));
    Ok(Made { form: Sxp::List(form), warnings })
}

/// Entries that are there if they say something, in their order.
const TOP: &[&str] = &[
    "memory",
    "maxmem",
    "shadow_memory",
    "restart",
    "on_poweroff",
    "tsc_mode",
    "nomigrate",
    "on_reboot",
    "on_crash",
    "features",
    "on_xend_start",
    "on_xend_stop",
    "target",
    "cpuid",
    "cpuid_check",
    "machine_address_size",
    "suppress_spurious_page_faults",
    "description",
];

/// Entries that xm had not.
const XL: &[&str] = &[
    "cpus_soft",
    "on_watchdog",
    "on_soft_reset",
    "firmware",
    "seclabel",
    "init_seclabel",
    "channel",
    "usbctrl",
    "usbdev",
    "rdm",
];

/// What a fully virtualised guest's image says, in its order.
const HVM: &[&str] = &[
    "acpi",
    "apic",
    "boot",
    "cpuid",
    "cpuid_check",
    "device_model",
    "display",
    "fda",
    "fdb",
    "gfx_passthru",
    "guest_os_type",
    "hap",
    "hpet",
    "isa",
    "keymap",
    "localtime",
    "nographic",
    "opengl",
    "oos",
    "pae",
    "pci",
    "pci_msitranslate",
    "pci_power_mgmt",
    "rtc_timeoffset",
    "sdl",
    "soundhw",
    "stdvga",
    "timer_mode",
    "usb",
    "usbdevice",
    "vcpus",
    "vnc",
    "vncconsole",
    "vncdisplay",
    "vnclisten",
    "vncunused",
    "viridian",
    "vpt_align",
    "xauthority",
    "xen_extended_power_mgmt",
    "xen_platform_pci",
    "memory_sharing",
];

fn name(vars: &Variables, file_name: &str) -> Sxp {
    vars.non_empty("name").map_or_else(|| file_name.into(), |name| Sxp::from(&name))
}

/// The mask of those that are online at start, where not all are.
fn vcpus(vars: &Variables) -> Vec<Sxp> {
    let number = |name| vars.get(name).and_then(|value| value.number()).and_then(|n| u32::try_from(n).ok());
    let avail = vars.non_empty("vcpu_avail").map(|mask| Sxp::pair("vcpu_avail", &mask));
    let vcpus = vars.get("vcpus").map(|vcpus| Sxp::pair("vcpus", &vcpus));
    match (vars.non_empty("maxvcpus"), avail, number("vcpus").filter(|&n| n > 0)) {
        (Some(most), None, Some(online)) => {
            let mask = 1u128.checked_shl(online).map_or(u128::MAX, |bit| bit - 1);
            vec![Sxp::pair("vcpu_avail", mask.to_string()), Sxp::pair("vcpus", &most)]
        }
        (Some(most), avail, _) => avail.into_iter().chain([Sxp::pair("vcpus", &most)]).collect(),
        (None, avail, _) => avail.into_iter().chain(vcpus).collect(),
    }
}

/// The kernel's arguments, with where its root file system is on the network.
fn args(vars: &Variables) -> Result<String, VmError> {
    let extra = vars.text("extra");
    if let Some(line) = vars.non_empty("cmdline") {
        return Ok(line.text());
    }
    match (vars.non_empty("nfs_root"), vars.non_empty("nfs_server")) {
        (None, _) => Ok(extra),
        (Some(_), None) => Err(VmError::NfsServer),
        (Some(root), Some(server)) => Ok(format!("nfsroot={}:{} {extra}", server.text(), root.text())),
    }
}

/// The kernel's `ip=`, if an address or a way to get one is given.
fn ip(vars: &Variables) -> Option<String> {
    let (ip, dhcp) = (vars.text("ip"), vars.text("dhcp"));
    if ip.is_empty() && dhcp == "off" {
        return None;
    }
    let server = vars.non_empty("nfs_server").map_or("127.0.255.255".into(), |server| server.text());
    let rest = ["gateway", "netmask", "hostname", "interface"].map(|name| vars.text(name)).join(":");
    let ip = ip.strip_prefix("ip=").unwrap_or(&ip);
    Some(format!("{ip}:{server}:{rest}:{dhcp}"))
}

fn image(
    vars: &Variables,
    around: Around<'_>,
    args: String,
    (cpuid, cpuid_check): (&Sxp, &Sxp),
) -> Result<Sxp, VmError> {
    let builder = vars.non_empty("type").or_else(|| vars.get("builder")).map(|value| value.text());
    let builder = builder.unwrap_or_default();
    let mut image = vec![Sxp::from(builder.as_str())];
    let is_verbatim = vars.non_empty("bootloader").is_some();
    for what in ["kernel", "ramdisk"] {
        let Some(name) = vars.non_empty(what).map(|value| value.text()) else { continue };
        let path = if is_verbatim { name } else { path(what, name, around.host)? };
        image.push(Sxp::pair(what, path));
    }
    if let Some(name) = vars.non_empty("loader").map(|value| value.text()) {
        if around.host.path_kind(&name).is_none() {
            return Err(VmError::CannotFind { what: "loader", name });
        }
        image.push(Sxp::pair("loader", name));
    }
    if vars.non_empty("cmdline").is_none() {
        image.extend(ip(vars).map(|ip| Sxp::pair("ip", ip)));
        let root = vars.non_empty("root").map(|root| match root {
            Value::Text(root) => Sxp::from(root.strip_prefix("root=").unwrap_or(&root)),
            root => Sxp::from(&root),
        });
        image.extend(root.map(|root| Sxp::pair("root", root)));
    }
    let has_path = vars.non_empty("monitor_path").is_some();
    for key in ["videoram", "parallel", "serial", "monitor_path", "monitor"] {
        let implied = (key == "monitor" && has_path).then_some(Value::Int(1));
        image.extend(implied.or_else(|| vars.non_empty(key)).map(|value| Sxp::pair(key, &value)));
    }
    if !args.is_empty() {
        image.push(Sxp::pair("args", args));
    }
    image.extend(vars.non_empty("superpages").map(|value| Sxp::pair("superpages", &value)));
    if builder == "hvm" {
        for key in HVM {
            let value = match *key {
                "cpuid" => Some(cpuid.clone()),
                "cpuid_check" => Some(cpuid_check.clone()),
                "display" | "xauthority" => vfb::filled(key, vars, around.host).map(Sxp::from),
                _ => vars.get(key).map(|value| Sxp::from(&value)),
            };
            image.extend(value.map(|value| Sxp::pair(key, value)));
        }
        image.extend(vars.get("vncpasswd").map(|value| Sxp::pair("vncpasswd", &value)));
    }
    for key in ["vhpt", "machine_address_size", "suppress_spurious_page_faults"] {
        image.extend(vars.non_empty(key).map(|value| Sxp::pair(key, &value)));
    }
    for key in ["tsc_mode", "nomigrate"] {
        image.extend(vars.get(key).map(|value| Sxp::pair(key, &value)));
    }
    Ok(Sxp::List(image))
}

/// An image's path, as xm resolved it: one with a directory is kept, a bare name in the current directory is made absolute.
fn path(what: &'static str, name: String, host: &dyn Host) -> Result<String, VmError> {
    let is_word = name.starts_with("bundle:") || (what == "kernel" && name == "hvmloader");
    if is_word {
        return Ok(name);
    }
    if host.path_kind(&name).is_none() {
        return Err(VmError::CannotFind { what, name });
    }
    if name.contains('/') {
        return Ok(name);
    }
    Ok(host.current_dir().map_or(name.clone(), |dir| format!("{}/{name}", dir.trim_end_matches('/'))))
}

fn boot_loader(vars: &Variables, with_console: bool) -> Vec<Sxp> {
    let Some(program) = vars.non_empty("bootloader").map(|value| value.text()) else { return Vec::new() };
    let program = if program == "pygrub" { "/usr/bin/pygrub".into() } else { program };
    let args = match vars.non_empty("bootargs") {
        Some(args) => args.text(),
        None if with_console => String::new(),
        None => "-q".into(),
    };
    vec![Sxp::pair("bootloader", program), Sxp::pair("bootloader_args", args)]
}

fn security(vars: &Variables) -> Result<Option<Sxp>, VmError> {
    let texts = vars.texts("access_control").map_err(DeviceError::from)?;
    let [text] = texts.as_slice() else {
        return if texts.is_empty() { Ok(None) } else { Err(VmError::TwoLabels) };
    };
    // As the greedy expression that xm matched: the last `,label=` divides.
    let parts = text.strip_prefix("policy=").and_then(|rest| rest.rsplit_once(",label="));
    let (policy, label) = parts.ok_or_else(|| VmError::Label(text.clone()))?;
    let control =
        Sxp::List(vec!["access_control".into(), Sxp::pair("policy", policy), Sxp::pair("label", label)]);
    Ok(Some(Sxp::pair("security", vec![control])))
}

/// Turns the deprecated `nics` into empty entries of `vif`.
fn with_nics(vars: &Variables, warnings: &mut Vec<String>) -> Variables {
    let mut vars = vars.clone();
    let count = vars.get("nics").and_then(|value| value.number()).unwrap_or(-1);
    if count == 0 {
        warnings.push("Warning: The nics option is deprecated.  Please remove it.".into());
    } else if let Ok(count) = usize::try_from(count).map(|count| count.min(MOST_NICS)) {
        let mut vifs = vars.list("vif").unwrap_or_default();
        vifs.resize(vifs.len().max(count), Value::Text(String::new()));
        let shown = vec!["''"; count].join(", ");
        warnings.push(format!(
            "Warning: The nics option is deprecated.  Please use an empty vif entry instead:\n\n  vif = [ {shown} ]\n"
        ));
        vars.replace("vif", Value::List(vifs));
    }
    vars
}

/// More network interfaces than any backend serves.
const MOST_NICS: usize = 64;

/// Says which variables change nothing, and why.
fn without_effect(vars: &Variables) -> Vec<String> {
    let is_hvm = ["builder", "type"].iter().any(|name| vars.text(name) == "hvm");
    let mut said: Vec<String> = Vec::new();
    let mut for_hvm = Vec::new();
    for var in vars.changed() {
        match var.support {
            Support::No(why) => said.push(format!("Warning: '{}' has no effect: {why}.", var.name)),
            Support::Hvm if !is_hvm && !IN_EVERY_IMAGE.contains(&var.name) => {
                for_hvm.push(format!("'{}'", var.name))
            }
            _ => {}
        }
    }
    if !for_hvm.is_empty() {
        let verb = if for_hvm.len() == 1 { "has" } else { "have" };
        let names = for_hvm.join(", ");
        said.push(format!("Warning: {names} {verb} no effect: only HVM guests have that."));
    }
    if vars.non_empty("bootloader").is_none() && vars.non_empty("bootargs").is_some() {
        said.push("Warning: 'bootargs' has no effect without bootloader.".into());
    }
    if ip(vars).is_none() {
        for name in ["gateway", "netmask", "hostname"] {
            if vars.non_empty(name).is_some() {
                said.push(format!("Warning: '{name}' has no effect without ip or dhcp."));
            }
        }
    }
    if vars.non_empty("cmdline").is_some() {
        for name in ["root", "extra", "ip", "nfs_root"] {
            if vars.non_empty(name).is_some() {
                said.push(format!("Warning: '{name}' has no effect beside cmdline."));
            }
        }
    }
    said
}

/// Variables of displays and devices that the image of every guest shows.
const IN_EVERY_IMAGE: &[&str] =
    &["loader", "parallel", "serial", "monitor", "monitor_path", "videoram", "firmware"];

#[cfg(test)]
#[path = "vm_tests.rs"]
mod tests;
