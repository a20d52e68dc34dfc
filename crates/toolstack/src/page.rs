//! Answers that go on in the next one: no list is longer than a message that the control domain can keep for who asks again.

use alloc::vec::Vec;

use hypercall::DomainInfo;

/// Domains that one answer is about at most: as many as Xen tells of in one exit.
pub(crate) const DOMAINS: usize = 128;
/// Bytes of an answer, about. Answers of up to 64 KiB are kept for who asks again.
pub(crate) const ANSWER: usize = 56 << 10;
/// Bytes that a name takes at most.
pub(crate) const NAME: usize = 258;

/// How many items, the first ones, fit into an answer; one, however large.
pub(crate) fn fitting<T>(items: &[T], size: impl Fn(&T) -> usize) -> usize {
    let mut bytes = 0;
    let fits = |item: &&T| {
        bytes += size(item);
        bytes <= ANSWER
    };
    items.iter().take_while(fits).count().max(1).min(items.len())
}

/// Cuts what Xen told of at most [`DOMAINS`] domains down to what fits into an answer. Tells where the next one is to go on.
pub(crate) fn cut(infos: &mut Vec<DomainInfo>, size: impl Fn(&DomainInfo) -> usize) -> Option<u16> {
    let is_full = infos.len() >= DOMAINS;
    let fits = fitting(infos, size);
    let next = match infos.get(fits) {
        Some(first_left) => Some(first_left.id.0),
        None if is_full => infos.last().and_then(|last| last.id.0.checked_add(1)),
        None => None,
    };
    infos.truncate(fits);
    next
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_fit_as_there_is_room_for_and_one_at_least() {
        let sizes = [ANSWER / 2, ANSWER / 2, 1];
        assert_eq!(fitting(&sizes, |size| *size), 2);
        assert_eq!(fitting(&[ANSWER + 1, 1], |size| *size), 1);
        assert_eq!(fitting(&[1, 1], |size| *size), 2);
        assert_eq!(fitting(&[], |size: &usize| *size), 0);
    }
}
