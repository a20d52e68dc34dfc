//! Values as people write and read them: what is not printable ASCII travels as an escape.
//!
//! The escapes are those of Debian's `xenstore-*` tools: `\t \n \r \\`, three octal digits below 8, `\xNN` for the rest.

use serde_json::{Value, json};

/// Shows a value.
pub(super) fn escape(value: &[u8]) -> String {
    let mut text = String::with_capacity(value.len());
    for &byte in value {
        match byte {
            b'\t' => text.push_str("\\t"),
            b'\n' => text.push_str("\\n"),
            b'\r' => text.push_str("\\r"),
            b'\\' => text.push_str("\\\\"),
            b' '..=b'~' => text.push(byte.into()),
            0..=7 => text.push_str(&format!("\\{byte:03o}")),
            _ => text.push_str(&format!("\\x{byte:02x}")),
        }
    }
    text
}

/// Reads what a person wrote. A backslash before any other letter, and at the end, stands for nothing.
pub(super) fn unescape(text: &[u8]) -> Vec<u8> {
    let mut value = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        if byte != b'\\' {
            value.push(byte);
            continue;
        }
        let Some((&letter, tail)) = rest.split_first() else { break };
        match letter {
            b't' => value.push(b'\t'),
            b'n' => value.push(b'\n'),
            b'r' => value.push(b'\r'),
            b'x' => {
                let (number, after) = number(tail, 16, 2);
                // Without a digit the letter stands for itself.
                value.push(number.unwrap_or(letter));
                rest = after;
                continue;
            }
            b'0'..=b'7' => {
                let (number, after) = number(rest, 8, 3);
                value.push(number.unwrap_or(letter));
                rest = after;
                continue;
            }
            other => value.push(other),
        }
        rest = tail;
    }
    value
}

/// Takes up to `most` digits from the front; what does not fit into a byte is cut off at its top.
fn number(text: &[u8], radix: u32, most: usize) -> (Option<u8>, &[u8]) {
    let len = text.iter().take(most).take_while(|&&byte| char::from(byte).is_digit(radix)).count();
    let digits = text[..len].iter().filter_map(|&byte| char::from(byte).to_digit(radix));
    let number = digits.fold(0u32, |sum, digit| sum * radix + digit);
    ((len > 0).then_some(number as u8), &text[len..])
}

/// A value for programs: text as it is, under `value`; other bytes in hexadecimal, under `value_hex`.
pub(super) fn to_json(path: &str, value: &[u8]) -> Value {
    match std::str::from_utf8(value) {
        Ok(text) => json!({ "path": path, "value": text }),
        Err(_) => {
            let hex: String = value.iter().map(|byte| format!("{byte:02x}")).collect();
            json!({ "path": path, "value_hex": hex })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_printable_is_escaped() {
        assert_eq!(escape(b"a b~\\\t\n\r\0\x07\x08\x7f\xff"), r"a b~\\\t\n\r\000\007\x08\x7f\xff");
    }

    #[test]
    fn escapes_read_back_as_what_they_were() {
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(unescape(escape(&all).as_bytes()), all);
    }

    #[test]
    fn numbers_take_as_many_digits_as_there_are() {
        for (text, value) in [
            (r"\0", &b"\0"[..]),
            (r"\18", b"\x018"),
            (r"\1234", b"S4"),
            (r"\777", b"\xff"),
            (r"\xag", b"\x0ag"),
            (r"\x123", b"\x123"),
            (r"\xg", b"xg"),
            (r"\q\", b"q"),
        ] {
            assert_eq!(unescape(text.as_bytes()), value, "{text}");
        }
    }

    #[test]
    fn json_keeps_text_readable_and_bytes_exact() {
        assert_eq!(to_json("/a", b"x\n").to_string(), r#"{"path":"/a","value":"x\n"}"#);
        assert_eq!(to_json("/a", b"\xff\0").to_string(), r#"{"path":"/a","value_hex":"ff00"}"#);
    }
}
