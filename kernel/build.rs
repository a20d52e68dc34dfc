//! Tells the kernel how it was built, for `xm info`.

use std::env;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let compiler = env::var_os("RUSTC").expect("cargo names the compiler");
    let told = Command::new(compiler).arg("--version").output().expect("the compiler of this build runs");
    let compiler = String::from_utf8_lossy(&told.stdout).trim().to_owned();
    let level = env::var("OPT_LEVEL").expect("cargo names the level");
    let machine = env::var("CARGO_CFG_TARGET_ARCH").expect("cargo names the architecture");
    println!("cargo::rustc-env=NANODOM_BUILD={compiler}, opt-level {level}");
    println!("cargo::rustc-env=NANODOM_MACHINE={machine}");
}
