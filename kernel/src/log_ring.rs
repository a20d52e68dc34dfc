//! The kernel's log: to Xen's console at once, and kept for readers on the link.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::fmt::Write;
use core::mem;
use core::task::Waker;

use heapless::String;
use log::{Level, LevelFilter, Log, Metadata, Record};
use spin::Mutex;

use crate::early;

/// How much is kept, in bytes.
const KEPT: usize = 32 << 10;
/// The longest line; the rest is cut off.
const LINE: usize = 400;

/// When so many wait, all are woken: those that are gone fall out, the others come back. More than there are streams.
const MOST_WAITING: usize = 64;

static LOGGER: Logger = Logger;
static KEEP: Mutex<Kept> = Mutex::new(Kept { bytes: VecDeque::new(), first: 0, wakers: Vec::new() });

struct Logger;

struct Kept {
    bytes: VecDeque<u8>,
    /// The number of the first kept byte, counted from the first byte ever logged.
    first: u64,
    wakers: Vec<Waker>,
}

/// Starts logging. `level` is a word such as `debug`; what is no level means `info`.
pub fn init(level: Option<&str>) {
    let level = level.and_then(|word| word.parse().ok()).unwrap_or(LevelFilter::Info);
    log::set_max_level(level);
    log::set_logger(&LOGGER).expect("nothing else in this kernel sets a logger, and this runs once");
}

impl Log for Logger {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        let mut line = String::<LINE>::new();
        let mark = match record.level() {
            Level::Error => "error: ",
            Level::Warn => "warning: ",
            _ => "",
        };
        // What does not fit is cut off; there is nobody to tell.
        let _ = write!(line, "nanodom: {mark}{}", record.args());
        early::console_write(line.as_bytes());
        early::console_write(b"\n");
        // The lock is free again before anybody wakes up.
        let wakers = KEEP.lock().push(&line);
        wakers.into_iter().for_each(Waker::wake);
    }

    fn flush(&self) {}
}

impl Kept {
    fn push(&mut self, line: &str) -> Vec<Waker> {
        self.bytes.extend(line.bytes());
        self.bytes.push_back(b'\n');
        let excess = self.bytes.len().saturating_sub(KEPT);
        self.bytes.drain(..excess);
        self.first += excess as u64;
        mem::take(&mut self.wakers)
    }
}

/// Reads what was logged from byte number `from` on (or the first that is still kept) into `out`; returns the
/// number of the byte after the last one read.
pub fn read(from: u64, out: &mut Vec<u8>) -> u64 {
    let kept = KEEP.lock();
    let skip = from.saturating_sub(kept.first).min(kept.bytes.len() as u64);
    out.extend(kept.bytes.iter().skip(skip as usize));
    kept.first + kept.bytes.len() as u64
}

/// Has `waker` woken at the next line, if nothing was logged since byte number `seen`; otherwise says no.
pub fn wake_on_more(seen: u64, waker: &Waker) -> bool {
    let mut stale = Vec::new();
    let mut kept = KEEP.lock();
    let is_last = kept.first + kept.bytes.len() as u64 == seen;
    if is_last && !kept.wakers.iter().any(|other| other.will_wake(waker)) {
        if kept.wakers.len() >= MOST_WAITING {
            stale = mem::take(&mut kept.wakers);
        }
        kept.wakers.push(waker.clone());
    }
    drop(kept);
    stale.into_iter().for_each(Waker::wake);
    is_last
}
