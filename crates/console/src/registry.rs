//! All consoles, of domains that live and of the last ones that do not.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::string::String;
use alloc::vec::Vec;
use core::cell::RefCell;
use core::task::{Context, Poll, Waker};

use xen_abi::DomId;

use crate::log::Log;

/// A log below this size grows even when all logs together are over their limit.
const LOG_MIN: usize = 4096;

/// How much is kept, in bytes where nothing else is said.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Of one domain's output.
    pub log: usize,
    /// Of all domains' output. When it is reached the oldest dead domains' logs go; when there are none, logs stop growing (and
    /// keep their newest bytes), except that each may have 4 KiB.
    pub total: usize,
    /// Of input that a guest has not taken.
    pub input: usize,
    /// How many dead domains' logs.
    pub dead: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { log: 64 << 10, total: 2 << 20, input: 4 << 10, dead: 16 }
    }
}

/// A domain's console: that of one life of the domain, never used again. Later ones are greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ConsoleId(u64);

/// What is known of a console.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Info {
    /// Which one.
    pub id: ConsoleId,
    /// The domain's id; if it is gone, another domain may have it now.
    pub domid: DomId,
    /// The domain's name.
    pub name: String,
    /// The domain's uuid.
    pub uuid: [u8; 16],
    /// Whether the domain still lives.
    pub is_live: bool,
    /// Bytes that were printed and are not kept any more.
    pub lost: u64,
    /// Bytes that were printed in all.
    pub printed: u64,
}

/// Where a reader begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// With the oldest byte that is kept.
    Oldest,
    /// With what comes next.
    Now,
}

/// A place in a console's output. Costs nothing while nobody reads.
#[derive(Clone, Debug)]
pub struct Reader {
    console: ConsoleId,
    at: u64,
}

impl Reader {
    /// Whose output it reads.
    pub fn console(&self) -> ConsoleId {
        self.console
    }
}

/// What a reader got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Read {
    /// How many bytes were read.
    pub len: usize,
    /// How many bytes before them had left the log before they could be read.
    pub lost: u64,
}

/// The console is not there: the domain is dead, where a live one is needed, or its log is not kept any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gone;

#[derive(Debug)]
struct Console {
    domid: DomId,
    name: String,
    uuid: [u8; 16],
    is_live: bool,
    log: Log,
    input: VecDeque<u8>,
    readers: Wakers,
    writers: Wakers,
    server: Wakers,
}

/// Tasks that wait for something.
#[derive(Debug, Default)]
struct Wakers(Vec<Waker>);

impl Wakers {
    fn add(&mut self, waker: &Waker) {
        if !self.0.iter().any(|other| other.will_wake(waker)) {
            self.0.push(waker.clone());
        }
    }

    fn wake(&mut self) {
        for waker in self.0.drain(..) {
            waker.wake();
        }
    }
}

/// The consoles as their tasks share them: borrowed for one call, never across an await.
pub type SharedConsoles = RefCell<Consoles>;

/// All consoles.
#[derive(Debug)]
pub struct Consoles {
    limits: Limits,
    consoles: BTreeMap<ConsoleId, Console>,
    next: u64,
    /// Bytes in all logs.
    total: usize,
}

impl Consoles {
    /// No consoles yet.
    pub fn new(limits: Limits) -> Self {
        Consoles { limits, consoles: BTreeMap::new(), next: 0, total: 0 }
    }

    /// Makes a domain's console.
    pub fn open(&mut self, domid: DomId, name: &str, uuid: [u8; 16]) -> ConsoleId {
        let id = ConsoleId(self.next);
        self.next += 1;
        let console = Console {
            domid,
            name: name.into(),
            uuid,
            is_live: true,
            log: Log::default(),
            input: VecDeque::new(),
            readers: Wakers::default(),
            writers: Wakers::default(),
            server: Wakers::default(),
        };
        self.consoles.insert(id, console);
        id
    }

    /// Tells that the domain has another name now.
    pub fn rename(&mut self, id: ConsoleId, name: &str) {
        if let Some(console) = self.consoles.get_mut(&id) {
            console.name = name.into();
        }
    }

    /// Tells that the domain is gone. Its log is kept among the last dead ones; readers come to its end, and [`crate::serve`] returns
    /// after it has taken what is left in the ring.
    pub fn close(&mut self, id: ConsoleId) {
        let Some(console) = self.consoles.get_mut(&id) else { return };
        console.is_live = false;
        console.input = VecDeque::new();
        console.readers.wake();
        console.writers.wake();
        console.server.wake();
        let dead = self.consoles.values().filter(|console| !console.is_live).count();
        for _ in self.limits.dead..dead {
            self.evict();
        }
    }

    /// Removes a console as if it had never been: its domain was not created after all.
    pub fn discard(&mut self, id: ConsoleId) {
        if let Some(console) = self.consoles.get_mut(&id) {
            console.is_live = false;
            console.writers.wake();
            console.server.wake();
        }
        self.drop_console(id);
    }

    /// All consoles, newest first.
    pub fn list(&self) -> impl Iterator<Item = Info> + '_ {
        self.consoles.iter().rev().map(|(id, console)| info(*id, console))
    }

    /// The newest console that `is_it` says yes to; a living domain's before all dead ones'.
    pub fn find(&self, is_it: impl Fn(&Info) -> bool) -> Option<ConsoleId> {
        let mut found = self.list().filter(is_it).map(|info| (info.is_live, info.id));
        let first = found.next()?;
        if first.0 { Some(first.1) } else { Some(found.find(|(is_live, _)| *is_live).unwrap_or(first).1) }
    }

    /// What is known of a console.
    pub fn info(&self, id: ConsoleId) -> Option<Info> {
        self.consoles.get(&id).map(|console| info(id, console))
    }

    /// Begins to read.
    ///
    /// # Errors
    /// [`Gone`]: the log is not kept any more.
    pub fn reader(&self, id: ConsoleId, start: Start) -> Result<Reader, Gone> {
        let log = &self.consoles.get(&id).ok_or(Gone)?.log;
        let at = match start {
            Start::Oldest => log.start(),
            Start::Now => log.end(),
        };
        Ok(Reader { console: id, at })
    }

    /// Reads what is there. `len` 0: nothing new yet.
    ///
    /// # Errors
    /// [`Gone`]: the domain is dead and all was read, or its log is not kept any more.
    pub fn read(&self, reader: &mut Reader, into: &mut [u8]) -> Result<Read, Gone> {
        let console = self.consoles.get(&reader.console).ok_or(Gone)?;
        let lost = console.log.start().saturating_sub(reader.at);
        reader.at += lost;
        let len = console.log.copy(reader.at, into);
        reader.at += len as u64;
        let is_end = reader.at == console.log.end() && !into.is_empty();
        if len == 0 && lost == 0 && is_end && !console.is_live { Err(Gone) } else { Ok(Read { len, lost }) }
    }

    /// Reads, or is woken when there is something to read (or the end).
    pub fn poll_read(
        &mut self,
        reader: &mut Reader,
        into: &mut [u8],
        cx: &mut Context<'_>,
    ) -> Poll<Result<Read, Gone>> {
        match self.read(reader, into) {
            Ok(Read { len: 0, lost: 0 }) => {
                if let Some(console) = self.consoles.get_mut(&reader.console) {
                    console.readers.add(cx.waker());
                }
                Poll::Pending
            }
            other => Poll::Ready(other),
        }
    }

    /// Types into a domain. Returns how many bytes the queue took: it is bounded.
    ///
    /// # Errors
    /// [`Gone`]: the domain is dead.
    pub fn write(&mut self, id: ConsoleId, typed: &[u8]) -> Result<usize, Gone> {
        let console = self.consoles.get_mut(&id).filter(|console| console.is_live).ok_or(Gone)?;
        let room = self.limits.input.saturating_sub(console.input.len());
        let typed = &typed[..typed.len().min(room)];
        console.input.extend(typed);
        if !typed.is_empty() {
            console.server.wake();
        }
        Ok(typed.len())
    }

    /// Types into a domain, or is woken when there is room (or the domain is dead).
    pub fn poll_write(
        &mut self,
        id: ConsoleId,
        typed: &[u8],
        cx: &mut Context<'_>,
    ) -> Poll<Result<usize, Gone>> {
        match self.write(id, typed) {
            Ok(0) if !typed.is_empty() => {
                if let Some(console) = self.consoles.get_mut(&id) {
                    console.writers.add(cx.waker());
                }
                Poll::Pending
            }
            other => Poll::Ready(other),
        }
    }

    /// Adds what a domain printed, and wakes its readers.
    pub fn print(&mut self, id: ConsoleId, printed: &[u8]) {
        let limit = self.room_for(id, printed.len());
        let Some(console) = self.consoles.get_mut(&id) else { return };
        let before = console.log.len();
        console.log.push(printed, limit);
        // The log never shrinks: what it drops makes room for what comes.
        self.total += console.log.len() - before;
        console.readers.wake();
    }

    /// The input that waits for the domain.
    pub(crate) fn input(&mut self, id: ConsoleId) -> Option<&mut VecDeque<u8>> {
        self.consoles.get_mut(&id).map(|console| &mut console.input)
    }

    /// Tells those who wait for room that there is some.
    pub(crate) fn input_taken(&mut self, id: ConsoleId) {
        if let Some(console) = self.consoles.get_mut(&id) {
            console.writers.wake();
        }
    }

    /// Ready(true): there is input. Ready(false): the domain is gone.
    pub(crate) fn poll_server(&mut self, id: ConsoleId, has_room: bool, cx: &mut Context<'_>) -> Poll<bool> {
        match self.consoles.get_mut(&id) {
            Some(console) if console.is_live => {
                if has_room && !console.input.is_empty() {
                    return Poll::Ready(true);
                }
                console.server.add(cx.waker());
                Poll::Pending
            }
            _ => Poll::Ready(false),
        }
    }

    /// How long the log may be after `more` bytes; makes room among the dead.
    fn room_for(&mut self, id: ConsoleId, more: usize) -> usize {
        let Some(console) = self.consoles.get(&id) else { return 0 };
        let len = console.log.len();
        let wanted = (len + more).min(self.limits.log);
        while self.total + (wanted - len) > self.limits.total && self.evict_except(id) {}
        let room = self.limits.total.saturating_sub(self.total);
        wanted.min(len + room).max(len).max(LOG_MIN.min(self.limits.log))
    }

    fn evict(&mut self) {
        let oldest = self.consoles.iter().find(|(_, console)| !console.is_live).map(|(id, _)| *id);
        if let Some(oldest) = oldest {
            self.drop_console(oldest);
        }
    }

    fn evict_except(&mut self, id: ConsoleId) -> bool {
        let mut dead = self.consoles.iter().filter(|(other, console)| !console.is_live && **other != id);
        let oldest = dead.next().map(|(id, _)| *id);
        oldest.map(|oldest| self.drop_console(oldest)).is_some()
    }

    fn drop_console(&mut self, id: ConsoleId) {
        if let Some(mut console) = self.consoles.remove(&id) {
            self.total -= console.log.len();
            console.readers.wake();
        }
    }
}

fn info(id: ConsoleId, console: &Console) -> Info {
    Info {
        id,
        domid: console.domid,
        name: console.name.clone(),
        uuid: console.uuid,
        is_live: console.is_live,
        lost: console.log.start(),
        printed: console.log.end(),
    }
}

#[cfg(test)]
mod tests;
