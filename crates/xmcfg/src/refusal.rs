//! What a form asks for that this release cannot give a domain.
//!
//! It is all read, checked, kept and printed; only to create such a domain is refused, with every reason at once.

use std::fmt;

use crate::devices::DeviceNumber;
use crate::sxp::Sxp;

/// Why a domain cannot be created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It has devices, of these kinds.
    Devices(Vec<&'static str>),
    /// It is a fully virtualised guest.
    Hvm,
    /// It is to boot as a paravirtualised guest.
    Pv,
    /// Nobody knows how to build it.
    Builder(String),
    /// A program of the host would have to look into its disks.
    BootLoader(String),
    /// It has a label of a security policy.
    Label,
    /// These say something that nothing here does yet.
    Entries(Vec<&'static str>),
    /// A disk is wrong in itself.
    Disk(String),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list =
            |names: &[&str]| names.iter().map(|name| format!("'{name}'")).collect::<Vec<_>>().join(", ");
        match self {
            Refusal::Devices(names) => write!(
                f,
                "{} {} not available in this release of nanodom: domains have no devices yet; remove what needs one, or \
                 leave its list empty",
                list(names),
                verb(names)
            ),
            Refusal::Hvm => f.write_str(
                "HVM guests are not available in this release of nanodom; domains boot as PVH: name a kernel, and leave \
                 builder out or write builder = \"pvh\"",
            ),
            Refusal::Pv => f.write_str(
                "type = \"pv\" is not available in this release of nanodom; domains boot as PVH: leave it out, or write \
                 type = \"pvh\"",
            ),
            Refusal::Builder(word) => {
                write!(f, "nothing is known of builder = \"{word}\"; leave it out, or write builder = \"pvh\"")
            }
            Refusal::BootLoader(program) => write!(
                f,
                "the boot loader {program} cannot run: it would have to look into the domain's disk, and no disk is \
                 within this machine's reach; copy the kernel out, and name it with kernel = \"...\""
            ),
            Refusal::Label => f.write_str(
                "security labels are not available in this release of nanodom; leave access_control and seclabel out",
            ),
            Refusal::Entries(names) => {
                write!(f, "{} {} not available in this release of nanodom; leave out", list(names), verb(names))?;
                f.write_str(if names.len() == 1 { " that" } else { " those" })
            }
            Refusal::Disk(text) => f.write_str(text),
        }
    }
}

fn verb(names: &[&str]) -> &'static str {
    if names.len() == 1 { "is" } else { "are" }
}

/// Everything that keeps a form's domain from being created; nothing if it can be.
pub fn refusals(form: &Sxp) -> Vec<Refusal> {
    let mut found = Vec::new();
    let image = form.get("image");
    match image.and_then(Sxp::head) {
        Some("hvm") => found.push(Refusal::Hvm),
        Some("pv") => found.push(Refusal::Pv),
        None | Some("linux" | "generic" | "pvh" | "") => {}
        Some(other) => found.push(Refusal::Builder(other.into())),
    }
    found.extend(form.text("bootloader").filter(|program| !program.is_empty()).map(Refusal::BootLoader));
    let (classes, wrong) = devices(form);
    found.extend(wrong);
    if !classes.is_empty() {
        found.push(Refusal::Devices(classes));
    }
    // What follows a watchdog is destruction anyway.
    let is_so = |name: &str, value: &Sxp| name == "on_watchdog" && value.atom().as_deref() == Some("destroy");
    let says =
        |name: &&&str| form.get(name).is_some_and(|value| says_something(value) && !is_so(name, value));
    if ["security", "security_label", "seclabel", "init_seclabel"].iter().any(|name| says(&name)) {
        found.push(Refusal::Label);
    }
    let entries: Vec<&str> = ENTRIES.iter().filter(says).copied().collect();
    if !entries.is_empty() {
        found.push(Refusal::Entries(entries));
    }
    found
}

/// Entries without a mechanism here, where they are neither empty nor 0.
const ENTRIES: &[&str] = &[
    "shadow_memory",
    "target",
    "tsc_mode",
    "cpuid",
    "localtime",
    "cpus_soft",
    "on_watchdog",
    "on_soft_reset",
    "firmware",
    "channel",
    "usbctrl",
    "usbdev",
    "rdm",
];

fn says_something(value: &Sxp) -> bool {
    match value.atom() {
        Some(text) => !matches!(text.as_str(), "" | "0" | "__UNLABELED__"),
        None => !value.items().is_empty(),
    }
}

/// The variables whose devices a form has, and disks that are wrong in themselves.
fn devices(form: &Sxp) -> (Vec<&'static str>, Vec<Refusal>) {
    let (mut names, mut wrong) = (Vec::new(), Vec::new());
    for device in form.all("device").filter_map(|device| device.items().get(1)) {
        let name = match device.head() {
            Some("vbd" | "tap" | "tap2") => {
                wrong.extend(disk(device).map(Refusal::Disk));
                "disk"
            }
            Some("vif") => "vif",
            Some("vif2") => "vif2",
            Some("vfb" | "vkbd") => "vfb",
            Some("vtpm") => "vtpm",
            Some("pci") => "pci",
            Some("vscsi") => "vscsi",
            Some("vusb") => "vusb",
            Some("ioports") => "ioports",
            Some("irq") => "irq",
            // Every guest has one.
            Some("console") => continue,
            _ => "device",
        };
        if !names.contains(&name) {
            names.push(name);
        }
    }
    (names, wrong)
}

/// What is wrong with a disk.
fn disk(form: &Sxp) -> Option<String> {
    let text = |key: &str| form.text(key).unwrap_or_default();
    let (uname, dev, mode) = (text("uname"), text("dev"), text("mode"));
    if uname.is_empty() && !dev.ends_with(":cdrom") {
        return Some(format!("the disk {dev} has no image; only a drive (DEV:cdrom) can be empty"));
    }
    if !uname.is_empty() && !uname.contains(':') {
        return Some(format!(
            "the disk {dev} is {uname}, without its kind; write phy:DEVICE, file:IMAGE or tap:TYPE:IMAGE"
        ));
    }
    if !matches!(mode.as_str(), "r" | "w" | "w!") {
        return Some(format!("Invalid value: {mode}; the mode of the disk {dev} is r, w or w!"));
    }
    DeviceNumber::of(&dev).err().map(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sxp::first;

    fn said(form: &str) -> Vec<String> {
        refusals(&first(form.as_bytes()).unwrap()).iter().map(Refusal::to_string).collect()
    }

    #[test]
    fn what_needs_nothing_that_is_missing_is_not_refused() {
        for form in [
            "(vm (name g) (memory 128) (oos 1) (image (linux (kernel k) (tsc_mode 0))))",
            "(domain (bootloader '') (cpuid ()) (image (pvh (kernel k))) (device (console (protocol vt100))))",
        ] {
            assert_eq!(said(form), Vec::<String>::new(), "{form}");
        }
    }

    #[test]
    fn every_reason_is_given_and_names_of_one_reason_are_together() {
        let form = "(vm (localtime 1) (bootloader /usr/bin/pygrub) (image (hvm (kernel k))) (security ((access_control))) \
                    (device (vbd (uname phy:a) (dev xvda) (mode w))) (device (vbd (uname b) (dev xvdb) (mode w))) \
                    (device (vif)) (device (vkbd)) (device (vfb)))";
        assert_eq!(
            said(form),
            [
                "HVM guests are not available in this release of nanodom; domains boot as PVH: name a kernel, and leave \
                 builder out or write builder = \"pvh\"",
                "the boot loader /usr/bin/pygrub cannot run: it would have to look into the domain's disk, and no disk is \
                 within this machine's reach; copy the kernel out, and name it with kernel = \"...\"",
                "the disk xvdb is b, without its kind; write phy:DEVICE, file:IMAGE or tap:TYPE:IMAGE",
                "'disk', 'vif', 'vfb' are not available in this release of nanodom: domains have no devices yet; remove \
                 what needs one, or leave its list empty",
                "security labels are not available in this release of nanodom; leave access_control and seclabel out",
                "'localtime' is not available in this release of nanodom; leave out that",
            ]
        );
    }

    #[test]
    fn a_disk_that_no_release_could_serve_is_said_to_be_wrong() {
        for (disk, text) in [
            (
                "(uname '') (dev xvda) (mode w)",
                "the disk xvda has no image; only a drive (DEV:cdrom) can be empty",
            ),
            (
                "(uname phy:a) (dev xvda) (mode rw)",
                "Invalid value: rw; the mode of the disk xvda is r, w or w!",
            ),
            ("(uname phy:a) (dev zz) (mode w)", "Unable to find number for device (zz)"),
        ] {
            assert_eq!(said(&format!("(vm (device (vbd {disk})))"))[0], text);
        }
        assert_eq!(said("(vm (device (vbd (uname '') (dev hdc:cdrom) (mode r))))").len(), 1);
    }
}
