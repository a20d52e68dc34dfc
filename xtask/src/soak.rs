//! `cargo xtask soak store`: the tests that go on for as long as they are told to.

use anyhow::{Result, bail};

use crate::sh;

/// How long it takes unless told otherwise.
const SECONDS: u32 = 600;

/// The command itself.
///
/// # Errors
/// Something was lost, or memory grew; what was done and seen is on the terminal.
pub(crate) fn run(words: &[&str]) -> Result<()> {
    let seconds = match words {
        ["store"] => SECONDS,
        ["store", "--seconds", number] => match number.parse() {
            Ok(seconds @ 1..) => seconds,
            _ => bail!("soak: --seconds takes a number"),
        },
        other => bail!("soak: `{}` is not understood", other.join(" ")),
    };
    let mut command = sh::cargo();
    command.args(["test", "--release", "-p", "hostctl", "--test", "xenstored_soak", "--", "--nocapture"]);
    sh::run(command.env("XENSTORED_SOAK_SECONDS", seconds.to_string()))
}
