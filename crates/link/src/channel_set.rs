//! A set of streams' numbers whose size no peer decides: a bit for each number that there can be.

use alloc::vec::Vec;

use crate::event::Channel;

const WORD: usize = u64::BITS as usize;

/// Numbers of streams. It grows up to the largest that ever was in it: 8 KiB at most, 8 bytes for those below 64.
#[derive(Debug, Default)]
pub(crate) struct ChannelSet(Vec<u64>);

impl ChannelSet {
    fn place(channel: Channel) -> (usize, u64) {
        let number = usize::from(channel.get());
        (number / WORD, 1 << (number % WORD))
    }

    pub(crate) fn insert(&mut self, channel: Channel) {
        let (word, bit) = Self::place(channel);
        if self.0.len() <= word {
            // Exactly: growing by doubling would need half as much again.
            self.0.reserve_exact(word + 1 - self.0.len());
            self.0.resize(word + 1, 0);
        }
        self.0[word] |= bit;
    }

    pub(crate) fn contains(&self, channel: Channel) -> bool {
        let (word, bit) = Self::place(channel);
        self.0.get(word).is_some_and(|bits| bits & bit != 0)
    }

    /// Takes a number out; says whether it was there.
    pub(crate) fn remove(&mut self, channel: Channel) -> bool {
        let (word, bit) = Self::place(channel);
        let Some(bits) = self.0.get_mut(word) else { return false };
        let was_there = *bits & bit != 0;
        *bits &= !bit;
        was_there
    }

    /// The lowest number that is in it.
    pub(crate) fn first(&self) -> Option<Channel> {
        let word = self.0.iter().position(|bits| *bits != 0)?;
        let number = word * WORD + self.0[word].trailing_zeros() as usize;
        u16::try_from(number).ok().and_then(Channel::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_holds_every_number_once_within_8_kib() {
        let mut set = ChannelSet::default();
        assert_eq!(set.first(), None);
        for number in (1..=u16::MAX).rev().chain(1..100) {
            set.insert(Channel::new(number).expect("not 0"));
        }
        assert_eq!(set.0.capacity(), 1024);
        for number in 1..=u16::MAX {
            let channel = Channel::new(number).expect("not 0");
            assert_eq!(set.first(), Some(channel));
            assert!(set.contains(channel));
            assert!(set.remove(channel) && !set.remove(channel) && !set.contains(channel));
        }
        assert_eq!(set.first(), None);
    }
}
