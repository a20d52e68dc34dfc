//! Python 2 as Python 3: what only the older language has is written in the newer one's words, before it is parsed.
//!
//! Only what a word or a statement's first word tells for certain is rewritten: `print x`, `exec x in y`,
//! `raise E, x`, `except E, e`, `0755`, `10L`, `ur''`, `<>`, backticks, tabs that count as eight columns. A map leads
//! from each place of the new text to the old one, so that errors point at what was written.

use std::collections::HashSet;

use crate::scan::{Kind, Token, columns};
use crate::source::Span;

/// A text that a parser of Python 3 takes.
pub(crate) struct Modern {
    pub(crate) text: String,
    edits: Vec<Edit>,
    /// Where in the old text a number stands that had Python 2's `L`.
    pub(crate) longs: HashSet<u32>,
}

/// One replacement. Those at one place stay in the order in which they were made.
struct Edit {
    /// Where, in the old text.
    at: usize,
    removed: usize,
    inserted: String,
    /// Where it landed in the new text.
    landed: usize,
}

impl Modern {
    /// The place in the old text of one in the new.
    pub(crate) fn old(&self, new: u32) -> u32 {
        let new = new as usize;
        let before = self.edits.partition_point(|edit| edit.landed <= new);
        let Some(edit) = before.checked_sub(1).and_then(|last| self.edits.get(last)) else {
            return new as u32;
        };
        let old = match (new - edit.landed).checked_sub(edit.inserted.len()) {
            Some(past) => edit.at + edit.removed + past,
            None => edit.at + (new - edit.landed).min(edit.removed),
        };
        old as u32
    }

    /// The stretch of the old text of one in the new.
    pub(crate) fn old_span(&self, start: u32, end: u32) -> Span {
        let start = self.old(start);
        Span { start, end: self.old(end).max(start) }
    }
}

/// Rewrites what is Python 2's.
///
/// # Errors
/// What looks like Python 2 but cannot be said in Python 3; with the place.
pub(crate) fn modernize(text: &str, tokens: &[Token]) -> Result<Modern, (Span, String)> {
    let mut rewriter = Rewriter { text, edits: Vec::new(), longs: HashSet::new(), print_is_function: false };
    rewriter.print_is_function = text.contains("print_function");
    let flat = tokens.split(|token| token.kind == Kind::Newline).all(|line| rewriter.is_assignment(line));
    for line in tokens.split(|token| token.kind == Kind::Newline) {
        if let Some(indent) = line.first().filter(|token| token.kind == Kind::Indent) {
            rewriter.indent(*indent, flat);
            rewriter.line(&line[1..])?;
        }
    }
    for token in tokens {
        rewriter.word(*token)?;
    }
    rewriter.backticks(tokens);
    Ok(rewriter.finish())
}

struct Rewriter<'a> {
    text: &'a str,
    edits: Vec<Edit>,
    longs: HashSet<u32>,
    print_is_function: bool,
}

impl<'a> Rewriter<'a> {
    fn text_of(&self, token: Token) -> &'a str {
        &self.text[token.span.start as usize..token.span.end as usize]
    }

    fn is(&self, token: Option<&Token>, word: &str) -> bool {
        token.is_some_and(|token| token.kind != Kind::String && self.text_of(*token) == word)
    }

    fn replace(&mut self, span: Span, inserted: &str) {
        let (at, removed) = (span.start as usize, (span.end - span.start) as usize);
        self.edits.push(Edit { at, removed, inserted: inserted.to_owned(), landed: 0 });
    }

    fn insert(&mut self, at: u32, inserted: &str) {
        self.replace(Span { start: at, end: at }, inserted);
    }

    /// Whether a line is `name = ..` or `name += ..`, which is all that xl's own language has.
    fn is_assignment(&self, line: &[Token]) -> bool {
        line.get(1).is_none_or(|name| {
            name.kind == Kind::Name && (self.is(line.get(2), "=") || self.is(line.get(2), "+="))
        })
    }

    /// White space before a line. To xl it means nothing; tabs count as they did in Python 2.
    fn indent(&mut self, indent: Token, flat: bool) {
        let white = self.text_of(indent);
        if flat && !white.is_empty() {
            self.replace(indent.span, "");
        } else if white.contains('\t') {
            self.replace(indent.span, &" ".repeat(columns(white)));
        }
    }

    fn line(&mut self, line: &[Token]) -> Result<(), (Span, String)> {
        const BLOCKS: [&str; 11] =
            ["if", "elif", "else", "while", "for", "try", "except", "finally", "with", "def", "class"];
        let mut rest = line;
        if let Some(&first) = line.first()
            && first.kind == Kind::Name
            && BLOCKS.contains(&self.text_of(first))
        {
            let mut lambdas = 0;
            let colon = line.iter().position(|token| {
                lambdas += usize::from(token.depth == 0 && self.is(Some(token), "lambda"));
                let colon = token.depth == 0 && self.is(Some(token), ":");
                let ends = colon && lambdas == 0;
                lambdas -= usize::from(colon && lambdas > 0);
                ends
            });
            let Some(colon) = colon else { return Ok(()) };
            if self.text_of(first) == "except" {
                self.except(&line[1..colon])?;
            }
            rest = &line[colon + 1..];
        }
        let text = self.text;
        let ends = |token: &Token| token.depth == 0 && text[token.span.start as usize..].starts_with(';');
        for statement in rest.split(ends) {
            self.statement(statement);
        }
        Ok(())
    }

    /// `except E, e` is `except E as e`.
    fn except(&mut self, header: &[Token]) -> Result<(), (Span, String)> {
        let commas: Vec<usize> =
            (0..header.len()).filter(|&at| header[at].depth == 0 && self.is(header.get(at), ",")).collect();
        let &[comma] = commas.as_slice() else { return Ok(()) };
        match &header[comma + 1..] {
            [name] if name.kind == Kind::Name => {
                self.replace(header[comma].span, " as");
                Ok(())
            }
            _ => Err((
                header[comma].span,
                "after the comma of an except clause only a name is supported".to_owned(),
            )),
        }
    }

    fn statement(&mut self, statement: &[Token]) {
        let Some((&first, rest)) = statement.split_first() else { return };
        if first.kind != Kind::Name {
            return;
        }
        match self.text_of(first) {
            "print" if !self.print_is_function => self.print(first, rest),
            "exec" if self.is_operand(rest) && !self.is_call(rest) => {
                self.insert(first.span.end, "(");
                if let Some(of) = rest.iter().find(|token| token.depth == 0 && self.is(Some(token), "in")) {
                    self.replace(of.span, ",");
                }
                self.insert(end(rest), ")");
            }
            "raise" if rest.iter().any(|token| token.depth == 0 && self.is(Some(token), ",")) => {
                self.insert(rest[0].span.start, "__raise__(");
                self.insert(end(rest), ")");
            }
            _ => {}
        }
    }

    /// Whether tokens are one pair of parentheses and what is in it.
    fn is_call(&self, tokens: &[Token]) -> bool {
        match tokens {
            [first, inner @ .., last] => {
                self.is(Some(first), "(") && last.depth == 0 && inner.iter().all(|token| token.depth > 0)
            }
            _ => false,
        }
    }

    /// Whether tokens begin an expression, so that the word before them is a statement's and no name.
    fn is_operand(&self, tokens: &[Token]) -> bool {
        tokens.first().is_some_and(|first| match first.kind {
            Kind::Op => ["(", "[", "{", "`", "-", "+", "~"].contains(&self.text_of(*first)),
            Kind::Name => !["in", "is", "and", "or", "if"].contains(&self.text_of(*first)),
            _ => true,
        })
    }

    fn print(&mut self, first: Token, rest: &[Token]) {
        if rest.is_empty() {
            return self.insert(first.span.end, "()");
        }
        let to_file = self.is(rest.first(), ">>");
        if !to_file && (!self.is_operand(rest) || self.is_call(rest)) {
            return;
        }
        if to_file {
            self.replace(Span { start: first.span.start, end: rest[0].span.end }, "__print_to__(");
        } else {
            self.insert(first.span.end, "(");
        }
        // A comma at the end keeps the line open.
        let open = rest.last().filter(|last| last.depth == 0 && self.is(Some(last), ","));
        self.insert(end(rest), if open.is_some() { "end=' ')" } else { ")" });
    }

    fn word(&mut self, token: Token) -> Result<(), (Span, String)> {
        let word = self.text_of(token);
        match token.kind {
            Kind::Op if word == "<>" => self.replace(token.span, "!="),
            Kind::String if word.len() > 2 && word.as_bytes()[..2].eq_ignore_ascii_case(b"ur") => {
                self.replace(Span { start: token.span.start, end: token.span.start + 1 }, "");
            }
            Kind::Number => self.number(token, word)?,
            _ => {}
        }
        Ok(())
    }

    /// `0755` is `0o755`, and `10L` is `10`, remembered as a long.
    fn number(&mut self, token: Token, word: &str) -> Result<(), (Span, String)> {
        let digits = word.strip_suffix(['l', 'L']).unwrap_or(word);
        if digits.len() < word.len() {
            self.longs.insert(token.span.start);
            self.replace(Span { start: token.span.end - 1, end: token.span.end }, "");
        }
        let old_octal =
            digits.len() > 1 && digits.starts_with('0') && digits.bytes().all(|b| b.is_ascii_digit());
        if old_octal && digits.bytes().any(|b| b != b'0') {
            if digits.contains(['8', '9']) {
                let why = format!("invalid token: {word} is octal, since it begins with 0");
                return Err((token.span, why));
            }
            self.insert(token.span.start + 1, "o");
        }
        Ok(())
    }

    /// `` `x` `` is `repr(x)`.
    fn backticks(&mut self, tokens: &[Token]) {
        let ticks: Vec<Token> = tokens.iter().copied().filter(|token| self.is(Some(token), "`")).collect();
        for pair in ticks.chunks_exact(2) {
            self.replace(pair[0].span, "repr((");
            self.replace(pair[1].span, "))");
        }
    }

    fn finish(mut self) -> Modern {
        self.edits.sort_by_key(|edit| edit.at);
        let mut text = String::with_capacity(self.text.len() + 16 * self.edits.len());
        let mut at = 0;
        for edit in &mut self.edits {
            text.push_str(&self.text[at..edit.at]);
            edit.landed = text.len();
            text.push_str(&edit.inserted);
            at = edit.at + edit.removed;
        }
        text.push_str(&self.text[at..]);
        Modern { text, edits: self.edits, longs: self.longs }
    }
}

/// Where tokens end in the text.
fn end(tokens: &[Token]) -> u32 {
    tokens.last().map_or(0, |last| last.span.end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan::scan;

    fn modern(text: &str) -> String {
        modernize(text, &scan(text).expect("scanned")).map_err(|(_, why)| why).expect("modern").text
    }

    #[test]
    fn what_only_python_2_has_is_written_in_python_3() {
        for (old, new) in [
            ("print \"x\"", "print( \"x\")"),
            ("print", "print()"),
            ("print 'a', b,", "print( 'a', b,end=' ')"),
            ("print >>sys.stderr, 'a'", "__print_to__(sys.stderr, 'a')"),
            ("print ('%s') % x", "print( ('%s') % x)"),
            ("if x: print 'a'; print 'b'", "if x: print( 'a'); print( 'b')"),
            ("exec open('f').read()", "exec( open('f').read())"),
            ("exec code in ns", "exec( code , ns)"),
            ("raise ValueError, 'x' % y", "raise __raise__(ValueError, 'x' % y)"),
            ("try: x\nexcept (A, B), e: y", "try: x\nexcept (A, B) as e: y"),
            ("x = 0755 + 00 + 0x1FL + 10l", "x = 0o755 + 00 + 0x1F + 10"),
            ("x = 1 <> 2", "x = 1 != 2"),
            ("x = `1, 2`", "x = repr((1, 2))"),
            ("x = ur'a' UR'b'", "x = r'a' R'b'"),
            ("if 1:\n\tx\n        y", "if 1:\n        x\n        y"),
            ("  name = 'x';\n memory += 1", "name = 'x';\nmemory += 1"),
        ] {
            assert_eq!(modern(old), new, "{old}");
        }
    }

    #[test]
    fn what_is_python_3_stays_as_it_is() {
        for text in [
            "print('x')",
            "print ('a', 'b')",
            "print = 1",
            "x.print",
            "exec(code, ns)",
            "raise E('a, b')",
            "except_ = 1, 2",
            "try: x\nexcept (A, B): y",
            "x = 0o755 + 0 + 0.5 + 01.5 + 1e10 + 0b1",
            "from __future__ import print_function\nprint ('a') + 1",
            "x = \"`0755`, print 'a'\" # <>",
            "f = lambda: 0",
            "if x:\n    y",
        ] {
            assert_eq!(modern(text), text);
        }
    }

    #[test]
    fn places_in_the_new_text_lead_to_the_old_one() {
        let old = "x = 0755L + foo\nprint \"a\", bar, `baz`; print qux,\n";
        let modern = modernize(old, &scan(old).expect("scanned")).map_err(|(_, why)| why).expect("modern");
        for word in ["foo", "bar", "baz", "qux"] {
            let at = modern.text.find(word).expect("there") as u32;
            assert_eq!(modern.old(at) as usize, old.find(word).expect("there"), "{word}");
        }
        assert_eq!(modern.old(modern.text.len() as u32) as usize, old.len());
        assert!(modern.longs.contains(&4));
    }

    #[test]
    fn a_number_that_python_2_refuses_is_refused() {
        assert!(modernize("x = 089", &scan("x = 089").expect("scanned")).is_err());
    }
}
