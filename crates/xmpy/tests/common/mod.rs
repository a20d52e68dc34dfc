//! Running scripts in tests.

use xmpy::{Fault, Limits, Namespace, Script, Sealed};

/// Runs a script on a sealed host.
pub(crate) fn result(text: &str) -> Result<Namespace, Fault> {
    // A tenth of the steps: tests run without optimisation.
    let limits = Limits { steps: 1_000_000, ..Limits::default() };
    xmpy::run(&Script { name: "test.cfg", text: text.as_bytes() }, &[], &Sealed, &limits)
}

/// Runs a script that has to come to its end.
pub(crate) fn run(text: &str) -> Namespace {
    result(text).unwrap_or_else(|fault| panic!("{text}\n{fault}"))
}

/// Runs a script that has to fail.
pub(crate) fn fault(text: &str) -> Fault {
    match result(text) {
        Ok(_) => panic!("came to its end: {}", text.chars().take(200).collect::<String>()),
        Err(fault) => fault,
    }
}
