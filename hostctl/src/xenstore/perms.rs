//! Permissions as people write them: a letter and a domain's id.
//!
//! `n` nothing, `r` read, `w` write, `b` both. The first names the owner, and what everybody may who is not named.

use std::fmt;
use std::str::FromStr;

use xen_abi::DomId;
use xenstore::{Access, Perm};

const LETTERS: [(char, Access); 4] =
    [('n', Access::None), ('r', Access::Read), ('w', Access::Write), ('b', Access::Both)];

/// One entry of a node's permissions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Permission(pub(super) Perm);

/// What is no permission.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no permission: a letter (n nothing, r read, w write, b both) and a domain's id are, as r7")]
pub(super) struct BadPermission(String);

impl FromStr for Permission {
    type Err = BadPermission;

    fn from_str(text: &str) -> Result<Self, BadPermission> {
        let bad = || BadPermission(text.to_owned());
        let first = text.chars().next();
        let (_, access) = LETTERS.into_iter().find(|(letter, _)| Some(*letter) == first).ok_or_else(bad)?;
        let digits = &text[1..];
        // `parse` alone would take a sign.
        let domid = digits.parse().ok().filter(|_| digits.bytes().all(|byte| byte.is_ascii_digit()));
        Ok(Self(Perm::new(DomId(domid.ok_or_else(bad)?), access)))
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let letter = LETTERS.into_iter().find(|(_, access)| *access == self.0.access);
        write!(f, "{}{}", letter.map_or('?', |(letter, _)| letter), self.0.domid.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_letter_and_an_id_are_a_permission() {
        for text in ["n0", "r1", "w7", "b32752"] {
            assert_eq!(text.parse::<Permission>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn anything_else_is_refused_by_name() {
        for text in ["", "r", "x1", "r-1", "r+1", "r70000", "r1 ", "é1"] {
            let error = text.parse::<Permission>().unwrap_err().to_string();
            assert!(error.starts_with(&format!("'{text}' is no permission")), "{error}");
        }
    }
}
