//! The simple form of a configuration file: `name = value` lines.

use crate::value::{Value, parse_int};

/// One `name = value`.
#[derive(Clone, Debug, PartialEq)]
pub struct Assignment {
    /// The line on which it starts, counted from 1.
    pub line: usize,
    /// The name.
    pub name: String,
    /// The value.
    pub value: Value,
}

/// A line that is not understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyntaxError {
    /// Its number, counted from 1.
    pub line: usize,
    /// Its text; empty at the end of the file.
    pub text: String,
}

/// Reads a whole file.
///
/// # Errors
/// The first line that is not understood.
pub fn parse(source: &str) -> Result<Vec<Assignment>, SyntaxError> {
    let mut reader = Reader { rest: source, line: 1, depth: 0 };
    let mut found = Vec::new();
    loop {
        reader.skip_blank_lines();
        if reader.rest.is_empty() {
            return Ok(found);
        }
        let line = reader.line;
        match reader.assignment() {
            Some((name, value)) => found.push(Assignment { line, name, value }),
            None => return Err(error_at(source, reader.line)),
        }
    }
}

fn error_at(source: &str, line: usize) -> SyntaxError {
    SyntaxError { line, text: source.lines().nth(line - 1).unwrap_or_default().to_owned() }
}

/// Lists within lists, at most.
const MAX_DEPTH: usize = 16;

struct Reader<'a> {
    rest: &'a str,
    line: usize,
    depth: usize,
}

impl Reader<'_> {
    fn assignment(&mut self) -> Option<(String, Value)> {
        let name = self.name()?;
        self.skip_blanks();
        self.eat('=')?;
        self.skip_blanks();
        let value = self.value()?;
        self.skip_blanks();
        self.eat(';');
        self.skip_blanks();
        self.skip_comment();
        // The end of the line, or of the file.
        if self.rest.is_empty() || self.rest.starts_with('\n') { Some((name, value)) } else { None }
    }

    fn name(&mut self) -> Option<String> {
        let end = self.rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(self.rest.len());
        let name = &self.rest[..end];
        if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
            return None;
        }
        self.rest = &self.rest[end..];
        Some(name.to_owned())
    }

    fn value(&mut self) -> Option<Value> {
        match self.rest.chars().next()? {
            quote @ ('"' | '\'') => self.text(quote).map(Value::Text),
            '[' => self.list().map(Value::List),
            _ => self.number(),
        }
    }

    /// A text in quotes on one line, with Python's common escapes.
    fn text(&mut self, quote: char) -> Option<String> {
        let mut text = String::new();
        let mut chars = self.rest.char_indices();
        chars.next();
        while let Some((at, c)) = chars.next() {
            match c {
                '\n' => return None,
                '\\' => match chars.next()?.1 {
                    'n' => text.push('\n'),
                    't' => text.push('\t'),
                    'r' => text.push('\r'),
                    c @ ('\\' | '\'' | '"') => text.push(c),
                    // Python leaves unknown escapes as they are.
                    c => text.extend(['\\', c]),
                },
                c if c == quote => {
                    self.rest = &self.rest[at + c.len_utf8()..];
                    return Some(text);
                }
                c => text.push(c),
            }
        }
        None
    }

    fn number(&mut self) -> Option<Value> {
        let end = self
            .rest
            .find(|c: char| !c.is_ascii_alphanumeric() && !"+-.".contains(c))
            .unwrap_or(self.rest.len());
        let word = &self.rest[..end];
        let value = parse_int(word).map(Value::Int).or_else(|| {
            let looks_so = word.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c));
            word.parse().ok().filter(|number: &f64| looks_so && number.is_finite()).map(Value::Float)
        })?;
        self.rest = &self.rest[end..];
        Some(value)
    }

    /// A list, which may go over several lines and end in a comma.
    fn list(&mut self) -> Option<Vec<Value>> {
        self.eat('[')?;
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return None;
        }
        let mut items = Vec::new();
        loop {
            self.skip_blank_lines();
            if self.eat(']').is_some() {
                self.depth -= 1;
                return Some(items);
            }
            items.push(self.value()?);
            self.skip_blank_lines();
            if self.eat(',').is_none() && !self.rest.starts_with(']') {
                return None;
            }
        }
    }

    fn eat(&mut self, c: char) -> Option<()> {
        self.rest = self.rest.strip_prefix(c)?;
        Some(())
    }

    fn skip_blanks(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\r', '\x0c']);
    }

    fn skip_comment(&mut self) {
        if self.rest.starts_with('#') {
            self.rest = &self.rest[self.rest.find('\n').unwrap_or(self.rest.len())..];
        }
    }

    fn skip_blank_lines(&mut self) {
        loop {
            self.skip_blanks();
            self.skip_comment();
            if self.eat('\n').is_none() {
                return;
            }
            self.line += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(source: &str) -> Value {
        let mut found = parse(source).unwrap_or_else(|error| panic!("{source}: {error:?}"));
        assert_eq!(found.len(), 1, "{source}");
        found.remove(0).value
    }

    #[test]
    fn values_are_texts_numbers_and_lists() {
        for (source, value) in [
            ("a = \"x y\"", Value::Text("x y".into())),
            ("a='it\\'s \\\\ \\d'", Value::Text("it's \\ \\d".into())),
            ("a = 'text # no comment' # comment", Value::Text("text # no comment".into())),
            ("  a\t=  64;", Value::Int(64)),
            ("a = -0x10", Value::Int(-16)),
            ("a = 1.5", Value::Float(1.5)),
            ("a = [ ]", Value::List(vec![])),
            (
                "a = [ 'phy:x,y,w', # one\n  2,\n]\n",
                Value::List(vec![Value::Text("phy:x,y,w".into()), Value::Int(2)]),
            ),
        ] {
            assert_eq!(one(source), value, "{source}");
        }
    }

    #[test]
    fn every_assignment_knows_its_line() {
        let found = parse("# head\n\nname = 'a'\r\ndisk = [\n 'x',\n]\nmemory = 64").unwrap();
        let lines: Vec<(usize, &str)> = found.iter().map(|a| (a.line, a.name.as_str())).collect();
        assert_eq!(lines, [(3, "name"), (4, "disk"), (7, "memory")]);
    }

    #[test]
    fn what_is_not_understood_is_refused_with_its_line() {
        for (source, line, text) in [
            ("a = 1\nif x:\n b = 2", 2, "if x:"),
            ("a = 'x' + 'y'", 1, "a = 'x' + 'y'"),
            ("import os", 1, "import os"),
            ("a = True", 1, "a = True"),
            ("a = 0755", 1, "a = 0755"),
            ("a = 'open", 1, "a = 'open"),
            ("a = [ 1,\n 2", 2, " 2"),
            ("a = [ 1 2 ]", 1, "a = [ 1 2 ]"),
            ("a =", 1, "a ="),
            ("1a = 2", 1, "1a = 2"),
            ("a = 99999999999999999999", 1, ""),
        ] {
            match parse(source) {
                Err(error) if text.is_empty() => assert_eq!(error.line, line, "{source}"),
                Err(error) => assert_eq!(error, SyntaxError { line, text: text.into() }, "{source}"),
                // A number too large for an integer is a float, as it would be in JSON.
                Ok(found) => assert!(matches!(found[0].value, Value::Float(_)), "{source}: {found:?}"),
            }
        }
        assert!(parse(&format!("a = {}", "[".repeat(100_000))).is_err());
    }
}
