//! Payloads as text: printable ASCII as it is, nul as `|`, long runs of one byte as `{byte*count}`, the rest as `\xNN`.

/// How many equal bytes are written as a run.
const RUN: usize = 8;

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_graphic() && !matches!(byte, b'|' | b'\\' | b'{' | b'}' | b'"')
}

fn escape_byte(byte: u8) -> String {
    match byte {
        0 => "|".into(),
        plain if is_plain(plain) => char::from(plain).into(),
        other => format!("\\x{other:02x}"),
    }
}

/// The payload as one word in quotes.
pub(crate) fn escape(bytes: &[u8]) -> String {
    let mut text = String::from("\"");
    for run in bytes.chunk_by(|a, b| a == b) {
        let byte = escape_byte(run[0]);
        if run.len() >= RUN {
            text.push_str(&format!("{{{byte}*{}}}", run.len()));
        } else {
            text.push_str(&byte.repeat(run.len()));
        }
    }
    text.push('"');
    text
}

/// Reads what [`escape`] writes.
pub(crate) fn unescape(text: &str) -> Option<Vec<u8>> {
    let mut rest = text.strip_prefix('"')?.strip_suffix('"')?;
    let mut bytes = Vec::new();
    while !rest.is_empty() {
        if let Some(run) = rest.strip_prefix('{') {
            let (byte, after) = take_byte(run)?;
            let (count, after) = after.strip_prefix('*')?.split_once('}')?;
            bytes.extend(std::iter::repeat_n(byte, count.parse().ok()?));
            rest = after;
        } else {
            let (byte, after) = take_byte(rest)?;
            bytes.push(byte);
            rest = after;
        }
    }
    Some(bytes)
}

fn take_byte(text: &str) -> Option<(u8, &str)> {
    if let Some(hex) = text.strip_prefix("\\x") {
        let (digits, rest) = hex.split_at_checked(2)?;
        return Some((u8::from_str_radix(digits, 16).ok()?, rest));
    }
    let (first, rest) = text.split_at_checked(1)?;
    match first.as_bytes()[0] {
        b'|' => Some((0, rest)),
        plain if is_plain(plain) => Some((plain, rest)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_payload_is_read_back() {
        let all: Vec<u8> = (0..=255).collect();
        let long = [b"/".as_slice(), &[b'a'; 3000], &[0; 9], b"{*}|\\\"x"].concat();
        for bytes in [b"".as_slice(), b"/a\0", &all, &long, &[b'\\'; 20]] {
            assert_eq!(unescape(&escape(bytes)).as_deref(), Some(bytes), "{}", escape(bytes));
        }
    }

    #[test]
    fn other_text_is_refused() {
        for text in ["", "\"", "abc", "\"a\"b\"", "\"{a*x}\"", "\"{a*3\"", "\"\\x4\"", "\"\u{e4}\""] {
            assert_eq!(unescape(text), None, "{text}");
        }
    }
}
