//! Strings: text that is never changed, and knows how many characters it has.

use std::hash::{Hash, Hasher};

/// A string's text. Python 2's strings are bytes, but what a configuration holds is text: so characters are what is
/// counted and indexed here.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Text {
    text: Box<str>,
    chars: usize,
}

impl Text {
    pub(crate) fn new(text: impl Into<Box<str>>) -> Self {
        let text = text.into();
        let chars = if text.is_ascii() { text.len() } else { text.chars().count() };
        Self { text, chars }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// Length in characters.
    pub(crate) fn chars(&self) -> usize {
        self.chars
    }

    /// Whether characters are bytes, so that any can be found at once.
    fn is_ascii(&self) -> bool {
        self.chars == self.text.len()
    }

    /// The byte at which character `index` begins; the length for one past the last.
    pub(crate) fn offset(&self, index: usize) -> usize {
        if self.is_ascii() {
            index.min(self.text.len())
        } else {
            self.text.char_indices().nth(index).map_or(self.text.len(), |(at, _)| at)
        }
    }

    /// How many characters begin before byte `offset`.
    pub(crate) fn index(&self, offset: usize) -> usize {
        if self.is_ascii() { offset } else { self.text[..offset].chars().count() }
    }

    /// The characters from `start` up to `end`.
    pub(crate) fn slice(&self, start: usize, end: usize) -> &str {
        if start >= end {
            return "";
        }
        let from = self.offset(start);
        if self.is_ascii() {
            return &self.text[from..end.min(self.text.len())];
        }
        let rest = &self.text[from..];
        let len = rest.char_indices().nth(end - start).map_or(rest.len(), |(at, _)| at);
        &rest[..len]
    }
}

impl Hash for Text {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}

impl std::borrow::Borrow<str> for Text {
    fn borrow(&self) -> &str {
        &self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_are_counted_and_not_bytes() {
        let text = Text::new("añb€c");
        assert_eq!(text.chars(), 5);
        assert_eq!(text.slice(1, 4), "ñb€");
        assert_eq!(text.slice(3, 9), "€c");
        assert_eq!(text.slice(4, 2), "");
        assert_eq!(text.index(text.offset(4)), 4);
        assert_eq!(Text::new("abc").slice(1, 2), "b");
    }
}
