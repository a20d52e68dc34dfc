//! The same programs in this evaluator and in CPython: what they leave in their variables has to be the same.
//!
//! CPython 3 is at hand everywhere; `driver.py` makes it mean what Python 2 means where the two differ. The last word has
//! CPython 2.7 itself, messages included, for whoever has one: `PYTHON2=path cargo test -p xmpy -- --ignored`.

mod generate;

use std::fmt::Write;
use std::io::Write as _;
use std::process::Command;

use generate::Generator;
use xmpy::{Host, Kind, Limits, PathKind, Script, Value};

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

/// The corpus of configurations that xmcfg keeps, but for those that are no text at all.
fn corpus() -> Vec<String> {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/../xmcfg/tests/corpus");
    let mut files: Vec<_> =
        std::fs::read_dir(directory).expect("the corpus").map(|file| file.expect("a file").path()).collect();
    files.retain(|file| file.extension().is_some_and(|end| end == "cfg"));
    files.sort();
    let texts = files.iter().map(|file| std::fs::read(file).expect("read"));
    let texts: Vec<String> =
        texts.filter_map(|text| String::from_utf8(text).ok()).filter(|text| !text.contains('\0')).collect();
    // What only ends because it has to would not end in CPython.
    let ends =
        |text: &String| !["!LimitError", "!PermissionError"].iter().any(|end| ours(text).starts_with(end));
    let texts: Vec<String> = texts.into_iter().filter(ends).collect();
    assert!(texts.len() >= 60, "only {} configurations to compare", texts.len());
    texts
}

#[test]
fn the_corpus_ends_as_in_cpython_3() {
    let corpus = corpus();
    let theirs = cpython("python3", &corpus);
    let mut compared = 0;
    for (text, theirs) in corpus.iter().zip(&theirs) {
        // What only Python 2 takes.
        if theirs.starts_with("!SyntaxError") || theirs.starts_with("!TabError") {
            continue;
        }
        compared += 1;
        let (ours, theirs) = (kept(&ours(text), false), kept(theirs, false));
        // The variables of list comprehensions stay in Python 2.
        let missing: Vec<&str> =
            theirs.lines().filter(|line| !ours.lines().any(|known| known == *line)).collect();
        assert!(missing.is_empty(), "{text}\nours:\n{ours}\nmissing: {missing:?}");
    }
    assert!(compared >= 60, "only {compared} configurations were compared");
}

#[test]
#[ignore = "needs Python 2.7: PYTHON2=path"]
fn all_programs_end_as_in_cpython_2() {
    let python = std::env::var("PYTHON2").expect("PYTHON2 names the program");
    agree(&python, &written(), true);
    agree(&python, &generated(), true);
    // Strings are bytes there, and characters here.
    let ascii: Vec<String> = corpus().into_iter().filter(|text| text.is_ascii()).collect();
    agree(&python, &ascii, true);
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
    // Of a syntax error the line counts, and not the words.
    let line = |result: &str| match (result.strip_prefix("!SyntaxError: "), result.rfind("(program, line")) {
        (Some(_), Some(at)) => format!("!SyntaxError: {}", &result[at..]),
        _ => result.to_owned(),
    };
    text.split('\0').map(line).collect()
}

/// The machine that configurations see, as the driver makes it up.
struct Machine;

impl Host for Machine {
    fn path_kind(&self, path: &str) -> Option<PathKind> {
        (!path.starts_with("/missing/")).then_some(PathKind::File)
    }

    fn current_dir(&self) -> Option<String> {
        Some("/etc/xen".to_owned())
    }

    fn environ(&self) -> Vec<(String, String)> {
        vec![("HOME".to_owned(), "/root".to_owned())]
    }
}

fn ours(program: &str) -> String {
    let words = program.lines().next().and_then(|line| line.strip_prefix("# words: ")).unwrap_or_default();
    let variables: Vec<(String, Value)> = words
        .split_whitespace()
        .filter_map(|word| word.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.into()))
        .collect();
    let script = Script { name: "program", text: program.as_bytes() };
    match xmpy::run(&script, &variables, &Machine, &Limits::default()) {
        Err(fault) if fault.kind == Kind::Syntax => format!("!SyntaxError: (program, line {})", fault.line),
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
