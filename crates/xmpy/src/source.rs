//! The text of a script: bytes decoded as Python 2 would (byte order mark, coding line), and places in it.

use std::rc::Rc;

use crate::fault::{Fault, Kind};
use crate::limits::{Limit, Limits};

/// A script to run.
#[derive(Clone, Copy, Debug)]
pub struct Script<'a> {
    /// Its name, as errors show it.
    pub name: &'a str,
    /// What is in the file.
    pub text: &'a [u8],
}

/// A stretch of a source's text, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) start: u32,
    pub(crate) end: u32,
}

/// A decoded script.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) name: String,
    pub(crate) text: String,
}

impl Source {
    /// Decodes a script.
    ///
    /// # Errors
    /// Too long, NUL bytes, an unknown coding, bytes that are not as the coding says.
    pub(crate) fn decode(script: &Script<'_>, limits: &Limits) -> Result<Rc<Self>, Fault> {
        let refuse = |at: usize, kind: Kind, message: String| {
            // What precedes is shown as far as it can be read.
            let before = String::from_utf8_lossy(&script.text[..at]).into_owned();
            let start = before.len();
            let rest = &script.text[at..];
            let rest = &rest[..rest.iter().position(|b| matches!(b, b'\n' | b'\r')).unwrap_or(rest.len())];
            let text = before + &String::from_utf8_lossy(rest);
            let source = Self { name: script.name.to_owned(), text };
            let end = source.text[start..].chars().next().map_or(start, |c| start + c.len_utf8());
            source.fault(Span { start: start as u32, end: end as u32 }, kind, message)
        };
        if script.text.len() > limits.source {
            let limit = Limit::Source(limits.source);
            return Err(refuse(0, Kind::Limit(limit), limit.to_string()));
        }
        if let Some(at) = script.text.iter().position(|&byte| byte == 0) {
            return Err(refuse(at, Kind::Syntax, "source code cannot contain NUL bytes".to_owned()));
        }
        let bytes = script.text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(script.text);
        let text = match Coding::declared(bytes) {
            Ok(Coding::Utf8) => match std::str::from_utf8(bytes) {
                Ok(text) => text.to_owned(),
                Err(error) => {
                    let at = error.valid_up_to() + (script.text.len() - bytes.len());
                    let byte = script.text[at];
                    let why = format!(
                        "byte 0x{byte:02x} is not UTF-8, and the first two lines declare no other coding (\"# -*- coding: latin-1 -*-\")"
                    );
                    return Err(refuse(at, Kind::Syntax, why));
                }
            },
            Ok(coding) => bytes.iter().map(|&byte| coding.char(byte)).collect(),
            Err(name) => return Err(refuse(0, Kind::Syntax, format!("unknown encoding: {name}"))),
        };
        Ok(Rc::new(Self { name: script.name.to_owned(), text }))
    }

    /// A fault at a place of this source.
    pub(crate) fn fault(&self, span: Span, kind: Kind, message: String) -> Fault {
        let start = floor(&self.text, span.start as usize);
        let end = floor(&self.text, (span.end as usize).max(start));
        let line_start = self.text[..start].rfind(['\n', '\r']).map_or(0, |at| at + 1);
        let line_end = self.text[start..].find(['\n', '\r']).map_or(self.text.len(), |at| start + at);
        let breaks = self.text[..line_start].bytes().enumerate();
        let line = 1 + breaks.filter(|&(at, byte)| ends_line(self.text.as_bytes(), at, byte)).count();
        Fault {
            kind,
            message,
            name: self.name.clone(),
            line,
            column: 1 + self.text[line_start..start].chars().count(),
            width: self.text[start..end.clamp(start, line_end)].chars().count().max(1),
            text: self.text[line_start..line_end].to_owned(),
        }
    }
}

/// The nearest place at or before `at` where a character begins.
fn floor(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// Whether the byte at `at` is the last of a line end: `\n`, `\r\n`, or `\r` alone.
fn ends_line(text: &[u8], at: usize, byte: u8) -> bool {
    byte == b'\n' || (byte == b'\r' && text.get(at + 1) != Some(&b'\n'))
}

/// The encodings of source files, as PEP 263 lets a file declare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Coding {
    /// Also stands for ASCII: a file that says ASCII and is not is none the worse.
    Utf8,
    Latin1,
    Latin9,
    Windows1252,
}

impl Coding {
    /// What one of the first two lines declares, else UTF-8; `Err` with a name that is not known.
    fn declared(bytes: &[u8]) -> Result<Self, String> {
        for line in bytes.split(|&byte| byte == b'\n').take(2) {
            let line = String::from_utf8_lossy(line);
            let Some(comment) = line.trim_start().strip_prefix('#') else {
                // Only a comment declares, and only a blank or commented first line lets the second do so.
                if line.trim().is_empty() {
                    continue;
                }
                break;
            };
            let Some(at) = comment.find("coding:").or_else(|| comment.find("coding=")) else { continue };
            let rest = comment[at + 7..].trim_start_matches([' ', '\t']);
            let name: String = rest
                .chars()
                .take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
                .collect();
            return match name.to_ascii_lowercase().replace('_', "-").as_str() {
                "" | "utf-8" | "utf8" | "utf-8-sig" | "ascii" | "us-ascii" | "utf-8-unix" => Ok(Self::Utf8),
                "latin-1" | "latin1" | "iso-8859-1" | "iso8859-1" | "l1" | "iso-latin-1"
                | "iso-latin-1-unix" | "latin-1-unix" => Ok(Self::Latin1),
                "latin-9" | "latin9" | "iso-8859-15" | "iso8859-15" | "l9" => Ok(Self::Latin9),
                "cp1252" | "windows-1252" => Ok(Self::Windows1252),
                _ => Err(name),
            };
        }
        Ok(Self::Utf8)
    }

    fn char(self, byte: u8) -> char {
        const WINDOWS: [char; 32] = [
            '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž', '\u{8f}',
            '\u{90}', '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}', 'ž', 'Ÿ',
        ];
        match (self, byte) {
            (Self::Latin9, 0xa4) => '€',
            (Self::Latin9, 0xa6) => 'Š',
            (Self::Latin9, 0xa8) => 'š',
            (Self::Latin9, 0xb4) => 'Ž',
            (Self::Latin9, 0xb8) => 'ž',
            (Self::Latin9, 0xbc) => 'Œ',
            (Self::Latin9, 0xbd) => 'œ',
            (Self::Latin9, 0xbe) => 'Ÿ',
            (Self::Windows1252, 0x80..=0x9f) => WINDOWS[usize::from(byte - 0x80)],
            _ => char::from(byte),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(text: &[u8]) -> Result<Rc<Source>, Fault> {
        Source::decode(&Script { name: "t", text }, &Limits::default())
    }

    #[test]
    fn a_coding_line_says_what_the_bytes_mean() {
        let text = |bytes: &[u8]| decode(bytes).expect("decoded").text.clone();
        assert_eq!(text(b"# -*- coding: latin-1 -*-\nx='\xe9'"), "# -*- coding: latin-1 -*-\nx='é'");
        assert_eq!(
            text(b"#!/usr/bin/python\n# vim: set fileencoding=iso-8859-15 :\n\xa4").chars().last(),
            Some('€')
        );
        assert_eq!(text(b"# coding: cp1252\n\x80").chars().last(), Some('€'));
        assert_eq!(text("\u{feff}x = 'é'".as_bytes()), "x = 'é'");
    }

    #[test]
    fn bytes_that_are_not_utf8_are_refused_with_their_place() {
        let fault = decode(b"a = 1\nb = 'x\xe9y'\n").expect_err("latin-1 without saying so");
        assert_eq!((fault.line, fault.column), (2, 7));
        assert!(fault.message.contains("byte 0xe9"), "{fault}");
        let fault = decode(b"a = 1\nb = \0\n").expect_err("NUL");
        assert_eq!((fault.line, fault.column), (2, 5));
        let fault = decode(b"# coding: ebcdic\n").expect_err("unknown");
        assert_eq!(fault.message, "unknown encoding: ebcdic");
    }

    #[test]
    fn lines_end_as_any_system_ends_them() {
        for text in ["a\nb\ncd", "a\r\nb\r\ncd", "a\rb\rcd"] {
            let source = decode(text.as_bytes()).expect("decoded");
            let at = text.find('d').expect("d") as u32;
            let fault = source.fault(Span { start: at, end: at + 1 }, Kind::Syntax, String::new());
            assert_eq!((fault.line, fault.column, fault.text.as_str()), (3, 2, "cd"), "{text:?}");
        }
    }
}
