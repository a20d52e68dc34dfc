//! `cargo xtask fuzz`: runs the targets of `fuzz/` under libFuzzer, guided by coverage.
//!
//! The compiler is the same stable one as everywhere: what `cargo fuzz` asks a nightly for (counters at every edge, traced comparisons) are
//! LLVM's own passes, which `RUSTFLAGS` can name. There is no address sanitizer: what is fuzzed has no `unsafe`.
//!
//! New inputs are kept in the target directory, beside the log; `fuzz/corpus` holds the few that are committed, `fuzz/regressions` what once
//! failed.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};

use crate::setup::{self, Level};
use crate::{paths, sh};

/// All targets, and the longest input of each in bytes.
pub(crate) const TARGETS: [(&str, u32); 5] =
    [("wire", 2000), ("ring", 3000), ("client", 3000), ("restore", 2000), ("config", 4000)];
/// How long each runs where nothing else is said.
const SECONDS: u32 = 60;
/// What is compiled for another target than build scripts are, so that they stay uninstrumented.
const TRIPLE: &str = "x86_64-unknown-linux-gnu";
/// What makes libFuzzer see where an input leads.
const INSTRUMENTED: [&str; 8] = [
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "-Cllvm-args=-simplifycfg-branch-fold-threshold=0",
    "-Clink-dead-code",
    "--cfg=fuzzing",
];

/// The command itself: `[TARGET] [--seconds N]`, or `TARGET FILE` to run one input again.
///
/// # Errors
/// A target failed, or could not be built or run.
pub(crate) fn run(words: &[&str]) -> Result<()> {
    let seconds = |text: &str| text.parse().with_context(|| format!("`{text}` is not a number of seconds"));
    match words {
        [] => all(SECONDS),
        ["--seconds", number] => all(seconds(number)?),
        [name] => fuzz(name, SECONDS),
        [name, "--seconds", number] => fuzz(name, seconds(number)?),
        [name, file] => sh::run(std::process::Command::new(build(name)?).arg(file)),
        other => bail!("fuzz: `{}` is not understood", other.join(" ")),
    }
}

fn all(seconds: u32) -> Result<()> {
    TARGETS.iter().try_for_each(|(name, _)| fuzz(name, seconds))
}

/// Runs a target for some seconds, from the committed inputs and those that earlier runs kept.
///
/// # Errors
/// An input made it fail: its file is named, and the log. Or it could not be run.
pub(crate) fn fuzz(name: &str, seconds: u32) -> Result<()> {
    let program = build(name)?;
    let (_, longest) = TARGETS.iter().find(|(target, _)| *target == name).context("built, so it is there")?;
    let kept = directory(&format!("corpus/{name}"))?;
    let found = directory(&format!("found/{name}"))?;
    let log_path = made()?.join(format!("{name}.log"));
    let log = fs::File::create(&log_path).with_context(|| format!("{}", log_path.display()))?;
    let mut command = std::process::Command::new(program);
    command
        .arg(format!("-max_total_time={seconds}"))
        .arg(format!("-max_len={longest}"))
        .args(["-timeout=60", "-rss_limit_mb=1024", "-print_final_stats=1"])
        .arg(format!("-artifact_prefix={}/", found.display()))
        .arg(kept)
        .args(committed(name))
        .stderr(log);
    let done = sh::run(&mut command);
    let log = fs::read_to_string(&log_path).unwrap_or_default();
    if done.is_err() {
        let end: Vec<&str> = log.lines().rev().take(40).collect();
        end.iter().rev().for_each(|line| eprintln!("{line}"));
        bail!("fuzz: {name} failed; see {} and {}", log_path.display(), found.display());
    }
    println!("{name:<8} {}", result(&log));
    Ok(())
}

/// One line of what a log says at its end: how many inputs were tried, and how much of the code they reached.
fn result(log: &str) -> String {
    let last = log.lines().rev().find(|line| line.contains(" cov: ")).unwrap_or_default();
    let field = |name: &str| {
        last.split_whitespace().skip_while(|word| *word != name).nth(1).unwrap_or("?").to_owned()
    };
    let runs = log.lines().find_map(|line| line.strip_prefix("stat::number_of_executed_units:"));
    let (runs, corpus) = (runs.map_or("?", str::trim), field("corp:"));
    format!("{runs} inputs, {} edges, {} features, {corpus} kept", field("cov:"), field("ft:"))
}

/// The directories of committed inputs that the target has.
fn committed(name: &str) -> Vec<PathBuf> {
    let all = ["corpus", "regressions"].map(|kind| paths::root().join("fuzz").join(kind).join(name));
    all.into_iter().filter(|path| path.is_dir()).collect()
}

/// Builds a target; returns its program.
fn build(name: &str) -> Result<PathBuf> {
    if !TARGETS.iter().any(|(target, _)| *target == name) {
        bail!("fuzz: no target `{name}`; there are: {}", TARGETS.map(|(target, _)| target).join(", "));
    }
    // libFuzzer is C++.
    setup::ensure(Level::All)?;
    let target = made()?.join("target");
    let mut command = sh::cargo();
    command
        .current_dir(paths::root().join("fuzz"))
        .args(["build", "--quiet", "--locked", "--release", "--target", TRIPLE, "--bin", name])
        .env("CARGO_TARGET_DIR", &target)
        .env("RUSTFLAGS", INSTRUMENTED.join(" "));
    sh::run(&mut command)?;
    Ok(target.join(TRIPLE).join("release").join(name))
}

fn made() -> Result<PathBuf> {
    directory("")
}

/// A directory under the one of everything that fuzzing makes.
fn directory(path: &str) -> Result<PathBuf> {
    let directory = paths::target()?.join("fuzz").join(path);
    fs::create_dir_all(&directory).with_context(|| format!("{}", directory.display()))?;
    Ok(directory)
}
