//! The same programs in this evaluator and in CPython: what they leave in their variables has to be the same.
//!
//! CPython 3 is at hand everywhere; `driver.py` makes it mean what Python 2 means where the two differ. The last word has
//! CPython 2.7 itself, messages included, for whoever has one: `PYTHON2=path cargo test -p xmpy -- --ignored`.

mod generate;

use std::fmt::Write;
use std::io::Write as _;
use std::process::Command;

use generate::Generator;
use xmpy::{Limits, Script, Sealed, Value};

/// Programs that are made up in one run.
const GENERATED: u64 = 1000;

/// Programs that were written by hand, a feature each.
fn written() -> Vec<String> {
    include_str!("programs.py").split("#---\n").map(str::to_owned).collect()
}

fn generated() -> Vec<String> {
    (1..=GENERATED).map(|seed| Generator::new(seed).program()).collect()
}

#[test]
fn written_programs_end_as_in_cpython_3() {
    agree("python3", &written(), false);
}

#[test]
fn generated_programs_end_as_in_cpython_3() {
    agree("python3", &generated(), false);
}

#[test]
#[ignore = "needs Python 2.7: PYTHON2=path"]
fn all_programs_end_as_in_cpython_2() {
    let python = std::env::var("PYTHON2").expect("PYTHON2 names the program");
    agree(&python, &written(), true);
    agree(&python, &generated(), true);
}

/// Asserts that each program leaves the same in both; with the texts of exceptions if `messages`.
fn agree(python: &str, programs: &[String], messages: bool) {
    let theirs = cpython(python, programs);
    assert_eq!(theirs.len(), programs.len(), "as many results as programs");
    let (mut differ, mut fail) = (String::new(), 0);
    for (program, theirs) in programs.iter().zip(&theirs) {
        let (ours, theirs) = (kept(&ours(program), messages), kept(theirs, messages));
        fail += usize::from(theirs.starts_with('!'));
        if ours != theirs && differ.len() < 8000 {
            let lines = |of: &str, other: &str| -> String {
                of.lines()
                    .filter(|line| !other.lines().any(|known| known == *line))
                    .map(|l| format!("  {l}\n"))
                    .collect()
            };
            let (ours_only, theirs_only) = (lines(&ours, &theirs), lines(&theirs, &ours));
            let _ = writeln!(differ, "ours:\n{ours_only}CPython:\n{theirs_only}after:\n{program}");
        }
    }
    assert!(differ.is_empty(), "{differ}");
    assert!(fail * 3 < programs.len(), "most programs have to come to their end, {fail} did not");
}

/// Leaves out what the versions of Python do not share: texts of exceptions, and names that comprehensions leave.
fn kept(result: &str, messages: bool) -> String {
    let result = if messages {
        result
    } else {
        result.split(": ").next().filter(|r| r.starts_with('!')).unwrap_or(result)
    };
    result
        .lines()
        .filter(|line| messages || !(line.starts_with("msg") || line.starts_with("leak")))
        .fold(String::new(), |all, line| all + line + "\n")
}

fn cpython(python: &str, programs: &[String]) -> Vec<String> {
    let mut file = tempfile::NamedTempFile::new().expect("a file for the programs");
    file.write_all(programs.join("\0").as_bytes()).expect("programs written");
    let driver = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/differential/driver.py");
    let output = Command::new(python).args(["-B", driver]).arg(file.path()).output();
    let output =
        output.unwrap_or_else(|error| panic!("{python}: {error}: install it (cargo xtask setup does)"));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("text");
    text.trim_end_matches('\n').split('\0').map(str::to_owned).collect()
}

fn ours(program: &str) -> String {
    match xmpy::run(&Script { name: "program", text: program.as_bytes() }, &[], &Sealed, &Limits::default()) {
        Err(fault) => format!("!{}: {}", fault.kind.name(), fault.message),
        Ok(names) => {
            let mut names: Vec<_> = names.into_iter().filter(|(name, _)| !name.starts_with("__")).collect();
            names.sort_by(|(a, _), (b, _)| a.cmp(b));
            let lines =
                names.iter().map(|(name, value)| (name, shown(value))).filter(|(_, value)| value != "?");
            let lines = lines.map(|(name, value)| format!("{name}={value}"));
            lines.collect::<Vec<_>>().join("\n")
        }
    }
}

/// A value as the driver shows it.
fn shown(value: &Value) -> String {
    let all = |values: &[Value]| values.iter().map(shown).collect::<Vec<_>>();
    match value {
        Value::None => "None".to_owned(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        Value::Int(value) => value.to_string(),
        Value::Long(value) => value.to_string(),
        Value::Float(value) => format!("f{:016x}", value.to_bits()),
        Value::Str(text) => {
            let mut out = "\"".to_owned();
            for c in text.chars() {
                match c {
                    ' '..='~' if c != '"' && c != '\\' => out.push(c),
                    c => out += &format!("{{{:x}}}", c as u32),
                }
            }
            out + "\""
        }
        Value::List(values) => format!("[{}]", all(values).join(",")),
        Value::Tuple(values) => format!("({})", all(values).join(",")),
        Value::Dict(items) => {
            let mut items: Vec<String> =
                items.iter().map(|(key, value)| format!("{}:{}", shown(key), shown(value))).collect();
            items.sort();
            format!("{{{}}}", items.join(","))
        }
        Value::Set(values) => {
            let mut values = all(values);
            values.sort();
            format!("<{}>", values.join(","))
        }
        Value::Other(_) => "?".to_owned(),
    }
}
