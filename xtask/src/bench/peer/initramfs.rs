//! Assembles the root file system of the peer's domain 0 from the Debian packages installed here: busybox, xl and its
//! helpers, the C xenstored, xenconsoled, the few kernel modules, and the libraries that all of them load.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use qemu_tests::cpio::Archive;
use qemu_tests::{artifacts, ramdisk};

use crate::sh;

/// Where Debian keeps this release's tools.
const TOOLS: &str = "/usr/lib/xen-4.17/bin";
/// What xl and its domain 0 run.
const PROGRAMS: &[&str] =
    &["xl", "xenstored", "xenconsoled", "xenconsole", "xen-init-dom0", "libxl-save-helper"];
const MODULES: &[&str] = &["xen-privcmd", "xen-evtchn", "xenfs", "xen-gntdev", "xen-gntalloc"];
/// The applets that the scripts use.
const APPLETS: &[&str] = &[
    "awk", "cat", "echo", "grep", "insmod", "mkdir", "mount", "printf", "seq", "sh", "sleep", "sync", "tail",
    "tr",
];

/// The archive of a Linux domain 0 with xl.
pub(super) struct Initramfs {
    archive: Archive,
    present: BTreeSet<PathBuf>,
}

impl Initramfs {
    /// Puts together what the toolstack itself takes, nothing that only serves a measurement.
    ///
    /// # Errors
    /// A file is missing or unreadable.
    pub(super) fn toolstack() -> Result<Self> {
        let mut image = Self { archive: Archive::new(), present: BTreeSet::new() };
        let directories = ["dev", "proc", "sys", "tmp", "root", "run/lock", "run/xen", "run/xenstored"];
        let state = ["var/lib/xen", "var/lib/xenstored", "var/log/xen/console"];
        for directory in directories.iter().chain(&state) {
            image.archive.directory(directory);
        }
        image.archive.symlink("var/run", "../run");
        image.archive.symlink("var/lock", "../run/lock");
        image.archive.device("dev/console", 5, 1);

        image.program(Path::new(artifacts::BUSYBOX), "bin/busybox")?;
        for applet in APPLETS {
            image.archive.symlink(&format!("bin/{applet}"), "busybox");
        }
        for program in PROGRAMS {
            let path = format!("{TOOLS}/{program}");
            image.program(Path::new(&path), &path)?;
        }
        image.archive.symlink("bin/xl", &format!("{TOOLS}/xl"));
        // glibc loads it by itself when a thread is cancelled, as libxl does.
        image.library(Path::new("/lib/x86_64-linux-gnu/libgcc_s.so.1"))?;
        // The measurement fixes domain 0's memory.
        image.text("etc/xen/xl.conf", "autoballoon=\"off\"\n");
        image.text("etc/passwd", "root:x:0:0:root:/root:/bin/sh\n");
        image.text("etc/group", "root:x:0:\n");
        image.modules()?;
        Ok(image)
    }

    /// Adds a text file.
    pub(super) fn text(&mut self, path: &str, text: &str) {
        self.archive.file(path, text.as_bytes(), text.starts_with("#!"));
    }

    /// Adds any file.
    ///
    /// # Errors
    /// It cannot be read.
    pub(super) fn file(&mut self, source: &Path, path: &str) -> Result<()> {
        self.archive.file(path, &read(source)?, false);
        Ok(())
    }

    /// Adds a program and the libraries that it is linked to.
    ///
    /// # Errors
    /// One of them cannot be read.
    pub(super) fn program(&mut self, source: &Path, path: &str) -> Result<()> {
        let program = read(source)?;
        self.archive.file(path, &program, true);
        // ldd refuses a static program, which needs nothing.
        if !ramdisk::is_static(&program) {
            for library in sh::output(Command::new("ldd").arg(source))?.lines().filter_map(linked) {
                self.library(&library)?;
            }
        }
        Ok(())
    }

    /// Ends the archive.
    pub(super) fn finish(self) -> Vec<u8> {
        self.archive.finish()
    }

    fn library(&mut self, path: &Path) -> Result<()> {
        if self.present.insert(path.to_owned()) {
            self.archive.file(&path.display().to_string(), &read(path)?, true);
        }
        Ok(())
    }

    fn modules(&mut self) -> Result<()> {
        let top = Path::new("/lib/modules").join(artifacts::linux_release()?).join("kernel/drivers/xen");
        for module in MODULES {
            let file = format!("{module}.ko");
            // xenfs has a directory of its own.
            let found =
                [top.join(&file), top.join(module).join(&file)].into_iter().find(|path| path.exists());
            // What is built into the kernel needs no module; the boot itself shows whether anything lacks.
            if let Some(source) = found {
                self.file(&source, &format!("modules/{file}"))?;
            }
        }
        Ok(())
    }
}

/// The path in a line of ldd: `NAME => PATH (ADDRESS)` or `PATH (ADDRESS)`.
fn linked(line: &str) -> Option<PathBuf> {
    let (before, _) = line.rsplit_once(" (0x")?;
    let path = before.rsplit_once("=> ").map_or(before, |(_, path)| path).trim();
    path.starts_with('/').then(|| PathBuf::from(path))
}

fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("{}: run `cargo xtask setup`", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_of_ldd_gives_its_path_or_none() {
        let cases = [
            (
                "\tlibz.so.1 => /lib/x86_64-linux-gnu/libz.so.1 (0x00007f0000000000)",
                Some("/lib/x86_64-linux-gnu/libz.so.1"),
            ),
            ("\t/lib64/ld-linux-x86-64.so.2 (0x00007f0000000000)", Some("/lib64/ld-linux-x86-64.so.2")),
            ("\tlinux-vdso.so.1 (0x00007fff00000000)", None),
            ("\tstatically linked", None),
        ];
        for (line, path) in cases {
            assert_eq!(linked(line), path.map(PathBuf::from), "{line}");
        }
    }
}
