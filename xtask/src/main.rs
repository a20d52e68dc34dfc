//! The project's own commands: `cargo xtask setup | xen-full | build | test | fuzz | demo | bench`.
//!
//! Each installs first what it misses ([`setup`]). Where something does not hold, a command ends with one error and
//! a status other than 0.

mod bench;
mod build;
mod demo;
mod elf;
mod fuzz;
mod guests;
mod paths;
mod setup;
mod sh;
mod soak;
mod test;

use std::process::ExitCode;

use anyhow::{Result, bail};

const USAGE: &str = "\
Usage: cargo xtask COMMAND

  setup                  install what the other commands need (Debian 12, as root), or say what is missing
  xen-full               build a Xen with all schedulers and security modules, from Debian's source package, once
  build                  build and check the kernel, hostctl, the tiny guests and the guests' ramdisk
  test [--host|--qemu] [NAME] [--long]
                         format, lints, host tests, then the tests on a real Xen in QEMU;
                         --host: without those; --qemu: only those (of the file NAME);
                         --long: each fuzz target for a minute besides
  fuzz [TARGET] [--seconds N | FILE]
                         run a fuzz target, or all, for N seconds (60); or one with FILE's input
  soak store [--seconds N]
                         a hundred domains on this system's store, for 600 seconds
  demo                   a guest's console on a real Xen, end to end
  bench [--json] [--quick] [--runs N] [--only ours|peer] [--pvh]
                         this system and, beside it, a Linux domain 0 with xl; --pvh: also as a PVH domain 0
  bench store [--json] [--quick] [--runs N] [--only ours]
                         this system's store and, beside it, Debian's xenstored and oxenstored
";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match run(&words.iter().map(String::as_str).collect::<Vec<_>>()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nerror: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(words: &[&str]) -> Result<()> {
    match words {
        ["setup"] => setup::run(),
        ["xen-full"] => setup::xen_full::run(),
        ["build"] => build::run(),
        ["test", rest @ ..] => test::run(rest),
        ["fuzz", rest @ ..] => fuzz::run(rest),
        ["soak", rest @ ..] => soak::run(rest),
        ["demo"] => demo::run(),
        ["bench", rest @ ..] => bench::run(rest),
        ["help" | "--help" | "-h"] | [] => {
            print!("{USAGE}");
            Ok(())
        }
        _ => bail!("`{}` is not understood\n\n{USAGE}", words.join(" ")),
    }
}
