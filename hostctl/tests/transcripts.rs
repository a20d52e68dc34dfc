//! Plays the transcripts of tests/cmd, each against a simulated control domain of its own, and looks whether they tell
//! everything that hostctl can do.
//!
//! `cargo test -p hostctl --test transcripts NAME` plays one. With `UPDATE=1` in the environment the files are rewritten with what
//! came instead, to be looked through before they are committed.

#![allow(unreachable_pub, reason = "a program has no outside: `pub` says what a module offers the others")]

mod machine;
mod transcript;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::ExitCode;

use boon::{Compiler, Schemas};
use hostctl::xm::table::{self, commands};
use libtest_mimic::{Arguments, Failed, Trial};
use transcript::Typed;

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // Each has a machine and a broker of its own; more at once are not faster.
    arguments.test_threads.get_or_insert(2);
    let mut trials: Vec<Trial> = transcript::all()
        .into_iter()
        .map(|file| Trial::test(format!("transcript {}", name(&file)), move || play(&file)))
        .collect();
    trials.push(Trial::test("a transcript is read as it is written", || {
        transcript::check();
        Ok(())
    }));
    trials.push(Trial::test("every command has transcripts", every_command_has_transcripts));
    trials.push(Trial::test("every error that a command documents has a transcript", every_error_is_tried));
    trials.push(Trial::test("every error in a transcript is documented", every_error_is_documented));
    trials.push(Trial::test("all JSON is as its schema says", all_json_is_as_its_schema_says));
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// What every transcript with `--json` prints, on stdout and stderr; and every schema is named by a command.
fn all_json_is_as_its_schema_says() -> Result<(), Failed> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/schema");
    let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
    let mut compiled = BTreeMap::new();
    for entry in std::fs::read_dir(&dir)? {
        let path = entry?.path();
        let place = path.to_str().ok_or("a path that is no text")?;
        let schema = compiler.compile(place, &mut schemas).map_err(|error| format!("{error:#}"))?;
        compiled.insert(name(&path), schema);
    }
    let named = commands().filter_map(|command| command.notes()?.schema).chain(["error", "notes"]);
    let named: BTreeSet<&str> = named.collect();
    let wrong: Vec<&str> = compiled.keys().map(String::as_str).filter(|name| !named.contains(name)).collect();
    if !wrong.is_empty() {
        return Err(format!("schemas of no command: {}", wrong.join(", ")).into());
    }
    // A shell prints what others print.
    let is_checked =
        |typed: &&Typed| typed.has("--json") && typed.has("xm") && typed.command != Some("shell");
    for typed in transcript::typed().iter().filter(is_checked) {
        let schema = typed.command.and_then(|name| table::by_name(name)?.notes()?.schema);
        let said = if typed.ran.code == 0 { "notes" } else { "error" };
        let printed = typed.ran.stdout.lines().map(|line| (schema.unwrap_or("(none)"), line));
        for (name, line) in printed.chain(typed.ran.stderr.lines().map(|line| (said, line))) {
            let line = line.replace(":[..]", ":0").replace("[..]", "x");
            let value = serde_json::from_str(&line).map_err(|error| format!("{:?}: {error}", typed.words))?;
            let schema = *compiled.get(name).ok_or_else(|| format!("there is no docs/schema/{name}.json"))?;
            let checked = schemas.validate(&value, schema);
            checked.map_err(|error| format!("{:?}: {name}.json: {error:#}", typed.words))?;
        }
    }
    Ok(())
}

/// Commands that only say why they do nothing.
const NEVER: &[&str] = &[
    "vncviewer",
    "serve",
    "network-new",
    "network-del",
    "network-show",
    "cpupool-new",
    "cpupool-start",
    "cpupool-delete",
];
/// A command that says so too, with exit code 0, as in xm.
const ALWAYS: &[&str] = &["event-monitor"];

/// Of every command of this release: one that does what it is asked, one that fails, and both with `--json`.
fn every_command_has_transcripts() -> Result<(), Failed> {
    let typed = transcript::typed();
    let mut missing = Vec::new();
    for command in commands().filter(|command| command.run.is_some()) {
        for (what, code_is_0, json) in [
            ("success", true, false),
            ("success with --json", true, true),
            ("failure", false, false),
            ("failure with --json", false, true),
        ] {
            let is_such = |typed: &Typed| {
                typed.command == Some(command.name)
                    && (typed.ran.code == 0) == code_is_0
                    && typed.has("--json") == json
                    && !typed.has("--help")
            };
            // A console is for people.
            let is_for_people = command.name == "console" && json && code_is_0;
            let cannot_be = if code_is_0 { NEVER } else { ALWAYS }.contains(&command.name);
            if !is_for_people && !cannot_be && !typed.iter().any(is_such) {
                missing.push(format!("xm {}: {what}", command.name));
            }
        }
    }
    if missing.is_empty() { Ok(()) } else { Err(missing.join("\n").into()) }
}

/// Their errors are those of the language of configurations.
const CONFIGURED: &[&str] = &["create", "new"];

/// Each row of the table of errors, with its exit code.
fn every_error_is_tried() -> Result<(), Failed> {
    let typed = transcript::typed();
    let mut missing = Vec::new();
    for command in commands() {
        for refusal in command.refusals() {
            let is_such = |typed: &Typed| {
                typed.command == Some(command.name)
                    && typed.ran.code == i32::from(refusal.code)
                    && typed.errors().iter().any(|said| transcript::line_fits(refusal.text, said))
            };
            if !typed.iter().any(is_such) {
                missing.push(format!("xm {}: {} (exit code {})", command.name, refusal.text, refusal.code));
            }
        }
    }
    if missing.is_empty() { Ok(()) } else { Err(missing.join("\n").into()) }
}

/// And none is said that is not in it.
fn every_error_is_documented() -> Result<(), Failed> {
    let mut missing = BTreeSet::new();
    // Errors of a shell's lines are of the commands on them.
    for typed in transcript::typed().iter().filter(|typed| typed.command != Some("shell")) {
        let Some(command) = typed.command.and_then(table::by_name) else { continue };
        if CONFIGURED.contains(&command.name) {
            continue;
        }
        // One error, in one form or two.
        let forms = typed.errors();
        let is_general = |said: &String| table::GENERAL.iter().any(|text| transcript::line_fits(text, said));
        let is_own = |said: &String| {
            command.refusals().iter().any(|refusal| {
                typed.ran.code == i32::from(refusal.code) && transcript::line_fits(refusal.text, said)
            })
        };
        if !forms.is_empty() && !forms.iter().any(|said| is_general(said) || is_own(said)) {
            missing.insert(format!(
                "xm {}: {} (exit code {})",
                command.name,
                forms.join(" | "),
                typed.ran.code
            ));
        }
    }
    if missing.is_empty() { Ok(()) } else { Err(missing.into_iter().collect::<Vec<_>>().join("\n").into()) }
}

fn name(file: &Path) -> String {
    file.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

fn play(file: &Path) -> Result<(), Failed> {
    let items = transcript::read(file);
    let came = transcript::play(&items);
    if came == items {
        return Ok(());
    }
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(file, transcript::write(&came))?;
        return Ok(());
    }
    let (wanted, came) = (transcript::write(&items), transcript::write(&came));
    Err(format!("{}:\n{}", file.display(), difference(&wanted, &came)).into())
}

/// The lines that differ: `-` wanted, `+` came; with the line before them.
fn difference(wanted: &str, came: &str) -> String {
    let (wanted, came): (Vec<&str>, Vec<&str>) = (wanted.lines().collect(), came.lines().collect());
    let same = wanted.iter().zip(&came).take_while(|(a, b)| a == b).count();
    let rest = wanted.len().min(came.len()) - same;
    let tail = wanted.iter().rev().zip(came.iter().rev()).take(rest).take_while(|(a, b)| a == b).count();
    let mut text = String::new();
    for line in &wanted[same.saturating_sub(3)..same] {
        text.push_str(&format!("  {line}\n"));
    }
    for line in &wanted[same..wanted.len() - tail] {
        text.push_str(&format!("- {line}\n"));
    }
    for line in &came[same..came.len() - tail] {
        text.push_str(&format!("+ {line}\n"));
    }
    text
}
