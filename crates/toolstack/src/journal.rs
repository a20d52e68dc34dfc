//! The journal: what the toolstack did, on whose account, and how it went; bounded, oldest dropped first.
//!
//! Commands and guests have a room each, so that nothing which guests do pushes a command out. What one guest does again (it crashes,
//! is restarted, crashes) is not entered again: the entry counts it and moves to the end. And of one guest's doings only the last
//! [`MOST_OF_ONE`] are kept, so that it pushes out no other guest's either.

use alloc::collections::VecDeque;
use alloc::format;
use alloc::string::String;
use core::cell::RefCell;
use core::fmt::Display;

use hypercall::{Aperture, Door};
use proto::domain::{Created, DomainRef};
use proto::error::CreateError;
use proto::journal::{Entry, Event, JournalPage, Who};

use crate::list::Target;
use crate::name::{DOMAIN_0, MAX_NAME_LEN};
use crate::platform::Platform;
use crate::toolstack::{Mapping, Toolstack};
use crate::waiters::Waiters;

/// Entries that commands may have.
const MOST_OF_COMMANDS: usize = 256;
/// Entries that guests may have together.
const MOST_OF_GUESTS: usize = 256;
/// Entries that one guest may have: several lives' worth.
const MOST_OF_ONE: usize = 16;
/// Entries of a page: at most about 40 KiB, with the longest names.
const PAGE: usize = 64;

/// See the module's page.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    pages: RefCell<Pages>,
    /// Rings at each new entry.
    news: Waiters,
}

#[derive(Debug, Default)]
struct Pages {
    /// On account of commands, and of the control domain itself.
    commands: VecDeque<Entry>,
    /// On account of guests, and of what follows from what they do.
    guests: VecDeque<Entry>,
    /// Entries ever made.
    last_seq: u64,
    dropped: u64,
}

impl Journal {
    /// Enters something that began at `began_ns` and is over now.
    pub(crate) fn enter(&self, who: Who, event: Event, began_ns: u64, now_ns: u64) {
        self.pages.borrow_mut().enter(who, event, began_ns, now_ns);
        self.news.wake_all();
    }

    /// Entries from number `from` on.
    pub(crate) fn page(&self, from: u64, now_ns: u64) -> JournalPage {
        self.pages.borrow().page(from, now_ns)
    }

    /// Waits until there is an entry of number `from` or a later one.
    pub(crate) async fn wait(&self, from: u64) {
        self.news.until(|| (self.pages.borrow().last_seq >= from).then_some(())).await;
    }
}

impl Pages {
    fn enter(&mut self, who: Who, event: Event, began_ns: u64, now_ns: u64) {
        self.last_seq += 1;
        let us = now_ns.saturating_sub(began_ns) / 1000;
        let mut entry =
            Entry { seq: self.last_seq, at_ns: now_ns, times: 1, first_ns: now_ns, us, who, event };
        match who {
            Who::Command | Who::Control => {
                self.commands.push_back(entry);
                self.dropped += shorten(&mut self.commands, MOST_OF_COMMANDS);
            }
            Who::Guest | Who::Rule | Who::Stranger => {
                if let Some(at) = self.guests.iter().position(|old| is_again(old, &entry))
                    && let Some(old) = self.guests.remove(at)
                {
                    entry.times = old.times.saturating_add(1);
                    entry.first_ns = old.first_ns;
                }
                self.guests.push_back(entry);
                self.dropped += self.shorten_newest() + shorten(&mut self.guests, MOST_OF_GUESTS);
            }
        }
    }

    /// Drops the oldest entry of the guest that has the newest, if it has too many.
    fn shorten_newest(&mut self) -> u64 {
        let Some(name) = self.guests.back().map(|entry| name_of(&entry.event)) else { return 0 };
        let of_it = |entry: &Entry| name_of(&entry.event) == name;
        if self.guests.iter().filter(|entry| of_it(entry)).count() <= MOST_OF_ONE {
            return 0;
        }
        let oldest = self.guests.iter().position(of_it);
        u64::from(oldest.is_some_and(|at| self.guests.remove(at).is_some()))
    }

    fn page(&self, from: u64, now_ns: u64) -> JournalPage {
        let since = |entries: &'_ VecDeque<Entry>| entries.partition_point(|entry| entry.seq < from);
        let mut commands = self.commands.range(since(&self.commands)..).peekable();
        let mut guests = self.guests.range(since(&self.guests)..).peekable();
        let mut merged = core::iter::from_fn(|| match (commands.peek(), guests.peek()) {
            (Some(command), Some(guest)) if command.seq > guest.seq => guests.next(),
            (Some(_), _) => commands.next(),
            (None, _) => guests.next(),
        });
        let entries: alloc::vec::Vec<Entry> = merged.by_ref().take(PAGE).cloned().collect();
        let has_more = merged.next().is_some();
        let next = entries.last().map_or(from, |last| last.seq + 1);
        JournalPage { now_ns, entries, next, has_more, dropped: self.dropped }
    }
}

fn shorten(entries: &mut VecDeque<Entry>, most: usize) -> u64 {
    let excess = entries.len().saturating_sub(most);
    entries.drain(..excess);
    excess as u64
}

/// The same thing once more: of the same guest, with the same cause and the same result, whatever id it has by now.
fn is_again(old: &Entry, new: &Entry) -> bool {
    old.who == new.who
        && match (&old.event, &new.event) {
            (Event::Created { name: a, .. }, Event::Created { name: b, .. }) => a == b,
            (Event::NotCreated { name: a, why: x }, Event::NotCreated { name: b, why: y })
            | (Event::NotKept { name: a, why: x }, Event::NotKept { name: b, why: y }) => a == b && x == y,
            (Event::Ended { name: a, reason: x, .. }, Event::Ended { name: b, reason: y, .. }) => {
                a == b && x == y
            }
            (
                Event::Rule { name: a, reason: x, action: i, too_fast_ns: t },
                Event::Rule { name: b, reason: y, action: j, too_fast_ns: u },
            ) => a == b && x == y && i == j && t.is_some() == u.is_some(),
            (Event::Destroyed { name: a, why: x, .. }, Event::Destroyed { name: b, why: y, .. }) => {
                a == b && x == y
            }
            _ => false,
        }
}

/// Whom an entry is about.
fn name_of(event: &Event) -> String {
    match event {
        Event::Created { name, .. }
        | Event::NotCreated { name, .. }
        | Event::NotKept { name, .. }
        | Event::Command { name, .. }
        | Event::Ended { name, .. }
        | Event::Rule { name, .. }
        | Event::Destroyed { name, .. } => name.clone(),
        Event::Started { .. } | Event::Halt { .. } => DOMAIN_0.into(),
    }
}

/// A word that somebody typed, no longer than a name may be.
fn short(word: &str) -> String {
    let end =
        word.char_indices().map(|(at, letter)| at + letter.len_utf8()).take_while(|end| *end <= MAX_NAME_LEN);
    word[..end.last().unwrap_or(0)].into()
}

impl<'x, M: Door + Aperture, P: Platform<Mapping<'x, M>>> Toolstack<'x, M, P> {
    /// The journal's entries from number `from` on: a page. No exit.
    pub fn journal(&self, from: u64) -> JournalPage {
        self.journal.page(from, self.platform.now_ns())
    }

    /// Waits until the journal has an entry of number `from` or a later one.
    pub async fn journal_wait(&self, from: u64) {
        self.journal.wait(from).await;
    }

    /// Enters into the journal something of the moment.
    pub fn note(&self, who: Who, event: Event) {
        let now_ns = self.platform.now_ns();
        self.journal.enter(who, event, now_ns, now_ns);
    }

    /// Enters into the journal something that began at `began_ns`.
    pub(crate) fn note_since(&self, began_ns: u64, who: Who, event: Event) {
        self.journal.enter(who, event, began_ns, self.platform.now_ns());
    }

    /// Enters into the journal what came of building a domain.
    pub(crate) fn note_built(
        &self,
        began_ns: u64,
        who: Who,
        name: &str,
        built: &Result<Created, CreateError>,
    ) {
        let name = short(name);
        let event = match built {
            Ok(created) => Event::Created { name, created: created.clone() },
            Err(why) => Event::NotCreated { name, why: why.clone() },
        };
        self.note_since(began_ns, who, event);
    }

    /// Carries out a command on a domain, and enters into the journal what came of it. `what` is xm's word for it, with what else there
    /// is to say.
    ///
    /// # Errors
    /// Those of `work`.
    pub async fn on_command<T, E: Display>(
        &self,
        what: &str,
        domain: &DomainRef,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let began_ns = self.platform.now_ns();
        // Afterwards it may be gone.
        let (name, domid) = self.known_as(domain);
        let result = work.await;
        self.note_command(began_ns, what, name, domid, &result);
        result
    }

    /// Carries out a command on a pool of processors, and enters into the journal what came of it. `what` is as for
    /// [`Self::on_command`].
    ///
    /// # Errors
    /// Those of `work`.
    pub fn on_pool<T, E: Display>(
        &self,
        what: &str,
        pool: &str,
        work: impl FnOnce() -> Result<T, E>,
    ) -> Result<T, E> {
        let began_ns = self.platform.now_ns();
        let result = work();
        self.note_command(began_ns, what, format!("pool {}", short(pool)), None, &result);
        result
    }

    fn note_command<T, E: Display>(
        &self,
        began_ns: u64,
        what: &str,
        name: String,
        domid: Option<u16>,
        result: &Result<T, E>,
    ) {
        let why = result.as_ref().err().map(|why| short(&format!("{why}")));
        self.note_since(began_ns, Who::Command, Event::Command { what: short(what), name, domid, why });
    }

    /// The name and the id of the domain that a word names.
    fn known_as(&self, domain: &DomainRef) -> (String, Option<u16>) {
        match self.resolve(domain) {
            Ok(Target::Control) => (DOMAIN_0.into(), Some(0)),
            Ok(Target::Ours(serial, domid)) => {
                let registry = self.registry.borrow();
                let name = registry.by_serial(serial).map(|record| record.name.as_str());
                (name.unwrap_or(&domain.0).into(), Some(domid.0))
            }
            Ok(Target::Foreign(domid)) => (short(&domain.0), Some(domid.0)),
            Err(_) => (short(&domain.0), None),
        }
    }
}

#[cfg(test)]
mod tests {
    use proto::domain::{Action, ShutdownReason};

    use super::*;

    fn command(journal: &Journal, number: u64) {
        let event =
            Event::Command { what: format!("pause {number}"), name: "a".into(), domid: None, why: None };
        journal.enter(Who::Command, event, number, number);
    }

    fn ended(journal: &Journal, name: &str, reason: ShutdownReason, at: u64) {
        journal.enter(Who::Guest, Event::Ended { name: name.into(), domid: at as u16, reason }, at, at);
    }

    /// All that is kept, page by page.
    fn all(journal: &Journal) -> (alloc::vec::Vec<Entry>, u64) {
        let mut entries = alloc::vec::Vec::new();
        let mut next = 0;
        loop {
            let page = journal.page(next, 0);
            assert!(page.entries.len() <= PAGE);
            entries.extend(page.entries);
            next = page.next;
            if !page.has_more {
                assert!(entries.is_sorted_by(|a, b| a.seq < b.seq));
                return (entries, page.dropped);
            }
        }
    }

    #[test]
    fn the_oldest_commands_make_room_and_are_counted() {
        let journal = Journal::default();
        for number in 0..1000 {
            command(&journal, number);
        }
        let (entries, dropped) = all(&journal);
        assert_eq!((entries.len(), dropped), (MOST_OF_COMMANDS, 1000 - MOST_OF_COMMANDS as u64));
        assert_eq!((entries[0].seq, entries.last().unwrap().seq), (dropped + 1, 1000));
    }

    #[test]
    fn what_a_guest_does_again_is_counted_and_moves_to_the_end() {
        let journal = Journal::default();
        ended(&journal, "a", ShutdownReason::Crash, 1000);
        command(&journal, 1);
        for at in 2..=5 {
            ended(&journal, "a", ShutdownReason::Crash, at * 1000);
        }
        let (entries, dropped) = all(&journal);
        assert_eq!((entries.len(), dropped), (2, 0));
        let again = &entries[1];
        assert_eq!((again.times, again.first_ns, again.at_ns, again.seq), (5, 1000, 5000, 6));
        assert!(matches!(again.event, Event::Ended { domid: 5000, .. }), "{again:?}");
    }

    #[test]
    fn other_ends_of_the_same_guest_and_the_same_ends_of_others_are_told_apart() {
        let journal = Journal::default();
        ended(&journal, "a", ShutdownReason::Crash, 1);
        ended(&journal, "b", ShutdownReason::Crash, 2);
        ended(&journal, "a", ShutdownReason::Reboot, 3);
        let rule = |too_fast_ns| {
            let (reason, action) = (ShutdownReason::Reboot, Action::Destroy);
            journal.enter(Who::Rule, Event::Rule { name: "a".into(), reason, action, too_fast_ns }, 4, 4);
        };
        rule(None);
        rule(Some(1));
        rule(Some(2));
        assert_eq!(
            all(&journal).0.iter().map(|entry| entry.times).collect::<alloc::vec::Vec<_>>(),
            [1, 1, 1, 1, 2]
        );
    }

    #[test]
    fn a_guest_that_ends_in_ever_new_ways_pushes_out_neither_commands_nor_other_guests() {
        let journal = Journal::default();
        command(&journal, 1);
        ended(&journal, "quiet", ShutdownReason::Poweroff, 2);
        for n in 0..10_000 {
            ended(&journal, "loud", ShutdownReason::Other(n as u8), n);
        }
        let (entries, dropped) = all(&journal);
        assert_eq!(entries.len(), 2 + MOST_OF_ONE);
        assert_eq!(dropped, 10_000 - MOST_OF_ONE as u64);
        assert!(matches!(&entries[0].event, Event::Command { .. }));
        assert!(matches!(&entries[1].event, Event::Ended { name, .. } if name == "quiet"));
    }

    #[test]
    fn so_many_guests_that_there_is_no_room_for_all_drop_the_oldest() {
        let journal = Journal::default();
        command(&journal, 1);
        for n in 0..5000 {
            ended(&journal, &format!("g{n}"), ShutdownReason::Crash, n);
        }
        let (entries, dropped) = all(&journal);
        assert_eq!((entries.len(), dropped), (1 + MOST_OF_GUESTS, 5000 - MOST_OF_GUESTS as u64));
    }

    #[test]
    fn a_page_begins_where_it_is_asked_to() {
        let journal = Journal::default();
        for number in 0..5 {
            command(&journal, number);
        }
        let page = journal.page(4, 77);
        assert_eq!(page.entries.iter().map(|entry| entry.seq).collect::<alloc::vec::Vec<_>>(), [4, 5]);
        assert_eq!((page.next, page.has_more, page.now_ns), (6, false, 77));
        let none = journal.page(6, 78);
        assert_eq!((none.entries.len(), none.next), (0, 6));
        assert!(journal.page(u64::MAX, 79).entries.is_empty());
    }

    #[test]
    fn a_word_is_cut_between_letters() {
        assert_eq!(short("abc"), "abc");
        assert_eq!(short(&"\u{e4}".repeat(200)).len(), 254);
    }
}
