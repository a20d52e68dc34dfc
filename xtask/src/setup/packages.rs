//! The Debian packages: what each is for and how to see that it is there.

use std::path::Path;

use super::{Level, apt};
use qemu_tests::{artifacts, ramdisk};

/// One package, and a quick proof of it.
struct Package {
    name: &'static str,
    level: Level,
    is_there: fn() -> bool,
}

const PACKAGES: &[Package] = &[
    Package { name: "gcc", level: Level::Build, is_there: || on_path("cc") },
    Package { name: "libc6-dev", level: Level::Build, is_there: has_libc_dev },
    Package { name: "binutils", level: Level::Build, is_there: || on_path("objdump") },
    Package { name: "qemu-system-x86", level: Level::Lab, is_there: || exists(artifacts::QEMU) },
    Package {
        name: "xen-hypervisor-4.17-amd64",
        level: Level::Lab,
        is_there: || exists(artifacts::XEN_4_17),
    },
    Package { name: "linux-image-amd64", level: Level::Lab, is_there: || artifacts::vmlinuz().is_ok() },
    Package { name: "busybox-static", level: Level::Lab, is_there: has_static_busybox },
    Package { name: "xen-utils-4.17", level: Level::Test, is_there: || exists("/usr/lib/xen-4.17/bin/xl") },
    Package { name: "xenstore-utils", level: Level::Test, is_there: || exists("/usr/bin/xenstore-ls") },
    Package {
        name: "python3-pyxs",
        level: Level::Test,
        is_there: || exists("/usr/lib/python3/dist-packages/pyxs"),
    },
    // What a Xen is built with: Level::Build has the compiler.
    Package { name: "make", level: Level::Test, is_there: || on_path("make") },
    Package { name: "flex", level: Level::Test, is_there: || on_path("flex") },
    Package { name: "bison", level: Level::Test, is_there: || on_path("bison") },
    Package { name: "checkpolicy", level: Level::Test, is_there: || on_path("checkpolicy") },
    Package { name: "dpkg-dev", level: Level::Test, is_there: || on_path("dpkg-source") },
    Package { name: "python3", level: Level::Test, is_there: || exists("/usr/bin/python3") },
    Package { name: "gdb", level: Level::Test, is_there: || on_path("gdb") },
    Package { name: "g++", level: Level::All, is_there: || on_path("c++") },
    Package { name: "strace", level: Level::All, is_there: || exists("/usr/bin/strace") },
];

/// Installs what is missing; returns what a person has to do where that did not work.
pub(super) fn ensure(level: Level) -> Vec<String> {
    let missing = || -> Vec<&'static str> {
        PACKAGES.iter().filter(|p| p.level <= level && !(p.is_there)()).map(|p| p.name).collect()
    };
    let wanted = missing();
    if wanted.is_empty() {
        return Vec::new();
    }
    let refused = apt::install(&wanted).err();
    let left = missing();
    if left.is_empty() {
        return Vec::new();
    }
    let why =
        refused.map_or_else(|| "apt-get succeeded, yet they are not there".to_owned(), |e| format!("{e:#}"));
    vec![format!("Debian packages: apt-get install --no-install-recommends {}\n    ({why})", left.join(" "))]
}

fn exists(path: &str) -> bool {
    Path::new(path).exists()
}

fn on_path(program: &str) -> bool {
    std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|directory| directory.join(program).is_file()))
}

/// The start files that linking a program for this machine takes.
fn has_libc_dev() -> bool {
    exists("/usr/lib/x86_64-linux-gnu/crt1.o") || exists("/usr/lib64/crt1.o") || exists("/usr/lib/crt1.o")
}

/// The package `busybox` has the same path, but its program needs libraries that a guest has not.
fn has_static_busybox() -> bool {
    std::fs::read(artifacts::BUSYBOX).is_ok_and(|program| ramdisk::is_static(&program))
}
