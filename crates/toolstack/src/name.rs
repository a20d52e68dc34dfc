//! Domains' names and uuids: what is legal, and how they are written.

use alloc::string::String;
use core::fmt::{self, Display, Formatter};

/// The control domain's name. Taken for ever.
pub const DOMAIN_0: &str = "Domain-0";

/// The longest name, in bytes. xend knew no bound; ours keeps a name in one store node and one log line.
pub const MAX_NAME_LEN: usize = 255;

/// A legal domain name: `^[A-Za-z0-9_\-\.\:\+]+$`, as xend had it, and at most [`MAX_NAME_LEN`] bytes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DomainName(String);

impl DomainName {
    /// Checks a name; `None` if it is empty, too long or has a letter that names may not have.
    pub fn parse(text: &str) -> Option<Self> {
        let legal = |b: u8| b.is_ascii_alphanumeric() || b"_-.:+".contains(&b);
        let fits = (1..=MAX_NAME_LEN).contains(&text.len());
        (fits && text.bytes().all(legal)).then(|| Self(text.into()))
    }

    /// The name under which a dead domain is kept while another is built under its own, as xend chose it.
    pub(crate) fn for_renamed(uuid: Uuid) -> Self {
        Self(alloc::format!("Domain-{uuid}"))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Display for DomainName {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A domain's uuid. All zeros is the control domain's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Uuid(pub [u8; 16]);

impl Uuid {
    /// The control domain's.
    pub const ZERO: Self = Self([0; 16]);

    /// Makes a random (version 4) uuid of sixteen random bytes. Source: RFC 9562, 5.4.
    pub fn from_random(mut bytes: [u8; 16]) -> Self {
        bytes[6] = bytes[6] & 0x0f | 0x40;
        bytes[8] = bytes[8] & 0x3f | 0x80;
        Self(bytes)
    }

    /// Reads a uuid in the usual form (8-4-4-4-12 hexadecimal digits, either case).
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.as_bytes();
        if text.len() != 36 {
            return None;
        }
        let mut nibbles = [0; 32];
        let mut filled = 0;
        for (i, &letter) in text.iter().enumerate() {
            if matches!(i, 8 | 13 | 18 | 23) {
                if letter != b'-' {
                    return None;
                }
                continue;
            }
            nibbles[filled] = char::from(letter).to_digit(16)? as u8;
            filled += 1;
        }
        let mut bytes = [0; 16];
        for (byte, pair) in bytes.iter_mut().zip(nibbles.chunks_exact(2)) {
            *byte = pair[0] << 4 | pair[1];
        }
        Some(Self(bytes))
    }
}

impl Display for Uuid {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for (i, byte) in self.0.iter().enumerate() {
            if matches!(i, 4 | 6 | 8 | 10) {
                f.write_str("-")?;
            }
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn names_follow_xends_rule() {
        for good in ["a", "guest1", "web-1.example:8+x", "3", "_"] {
            assert_eq!(DomainName::parse(good).unwrap().as_str(), good);
        }
        let long = "a".repeat(MAX_NAME_LEN + 1);
        for bad in ["", "a b", "a/b", "ä", "a\n", "(unknown-1)", &long] {
            assert_eq!(DomainName::parse(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn a_uuid_is_read_as_it_is_written() {
        let text = "06ed00fe-1162-4fc4-b5d8-11993ee4a8b9";
        assert_eq!(Uuid::parse(text).unwrap().to_string(), text);
        assert_eq!(Uuid::parse(&text.to_uppercase()).unwrap().to_string(), text);
        for bad in [
            "",
            "06ed00fe116-2-4fc4-b5d8-11993ee4a8b9",
            "06ed00fe-1162-4fc4-b5d8-11993ee4a8bg",
            "é6ed00fe-1162-4fc4-b5d8-11993ee4a8",
        ] {
            assert_eq!(Uuid::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_drawn_uuid_says_that_it_is_random() {
        assert_eq!(Uuid::from_random([0xff; 16]).to_string(), "ffffffff-ffff-4fff-bfff-ffffffffffff");
        assert_eq!(Uuid::from_random([0; 16]).to_string(), "00000000-0000-4000-8000-000000000000");
    }
}
