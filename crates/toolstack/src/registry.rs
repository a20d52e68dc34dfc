//! Which domains there are, under which names; which are being built; which ended lately.
//!
//! The registry is plain data: it calls nobody. A name and a uuid belong to one domain from the moment its
//! building begins ([`Registry::reserve`]) until it is destroyed ([`Registry::forget`]), so of two creates at once of
//! one name one wins and the other is told so before anything was built.
//!
//! A domid may be used again by Xen and a name by people. [`Serial`] is what identifies one life of one domain.

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec::Vec;

use proto::domain::{DomainConfig, Ended, ShutdownReason};
use proto::dump::CoreId;
use proto::image::ImageId;
use proto::life::Life;
use proto::vcpu::CpuSet;
use xen_abi::domctl::SchedRtds;
use xen_abi::{DomId, Pages};

use crate::name::{DOMAIN_0, DomainName, Uuid};
use crate::requests::Errands;
use crate::rules::{self, Restarts};

/// Ended domains that are remembered for those who ask late how it went.
const HISTORY_LEN: usize = 64;

/// One life of one domain; never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Serial(u64);

impl Serial {
    /// As the protocol names it.
    pub(crate) fn life(self) -> Life {
        Life(self.0)
    }

    /// Which life a message means. It may be one that never was.
    pub(crate) fn of(life: Life) -> Self {
        Self(life.0)
    }

    /// The same life as hosts name it.
    pub(crate) fn core(self) -> CoreId {
        CoreId(self.0)
    }
}

/// What is being done with a domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// It exists and nobody ends it.
    Alive,
    /// It ended by itself, and its rule waits for its turn.
    Ended,
    /// It ended by itself, and its rule is to leave it as it is.
    Preserved,
    /// It is being destroyed.
    Dying,
}

/// What a domain was told about its scheduling that no configuration has words for; its next life has it too.
#[derive(Clone, Debug, Default)]
pub(crate) struct Kept {
    /// Its first vCPUs' time under rtds.
    pub(crate) budgets: Vec<SchedRtds>,
    /// The CPUs that its first vCPUs prefer.
    pub(crate) preferred: Vec<CpuSet>,
}

/// A domain of ours.
#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) serial: Serial,
    pub(crate) domid: DomId,
    pub(crate) name: DomainName,
    pub(crate) uuid: Uuid,
    /// What it was made of; its name and uuid are those of the configuration, which a renamed domain has lost.
    pub(crate) config: DomainConfig,
    /// What its next life is to have besides.
    pub(crate) kept: Kept,
    /// The memory that it started with, in KiB; its configuration has what it was told since.
    pub(crate) booted_kib: u64,
    /// When it was created, on the platform's clock.
    pub(crate) created_ns: u64,
    pub(crate) restarts: Restarts,
    pub(crate) stage: Stage,
    /// How it ended, if it did so by itself.
    pub(crate) ended: Option<ShutdownReason>,
    /// The life that it continues, under the same uuid.
    pub(crate) follows: Option<Serial>,
    /// A person paused it.
    pub(crate) is_admin_paused: bool,
    /// What it is asked for.
    pub(crate) errands: Errands,
}

impl Record {
    /// It exists, has not ended and is not being ended.
    pub(crate) fn is_alive(&self) -> bool {
        self.stage == Stage::Alive
    }
}

/// A domain that is being built.
#[derive(Debug)]
struct Reservation {
    name: DomainName,
    uuid: Uuid,
    domid: Option<DomId>,
}

/// A domain that is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Past {
    pub(crate) serial: Serial,
    pub(crate) domid: DomId,
    pub(crate) name: DomainName,
    pub(crate) uuid: Uuid,
    pub(crate) ended: Ended,
    pub(crate) follows: Option<Serial>,
}

/// Why a name and a uuid cannot be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// The name is a domain's; with its id, once it has one.
    Name(Option<DomId>),
    /// The uuid is a domain's; with its id, once it has one.
    Uuid(Option<DomId>),
}

/// See the module's page.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    live: BTreeMap<DomId, Record>,
    building: BTreeMap<Serial, Reservation>,
    past: VecDeque<Past>,
    /// Lives that are being ended, of which the next one is about to begin.
    followed: BTreeSet<Serial>,
    next_serial: u64,
}

impl Registry {
    /// Takes a name and a uuid for a domain that is to be built.
    pub(crate) fn reserve(&mut self, name: DomainName, uuid: Uuid) -> Result<Serial, Taken> {
        let serial = Serial(self.next_serial);
        self.is_free(&name, serial)?;
        if uuid == Uuid::ZERO {
            return Err(Taken::Uuid(Some(DomId(0))));
        }
        let live = self.live.values().map(|r| (r.uuid, Some(r.domid)));
        let building = self.building.values().map(|r| (r.uuid, r.domid));
        if let Some((_, domid)) = live.chain(building).find(|(other, _)| *other == uuid) {
            return Err(Taken::Uuid(domid));
        }
        self.next_serial += 1;
        self.building.insert(serial, Reservation { name, uuid, domid: None });
        Ok(serial)
    }

    /// Demands that nobody but the domain of this serial has the name.
    pub(crate) fn is_free(&self, name: &DomainName, of: Serial) -> Result<(), Taken> {
        if name.as_str() == DOMAIN_0 {
            return Err(Taken::Name(Some(DomId(0))));
        }
        let live = self.live.values().map(|r| (r.serial, &r.name, Some(r.domid)));
        let building = self.building.iter().map(|(&serial, r)| (serial, &r.name, r.domid));
        match live.chain(building).find(|&(serial, other, _)| serial != of && other == name) {
            Some((_, _, domid)) => Err(Taken::Name(domid)),
            None => Ok(()),
        }
    }

    /// Notes the domid that Xen gave to a domain which is being built.
    pub(crate) fn note_domid(&mut self, serial: Serial, domid: DomId) {
        if let Some(reservation) = self.building.get_mut(&serial) {
            reservation.domid = Some(domid);
        }
    }

    /// Gives up a reservation: the building failed.
    pub(crate) fn cancel(&mut self, serial: Serial) {
        self.building.remove(&serial);
    }

    /// Turns a reservation into a domain.
    pub(crate) fn admit(&mut self, record: Record) {
        self.building.remove(&record.serial);
        self.live.insert(record.domid, record);
    }

    /// Removes a domain for good, remembering how it ended. The name is free from here on.
    pub(crate) fn forget(&mut self, serial: Serial, ended: Ended) -> Option<Record> {
        let domid = self.by_serial(serial)?.domid;
        let record = self.live.remove(&domid)?;
        // Who ended by itself and was destroyed afterwards did end by itself.
        let ended = record.ended.map_or(ended, Ended::Shutdown);
        if self.past.len() == HISTORY_LEN {
            self.past.pop_front();
        }
        let Record { uuid, follows, .. } = record;
        self.past.push_back(Past { serial, domid, name: record.name.clone(), uuid, ended, follows });
        Some(record)
    }

    /// The domain that a word names: by name, else by id, else by uuid.
    pub(crate) fn find(&self, word: &str) -> Option<&Record> {
        let by_name = || self.live.values().find(|r| r.name.as_str() == word);
        let by_id = || self.live.get(&DomId(parse_domid(word)?));
        let by_uuid = || Uuid::parse(word).and_then(|uuid| self.live.values().find(|r| r.uuid == uuid));
        by_name().or_else(by_id).or_else(by_uuid)
    }

    /// The domain that ended last among those that a word names.
    pub(crate) fn find_past(&self, word: &str) -> Option<&Past> {
        let by_name = || self.past.iter().rev().find(|p| p.name.as_str() == word);
        let by_id = || {
            let id = parse_domid(word)?;
            self.past.iter().rev().find(|p| p.domid == DomId(id))
        };
        let by_uuid = || {
            let uuid = Uuid::parse(word)?;
            self.past.iter().rev().find(|p| p.uuid == uuid)
        };
        by_name().or_else(by_id).or_else(by_uuid)
    }

    /// How a past life ended.
    pub(crate) fn past(&self, serial: Serial) -> Option<&Past> {
        self.past.iter().rev().find(|p| p.serial == serial)
    }

    /// The domain with this id.
    pub(crate) fn get(&self, domid: DomId) -> Option<&Record> {
        self.live.get(&domid)
    }

    /// The domain with this serial.
    pub(crate) fn by_serial(&self, serial: Serial) -> Option<&Record> {
        self.live.values().find(|r| r.serial == serial)
    }

    /// The domain with this serial, to change it.
    pub(crate) fn by_serial_mut(&mut self, serial: Serial) -> Option<&mut Record> {
        self.live.values_mut().find(|r| r.serial == serial)
    }

    /// The domain that continued this life: the one that is now, or was at last.
    pub(crate) fn next_life(&self, serial: Serial) -> Option<DomId> {
        let live = self.live.values().find(|r| r.follows == Some(serial)).map(|r| r.domid);
        let past = || self.past.iter().rev().find(|p| p.follows == Some(serial)).map(|p| p.domid);
        live.or_else(past)
    }

    /// Notes that a life is about to be continued, or (`false`) that this is done or has failed.
    pub(crate) fn set_followed(&mut self, serial: Serial, is_followed: bool) {
        if is_followed {
            self.followed.insert(serial);
        } else {
            self.followed.remove(&serial);
        }
    }

    /// Whether a life is about to be continued.
    pub(crate) fn is_being_followed(&self, serial: Serial) -> bool {
        self.followed.contains(&serial)
    }

    /// Every domain, by id, to change them.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Record> {
        self.live.values_mut()
    }

    /// Every domain, by id.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Record> {
        self.live.values()
    }

    /// The name under which a domain is being built, with its uuid.
    pub(crate) fn building(&self, domid: DomId) -> Option<(&DomainName, Uuid)> {
        let found = self.building.values().find(|r| r.domid == Some(domid))?;
        Some((&found.name, found.uuid))
    }

    /// Whether a domain that Xen still has is gone to people: dying, without memory, waiting only for Xen's own bookkeeping.
    pub(crate) fn is_gone(&self, info: &hypercall::DomainInfo) -> bool {
        info.dying && info.pages == Pages(0) && self.get(info.id).is_none()
    }

    /// Takes out those that are gone to people.
    pub(crate) fn retain_shown(&self, infos: &mut Vec<hypercall::DomainInfo>) {
        infos.retain(|info| !self.is_gone(info));
    }

    /// The name of the domain that had this id last.
    pub(crate) fn past_name(&self, domid: DomId) -> Option<&DomainName> {
        self.past.iter().rev().find(|p| p.domid == domid).map(|p| &p.name)
    }

    /// Whether a domain that exists may have to be built again from this image, without the host's help.
    pub(crate) fn may_need(&self, image: ImageId) -> bool {
        self.live.values().any(|r| {
            r.stage != Stage::Preserved
                && rules::may_restart(&r.config)
                && (r.config.kernel == image || r.config.ramdisk == Some(image))
        })
    }
}

/// Reads a domid as people type it: decimal digits, no sign.
pub(crate) fn parse_domid(word: &str) -> Option<u16> {
    let digits = !word.is_empty() && word.bytes().all(|b| b.is_ascii_digit());
    if digits { word.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use proto::domain::Action;

    use super::*;
    use crate::rules::tests::config;

    fn name(text: &str) -> DomainName {
        DomainName::parse(text).unwrap()
    }

    fn admit(registry: &mut Registry, text: &str, domid: u16) -> Serial {
        let uuid = Uuid([domid as u8; 16]);
        let serial = registry.reserve(name(text), uuid).unwrap();
        registry.admit(Record {
            serial,
            domid: DomId(domid),
            name: name(text),
            uuid,
            config: config(text),
            kept: Kept::default(),
            booted_kib: 0,
            created_ns: 0,
            restarts: Restarts::default(),
            stage: Stage::Alive,
            ended: None,
            follows: None,
            is_admin_paused: false,
            errands: Errands::default(),
        });
        serial
    }

    #[test]
    fn a_name_belongs_to_one_domain_from_its_reservation_to_its_end() {
        let mut registry = Registry::default();
        let serial = registry.reserve(name("a"), Uuid([1; 16])).unwrap();
        assert_eq!(registry.reserve(name("a"), Uuid([2; 16])), Err(Taken::Name(None)));
        registry.note_domid(serial, DomId(3));
        assert_eq!(registry.reserve(name("a"), Uuid([2; 16])), Err(Taken::Name(Some(DomId(3)))));
        registry.cancel(serial);
        let serial = admit(&mut registry, "a", 4);
        assert_eq!(registry.reserve(name("a"), Uuid([2; 16])), Err(Taken::Name(Some(DomId(4)))));
        assert_eq!(registry.reserve(name("b"), Uuid([4; 16])), Err(Taken::Uuid(Some(DomId(4)))));
        registry.forget(serial, Ended::Destroyed);
        assert!(registry.reserve(name("a"), Uuid([4; 16])).is_ok());
    }

    #[test]
    fn a_domain_may_keep_its_name_and_take_one_that_is_free() {
        let mut registry = Registry::default();
        let a = admit(&mut registry, "a", 3);
        let b = admit(&mut registry, "b", 4);
        let building = registry.reserve(name("c"), Uuid([9; 16])).unwrap();
        assert_eq!(registry.is_free(&name("a"), a), Ok(()));
        assert_eq!(registry.is_free(&name("a"), b), Err(Taken::Name(Some(DomId(3)))));
        assert_eq!(registry.is_free(&name("c"), a), Err(Taken::Name(None)));
        assert_eq!(registry.is_free(&name(DOMAIN_0), a), Err(Taken::Name(Some(DomId(0)))));
        registry.cancel(building);
        assert_eq!(registry.is_free(&name("c"), a), Ok(()));
    }

    #[test]
    fn the_next_life_is_known_also_when_it_is_over() {
        let mut registry = Registry::default();
        let first = admit(&mut registry, "a", 3);
        registry.forget(first, Ended::Destroyed);
        assert_eq!(registry.next_life(first), None);
        let second = admit(&mut registry, "a", 4);
        registry.by_serial_mut(second).unwrap().follows = Some(first);
        assert_eq!(registry.next_life(first), Some(DomId(4)));
        registry.forget(second, Ended::Destroyed);
        assert_eq!(registry.next_life(first), Some(DomId(4)));
        assert_eq!(registry.next_life(second), None);
    }

    #[test]
    fn the_control_domains_name_and_uuid_are_taken() {
        let mut registry = Registry::default();
        assert_eq!(registry.reserve(name(DOMAIN_0), Uuid([1; 16])), Err(Taken::Name(Some(DomId(0)))));
        assert_eq!(registry.reserve(name("a"), Uuid::ZERO), Err(Taken::Uuid(Some(DomId(0)))));
    }

    #[test]
    fn names_win_over_ids_and_ids_over_uuids() {
        let mut registry = Registry::default();
        admit(&mut registry, "a", 3);
        admit(&mut registry, "3", 4);
        let found = |word: &str| registry.find(word).map(|r| r.domid.0);
        assert_eq!(found("a"), Some(3));
        assert_eq!(found("3"), Some(4), "a domain named 3 hides id 3");
        assert_eq!(found("4"), Some(4));
        assert_eq!(found(&Uuid([3; 16]).to_string()), Some(3));
        assert_eq!(found("65540"), None);
        assert_eq!(found("-3"), None);
        assert_eq!(found("+3"), None);
        assert_eq!(found(""), None);
    }

    #[test]
    fn the_last_ones_that_ended_are_remembered_and_no_more() {
        let mut registry = Registry::default();
        let first = admit(&mut registry, "first", 1);
        registry.by_serial_mut(first).unwrap().ended = Some(ShutdownReason::Crash);
        registry.forget(first, Ended::Destroyed);
        assert_eq!(registry.past(first).unwrap().ended, Ended::Shutdown(ShutdownReason::Crash));
        assert_eq!(registry.find_past("first").unwrap().domid, DomId(1));
        assert_eq!(registry.find_past("1").unwrap().serial, first);
        for n in 0..HISTORY_LEN {
            let serial = admit(&mut registry, "b", 2 + n as u16);
            registry.forget(serial, Ended::Destroyed);
        }
        assert!(registry.find_past("first").is_none());
        assert_eq!(registry.past.len(), HISTORY_LEN);
        assert_eq!(registry.find_past("b").unwrap().domid, DomId(1 + HISTORY_LEN as u16));
    }

    #[test]
    fn an_image_is_needed_as_long_as_a_rule_may_restart_its_domain() {
        let mut registry = Registry::default();
        let serial = admit(&mut registry, "a", 1);
        let image = registry.by_serial(serial).unwrap().config.kernel;
        assert!(!registry.may_need(image));
        registry.by_serial_mut(serial).unwrap().config.on_crash = Action::RenameRestart;
        assert!(registry.may_need(image));
        assert!(!registry.may_need(ImageId([0xee; 32])));
    }
}
