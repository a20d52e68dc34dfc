//! The words of a script, as far as both generations of Python agree on them: enough to know where statements,
//! brackets and strings begin and end, before anything is parsed.
//!
//! It also bounds how deep the parser's tree can become, by counting what could nest: whoever walks or drops that tree
//! recurses.

use crate::limits::Limit;
use crate::source::Span;

/// Operators, brackets and the like that may be open at one place of the text.
pub(crate) const MAX_NESTING: usize = 1000;

/// Blocks within blocks, as Python's own lexer allows.
const MAX_INDENT: usize = 100;

/// What kind of word a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Name,
    Number,
    /// A string literal with its prefix and quotes.
    String,
    /// An operator, a bracket, or any other single thing.
    Op,
    /// The end of a logical line.
    Newline,
    /// White space before the first token of a logical line (may be empty).
    Indent,
}

/// A word and its place.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Token {
    pub(crate) kind: Kind,
    pub(crate) span: Span,
    /// Brackets that are open before it (after it, for a closing one).
    pub(crate) depth: u32,
}

/// Splits a text into its words.
///
/// Broken text gives tokens too: the parser says what is wrong with it.
///
/// # Errors
/// It is nested too deep; with the place.
pub(crate) fn scan(text: &str) -> Result<Vec<Token>, (Span, Limit)> {
    let mut scanner =
        Scanner { text: text.as_bytes(), at: 0, tokens: Vec::new(), depth: 0, line_begins: true };
    while scanner.step() {}
    let tokens = scanner.tokens;
    bound(text, &tokens)?;
    Ok(tokens)
}

struct Scanner<'a> {
    text: &'a [u8],
    at: usize,
    tokens: Vec<Token>,
    depth: u32,
    line_begins: bool,
}

impl Scanner<'_> {
    fn peek(&self, ahead: usize) -> u8 {
        self.text.get(self.at + ahead).copied().unwrap_or(0)
    }

    fn push(&mut self, kind: Kind, start: usize) {
        let span = Span { start: start as u32, end: self.at as u32 };
        self.tokens.push(Token { kind, span, depth: self.depth });
    }

    fn skip_while(&mut self, wanted: impl Fn(u8) -> bool) {
        while self.at < self.text.len() && wanted(self.text[self.at]) {
            self.at += 1;
        }
    }

    /// Takes the next token; false at the end.
    fn step(&mut self) -> bool {
        let start = self.at;
        self.skip_while(|b| matches!(b, b' ' | b'\t' | b'\x0c'));
        if self.at >= self.text.len() {
            return false;
        }
        match self.peek(0) {
            b'#' => self.skip_while(|b| b != b'\n' && b != b'\r'),
            b'\\' if matches!(self.peek(1), b'\n' | b'\r') => {
                self.at += if self.peek(1) == b'\r' && self.peek(2) == b'\n' { 3 } else { 2 };
            }
            b'\n' | b'\r' => {
                let from = self.at;
                self.at += if self.peek(0) == b'\r' && self.peek(1) == b'\n' { 2 } else { 1 };
                if self.depth == 0 && !self.line_begins {
                    self.push(Kind::Newline, from);
                    self.line_begins = true;
                }
            }
            _ => {
                if self.line_begins {
                    self.line_begins = false;
                    let span = Span { start: start as u32, end: self.at as u32 };
                    self.tokens.push(Token { kind: Kind::Indent, span, depth: 0 });
                }
                self.word();
            }
        }
        true
    }

    fn word(&mut self) {
        let start = self.at;
        let first = self.peek(0);
        if first.is_ascii_digit() || (first == b'.' && self.peek(1).is_ascii_digit()) {
            self.number();
            return self.push(Kind::Number, start);
        }
        if first.is_ascii_alphabetic() || first == b'_' || first >= 0x80 {
            self.skip_while(|b| b.is_ascii_alphanumeric() || b == b'_' || b >= 0x80);
            if self.at - start > 2
                || !matches!(self.peek(0), b'\'' | b'"')
                || !is_prefix(&self.text[start..self.at])
            {
                return self.push(Kind::Name, start);
            }
            self.string();
            return self.push(Kind::String, start);
        }
        match first {
            b'\'' | b'"' => {
                self.string();
                return self.push(Kind::String, start);
            }
            b'(' | b'[' | b'{' => {
                self.at += 1;
                self.push(Kind::Op, start);
                self.depth += 1;
                return;
            }
            b')' | b']' | b'}' => {
                self.at += 1;
                self.depth = self.depth.saturating_sub(1);
            }
            _ => {
                const LONG: [&[u8]; 23] = [
                    b"**=", b"//=", b">>=", b"<<=", b"...", b"**", b"//", b">>", b"<<", b"<>", b"!=", b"==",
                    b"<=", b">=", b"+=", b"-=", b"*=", b"/=", b"%=", b"&=", b"|=", b"^=", b"->",
                ];
                let rest = &self.text[self.at..];
                self.at += LONG.iter().find(|op| rest.starts_with(op)).map_or(1, |op| op.len());
            }
        }
        self.push(Kind::Op, start);
    }

    /// Past a number, whatever its base, with suffix; `1.e5`, `1e-5` and `0x1f` are one word each.
    fn number(&mut self) {
        let hex = self.peek(0) == b'0' && matches!(self.peek(1) | 0x20, b'x' | b'o' | b'b');
        let mut before = 0;
        while self.at < self.text.len() {
            let byte = self.text[self.at];
            let exponent_sign = !hex && matches!(byte, b'+' | b'-') && before | 0x20 == b'e';
            if !(byte.is_ascii_alphanumeric() || byte == b'_' || (byte == b'.' && !hex) || exponent_sign) {
                break;
            }
            before = byte;
            self.at += 1;
        }
    }

    /// Past a string literal, from its opening quote; or to the end of the line or text where it is not closed.
    ///
    /// A backslash hides a quote in raw strings too.
    fn string(&mut self) {
        let quote = self.peek(0);
        let triple = self.peek(1) == quote && self.peek(2) == quote;
        self.at += if triple { 3 } else { 1 };
        while self.at < self.text.len() {
            match self.peek(0) {
                b'\\' => self.at += 1,
                byte if byte == quote && !triple => {
                    self.at += 1;
                    return;
                }
                byte if byte == quote && self.peek(1) == quote && self.peek(2) == quote => {
                    self.at += 3;
                    return;
                }
                b'\n' | b'\r' if !triple => return,
                _ => {}
            }
            self.at += 1;
        }
        self.at = self.text.len();
    }
}

/// Whether a name directly before a quote belongs to the literal.
fn is_prefix(name: &[u8]) -> bool {
    const PREFIXES: [&str; 11] = ["r", "u", "b", "f", "t", "ur", "br", "rb", "fr", "rf", "tr"];
    PREFIXES.iter().any(|prefix| prefix.as_bytes().eq_ignore_ascii_case(name))
}

/// Checks that no expression, block or f-string is nested too deep.
///
/// For each open bracket (and the statement itself) it counts what could have put one node below another since the last
/// comma; a comma begins a sibling, but not within a lambda's parameters. The sum over the open brackets is at least the
/// depth of the tree there.
fn bound(text: &str, tokens: &[Token]) -> Result<(), (Span, Limit)> {
    let mut open: Vec<Segment> = vec![Segment::default()];
    let mut sum = 0;
    let mut indents: Vec<usize> = vec![0];
    for token in tokens {
        let word = &text[token.span.start as usize..token.span.end as usize];
        let top = open.len() - 1;
        let add = match token.kind {
            Kind::Number => 0,
            Kind::Indent => {
                let columns = columns(word);
                while indents.last().is_some_and(|&outer| outer > columns) {
                    indents.pop();
                }
                if indents.last().is_none_or(|&outer| outer < columns) {
                    indents.push(columns);
                }
                if indents.len() > MAX_INDENT {
                    return Err((token.span, Limit::Nesting(MAX_INDENT)));
                }
                0
            }
            Kind::Newline => {
                open = vec![Segment::default()];
                sum = 0;
                continue;
            }
            Kind::String => replaced(word),
            Kind::Name => {
                open[top].has_lambda |= word == "lambda";
                let nests =
                    ["lambda", "not", "if", "else", "and", "or", "in", "is", "for", "await", "yield", "from"];
                usize::from(nests.contains(&word))
            }
            Kind::Op => match word {
                "(" | "[" | "{" => {
                    open[top].count += 1;
                    open.push(Segment::default());
                    sum += 1;
                    0
                }
                ")" | "]" | "}" if top > 0 => {
                    sum -= open[top].count;
                    open.pop();
                    0
                }
                "," | ";" if !open[top].has_lambda => {
                    sum -= open[top].count;
                    open[top].count = 0;
                    0
                }
                _ => 1,
            },
        };
        let top = open.len() - 1;
        open[top].count += add;
        sum += add;
        if sum > MAX_NESTING {
            return Err((token.span, Limit::Nesting(MAX_NESTING)));
        }
    }
    Ok(())
}

#[derive(Default)]
struct Segment {
    count: usize,
    has_lambda: bool,
}

/// How deep an f-string's expressions could nest at most: the bytes between braces.
fn replaced(literal: &str) -> usize {
    let prefix = literal.find(['\'', '"']).unwrap_or(0);
    if !literal[..prefix].contains(['f', 'F', 't', 'T']) {
        return 0;
    }
    let mut depth = 0_usize;
    let mut inside = 0;
    for byte in literal.bytes() {
        match byte {
            b'{' => depth += 1,
            b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        inside += usize::from(depth > 0);
    }
    inside
}

/// The column that white space leads to, with tabs to the next multiple of eight, as Python 2 counts.
pub(crate) fn columns(white: &str) -> usize {
    white.bytes().fold(0, |column, byte| match byte {
        b'\t' => column / 8 * 8 + 8,
        b'\x0c' => 0,
        _ => column + 1,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<(Kind, &str)> {
        let tokens = scan(text).expect("scanned");
        tokens.iter().map(|t| (t.kind, &text[t.span.start as usize..t.span.end as usize])).collect()
    }

    #[test]
    fn lines_go_on_in_brackets_strings_and_after_a_backslash() {
        let text = "a = [1, # one\n 2]\nb = '''x\ny'''\nc = 1 + \\\n 2\n";
        let ends = words(text).iter().filter(|(kind, _)| *kind == Kind::Newline).count();
        assert_eq!(ends, 3);
    }

    #[test]
    fn words_are_whole() {
        let all = words("x=ur'a\\'b'+0x1FL-1e-5<>10L");
        let plain: Vec<&str> = all.iter().map(|(_, word)| *word).collect();
        assert_eq!(plain, ["", "x", "=", "ur'a\\'b'", "+", "0x1FL", "-", "1e-5", "<>", "10L"]);
    }

    #[test]
    fn whatever_could_nest_is_bounded() {
        for (before, after) in [
            ("(", ")"),
            ("[", "]"),
            ("{1:", "}"),
            ("f(", ")"),
            ("-", ""),
            ("not ", ""),
            ("1+", ""),
            ("1**", ""),
            ("lambda:", ""),
            ("lambda a, b:", ""),
            ("1 if 1 else ", ""),
            ("x[", "]"),
        ] {
            let text = |n: usize| format!("x = {}1{}", before.repeat(n), after.repeat(n));
            assert!(scan(&text(MAX_NESTING / 8)).is_ok(), "{before}");
            assert!(scan(&text(MAX_NESTING + 1)).is_err(), "{before}");
        }
        assert!(scan(&format!("x = a{}", ".b".repeat(2000))).is_err());
        assert!(scan(&format!("x = f'{{{}1{}}}'", "(".repeat(2000), ")".repeat(2000))).is_err());
        let blocks: String = (0..200).map(|n| format!("{}if 1:\n", " ".repeat(n))).collect();
        assert!(scan(&blocks).is_err());
    }

    #[test]
    fn long_lists_are_not_deep() {
        assert!(scan(&format!("x = [{}]", "'a' + 'b' % 1, ".repeat(10_000))).is_ok());
        assert!(scan(&"x = 1 + 2; ".repeat(10_000)).is_ok());
    }
}
