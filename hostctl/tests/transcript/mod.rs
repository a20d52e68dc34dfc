//! Transcripts: what is typed and what comes of it, as text files. CONTRIBUTING.md tells how one is written.

mod orders;
mod text;

use std::path::{Path, PathBuf};

use hostctl::xm::table::{self, Found};

use crate::machine::Machine;
use orders::Stage;
pub use text::{Item, Ran, check, line_fits, matches, write};

/// The files.
pub fn all() -> Vec<PathBuf> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cmd");
    let entries = std::fs::read_dir(&dir).expect("there are transcripts");
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("a file").path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "txt"));
    files.sort();
    files
}

/// What is in a file.
pub fn read(file: &Path) -> Vec<Item> {
    text::parse(&std::fs::read_to_string(file).expect("it can be read"))
}

/// One line that was typed.
pub struct Typed {
    /// Its words, without the program's.
    pub words: Vec<String>,
    /// The command of xm's table, where it is one.
    pub command: Option<&'static str>,
    /// What is to come of it.
    pub ran: Ran,
}

impl Typed {
    fn new(line: &str, ran: Ran) -> Typed {
        let words = words(line);
        let command = words.iter().position(|word| word == "xm").and_then(|at| {
            let word = words[at + 1..].iter().find(|word| !word.starts_with('-'))?;
            match table::find(word)? {
                Found::Command(command) | Found::Deprecated(command) => Some(command.name),
                Found::Help => Some("help"),
            }
        });
        Typed { words, command, ran }
    }

    /// What it complained of: what stands behind `Error: ` for people, or says the same to programs.
    pub fn errors(&self) -> Vec<String> {
        let said = |line: &str| {
            let object = serde_json::from_str::<serde_json::Value>(line).ok()?;
            let error = object["error"].as_str()?.to_owned();
            let whole = object["hint"].as_str().map(|hint| format!("{error}; {hint}"));
            Some([Some(error), whole].into_iter().flatten().collect())
        };
        self.ran
            .stderr
            .lines()
            .flat_map(|line| match line.strip_prefix("Error: ") {
                Some(text) => vec![text.to_owned()],
                None => said(line).unwrap_or_default(),
            })
            .collect()
    }

    /// Is one of the words this one? Behind `--` none is an option.
    pub fn has(&self, word: &str) -> bool {
        self.words.iter().take_while(|other| *other != "--").any(|other| other == word)
    }
}

/// Every line that is typed in any file.
pub fn typed() -> Vec<Typed> {
    let items = all().into_iter().flat_map(|file| read(&file));
    items
        .filter_map(|item| match item {
            Item::Command { line, ran } => Some(Typed::new(&line, ran)),
            _ => None,
        })
        .collect()
}

/// Plays a file; returns it with what came of its lines, which is the file itself where all is well.
pub fn play(items: &[Item]) -> Vec<Item> {
    let mut stage = Stage::set(items);
    let played = items.iter().map(|item| stage.play(item)).collect();
    stage.check();
    played
}

fn run(machine: &Machine, line: &str, typed: &[u8]) -> Ran {
    let words = words(line);
    let words: Vec<&str> = words.iter().map(String::as_str).skip_while(|word| *word == "hostctl").collect();
    let done = machine.run_with(&words, typed);
    let dir = machine.dir().display().to_string();
    let plain = |text: String| text.replace(&dir, "[DIR]");
    Ran { code: done.code, stdout: plain(done.stdout), stderr: plain(done.stderr) }
}

/// The words of a line; quotes keep blanks.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    for letter in line.chars() {
        match (quote, letter) {
            (Some(open), letter) if letter == open => quote = None,
            (None, '\'' | '"') => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            (None, ' ') => words.extend(word.take()),
            (_, letter) => word.get_or_insert_default().push(letter),
        }
    }
    assert!(quote.is_none(), "a quote is open: {line}");
    words.extend(word);
    words
}
