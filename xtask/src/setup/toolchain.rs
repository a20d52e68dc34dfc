//! Rust's own parts: the kernel's target, clippy and rustfmt.

use std::path::Path;
use std::process::Command;

use super::Level;
use crate::sh;

/// The kernel's target.
pub(crate) const TARGET: &str = "x86_64-unknown-none";

/// Adds what is missing through rustup; returns what a person has to do where that did not work.
pub(super) fn ensure(level: Level) -> Vec<String> {
    let mut remedies = Vec::new();
    if !has_target() {
        remedies.extend(add(&["target", "add", TARGET], has_target));
    }
    if level >= Level::Test {
        for (component, tool) in [("rustfmt", "cargo-fmt"), ("clippy", "cargo-clippy")] {
            let is_there = || sh::succeeds(Command::new(tool).arg("--version"));
            if !is_there() {
                remedies.extend(add(&["component", "add", component], is_there));
            }
        }
    }
    remedies
}

fn has_target() -> bool {
    let mut rustc = Command::new("rustc");
    rustc.args(["--print", "target-libdir", "--target", TARGET]);
    sh::output(&mut rustc).is_ok_and(|path| {
        std::fs::read_dir(Path::new(path.trim())).is_ok_and(|mut files| files.next().is_some())
    })
}

/// Runs rustup; returns the remedy when the part is still missing afterwards.
fn add(words: &[&str], is_there: impl Fn() -> bool) -> Option<String> {
    let refused = sh::run(Command::new("rustup").args(words)).err();
    if is_there() {
        return None;
    }
    let why = refused.map_or_else(|| "it had no effect".to_owned(), |error| format!("{error:#}"));
    Some(format!("Rust: `rustup {}` was refused ({why}); run it where it is allowed", words.join(" ")))
}
