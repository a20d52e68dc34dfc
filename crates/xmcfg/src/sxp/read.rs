//! Reads S-expressions: words, texts in quotes, lists; comments from `#` to the end of the line.
//!
//! Everything reads as text, as xend's reader had it. A file may come from anywhere, so its size and the depth of its lists are
//! bounded.

use thiserror::Error;

use super::Sxp;

/// Bytes of a text, at most.
pub const MOST_BYTES: usize = 1 << 20;
/// Lists within lists, at most.
pub const MOST_DEPTH: usize = 64;

/// A text is no S-expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("line {line}: {why}")]
pub struct ReadError {
    /// The line, counted from 1.
    pub line: usize,
    /// What is wrong there.
    pub why: Why,
}

/// What is wrong with a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Why {
    /// There are more bytes than a configuration has.
    #[error("more than {MOST_BYTES} bytes are no configuration")]
    TooLong,
    /// Lists are too deep in lists.
    #[error("lists are more than {MOST_DEPTH} deep")]
    TooDeep,
    /// `)` without its `(`.
    #[error("')' closes nothing")]
    Unopened,
    /// The text ends within a list.
    #[error("the text ends before the list that begins here does")]
    OpenList,
    /// The text ends within quotes.
    #[error("the text ends before the quotes that begin here do")]
    OpenText,
    /// `\` and something that does not follow it.
    #[error("'\\' is followed by none of a b t n v f r \\ ' \" xHH OOO")]
    BadEscape,
    /// A zero byte.
    #[error("there is a zero byte")]
    Zero,
    /// Bytes that are no UTF-8.
    #[error("the text is not UTF-8")]
    NotUtf8,
    /// There is no form at all.
    #[error("there is no form")]
    Empty,
}

/// Reads all forms of a text.
///
/// # Errors
/// [`ReadError`].
pub fn read(source: &[u8]) -> Result<Vec<Sxp>, ReadError> {
    if source.len() > MOST_BYTES {
        return Err(ReadError { line: 1, why: Why::TooLong });
    }
    let mut reader = Reader { source, at: 0, line: 1 };
    // The forms of the file, then those of each list that is open, with the line on which it was opened.
    let mut open: Vec<(usize, Vec<Sxp>)> = vec![(1, Vec::new())];
    loop {
        reader.skip();
        let line = reader.line;
        let item = match reader.peek() {
            None => break,
            Some(b'(') if open.len() > MOST_DEPTH => return Err(reader.error(Why::TooDeep)),
            Some(b'(') => {
                reader.at += 1;
                open.push((line, Vec::new()));
                continue;
            }
            Some(b')') => {
                reader.at += 1;
                match open.pop() {
                    Some((_, items)) if !open.is_empty() => Sxp::List(items),
                    _ => return Err(reader.error(Why::Unopened)),
                }
            }
            Some(quote @ (b'\'' | b'"')) => reader.text(quote)?,
            Some(_) => reader.word()?,
        };
        if let Some((_, items)) = open.last_mut() {
            items.push(item);
        }
    }
    match open.pop() {
        Some((_, forms)) if open.is_empty() => Ok(forms),
        Some((line, _)) => Err(ReadError { line, why: Why::OpenList }),
        None => Ok(Vec::new()),
    }
}

/// Reads the first form of a text, which is all that xm looked at in a configuration; the rest has to be readable.
///
/// # Errors
/// [`ReadError`].
pub fn first(source: &[u8]) -> Result<Sxp, ReadError> {
    read(source)?.into_iter().next().ok_or(ReadError { line: 1, why: Why::Empty })
}

struct Reader<'a> {
    source: &'a [u8],
    at: usize,
    line: usize,
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.source.get(self.at).copied()
    }

    fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        self.line += usize::from(byte == b'\n');
        Some(byte)
    }

    fn error(&self, why: Why) -> ReadError {
        ReadError { line: self.line, why }
    }

    /// Blanks and comments.
    fn skip(&mut self) {
        while let Some(byte) = self.peek() {
            match byte {
                b'#' => {
                    while self.peek().is_some_and(|byte| byte != b'\n') {
                        self.at += 1
                    }
                }
                byte if byte.is_ascii_whitespace() || byte == 0x0b => {
                    self.next();
                }
                _ => return,
            }
        }
    }

    fn word(&mut self) -> Result<Sxp, ReadError> {
        let begin = self.at;
        while let Some(byte) = self.peek() {
            match byte {
                b'(' | b')' | b'\'' | b'"' | b'#' | 0x0b => break,
                0 => return Err(self.error(Why::Zero)),
                byte if byte.is_ascii_whitespace() => break,
                _ => self.at += 1,
            }
        }
        self.utf8(self.source[begin..self.at].to_vec())
    }

    fn text(&mut self, quote: u8) -> Result<Sxp, ReadError> {
        let open = self.error(Why::OpenText);
        self.next();
        let mut bytes = Vec::new();
        loop {
            match self.next().ok_or(open)? {
                byte if byte == quote => return self.utf8(bytes),
                b'\\' => bytes.push(self.escape()?),
                byte => bytes.push(byte),
            }
        }
    }

    fn escape(&mut self) -> Result<u8, ReadError> {
        let bad = self.error(Why::BadEscape);
        Ok(match self.next().ok_or(bad)? {
            b'a' => 0x07,
            b'b' => 0x08,
            b't' => b'\t',
            b'n' => b'\n',
            b'v' => 0x0b,
            b'f' => 0x0c,
            b'r' => b'\r',
            byte @ (b'\\' | b'\'' | b'"') => byte,
            b'x' => {
                let mut digit = || self.next().and_then(|byte| char::from(byte).to_digit(16)).ok_or(bad);
                (digit()? << 4 | digit()?) as u8
            }
            first @ b'0'..=b'7' => {
                let mut number = u32::from(first - b'0');
                for _ in 0..2 {
                    let Some(digit @ b'0'..=b'7') = self.peek() else { break };
                    self.at += 1;
                    number = number * 8 + u32::from(digit - b'0');
                }
                u8::try_from(number).map_err(|_| bad)?
            }
            _ => return Err(bad),
        })
    }

    fn utf8(&self, bytes: Vec<u8>) -> Result<Sxp, ReadError> {
        if bytes.contains(&0) {
            return Err(self.error(Why::Zero));
        }
        String::from_utf8(bytes).map(Sxp::Text).map_err(|_| self.error(Why::NotUtf8))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn flat(source: &str) -> String {
        read(source.as_bytes()).unwrap().iter().map(Sxp::flat).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn forms_are_words_texts_and_lists_with_comments_between() {
        for (source, again) in [
            ("(vm (name g) (memory 128))", "(vm (name g) (memory 128))"),
            ("# head\n(a # (b\n 'x y' \"it's\"(c)())", "(a 'x y' \"it's\" (c) ())"),
            ("a 'b'\"c\" (d)e", "a b c (d) e"),
            (
                "'\\a\\b\\t\\n\\v\\f\\r\\\\\\'\\\"\\x41\\101\\60'",
                "'\\x07\\x08\\t\\n\\x0b\\x0c\\r\\\\\\'\"AA0'",
            ),
            ("'\\xc3\\xa9' é", "'\\xc3\\xa9' '\\xc3\\xa9'"),
            ("(@ !x)", "(@ '!x')"),
            ("", ""),
        ] {
            assert_eq!(flat(source), again, "{source}");
        }
    }

    #[test]
    fn what_is_no_form_is_named_with_its_line() {
        for (source, line, why) in [
            (&b"(a\n)\n)"[..], 3, Why::Unopened),
            (b"\n(a (b)\n", 2, Why::OpenList),
            (b"\n\n'a\nb", 3, Why::OpenText),
            (b"'\\q'", 1, Why::BadEscape),
            (b"'\\400'", 1, Why::BadEscape),
            (b"'\\x4'", 1, Why::BadEscape),
            (b"'\\", 1, Why::BadEscape),
            (b"a\n\0", 2, Why::Zero),
            (b"'\\x00'", 1, Why::Zero),
            (b"(\xff)", 1, Why::NotUtf8),
        ] {
            assert_eq!(read(source), Err(ReadError { line, why }), "{}", source.escape_ascii());
        }
        assert_eq!(first(b" # nothing"), Err(ReadError { line: 1, why: Why::Empty }));
    }

    #[test]
    fn depth_and_size_are_bounded() {
        let nested = |depth: usize| format!("{}{}", "(".repeat(depth), ")".repeat(depth));
        assert!(read(nested(MOST_DEPTH).as_bytes()).is_ok());
        assert_eq!(read(nested(MOST_DEPTH + 1).as_bytes()).unwrap_err().why, Why::TooDeep);
        assert_eq!(read(&vec![b'('; 1_000_000]).unwrap_err().why, Why::TooDeep);
        assert_eq!(read(&vec![b' '; MOST_BYTES + 1]).unwrap_err().why, Why::TooLong);
    }

    fn forms() -> impl Strategy<Value = Sxp> {
        let text = prop_oneof!["[a-z0-9./:_-]{1,8}", "[^\\x00]{0,12}"].prop_map(Sxp::Text);
        text.prop_recursive(4, 40, 5, |inner| prop::collection::vec(inner, 0..5).prop_map(Sxp::List))
    }

    proptest! {
        #[test]
        fn what_is_printed_reads_as_what_it_was(form in forms()) {
            prop_assert_eq!(&first(form.pretty().as_bytes()), &Ok(form.clone()));
            prop_assert_eq!(first(form.flat().as_bytes()), Ok(form));
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(prop_oneof![Just(b'('), Just(b')'), Just(b'\\'), any::<u8>()], 0..64)) {
            let _ = read(&bytes);
        }
    }
}
