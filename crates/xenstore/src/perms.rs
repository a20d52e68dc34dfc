//! Who may do what with a node.
//!
//! A node has a list of entries. The first names the owner, and its access is what everybody gets who is not
//! named further on. Entries name a *domain*, not an id: [`Party`] carries the incarnation too, so that a later domain with the
//! same id inherits nothing (XSA-322, XSA-417).

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt::Write as _;

use xen_abi::DomId;

use crate::Error;
use crate::save::saved;
use crate::wire::decimal;

/// What an entry allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// `n`: nothing.
    None,
    /// `r`: reading.
    Read,
    /// `w`: writing.
    Write,
    /// `b`: both.
    Both,
}

impl Access {
    /// Whether all that `needed` allows is allowed.
    pub fn covers(self, needed: Access) -> bool {
        match needed {
            Access::None => true,
            Access::Both => self == Access::Both,
            one => self == one || self == Access::Both,
        }
    }

    pub(crate) fn from_letter(letter: u8) -> Option<Self> {
        Some(match letter {
            b'n' => Access::None,
            b'r' => Access::Read,
            b'w' => Access::Write,
            b'b' => Access::Both,
            _ => return None,
        })
    }

    pub(crate) fn letter(self) -> char {
        match self {
            Access::None => 'n',
            Access::Read => 'r',
            Access::Write => 'w',
            Access::Both => 'b',
        }
    }
}

/// One entry as clients write it: `r5`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Perm {
    /// Whom it is for.
    pub domid: DomId,
    /// What it allows; for the first entry what it allows to everybody not named.
    pub access: Access,
}

impl Perm {
    /// An entry.
    pub const fn new(domid: DomId, access: Access) -> Self {
        Perm { domid, access }
    }

    /// Reads `r5`.
    ///
    /// # Errors
    /// [`Error::Invalid`]: no letter of `nrwb`, or no domain id behind it.
    pub fn parse(text: &[u8]) -> Result<Self, Error> {
        let (letter, digits) = text.split_first().ok_or(Error::Invalid)?;
        let access = Access::from_letter(*letter).ok_or(Error::Invalid)?;
        let domid = u16::try_from(decimal(digits)?).map_err(|_| Error::Invalid)?;
        Ok(Perm { domid: DomId(domid), access })
    }
}

/// One life of a domain id. Two domains that had the same id, one after the other, are two parties.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Party {
    pub(crate) domid: DomId,
    /// Counts lives; 0 is nobody's, and matches nobody.
    pub(crate) life: u32,
}

saved!(Party { domid, life });

impl Party {
    /// Whoever asks. C: `DOMID_ANY` of public/xen.h.
    pub(crate) const ANY: Self = Party { domid: DomId(0x7ff5), life: u32::MAX };

    /// The party that a permission for an unknown domain names: nobody, now and later.
    pub(crate) const fn nobody(domid: DomId) -> Self {
        Party { domid, life: 0 }
    }

    pub(crate) fn is_somebody(self) -> bool {
        self.life != 0
    }
}

/// One entry as stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) party: Party,
    pub(crate) access: Access,
}

/// A node's entries, never empty. A clone is the same list: children share their parent's. (Boxed besides: it is the nodes, which are
/// many, that are to be small, and not the lists, which are few.)
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Perms(Arc<Box<[Entry]>>);

impl Perms {
    /// Nobody but the owner.
    pub(crate) fn private(owner: Party) -> Self {
        Perms(Arc::new(Box::new([Entry { party: owner, access: Access::None }])))
    }

    /// None if there is no entry.
    pub(crate) fn new(entries: Vec<Entry>) -> Option<Self> {
        if entries.is_empty() { None } else { Some(Perms(Arc::new(entries.into()))) }
    }

    pub(crate) fn owner(&self) -> Party {
        self.0[0].party
    }

    pub(crate) fn entries(&self) -> &[Entry] {
        &self.0
    }

    /// Where the list is: the same for all who share it.
    pub(crate) fn address(&self) -> usize {
        Arc::as_ptr(&self.0).addr()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The same list with another owner; the same allocation where nothing changes.
    pub(crate) fn owned_by(&self, owner: Party) -> Self {
        if self.owner() == owner {
            return self.clone();
        }
        let mut entries: Vec<Entry> = self.0.to_vec();
        entries[0].party = owner;
        Perms(Arc::new(entries.into()))
    }

    /// What `who` may do. (The owner also may change the list: ask [`Self::is_owner`].)
    pub(crate) fn access(&self, who: &Caller) -> Access {
        if self.is_owner(who) {
            return Access::Both;
        }
        self.0[1..].iter().find(|entry| who.is(entry.party)).map_or(self.0[0].access, |entry| entry.access)
    }

    pub(crate) fn is_owner(&self, who: &Caller) -> bool {
        who.privileged || who.is(self.owner())
    }

    pub(crate) fn allows(&self, who: &Caller, needed: Access) -> bool {
        self.access(who).covers(needed)
    }

    /// The list as GET_PERMS answers it. Entries for domains that are gone (by `alive`) say nothing any more, and are left out.
    pub(crate) fn encode(&self, alive: impl Fn(Party) -> bool) -> Vec<u8> {
        let mut text = alloc::string::String::new();
        for (index, entry) in self.0.iter().enumerate() {
            if index == 0 || alive(entry.party) {
                // Writing to a String cannot fail.
                let _ = write!(text, "{}{}\0", entry.access.letter(), entry.party.domid.0);
            }
        }
        text.into_bytes()
    }
}

/// Who asks.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(crate) party: Party,
    /// The control domain: everything is allowed, and there are no quotas.
    pub(crate) privileged: bool,
    /// The domain that it serves as device model, and whose rights it has besides (SET_TARGET).
    pub(crate) target: Option<Party>,
}

impl Caller {
    fn is(&self, party: Party) -> bool {
        let is_us = party == self.party || Some(party) == self.target || party == Party::ANY;
        is_us && party.is_somebody()
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;

    const fn party(domid: u16, life: u32) -> Party {
        Party { domid: DomId(domid), life }
    }

    fn caller(party: Party) -> Caller {
        Caller { party, privileged: false, target: None }
    }

    fn entry(party: Party, access: Access) -> Entry {
        Entry { party, access }
    }

    #[test]
    fn the_first_entry_is_owner_and_default() {
        let perms =
            Perms::new(vec![entry(party(1, 1), Access::Read), entry(party(2, 2), Access::Write)]).unwrap();
        assert_eq!(perms.access(&caller(party(1, 1))), Access::Both);
        assert_eq!(perms.access(&caller(party(2, 2))), Access::Write);
        assert_eq!(perms.access(&caller(party(3, 3))), Access::Read);
        let control = Caller { privileged: true, ..caller(party(0, 9)) };
        assert!(perms.is_owner(&control));
        let model = Caller { target: Some(party(1, 1)), ..caller(party(7, 7)) };
        assert!(perms.is_owner(&model));
    }

    #[test]
    fn an_entry_for_any_domain_is_for_all_not_named_before() {
        let entries = [(party(1, 1), Access::None), (party(2, 2), Access::None), (Party::ANY, Access::Read)];
        let perms = Perms::new(entries.map(|(party, access)| entry(party, access)).to_vec()).unwrap();
        assert_eq!(perms.access(&caller(party(2, 2))), Access::None);
        assert_eq!(perms.access(&caller(party(3, 3))), Access::Read);
        assert!(!perms.is_owner(&caller(party(3, 3))));
    }

    /// XSA-322, XSA-417: rights of a domain do not pass to the next one with its id.
    #[test]
    fn a_reused_domid_inherits_nothing() {
        let perms =
            Perms::new(vec![entry(party(1, 1), Access::None), entry(party(2, 2), Access::Both)]).unwrap();
        assert_eq!(perms.access(&caller(party(1, 3))), Access::None);
        assert_eq!(perms.access(&caller(party(2, 4))), Access::None);
        assert!(!Perms::private(Party::nobody(DomId(5))).is_owner(&caller(Party::nobody(DomId(5)))));
    }

    #[test]
    fn entries_are_read_as_written() {
        assert_eq!(Perm::parse(b"b65535"), Ok(Perm::new(DomId(65535), Access::Both)));
        for text in [&b""[..], b"r", b"x1", b"r-1", b"r65536", b"r1x", b"r 1"] {
            assert_eq!(Perm::parse(text), Err(Error::Invalid), "{text:?}");
        }
    }
}
