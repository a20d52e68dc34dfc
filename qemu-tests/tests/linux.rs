//! Debian's own kernel as a guest, with a shell on its console.

mod suite;

use std::process::ExitCode;

use anyhow::Result;
use qemu_tests::machine::PATIENCE;
use qemu_tests::{Boot, Machine, linux, ramdisk};

/// With an IOMMU 4 KiB were seen to be missing, once, after domain 0 had grown by its first cached images (docs/accidents.md). That
/// it is one of the tables of what domain 0's devices may reach is an inference. Without an IOMMU nothing may be missing.
fn lost_kib(boot: Boot) -> u64 {
    if boot.iommu { 4 } else { 0 }
}

fn main() -> ExitCode {
    let all: &[suite::Promise] = &[("Linux answers what is typed into its console", dialogue)];
    suite::main_allowing(lost_kib, &[(Boot::PLAIN, all), (Boot::OTHER, all)])
}

fn dialogue(machine: &Machine) -> Result<()> {
    // Kernel and ramdisk are in the cache from here on, and this life costs nothing, to the byte.
    linux::create(machine, "linux", &["-p"])?;
    machine.destroy("linux")?;
    let before = suite::at_rest(machine)?;
    let mut console = linux::boot(machine, "linux", &[])?;
    // The answer is not what was typed, so an echo does not pass for it.
    console.type_line("echo $((6 * 7)) is the answer")?;
    console.wait_for("42 is the answer", PATIENCE)?;
    console.wait_for(ramdisk::PROMPT, PATIENCE)?;
    // Typed and gone at once: what stands before Ctrl-] arrives all the same.
    console.type_in("poweroff -f\n\x1d")?;
    console.finish(PATIENCE)?.with_code(0)?;
    machine.wait_state("linux", PATIENCE, |state| state.is_none())?;
    suite::is_back(machine, before, 0)
}
