//! The control domain's log: each of a process's control domains runs on a thread of its own, and has what was logged there.

use std::cell::RefCell;
use std::task::Waker;

use log::{LevelFilter, Log, Metadata, Record};

thread_local! {
    static KEPT: RefCell<Kept> = RefCell::default();
}

static LOGGER: Logger = Logger;

#[derive(Default)]
struct Kept {
    bytes: Vec<u8>,
    wakers: Vec<Waker>,
}

struct Logger;

/// Keeps from now on what is logged in this process, as the kernel does.
pub(crate) fn init() {
    // The second time it is set already.
    if log::set_logger(&LOGGER).is_ok() {
        log::set_max_level(LevelFilter::Info);
    }
}

impl Log for Logger {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        let mark = match record.level() {
            log::Level::Error => "error: ",
            log::Level::Warn => "warning: ",
            _ => "",
        };
        let line = format!("nanodom: {mark}{}\n", record.args());
        let wakers = KEPT.with_borrow_mut(|kept| {
            kept.bytes.extend(line.bytes());
            std::mem::take(&mut kept.wakers)
        });
        wakers.into_iter().for_each(Waker::wake);
    }

    fn flush(&self) {}
}

/// See [`control::Host::read_log`].
pub(crate) fn read(from: u64, out: &mut Vec<u8>) -> u64 {
    KEPT.with_borrow(|kept| {
        out.extend(kept.bytes.iter().skip(from as usize));
        kept.bytes.len() as u64
    })
}

/// See [`control::Host::wake_on_log`].
pub(crate) fn wake_on_more(seen: u64, waker: &Waker) -> bool {
    KEPT.with_borrow_mut(|kept| {
        let is_last = kept.bytes.len() as u64 == seen;
        if is_last {
            kept.wakers.push(waker.clone());
        }
        is_last
    })
}
