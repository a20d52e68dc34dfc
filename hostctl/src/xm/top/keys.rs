//! Keys, out of the bytes that a terminal sends.
//!
//! A key is a letter, or a sequence that begins with an escape, and Esc is an escape alone: only time tells. Nothing here waits: what
//! is incomplete stays until more comes, or until whoever reads says that nothing did.

use std::time::Duration;

/// How long an escape may be the beginning of more: what slow lines take between two bytes.
pub(super) const PATIENCE: Duration = Duration::from_millis(100);
/// A sequence that is longer is none.
const LONGEST: usize = 16;

/// A key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    Letter(char),
    Enter,
    Escape,
    Backspace,
    /// Ctrl-C.
    Stop,
    Up,
    Down,
    Left,
    Right,
    PageUp,
    PageDown,
    Home,
    End,
}

/// What has come of a key that is not complete.
#[derive(Debug, Default)]
pub(super) struct Keys {
    begun: Vec<u8>,
}

impl Keys {
    /// Takes bytes; gives the keys that they complete. What is no key that anything is done with is passed over.
    pub(super) fn take(&mut self, bytes: &[u8]) -> Vec<Key> {
        bytes.iter().filter_map(|&byte| self.take_byte(byte)).collect()
    }

    /// Says whether the last key may have more to come.
    pub(super) fn is_begun(&self) -> bool {
        !self.begun.is_empty()
    }

    /// Nothing more came: an escape alone was Esc, and half a sequence is none.
    pub(super) fn give_up(&mut self) -> Option<Key> {
        let begun = std::mem::take(&mut self.begun);
        (begun == [ESCAPE]).then_some(Key::Escape)
    }

    fn take_byte(&mut self, byte: u8) -> Option<Key> {
        match (self.begun.as_slice(), byte) {
            ([], ESCAPE) => {
                self.begun.push(byte);
                None
            }
            ([], _) => plain(byte),
            // The one before was a key, and this may begin the next.
            ([ESCAPE], ESCAPE) => Some(Key::Escape),
            ([ESCAPE], b'[' | b'O') => {
                self.begun.push(byte);
                None
            }
            // With Alt, which changes nothing here.
            ([ESCAPE], _) => {
                self.begun.clear();
                plain(byte)
            }
            // What was begun is broken off by another.
            (_, ESCAPE) => {
                self.begun = vec![ESCAPE];
                None
            }
            // Parameters: the sequence goes on.
            ([_, b'[', ..], b' '..=b'?') if self.begun.len() < LONGEST => {
                self.begun.push(byte);
                None
            }
            _ => sequence(&std::mem::take(&mut self.begun), byte),
        }
    }
}

const ESCAPE: u8 = 0x1b;

fn plain(byte: u8) -> Option<Key> {
    match byte {
        3 => Some(Key::Stop),
        b'\r' | b'\n' => Some(Key::Enter),
        8 | 0x7f => Some(Key::Backspace),
        b' '..=b'~' => Some(Key::Letter(byte.into())),
        _ => None,
    }
}

/// A sequence that ends in this byte.
fn sequence(begun: &[u8], last: u8) -> Option<Key> {
    match (last, begun.get(2..).unwrap_or_default()) {
        (b'A', _) => Some(Key::Up),
        (b'B', _) => Some(Key::Down),
        (b'C', _) => Some(Key::Right),
        (b'D', _) => Some(Key::Left),
        (b'H', _) | (b'~', b"1" | b"7") => Some(Key::Home),
        (b'F', _) | (b'~', b"4" | b"8") => Some(Key::End),
        (b'~', b"5") => Some(Key::PageUp),
        (b'~', b"6") => Some(Key::PageDown),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(bytes: &[u8]) -> Vec<Key> {
        let mut keys = Keys::default();
        let mut seen = keys.take(bytes);
        seen.extend(keys.give_up());
        // However they arrive.
        let mut slowly = Keys::default();
        let mut one_by_one: Vec<Key> = bytes.iter().flat_map(|&byte| slowly.take(&[byte])).collect();
        one_by_one.extend(slowly.give_up());
        assert_eq!(seen, one_by_one);
        seen
    }

    #[test]
    fn letters_and_sequences_of_common_terminals_are_keys() {
        use Key::*;
        assert_eq!(keys(b"q\r\n\x7f\x08\x03"), [Letter('q'), Enter, Enter, Backspace, Backspace, Stop]);
        assert_eq!(keys(b"\x1b[A\x1b[B\x1b[C\x1b[D"), [Up, Down, Right, Left]);
        assert_eq!(keys(b"\x1bOA\x1bOB\x1bOC\x1bOD\x1bOH\x1bOF"), [Up, Down, Right, Left, Home, End]);
        assert_eq!(
            keys(b"\x1b[5~\x1b[6~\x1b[1~\x1b[4~\x1b[7~\x1b[8~"),
            [PageUp, PageDown, Home, End, Home, End]
        );
        assert_eq!(keys(b"\x1b[1;5A\x1b[H\x1b[F"), [Up, Home, End], "with Ctrl too");
        assert_eq!(keys(b"\x1bx"), [Letter('x')], "with Alt");
    }

    #[test]
    fn an_escape_is_a_key_when_nothing_more_came() {
        assert_eq!(keys(b"\x1b"), [Key::Escape]);
        assert_eq!(keys(b"\x1b\x1b"), [Key::Escape, Key::Escape]);
        assert_eq!(keys(b"a\x1b"), [Key::Letter('a'), Key::Escape]);
    }

    #[test]
    fn half_a_sequence_is_nothing_and_what_comes_next_is_itself() {
        for half in [&b"\x1b["[..], b"\x1bO", b"\x1b[1;", b"\x1b[12;34"] {
            assert_eq!(keys(half), []);
            assert_eq!(keys(&[half, b"\x1b[A"].concat()), [Key::Up]);
            let mut keys = Keys::default();
            assert_eq!(keys.take(half), []);
            assert!(keys.is_begun());
            assert_eq!(keys.give_up(), None);
            assert_eq!(keys.take(b"q"), [Key::Letter('q')]);
        }
    }

    #[test]
    fn what_nobody_types_is_passed_over_and_does_not_grow() {
        assert_eq!(keys(b"\x1b[200~\x1b[15~\x1bOP\xc3\xa4\x00\x07"), []);
        let mut keys = Keys::default();
        keys.take(b"\x1b[");
        keys.take(&[b'9'; 4096]);
        assert!(keys.begun.len() <= LONGEST);
    }
}
