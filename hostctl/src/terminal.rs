//! The terminal in raw mode or taken as a whole, and back out of it whatever happens.
//!
//! The settings are put back when the guard is dropped and when the program panics. Signals do not end the program by
//! themselves (see [`crate::client::Signals`]), so the guard is dropped then too.

use std::io::{self, IsTerminal};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, Once};

use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};

/// The settings to put back, while the terminal is raw.
static SAVED: Mutex<Option<Termios>> = Mutex::new(None);
/// The whole screen is ours.
static IS_FULL: AtomicBool = AtomicBool::new(false);
static HOOK: Once = Once::new();

/// To the screen that programs have for themselves, without a cursor.
const ENTER: &[u8] = b"\x1b[?1049h\x1b[?25l";
/// And back.
const LEAVE: &[u8] = b"\x1b[?25h\x1b[?1049l";

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

/// The terminal is raw and its whole screen ours while this lives; then what was on it is there again.
#[derive(Debug)]
pub struct FullScreen {
    _raw: RawTerminal,
}

impl FullScreen {
    /// Takes the terminal of stdin and stdout; `None` when stdin is none.
    ///
    /// # Errors
    /// The terminal refuses.
    pub fn enter() -> io::Result<Option<FullScreen>> {
        let Some(raw) = RawTerminal::enter()? else { return Ok(None) };
        IS_FULL.store(true, Ordering::Relaxed);
        let screen = FullScreen { _raw: raw };
        write(ENTER)?;
        Ok(Some(screen))
    }
}

/// Past the standard library's buffer, which may be locked by whoever panics.
fn write(mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        let count = rustix::io::retry_on_intr(|| rustix::io::write(io::stdout(), bytes))?;
        bytes = &bytes[count..];
    }
    Ok(())
}

/// Also for a program that panics: nothing here does.
fn restore() {
    // A terminal that is gone (hang-up) needs nothing any more.
    if IS_FULL.swap(false, Ordering::Relaxed) {
        let _ = write(LEAVE);
    }
    let saved = SAVED.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).take();
    if let Some(before) = saved {
        let _ = tcsetattr(io::stdin(), OptionalActions::Drain, &before);
    }
}
