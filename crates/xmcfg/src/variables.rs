//! The variables of a configuration: those that work, those that xm had, and what else a name may have meant.

/// What this release does with a variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Support {
    /// It is used.
    Used,
    /// xm or xl has it; here it may only be empty or unset.
    Absent,
    /// Nobody has it.
    Unknown,
}

/// The variables that are used.
pub const USED: &[&str] = &[
    "name",
    "uuid",
    "memory",
    "maxmem",
    "vcpus",
    "maxvcpus",
    "cpus",
    "kernel",
    "ramdisk",
    "extra",
    "root",
    "cmdline",
    "on_poweroff",
    "on_reboot",
    "on_crash",
    "builder",
    "type",
];

/// xm's and xl's other variables.
const ABSENT: &[&str] = &[
    "description",
    "shadow_memory",
    "memory_sharing",
    "vcpu_avail",
    "cpu",
    "cpu_weight",
    "cpu_cap",
    "pool",
    "restart",
    "on_xend_start",
    "on_xend_stop",
    "target",
    "nomigrate",
    "tsc_mode",
    "hap",
    "oos",
    "s3_integrity",
    "machine_address_size",
    "suppress_spurious_page_faults",
    "superpages",
    "cpuid",
    "cpuid_check",
    "blkif",
    "netif",
    "tpmif",
    "access_control",
    "loader",
    "bootloader",
    "bootargs",
    "bootentry",
    "ip",
    "gateway",
    "netmask",
    "hostname",
    "interface",
    "dhcp",
    "nfs_server",
    "nfs_root",
    "features",
    "vhpt",
    "acpi",
    "apic",
    "pae",
    "hpet",
    "viridian",
    "vpt_align",
    "timer_mode",
    "rtc_timeoffset",
    "localtime",
    "xen_platform_pci",
    "pci_msitranslate",
    "pci_power_mgmt",
    "xen_extended_power_mgmt",
    "guest_os_type",
    "device_model",
    "boot",
    "fda",
    "fdb",
    "isa",
    "usb",
    "usbdevice",
    "soundhw",
    "stdvga",
    "nographic",
    "parallel",
    "serial",
    "monitor",
    "monitor_path",
    "keymap",
    "vnc",
    "vncdisplay",
    "vnclisten",
    "vncunused",
    "vncpasswd",
    "vncconsole",
    "vncviewer",
    "videoram",
    "sdl",
    "opengl",
    "gfx_passthru",
    "display",
    "xauthority",
    "disk",
    "vif",
    "vif2",
    "vfb",
    "vtpm",
    "pci",
    "ioports",
    "irq",
    "vscsi",
    "vusb",
    "nics",
    "firmware",
    "cpus_soft",
    "cap",
    "on_watchdog",
    "on_soft_reset",
    "seclabel",
    "init_seclabel",
    "usbctrl",
    "usbdev",
    "channel",
    "rdm",
];

/// What this release does with a variable of this name.
pub fn support(name: &str) -> Support {
    if USED.contains(&name) {
        Support::Used
    } else if ABSENT.contains(&name) {
        Support::Absent
    } else {
        Support::Unknown
    }
}

/// The known name that is nearest to this one.
pub fn nearest(name: &str) -> &'static str {
    let all = USED.iter().chain(ABSENT);
    all.min_by_key(|known| distance(name, known)).copied().unwrap_or("name")
}

/// How many letters have to be put in, taken out, replaced or swapped with their neighbour to make `b` of `a`.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
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
    fn a_misspelt_name_finds_the_one_that_was_meant() {
        for (wrong, right) in [
            ("memmory", "memory"),
            ("krenel", "kernel"),
            ("vcpu", "vcpus"),
            ("ramdsk", "ramdisk"),
            ("on_chrash", "on_crash"),
        ] {
            assert_eq!(nearest(wrong), right);
        }
    }

    #[test]
    fn no_variable_is_listed_twice() {
        assert!(ABSENT.iter().all(|name| !USED.contains(name)));
    }
}
