//! Compiles `preload/xenless.rs`, the stand-in for Xen, into a library for `LD_PRELOAD`.
//!
//! It cannot be a dependency or a target of this package: it defines `open`, `ioctl` and others, and whatever is linked with it would
//! get those instead of libc's.

use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=preload/xenless.rs");
    let env = |name: &str| std::env::var(name).expect("cargo sets it");
    let library = Path::new(&env("OUT_DIR")).join("libxenless.so");
    let mut rustc = Command::new(env("RUSTC"));
    rustc.args([
        "--edition=2024",
        "--crate-type=cdylib",
        "--crate-name=xenless",
        "-Copt-level=2",
        "-Cpanic=abort",
    ]);
    rustc.args(["-Cstrip=debuginfo", "-Dwarnings", "--target", &env("TARGET"), "preload/xenless.rs", "-o"]);
    let status = rustc.arg(&library).status().expect("rustc starts");
    assert!(status.success(), "preload/xenless.rs does not compile");
    println!("cargo::rustc-env=XENLESS={}", library.display());
}
