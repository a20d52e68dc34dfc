//! The variables of a configuration: xm's, in the order of its help, and the names that xl and this project added.

use Kind::{Bool, Int, List, Long, Text};
use Support::{Hvm, Later, No, Yes};

/// How a word of the command line becomes a value. Scripts may set any variable to anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A text, kept as it is.
    Text,
    /// A whole number.
    Int,
    /// A whole number, however large.
    Long,
    /// `yes`, `no`, `y` or `n`.
    Bool,
    /// A text that is added to a list.
    List,
}

/// The value of a variable that nobody set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Default {
    /// Python's `None`: nothing is said.
    Nothing,
    /// A number.
    Number(i64),
    /// A text.
    Word(&'static str),
    /// An empty list.
    Empty,
}

/// What comes of a variable today.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Support {
    /// It takes effect.
    Yes,
    /// It is read, checked, kept and printed, and a domain that has it cannot be created before a later release.
    Later,
    /// The same, for it says something about fully virtualised guests only.
    Hvm,
    /// No Xen has the mechanism any more, or nothing here needs it; the domain is created, and this is said.
    No(&'static str),
}

/// A variable.
#[derive(Clone, Copy, Debug)]
pub struct Var {
    /// Its name.
    pub name: &'static str,
    /// What the help writes for its value.
    pub shown: &'static str,
    /// How the command line sets it.
    pub kind: Kind,
    /// What it is when nobody sets it.
    pub default: Default,
    /// What comes of it.
    pub support: Support,
    /// What it is for.
    pub help: &'static str,
}

const NONE: Default = Default::Nothing;
const BLANK: Default = Default::Word("");
const EMPTY: Default = Default::Empty;
const ZERO: Default = Default::Number(0);
const ONE: Default = Default::Number(1);

const fn var(
    name: &'static str,
    shown: &'static str,
    kind: Kind,
    default: Default,
    support: Support,
    help: &'static str,
) -> Var {
    Var { name, shown, kind, default, support, help }
}

const GONE_PV: Support = No("it was for paravirtualised guests of old releases, and no Xen has it any more");
const GONE_XEND: Support = No("it was between xend and its own backends, and nothing looks at it any more");
const MODERN: Support = No("Xen decides this by itself today");

/// Every variable.
pub const ALL: &[Var] = &[
    // What every domain has.
    var(
        "name",
        "NAME",
        Text,
        NONE,
        Yes,
        "The domain's name; no two domains share one. Default: the name of the file.",
    ),
    var("uuid", "UUID", Text, NONE, Yes, "The domain's uuid. Default: one is drawn."),
    var("description", "TEXT", Text, BLANK, Yes, "What the domain is for, in your words."),
    var(
        "builder",
        "KIND",
        Text,
        Default::Word("linux"),
        Yes,
        "How it is built: 'linux' or 'generic' (a kernel, booted as PVH), 'pvh' (the same), 'hvm' (firmware; not yet).",
    ),
    var("memory", "MEMORY", Int, Default::Number(128), Yes, "Memory at start, in MiB."),
    var(
        "maxmem",
        "MEMORY",
        Int,
        NONE,
        Yes,
        "The most memory that it may ever have, in MiB. Default: memory.",
    ),
    var(
        "shadow_memory",
        "MEMORY",
        Int,
        ZERO,
        Later,
        "Memory for Xen's own tables on the guest's memory, in MiB; 0: as much as is needed.",
    ),
    var("memory_sharing", "yes|no", Bool, ZERO, Hvm, "Share pages of equal contents with other guests."),
    var(
        "vcpus",
        "VCPUS",
        Int,
        ONE,
        Yes,
        "Virtual processors, all of them online at start unless maxvcpus or vcpu_avail say otherwise.",
    ),
    var(
        "maxvcpus",
        "VCPUS",
        Int,
        NONE,
        Yes,
        "The most virtual processors that it may ever have; vcpus are online at start.",
    ),
    var(
        "vcpu_avail",
        "MASK",
        Long,
        NONE,
        Yes,
        "Which virtual processors are online at start, as a mask: the first ones, without a gap.",
    ),
    var("cpu", "CPU", Int, NONE, Yes, "Deprecated: a processor to run on. Use cpus."),
    var(
        "cpus",
        "CPUS",
        Text,
        NONE,
        Yes,
        "Processors that the virtual ones may run on: '0-3,5,^1' for all of them, or a list of such texts, one for each.",
    ),
    var(
        "cpu_weight",
        "WEIGHT",
        Int,
        NONE,
        Yes,
        "Share of the processors beside other domains'. Default: 256.",
    ),
    var(
        "cpu_cap",
        "CAP",
        Int,
        NONE,
        Yes,
        "The most processor time that it may have, in per cent of one processor; 0: no limit.",
    ),
    var("pool", "POOL", Text, NONE, Yes, "The pool of processors that it runs in. Default: Pool-0."),
    var(
        "on_poweroff",
        "ACTION",
        Text,
        NONE,
        Yes,
        "What follows when it powers itself off: destroy, restart, preserve, rename-restart. Default: destroy.",
    ),
    var("on_reboot", "ACTION", Text, NONE, Yes, "What follows when it reboots itself. Default: restart."),
    var(
        "on_crash",
        "ACTION",
        Text,
        NONE,
        Yes,
        "What follows when it crashes: one of those, coredump-destroy or coredump-restart. Default: restart.",
    ),
    var(
        "restart",
        "WHEN",
        Text,
        NONE,
        Yes,
        "Deprecated: 'always', 'onreboot' or 'never', for the three rules before.",
    ),
    var(
        "on_xend_start",
        "ACTION",
        Text,
        Default::Word("ignore"),
        Yes,
        "For a managed domain, what follows when its manager begins: ignore or start.",
    ),
    var(
        "on_xend_stop",
        "ACTION",
        Text,
        Default::Word("ignore"),
        Yes,
        "For a managed domain, what follows when its manager ends: ignore, shutdown or suspend.",
    ),
    var(
        "target",
        "DOMID",
        Int,
        ZERO,
        Later,
        "The id of the domain that this one serves as its device model.",
    ),
    var("nomigrate", "0|1", Int, ZERO, Yes, "1: it may not be moved to another machine."),
    var(
        "tsc_mode",
        "MODE",
        Int,
        ZERO,
        Later,
        "The processor's time stamp counter: 0 as Xen thinks best, 1 always emulated, 2 never, 3 as told by RDTSCP.",
    ),
    var("hap", "0|1", Int, ONE, Hvm, "Let the processor walk the guest's page tables."),
    var("oos", "0|1", Int, ONE, MODERN, "Let shadow page tables be out of step for a while."),
    var(
        "s3_integrity",
        "0|1",
        Int,
        ONE,
        MODERN,
        "Have its memory's integrity checked across the machine's sleep.",
    ),
    var("machine_address_size", "BITS", Int, NONE, GONE_PV, "The widest machine address that it can use."),
    var(
        "suppress_spurious_page_faults",
        "yes|no",
        Bool,
        NONE,
        GONE_PV,
        "Keep page faults from it that were none.",
    ),
    var("superpages", "0|1", Int, ZERO, GONE_PV, "Give it memory in pages of 2 MiB."),
    var(
        "cpuid",
        "LEAF:REG=VALUE,...",
        List,
        EMPTY,
        Later,
        "What the CPUID instruction tells it: 1:ecx=0x...,edx=xx...x (32 of '1', '0', 'x', 'k', 's'). Many are possible.",
    ),
    var(
        "cpuid_check",
        "LEAF:REG=VALUE,...",
        List,
        EMPTY,
        No("no Xen compares a machine with it any more"),
        "What the machine's CPUID has to tell. Many are possible.",
    ),
    var("blkif", "yes|no", Bool, ZERO, GONE_XEND, "The domain serves disks to others."),
    var("netif", "yes|no", Bool, ZERO, GONE_XEND, "The domain serves networks to others."),
    var("tpmif", "no", List, ZERO, GONE_XEND, "The domain serves TPMs to others."),
    var("access_control", "policy=POLICY,label=LABEL", List, EMPTY, Later, "Its label in a security policy."),
    // What a kernel is booted with.
    var(
        "kernel",
        "FILE",
        Text,
        NONE,
        Yes,
        "The kernel: a path, or bundle:NAME for an image that the control domain was started with.",
    ),
    var("ramdisk", "FILE", Text, BLANK, Yes, "The ramdisk, likewise."),
    var("loader", "FILE", Text, BLANK, Hvm, "The firmware of a fully virtualised guest."),
    var("bootloader", "FILE", Text, NONE, Later, "A program that takes the kernel out of the domain's disk."),
    var("bootargs", "ARGS", Text, NONE, Later, "That program's arguments."),
    var(
        "bootentry",
        "NAME",
        Text,
        NONE,
        No("no boot loader takes it any more; write bootargs"),
        "Deprecated: what that program is to boot.",
    ),
    var("root", "DEVICE", Text, BLANK, Yes, "The root= of the kernel's command line."),
    var("extra", "ARGS", Text, BLANK, Yes, "More words for the kernel's command line."),
    var(
        "ip",
        "ADDRESS",
        Text,
        BLANK,
        Yes,
        "Its address: together with the next ones the ip= of the kernel's command line.",
    ),
    var("gateway", "ADDRESS", Text, BLANK, Yes, "Its gateway."),
    var("netmask", "MASK", Text, BLANK, Yes, "Its network's mask."),
    var("hostname", "NAME", Text, BLANK, Yes, "Its name on the network."),
    var("interface", "NAME", Text, Default::Word("eth0"), Yes, "Its network interface."),
    var("dhcp", "off|dhcp", Text, Default::Word("off"), Yes, "Whether it asks the network for all that."),
    var("nfs_server", "ADDRESS", Text, NONE, Yes, "The server of its root file system."),
    var("nfs_root", "PATH", Text, NONE, Yes, "The directory of its root file system there."),
    var("features", "FEATURES", Text, BLANK, GONE_PV, "Features that a paravirtualised kernel has to have."),
    var(
        "vhpt",
        "ORDER",
        Int,
        ZERO,
        No("it was for ia64, which no Xen runs on any more"),
        "The order of an ia64 guest's page table.",
    ),
    // What a fully virtualised guest finds.
    var("acpi", "0|1", Int, ONE, Hvm, "ACPI tables."),
    var("apic", "0|1", Int, ONE, Hvm, "An interrupt controller that knows more than one processor."),
    var("pae", "0|1", Int, ONE, Hvm, "Page tables for more than 4 GiB."),
    var("hpet", "0|1", Int, ZERO, Hvm, "A high precision timer."),
    var("viridian", "0|1", Int, ZERO, Hvm, "Interfaces that Windows looks for."),
    var("vpt_align", "0|1", Int, ONE, Hvm, "Align the ticks of its timers."),
    var(
        "timer_mode",
        "MODE",
        Int,
        ONE,
        Hvm,
        "What becomes of ticks that it missed: 0 they come later, 1 they are lost, 2 none is lost, 3 at most one waits.",
    ),
    var("rtc_timeoffset", "SECONDS", Int, ZERO, Hvm, "What its clock is ahead of UTC."),
    var("localtime", "yes|no", Bool, ZERO, Later, "Its clock shows local time."),
    var("xen_platform_pci", "0|1", Int, ONE, Hvm, "The device by which drivers find Xen."),
    var(
        "pci_msitranslate",
        "0|1",
        Int,
        ONE,
        Hvm,
        "Turn message signalled interrupts of its PCI devices into others.",
    ),
    var("pci_power_mgmt", "0|1", Int, ZERO, Hvm, "Let it put its PCI devices to sleep."),
    var("xen_extended_power_mgmt", "0|1", Int, NONE, Hvm, "Let it see the machine's power management."),
    var("guest_os_type", "TYPE", Text, Default::Word("default"), Hvm, "What kind of system it is."),
    var("device_model", "FILE", Text, NONE, Hvm, "The program that plays its devices."),
    var(
        "boot",
        "LETTERS",
        Text,
        Default::Word("c"),
        Hvm,
        "What it boots from, in order: a and b floppies, c disk, d CD, n network.",
    ),
    var("fda", "FILE", Text, BLANK, Hvm, "Its first floppy."),
    var("fdb", "FILE", Text, BLANK, Hvm, "Its second floppy."),
    var("isa", "yes|no", Bool, ZERO, Hvm, "It has an ISA bus only."),
    var("usb", "yes|no", Bool, ZERO, Hvm, "It has a USB controller."),
    var("usbdevice", "NAME", Text, BLANK, Hvm, "A device on that: mouse, tablet, or host:BUS.DEVICE."),
    var("soundhw", "NAMES", Text, BLANK, Hvm, "Its sound cards."),
    var("stdvga", "yes|no", Bool, ZERO, Hvm, "A plain VGA card, not a Cirrus."),
    var("nographic", "yes|no", Bool, ZERO, Hvm, "No display at all."),
    var("parallel", "TO", Text, BLANK, Hvm, "Where its parallel port leads: pty, vc or a file."),
    var("serial", "TO", Text, BLANK, Hvm, "Where its serial port leads: pty, vc or a file."),
    var("monitor", "yes|no", Bool, ZERO, Hvm, "The device model's monitor can be reached."),
    var("monitor_path", "FILE", Text, BLANK, Hvm, "Where: implies monitor."),
    var("keymap", "NAME", Text, BLANK, Hvm, "The keyboard's layout."),
    var("vnc", "0|1", Int, NONE, Hvm, "Its display can be seen over VNC."),
    var(
        "vncdisplay",
        "NUMBER",
        Int,
        NONE,
        Hvm,
        "As which display; port 5900 and this. Default: its domain's id.",
    ),
    var("vnclisten", "ADDRESS", Text, NONE, Hvm, "On which of the machine's addresses. Default: 127.0.0.1."),
    var("vncunused", "yes|no", Bool, ONE, Hvm, "On the first port from 5900 that is free."),
    var("vncpasswd", "WORD", Text, NONE, Hvm, "With this password."),
    var("vncconsole", "yes|no", Bool, NONE, Hvm, "Start a viewer when the domain is created."),
    var("vncviewer", "yes|no", Bool, NONE, Hvm, "Deprecated: the same."),
    var("videoram", "MEMORY", Int, Default::Number(4), Hvm, "Memory of its display, in MiB."),
    var("sdl", "0|1", Int, NONE, Hvm, "Its display is a window on the machine's own screen."),
    var("opengl", "0|1", Int, NONE, Hvm, "That window is drawn with OpenGL."),
    var("gfx_passthru", "0|1", Int, NONE, Hvm, "It has the machine's own display."),
    var(
        "display",
        "DISPLAY",
        Text,
        NONE,
        Hvm,
        "X's display for that window. Default: that of the environment.",
    ),
    var(
        "xauthority",
        "FILE",
        Text,
        NONE,
        Hvm,
        "X's authority file for it. Default: that of the environment.",
    ),
    // Devices.
    var(
        "disk",
        "UNAME,DEV,MODE[,BACKEND[,PROTOCOL]]",
        List,
        EMPTY,
        Later,
        "A disk: phy:DEVICE, file:IMAGE or tap:TYPE:IMAGE, its name in the guest, r or w (w! when others have it too), the domain that serves it. Many are possible.",
    ),
    var(
        "vif",
        "KEY=VALUE,...",
        List,
        EMPTY,
        Later,
        "A network interface: mac, bridge, ip, script, type, vifname, rate, model, accel, backend, policy, label. Many are possible.",
    ),
    var(
        "vif2",
        "KEY=VALUE,...",
        List,
        EMPTY,
        Later,
        "A network interface of another kind: front_mac, back_mac, backend, trusted, back_trusted, front_filter_mac, filter_mac, bridge, pdev, max_bypasses.",
    ),
    var(
        "nics",
        "NUMBER",
        Int,
        Default::Number(-1),
        Yes,
        "Deprecated: how many network interfaces there are. Use empty texts in vif.",
    ),
    var(
        "vfb",
        "KEY=VALUE,...",
        List,
        EMPTY,
        Later,
        "A display of a paravirtualised guest: vnc, sdl, vncdisplay, vnclisten, vncunused, vncpasswd, display, xauthority, opengl, keymap, serial, monitor, videoram.",
    ),
    var("vtpm", "instance=NUMBER,backend=DOM[,uuid=UUID]", List, EMPTY, Later, "A trusted platform module."),
    var(
        "pci",
        "[DDDD:]BB:DD.F[@SLOT][,OPTION=VALUE]",
        List,
        EMPTY,
        Later,
        "A PCI device of the machine, with msitranslate=0|1 and power_mgmt=0|1. Many are possible.",
    ),
    var(
        "ioports",
        "FROM[-TO]",
        List,
        EMPTY,
        Later,
        "I/O ports of the machine, in hexadecimal. Many are possible.",
    ),
    var("irq", "IRQ", List, EMPTY, Later, "An interrupt of the machine. Many are possible."),
    var("vscsi", "PDEV,VDEV[,DOM]", List, EMPTY, Later, "A SCSI device of the machine. Many are possible."),
    var(
        "vusb",
        "usbver=VERSION,numports=NUMBER,port_N=BUSID,...",
        List,
        EMPTY,
        Later,
        "A USB controller with devices of the machine. Many are possible.",
    ),
    // xl's names, and what is this project's own.
    var(
        "type",
        "KIND",
        Text,
        NONE,
        Yes,
        "xl's name for builder: 'pvh'; 'pv' and 'hvm' are not possible yet.",
    ),
    var(
        "cmdline",
        "ARGS",
        Text,
        NONE,
        Yes,
        "The kernel's whole command line, instead of root, ip and extra.",
    ),
    var("cap", "CAP", Int, NONE, Yes, "xl's name for cpu_cap."),
    var("cpus_soft", "CPUS", Text, NONE, Later, "Processors that the virtual ones would rather run on."),
    var("on_watchdog", "ACTION", Text, NONE, Later, "What follows when its watchdog fires."),
    var("on_soft_reset", "ACTION", Text, NONE, Later, "What follows when it asks for a soft reset."),
    var("firmware", "NAME", Text, NONE, Hvm, "The firmware of a fully virtualised guest."),
    var("seclabel", "LABEL", Text, NONE, Later, "Its label in Xen's security policy."),
    var("init_seclabel", "LABEL", Text, NONE, Later, "Its label while it is being built."),
    var("channel", "KEY=VALUE,...", List, EMPTY, Later, "A channel to a program of the machine."),
    var("usbctrl", "KEY=VALUE,...", List, EMPTY, Later, "A USB controller."),
    var("usbdev", "KEY=VALUE,...", List, EMPTY, Later, "A device on it."),
    var("rdm", "TEXT", Text, NONE, Later, "What becomes of memory that devices reserve."),
];

/// The variable of this name.
pub fn find(name: &str) -> Option<&'static Var> {
    ALL.iter().find(|var| var.name == name)
}

/// The variable whose name is so near to this one that it may have been meant.
pub fn nearest(name: &str) -> Option<&'static Var> {
    let most = match name.len() {
        0..4 => 0,
        4..8 => 1,
        _ => 2,
    };
    let (distance, var) =
        ALL.iter().map(|var| (distance(name, var.name), var)).min_by_key(|(far, _)| *far)?;
    (1..=most).contains(&distance).then_some(var)
}

/// What `--help_config` prints.
pub fn help() -> String {
    let mut text = String::from("\nValues:\n\n");
    for var in ALL {
        let key = format!("{}={}", var.name, var.shown);
        let mark = match var.support {
            Yes => "",
            Later => " (Not in this release.)",
            Hvm => " (For HVM guests; not in this release.)",
            No(_) => " (Without effect.)",
        };
        let mut lines = wrapped(&format!("{}{mark}", var.help)).into_iter();
        match lines.next() {
            Some(first) if key.len() < KEY => text.push_str(&format!("{key:<KEY$}{first}\n")),
            first => text.push_str(&format!("{key}\n{:KEY$}{}\n", "", first.unwrap_or_default())),
        }
        lines.for_each(|line| text.push_str(&format!("{:KEY$}{line}\n", "")));
    }
    text
}

/// Columns of a name in the help.
const KEY: usize = 21;
/// Columns of the text behind it.
const WIDTH: usize = 55;

fn wrapped(text: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let line = lines.last_mut().filter(|line| line.is_empty() || line.len() + 1 + word.len() <= WIDTH);
        match line {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) => line.extend([" ", word]),
            None => lines.push(word.into()),
        }
    }
    lines
}

/// How many letters have to be put in, taken out, replaced or swapped with their neighbour to make `b` of `a`.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().take(64).collect(), b.chars().collect());
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    for i in 0..=a.len() {
        for j in 0..=b.len() {
            rows[i][j] = match (i, j) {
                (0, n) | (n, 0) => n,
                _ => {
                    let differs = usize::from(a[i - 1] != b[j - 1]);
                    let mut best =
                        (rows[i - 1][j] + 1).min(rows[i][j - 1] + 1).min(rows[i - 1][j - 1] + differs);
                    if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                        best = best.min(rows[i - 2][j - 2] + 1);
                    }
                    best
                }
            };
        }
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_name_finds_the_one_that_was_meant_and_others_find_none() {
        for (wrong, right) in [
            ("memmory", Some("memory")),
            ("krenel", Some("kernel")),
            ("disks", Some("disk")),
            ("on_chrash", Some("on_crash")),
            ("vmid", None),
            ("arch", None),
            ("i", None),
            ("common_disks", None),
        ] {
            assert_eq!(nearest(wrong).map(|var| var.name), right, "{wrong}");
        }
    }

    #[test]
    fn no_variable_is_listed_twice_and_every_one_has_its_line_of_help() {
        let help = help();
        for (number, var) in ALL.iter().enumerate() {
            assert!(ALL[..number].iter().all(|other| other.name != var.name), "{}", var.name);
            assert!(help.contains(&format!("\n{}=", var.name)), "{}", var.name);
        }
        assert!(help.lines().all(|line| line.len() <= KEY + WIDTH), "{help}");
        assert!(help.starts_with("\nValues:\n\nname=NAME            The domain's name;"), "{help}");
    }
}
