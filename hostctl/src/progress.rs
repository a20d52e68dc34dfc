//! What a terminal is shown of work that takes longer than a second: a bar where the end is known, else a spinner.
//!
//! It is drawn on stderr, and only where that is a terminal that can go back in a line. There are no colours. Nothing
//! here has a thread: whoever waits sleeps until [`Progress::due`] at most and then calls [`Progress::tick`].

use std::io::{self, IsTerminal};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// How long work goes on before a terminal is told of it.
const PATIENCE: Duration = Duration::from_secs(1);
/// How often a spinner turns.
const TURN: Duration = Duration::from_millis(100);

/// What is under way, if anything.
#[derive(Debug, Default)]
pub struct Progress {
    work: Option<Work>,
}

#[derive(Debug)]
struct Work {
    what: String,
    /// How many bytes there are, where that is known.
    len: Option<u64>,
    done: u64,
    /// When something is to be drawn next; `None` where there is no terminal to draw on.
    due: Option<Instant>,
    bar: Option<ProgressBar>,
}

impl Progress {
    /// Something begins whose length is not known.
    pub fn begin(&mut self, what: &str) {
        self.start(what, None);
    }

    /// So many bytes begin to move.
    pub fn begin_bytes(&mut self, what: &str, len: usize) {
        self.start(what, Some(len as u64));
    }

    fn start(&mut self, what: &str, len: Option<u64>) {
        self.end();
        let due = Some(Instant::now() + PATIENCE);
        self.work = Some(Work { what: what.to_owned(), len, done: 0, due, bar: None });
    }

    /// Says whether something is under way.
    pub fn is_busy(&self) -> bool {
        self.work.is_some()
    }

    /// So many bytes have moved.
    pub fn at(&mut self, done: usize) {
        if let Some(work) = &mut self.work {
            work.done = done as u64;
        }
        self.tick();
    }

    /// When [`Progress::tick`] is to be called at the latest.
    pub fn due(&self) -> Option<Instant> {
        self.work.as_ref().and_then(|work| work.due)
    }

    /// Draws, where it is time to.
    pub fn tick(&mut self) {
        let now = Instant::now();
        let Some(work) = self.work.as_mut().filter(|work| work.due.is_some_and(|due| due <= now)) else {
            return;
        };
        if work.bar.is_none() && !can_draw() {
            work.due = None;
            return;
        }
        work.due = Some(now + TURN);
        let bar = work.bar.get_or_insert_with(|| drawn(&work.what, work.len));
        bar.set_position(work.done);
        bar.tick();
    }

    /// The work is over, or has failed: the line is empty again.
    pub fn end(&mut self) {
        if let Some(bar) = self.work.take().and_then(|work| work.bar) {
            bar.finish_and_clear();
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.end();
    }
}

/// Stderr is a terminal that can go back in a line.
fn can_draw() -> bool {
    let is_dumb = std::env::var_os("TERM").is_none_or(|term| term.is_empty() || term == "dumb");
    !is_dumb && io::stderr().is_terminal()
}

fn drawn(what: &str, len: Option<u64>) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(len, ProgressDrawTarget::stderr());
    let template = match len {
        Some(_) => "{msg} [{bar:30}] {bytes} of {total_bytes}, {eta} left",
        None => "{spinner} {msg}",
    };
    let style = ProgressStyle::with_template(template).expect("the template is well-formed");
    bar.set_style(style.progress_chars("=> ").tick_chars("|/-\\ "));
    bar.set_message(what.to_owned());
    bar
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_due_while_nothing_is_under_way() {
        let mut progress = Progress::default();
        assert!(progress.due().is_none() && !progress.is_busy());
        progress.begin("working");
        assert!(progress.due().is_some_and(|due| due > Instant::now()) && progress.is_busy());
        progress.end();
        assert!(progress.due().is_none() && !progress.is_busy());
    }

    #[test]
    fn both_kinds_can_be_laid_out() {
        for len in [None, Some(10)] {
            drawn("working", len).finish_and_clear();
        }
    }
}
