//! `cargo xtask test`: format, lints, host tests, then the tests on a real Xen; with `--long` the fuzz targets too. All parts
//! run, whatever the first ones say; the summary at the end has one line for each.

use std::time::Instant;

use anyhow::{Result, bail};

use crate::setup::{self, Level};
use crate::{build, fuzz, paths, sh};

/// How long `--long` runs each fuzz target.
const FUZZ_SECONDS: u32 = 60;

/// The command itself.
///
/// # Errors
/// A part failed, or could not be run.
pub(crate) fn run(words: &[&str]) -> Result<()> {
    let is_long = words.contains(&"--long");
    let words: Vec<&str> = words.iter().copied().filter(|word| *word != "--long").collect();
    let (host, qemu, only) = match words[..] {
        [] => (true, true, None),
        ["--host"] => (true, false, None),
        ["--qemu"] => (false, true, None),
        ["--qemu", name] => (false, true, Some(name)),
        ref other => bail!("test: `{}` is not understood", other.join(" ")),
    };
    setup::ensure(Level::Test)?;
    let mut summary = Summary::default();
    if host {
        on_host(&mut summary);
    }
    if qemu {
        on_xen(&mut summary, only)?;
    }
    if is_long {
        for (target, _) in fuzz::TARGETS {
            summary.part(&format!("fuzz: {target}"), || fuzz::fuzz(target, FUZZ_SECONDS));
        }
    }
    summary.end()
}

fn on_host(summary: &mut Summary) {
    summary.part("format", || sh::run(sh::cargo().args(["fmt", "--all", "--check"])));
    summary.part("lints", || {
        sh::run(sh::cargo().args(["clippy", "--quiet", "--all-targets", "--", "-D", "warnings"]))?;
        sh::run(sh::cargo().args([
            "clippy",
            "--quiet",
            "-p",
            "qemu-tests",
            "--test",
            "*",
            "--",
            "-D",
            "warnings",
        ]))?;
        let kernel = ["clippy", "--quiet", "-p", "kernel", "--target", setup::TARGET, "--", "-D", "warnings"];
        sh::run(sh::cargo().args(kernel))
    });
    summary.part("host tests", || sh::run(sh::cargo().args(["test", "--quiet"])));
}

/// Builds all parts and runs each file of `qemu-tests/tests`, or the one that is named.
fn on_xen(summary: &mut Summary, only: Option<&str>) -> Result<()> {
    let mut built = None;
    summary.part("Xen with all its parts", setup::xen_full::ensure);
    summary.part("build", || {
        built = Some(build::all(build::HostProfile::Dev)?);
        sh::run(sh::cargo().args(["test", "--quiet", "-p", "qemu-tests", "--test", "*", "--no-run"]))
    });
    let Some(built) = built else { return Ok(()) };
    let files = files()?;
    if let Some(name) = only
        && !files.iter().any(|file| file == name)
    {
        bail!("qemu-tests/tests has no {name}.rs; there are: {}", files.join(", "));
    }
    for file in files.iter().filter(|file| only.is_none_or(|name| name == *file)) {
        let mut command = sh::cargo();
        command.args(["test", "--quiet", "-p", "qemu-tests", "--test", file]);
        built.tell(&mut command);
        summary.part(&format!("on Xen: {file}"), || sh::run(&mut command));
    }
    Ok(())
}

/// The names of the test files, sorted.
fn files() -> Result<Vec<String>> {
    let mut names: Vec<String> = std::fs::read_dir(paths::root().join("qemu-tests/tests"))?
        .flatten()
        .filter_map(|entry| Some(entry.file_name().to_str()?.strip_suffix(".rs")?.to_owned()))
        .collect();
    names.sort();
    Ok(names)
}

/// How each part went.
#[derive(Default)]
struct Summary(Vec<(String, f64, Result<()>)>);

impl Summary {
    fn part(&mut self, name: &str, run: impl FnOnce() -> Result<()>) {
        eprintln!("\n== {name}");
        let start = Instant::now();
        let result = run();
        if let Err(error) = &result {
            eprintln!("{error:#}");
        }
        self.0.push((name.to_owned(), start.elapsed().as_secs_f64(), result));
    }

    fn end(self) -> Result<()> {
        println!("\n== summary");
        for (name, seconds, result) in &self.0 {
            println!("{:<6} {name:<24} {seconds:>7.1} s", if result.is_ok() { "ok" } else { "FAILED" });
        }
        let failed = self.0.iter().filter(|part| part.2.is_err()).count();
        let total: f64 = self.0.iter().map(|part| part.1).sum();
        if failed > 0 {
            bail!("{failed} of {} parts failed ({total:.0} s)", self.0.len());
        }
        println!("all {} parts passed ({total:.0} s)", self.0.len());
        Ok(())
    }
}
