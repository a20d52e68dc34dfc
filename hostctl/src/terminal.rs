//! The terminal in raw mode, and back out of it whatever happens.
//!
//! The settings are put back when the guard is dropped and when the program panics. Signals do not end the program by
//! themselves (see [`crate::client::Signals`]), so the guard is dropped then too.

use std::io::{self, IsTerminal};
use std::sync::{Mutex, Once};

use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};

/// The settings to put back, while the terminal is raw.
static SAVED: Mutex<Option<Termios>> = Mutex::new(None);
static HOOK: Once = Once::new();

/// The terminal is raw while this lives.
#[derive(Debug)]
pub struct RawTerminal(());

impl RawTerminal {
    /// Makes stdin's terminal raw; `None` when stdin is none.
    ///
    /// # Errors
    /// The terminal refuses.
    pub fn enter() -> io::Result<Option<RawTerminal>> {
        let stdin = io::stdin();
        if !stdin.is_terminal() {
            return Ok(None);
        }
        HOOK.call_once(|| {
            let next = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |info| {
                restore();
                next(info);
            }));
        });
        let before = tcgetattr(&stdin)?;
        let mut raw = before.clone();
        raw.make_raw();
        *SAVED.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = Some(before);
        let guard = RawTerminal(());
        tcsetattr(&stdin, OptionalActions::Drain, &raw)?;
        Ok(Some(guard))
    }
}

impl Drop for RawTerminal {
    fn drop(&mut self) {
        restore();
    }
}

fn restore() {
    let saved = SAVED.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).take();
    if let Some(before) = saved {
        // A terminal that is gone (hang-up) needs nothing any more.
        let _ = tcsetattr(io::stdin(), OptionalActions::Drain, &before);
    }
}
