//! Guests that attack the control domain: it goes on, and so does everybody else.

mod suite;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use qemu_tests::machine::PATIENCE;
use qemu_tests::{Boot, Machine, artifacts};

/// How often the harmless guest is spoken to while the other one attacks.
const ROUNDS: u32 = 30;

fn main() -> ExitCode {
    let all: &[suite::Promise] = &[
        ("garbage in both rings hurts nobody else", |machine| attack(machine, "hostile-garbage")),
        ("indices out of range hurt nobody else", |machine| attack(machine, "hostile-indices")),
        ("a storm of events holds up nobody else", |machine| attack(machine, "hostile-storm")),
    ];
    suite::main(&[(Boot::PLAIN, all), (Boot::OTHER, all)])
}

/// A harmless guest and a hostile one beside each other: the harmless one is served all the time.
fn attack(machine: &Machine, hostile: &str) -> Result<()> {
    let boot = machine.status()?["boot_id"].clone();
    machine.create("harmless", &artifacts::guest("obey")?, &["memory=4"])?;
    let mut console = machine.console("harmless")?;
    console.wait_for("ready", PATIENCE)?;
    machine.create("hostile", &artifacts::guest(hostile)?, &["memory=4"])?;

    for round in 0..ROUNDS {
        console.type_line(&format!("echo round {round}"))?;
        console.wait_for(&format!("round {round}"), PATIENCE).context("beside the hostile guest")?;
        machine.domains().context("beside the hostile guest")?;
    }
    // Reading what it wrote, whatever that is, must end too.
    let mut reader = machine.console("hostile")?;
    // It may have said nothing at all, or never stop.
    let _ = reader.wait_for("\n", Duration::from_millis(500));
    reader.detach(PATIENCE)?;

    machine.destroy("hostile")?;
    machine.destroy("harmless")?;
    ensure!(machine.status()?["boot_id"] == boot, "the control domain started anew");
    Ok(())
}
