//! Why a script did not come to its end, and where.

use std::fmt;

use crate::limits::Limit;

/// What went wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The text is no Python that this evaluator takes.
    Syntax,
    /// An exception that nothing caught, by the name of its class.
    Raised(&'static str),
    /// The script asked for what the host does not permit. (The script sees an `IOError`.)
    Denied,
    /// The script used up what it may use. (It cannot catch this.)
    Limit(Limit),
    /// `sys.exit(status)`
    Exit(i32),
}

impl Kind {
    /// The name, as Python prints it before the message.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Syntax => "SyntaxError",
            Self::Raised(class) => class,
            Self::Denied => "PermissionError",
            Self::Limit(_) => "LimitError",
            Self::Exit(_) => "SystemExit",
        }
    }
}

/// A script's end by an error: what, and the place in the text. `Display` shows it as Python does, with the column
/// marked; xm itself printed `Error: ` and `message` only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What went wrong.
    pub kind: Kind,
    /// The message without the kind; may be empty (`raise ValueError`).
    pub message: String,
    /// The script's name, or that of the file that it included.
    pub name: String,
    /// The line, from 1; one past the last if the text ended too early.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// How many characters are meant, at least 1.
    pub width: usize,
    /// The line's text; empty at the end of the file.
    pub text: String,
}

/// How much of a line is shown around the marked column.
const SHOWN: usize = 160;

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "  File \"{}\", line {}, column {}", self.name, self.line, self.column)?;
        let indent = self.text.chars().take_while(|c| c.is_whitespace()).count();
        // A line that is too long for anybody's terminal is shown from shortly before the place that matters.
        let from = if self.column > SHOWN / 2 { (self.column - SHOWN / 2).max(indent) } else { indent };
        let shown: String = self.text.chars().skip(from).take(SHOWN).map(printable).collect();
        if !shown.trim().is_empty() {
            writeln!(f, "    {}", shown.trim_end())?;
            let before = (self.column - 1).saturating_sub(from).min(SHOWN);
            let width = self.width.clamp(1, (SHOWN - before).max(1));
            writeln!(f, "    {}{}", " ".repeat(before), "^".repeat(width))?;
        }
        f.write_str(self.kind.name())?;
        if self.message.is_empty() { Ok(()) } else { write!(f, ": {}", self.message) }
    }
}

impl std::error::Error for Fault {}

/// Terminals do as control characters say, and a hostile file knows that.
fn printable(c: char) -> char {
    match c {
        '\t' => ' ',
        c if c.is_control() => char::REPLACEMENT_CHARACTER,
        c => c,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(text: &str, column: usize, width: usize) -> Fault {
        let (kind, message) = (Kind::Raised("NameError"), "name 'foo' is not defined".to_owned());
        Fault { kind, message, name: "web.cfg".to_owned(), line: 3, column, width, text: text.to_owned() }
    }

    #[test]
    fn the_column_is_marked_below_the_line() {
        let expected = "  File \"web.cfg\", line 3, column 10\n    disk = foo + 1\n           ^^^\nNameError: name 'foo' is not defined";
        assert_eq!(fault("  disk = foo + 1", 10, 3).to_string(), expected);
    }

    #[test]
    fn a_long_line_is_shown_around_the_column() {
        let shown = fault(&format!("{}foo{}", " x=1;".repeat(1000), "y".repeat(5000)), 5001, 3).to_string();
        let lines: Vec<&str> = shown.lines().collect();
        assert!(lines[1].len() <= SHOWN + 4, "{shown}");
        let at = lines[2].find('^').expect("a mark");
        assert_eq!(&lines[1][at..at + 3], "foo");
    }

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        assert!(!fault("x = '\u{1b}[2J' + foo", 1, 1).to_string().contains('\u{1b}'));
    }
}
