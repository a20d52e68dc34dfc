//! The domains that the store knows: which life of each id, what it uses, what it may.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::mem;

use ring::layout::xenstore::FEATURE_DOMID_ANY;
use xen_abi::DomId;

use crate::Error;
use crate::ledger::{Ledger, count};
use crate::perms::{Caller, Entry, Party, Perm, Perms};
use crate::quota::{Item, Limits, Peaks, Quota, Usage};
use crate::save::{RestoreError, saved};
use crate::sweep::Sweep;

/// How many ages of counted nodes are told apart; what comes then counts as old as the oldest of the rest.
const LATE_MAX: usize = 1024;
/// How many removed nodes are counted at once for somebody whose quota is used up otherwise.
const SETTLE_MAX: usize = 8192;

/// One domain, from [`Domains::register`] to [`Domains::remove`].
#[derive(Debug)]
pub(crate) struct Domain {
    life: u32,
    pub(crate) is_introduced: bool,
    /// Its end was announced (@releaseDomain fires once for a shutdown, RESUME re-arms it).
    pub(crate) is_shut_down: bool,
    pub(crate) features: u32,
    pub(crate) target: Option<Party>,
    pub(crate) quota: Quota,
    pub(crate) usage: Usage,
    /// The most of everything that it ever used.
    pub(crate) peaks: Peaks,
}

saved!(Domain { life, is_introduced, is_shut_down, features, target, quota, usage, peaks });

/// All domains.
#[derive(Debug)]
pub(crate) struct Domains {
    control: DomId,
    by_id: BTreeMap<DomId, Domain>,
    lives: u32,
    charged: usize,
    /// Removed nodes that are still charged to their owners.
    pub(crate) uncounted: Sweep,
    /// Domains that are gone, with how many nodes of each are left.
    pub(crate) dead: BTreeMap<Party, usize>,
    /// Bytes of all nodes that were ever removed and counted.
    pub(crate) removed: u64,
    /// Bytes of all else that was ever given back.
    refunded: u64,
    /// Removed nodes that were counted lately, but not when they were removed: generation and bytes.
    late: Vec<(u64, usize)>,
    /// What domains may do together, and domains to come.
    pub(crate) limits: Limits,
    /// The most that any guest ever used.
    pub(crate) peaks: Peaks,
    /// The features offered to domains to come.
    pub(crate) features: u32,
}

saved!(Domains { control, by_id, lives, uncounted, dead, removed, limits, peaks, features }
    else { charged: 0, refunded: 0, late: Vec::new() } then Domains::restored);

impl Domains {
    fn restored(mut self) -> Result<Self, RestoreError> {
        let are_lives = self.by_id.values().all(|domain| (1..=self.lives).contains(&domain.life));
        if !are_lives || !self.by_id.contains_key(&self.control) {
            return Err(RestoreError::Malformed);
        }
        let guests = self.usages().filter(|(domid, _)| !self.is_control(*domid));
        self.charged = guests.map(|(_, usage)| usage.memory).sum();
        Ok(self)
    }

    pub(crate) fn new(control: DomId, limits: Limits, features: u32) -> Self {
        let mut domains = Domains {
            control,
            by_id: BTreeMap::new(),
            lives: 0,
            charged: 0,
            uncounted: Sweep::default(),
            dead: BTreeMap::new(),
            removed: 0,
            refunded: 0,
            late: Vec::new(),
            limits,
            peaks: Peaks::default(),
            features,
        };
        domains.register(control);
        domains
    }

    /// Makes the domain known. Does nothing if it is.
    pub(crate) fn register(&mut self, domid: DomId) -> &mut Domain {
        let Domains { by_id, lives, limits, features, .. } = self;
        by_id.entry(domid).or_insert_with(|| {
            // A wrap would take 2^32 domains; 0 is nobody's life even then.
            *lives = lives.wrapping_add(1).max(1);
            Domain {
                life: *lives,
                is_introduced: false,
                is_shut_down: false,
                features: *features,
                target: None,
                quota: limits.quota,
                usage: Usage::default(),
                peaks: Peaks::default(),
            }
        })
    }

    pub(crate) fn remove(&mut self, domid: DomId) -> Option<Domain> {
        let gone = self.by_id.remove(&domid)?;
        self.charged -= gone.usage.memory;
        if gone.usage.nodes > 0 {
            self.dead.insert(Party { domid, life: gone.life }, gone.usage.nodes);
        }
        Some(gone)
    }

    pub(crate) fn get(&self, domid: DomId) -> Option<&Domain> {
        self.by_id.get(&domid)
    }

    pub(crate) fn get_mut(&mut self, domid: DomId) -> Option<&mut Domain> {
        self.by_id.get_mut(&domid)
    }

    pub(crate) fn usages(&self) -> impl Iterator<Item = (DomId, &Usage)> {
        self.by_id.iter().map(|(domid, domain)| (*domid, &domain.usage))
    }

    /// Bytes that are charged to all guests together.
    pub(crate) fn charged(&self) -> usize {
        self.charged
    }

    pub(crate) fn is_control(&self, domid: DomId) -> bool {
        domid == self.control
    }

    pub(crate) fn control(&self) -> Party {
        Party { domid: self.control, life: self.by_id.get(&self.control).map_or(0, |domain| domain.life) }
    }

    /// This life of the id, if the domain is known.
    pub(crate) fn party(&self, domid: DomId) -> Option<Party> {
        self.by_id.get(&domid).map(|domain| Party { domid, life: domain.life })
    }

    pub(crate) fn is_alive(&self, party: Party) -> bool {
        party == Party::ANY || self.party(party.domid) == Some(party)
    }

    /// The rights of the domain as they are now.
    pub(crate) fn caller(&self, party: Party) -> Caller {
        let target = self.get(party.domid).and_then(|domain| domain.target);
        Caller { party, privileged: self.is_control(party.domid), target }
    }

    /// The features that the caller was offered.
    pub(crate) fn features_of(&self, caller: &Caller) -> u32 {
        self.get(caller.party.domid).map_or(self.features, |domain| domain.features)
    }

    /// The caller's limit; 0: none, as the control domain has none.
    pub(crate) fn limit(&self, caller: &Caller, item: Item) -> u32 {
        let domain = if caller.privileged { None } else { self.get(caller.party.domid) };
        domain.map_or(0, |domain| domain.quota.get(item))
    }

    /// Passes if the caller may have so much of something.
    pub(crate) fn check(&mut self, caller: &Caller, item: Item, value: usize) -> Result<(), Error> {
        if caller.privileged {
            return Ok(());
        }
        let Some(domain) = self.by_id.get_mut(&caller.party.domid) else { return Ok(()) };
        check(value, domain.quota.get(item))?;
        domain.peaks.note(item, value);
        self.peaks.note(item, value);
        Ok(())
    }

    /// Passes if the caller may have one more of what adds up.
    pub(crate) fn check_one_more(&mut self, caller: &Caller, item: Item) -> Result<(), Error> {
        let usage = self.get(caller.party.domid).map_or(0, |domain| domain.usage.get(item));
        self.check(caller, item, usage + 1)
    }

    /// Passes if `party` may be charged this much more than it uses and `pending` says. Before anybody is refused for
    /// nodes that were removed already, those are counted.
    pub(crate) fn check_charge(
        &mut self,
        party: Party,
        pending: &mut Ledger,
        nodes: isize,
        memory: isize,
    ) -> Result<(), Error> {
        let verdict = self.judge(party, pending, nodes, memory);
        if verdict.is_ok() || pending.count(SETTLE_MAX) + self.count(SETTLE_MAX) == 0 {
            return verdict;
        }
        self.judge(party, pending, nodes, memory)
    }

    fn judge(&self, party: Party, pending: &Ledger, nodes: isize, memory: isize) -> Result<(), Error> {
        if self.is_control(party.domid) || !self.is_alive(party) {
            return Ok(());
        }
        let Some(domain) = self.get(party.domid) else { return Ok(()) };
        let (more_nodes, more_memory) = pending.of(party);
        if nodes > 0 {
            check(domain.usage.nodes.saturating_add_signed(more_nodes + nodes), domain.quota.nodes)?;
        }
        if memory > 0 {
            let wanted = domain.usage.memory.saturating_add_signed(more_memory + memory);
            check(wanted, domain.quota.memory)?;
            let is_free = wanted > self.limits.share as usize && self.limits.pool > 0;
            if is_free && !pending.has_reserved(memory) {
                let charged = self.charged.saturating_add_signed(more_memory + memory);
                let left = (self.limits.pool as usize).checked_sub(charged).ok_or(Error::NoSpace)?;
                // Whoever takes much leaves as much: n greedy guests come to 1/(n + 1) of the pool each.
                return if wanted <= left { Ok(()) } else { Err(Error::NoSpace) };
            }
        }
        Ok(())
    }

    /// Passes if all may be charged what `ledger` says.
    pub(crate) fn check_booking(&mut self, who: &Caller, ledger: &mut Ledger) -> Result<(), Error> {
        let judge = |domains: &Self, ledger: &Ledger| {
            let reserved = if ledger.has_reserved(0) { isize::MAX.cast_unsigned() } else { 0 };
            let nothing = Ledger::reserving(reserved);
            ledger.sums().try_for_each(|(party, nodes, memory)| domains.judge(party, &nothing, nodes, memory))
        };
        let verdict = judge(self, ledger);
        if who.privileged || verdict.is_ok() || ledger.count(SETTLE_MAX) + self.count(SETTLE_MAX) == 0 {
            return if who.privileged { Ok(()) } else { verdict };
        }
        judge(self, ledger)
    }

    /// Books what was done.
    pub(crate) fn book(&mut self, ledger: Ledger) {
        for (party, nodes, memory) in ledger.sums() {
            self.book_one(party, nodes, memory);
        }
        self.removed += ledger.removed as u64;
        self.uncounted.append(ledger.uncounted);
    }

    /// Uncharges the owners of up to `most` removed nodes; returns how many.
    pub(crate) fn count(&mut self, most: usize) -> usize {
        if self.uncounted.is_empty() {
            return 0;
        }
        let mut uncounted = mem::take(&mut self.uncounted);
        let mut late = mem::take(&mut self.late);
        let refund = |party, generation, nodes, memory| {
            self.book_one(party, -(nodes as isize), -(memory as isize));
            let is_full = late.len() == LATE_MAX;
            match late.last_mut() {
                Some((made, bytes)) if *made == generation || is_full => {
                    (*made, *bytes) = (generation.min(*made), *bytes + memory);
                }
                _ => late.push((generation, memory)),
            }
        };
        let (counted, removed) = count(&mut uncounted, most, refund);
        (self.uncounted, self.late) = (uncounted, late);
        self.removed += removed as u64;
        counted
    }

    fn book_one(&mut self, party: Party, nodes: isize, memory: isize) {
        if !self.is_alive(party) {
            // Nobody pays, but who looks for the nodes of the dead learns that there are no more.
            if let Some(left) = self.dead.get_mut(&party) {
                *left = left.saturating_add_signed(nodes);
            }
            return;
        }
        let Some(domain) = self.by_id.get_mut(&party.domid) else { return };
        domain.usage.nodes = domain.usage.nodes.saturating_add_signed(nodes);
        let before = domain.usage.memory;
        domain.usage.memory = before.saturating_add_signed(memory);
        if party.domid != self.control {
            self.charged = self.charged - before + domain.usage.memory;
            for peaks in [&mut domain.peaks, &mut self.peaks] {
                peaks.note(Item::Nodes, domain.usage.nodes);
                peaks.note(Item::Memory, domain.usage.memory);
            }
        }
    }

    /// Charges memory that is no node's, at once.
    pub(crate) fn charge_memory(&mut self, party: Party, memory: usize) -> Result<(), Error> {
        self.check_charge(party, &mut Ledger::default(), 0, memory as isize)?;
        self.book_one(party, 0, memory as isize);
        Ok(())
    }

    /// Takes a charge back for a moment, to charge anew what it is for.
    pub(crate) fn lend(&mut self, party: Party, memory: usize) {
        self.book_one(party, 0, -memory.cast_signed());
    }

    /// Ends what [`Self::lend`] began.
    pub(crate) fn take_back(&mut self, party: Party, memory: usize) {
        self.book_one(party, 0, memory.cast_signed());
    }

    /// The nodes that were counted late since the last call: generation and bytes.
    pub(crate) fn take_late(&mut self) -> Vec<(u64, usize)> {
        mem::take(&mut self.late)
    }

    /// Bytes that were ever given back.
    pub(crate) fn returned(&self) -> u64 {
        self.removed + self.refunded
    }

    /// Gives back what [`Self::charge_memory`] took.
    pub(crate) fn refund_memory(&mut self, party: Party, memory: usize) {
        self.refunded += memory as u64;
        self.book_one(party, 0, -(memory as isize));
    }

    /// The list of entries as stored: ids become parties. An unknown domain's entry is nobody's, for ever. DOMID_ANY is
    /// everybody's, if `features` (the writer's) say that he knows.
    ///
    /// # Errors
    /// [`Error::Invalid`]: no entry. [`Error::NotFound`]: the owner is unknown.
    pub(crate) fn resolve(&self, perms: &[Perm], features: u32) -> Result<Perms, Error> {
        let party = |domid: DomId| match self.party(domid) {
            Some(party) => party,
            None if domid == Party::ANY.domid && features & FEATURE_DOMID_ANY != 0 => Party::ANY,
            None => Party::nobody(domid),
        };
        let entry = |perm: &Perm| Entry { party: party(perm.domid), access: perm.access };
        let perms = Perms::new(perms.iter().map(entry).collect()).ok_or(Error::Invalid)?;
        if perms.owner().is_somebody() { Ok(perms) } else { Err(Error::NotFound) }
    }
}

/// Passes if `value` is within `limit` (0: no limit).
fn check(value: usize, limit: u32) -> Result<(), Error> {
    if limit == 0 || value <= limit as usize { Ok(()) } else { Err(Error::NoSpace) }
}
