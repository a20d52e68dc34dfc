//! What a person at the terminal sees and has chosen: xentop's keys.

use std::time::Instant;

use proto::top::HostTop;

use super::columns::{Sort, Widths};
use super::keys::Key;
use super::look::Look;
use super::{Settings, delay};

/// Letters that the answer to a question may have.
const LONGEST_ANSWER: usize = 12;

/// What a key leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum After {
    /// What is known is drawn anew.
    Draw,
    /// More is to be known: the control domain is asked at once.
    Ask,
    /// The end.
    Quit,
}

/// See the module's page.
pub(super) struct App {
    pub(super) settings: Settings,
    pub(super) xen: String,
    pub(super) sort: Sort,
    /// Domains that are scrolled out above.
    pub(super) first_row: usize,
    /// Columns behind the names that are scrolled out at the left.
    pub(super) first_column: usize,
    /// What was typed in answer to "Delay(sec)".
    pub(super) answer: Option<String>,
    /// Something to be said, until the next key.
    pub(super) message: Option<String>,
    /// When the last look was taken, on this machine's clock.
    pub(super) time: (u32, u32, u32),
    /// The control domain was asked then, and has not answered.
    pub(super) asked: Option<Instant>,
    pub(super) widths: Widths,
    now: Option<HostTop>,
    before: Option<HostTop>,
}

impl App {
    pub(super) fn new(settings: Settings, xen: String) -> App {
        App {
            settings,
            xen,
            sort: Sort::default(),
            first_row: 0,
            first_column: 0,
            answer: None,
            message: None,
            time: (0, 0, 0),
            asked: None,
            widths: Widths::default(),
            now: None,
            before: None,
        }
    }

    /// Takes a look that was answered at a time of day.
    pub(super) fn take(&mut self, top: HostTop, time: (u32, u32, u32)) {
        self.before = self.now.replace(top);
        self.time = time;
        self.asked = None;
    }

    /// The last look.
    pub(super) fn look(&self) -> Option<Look<'_>> {
        let now = self.now.as_ref()?;
        Some(Look::new(now, self.before.as_ref(), self.sort, self.settings.dom0_first))
    }

    /// A key was pressed.
    pub(super) fn press(&mut self, key: Key) -> After {
        if key == Key::Stop {
            return After::Quit;
        }
        self.message = None;
        if self.answer.is_some() {
            self.edit(key);
            return After::Draw;
        }
        match key {
            Key::Letter('q' | 'Q') | Key::Escape => return After::Quit,
            Key::Letter('d' | 'D') => self.answer = Some(String::new()),
            Key::Letter('n' | 'N') => self.settings.networks ^= true,
            Key::Letter('b' | 'B') => self.settings.vbds ^= true,
            Key::Letter('r' | 'R') => self.settings.repeat_header ^= true,
            Key::Letter('s' | 'S') => self.sort = self.sort.next(),
            Key::Letter('v' | 'V') => {
                self.settings.vcpus ^= true;
                return After::Ask;
            }
            Key::Letter('t' | 'T') => {
                self.message = Some("Xen has no transcendent memory any more (since 4.13)".into());
            }
            Key::Down => self.scroll_to(self.first_row + 1),
            Key::Up => self.first_row = self.first_row.saturating_sub(1),
            Key::PageDown => self.scroll_to(self.first_row + 10),
            Key::PageUp => self.first_row = self.first_row.saturating_sub(10),
            Key::Home => self.first_row = 0,
            Key::End => self.scroll_to(usize::MAX),
            Key::Right => self.first_column += 1,
            Key::Left => self.first_column = self.first_column.saturating_sub(1),
            _ => {}
        }
        After::Draw
    }

    /// The last domain can be scrolled to the top, and no further.
    fn scroll_to(&mut self, row: usize) {
        let last = self.now.as_ref().map_or(0, |top| top.domains.len().saturating_sub(1));
        self.first_row = row.min(last);
    }

    fn edit(&mut self, key: Key) {
        let Some(answer) = &mut self.answer else { return };
        match key {
            Key::Enter => {
                match delay(answer) {
                    Ok(delay) => self.settings.delay = delay,
                    Err(why) => self.message = Some(why),
                }
                self.answer = None;
            }
            Key::Escape => self.answer = None,
            Key::Backspace => drop(answer.pop()),
            Key::Letter(letter) if answer.chars().count() < LONGEST_ANSWER => {
                answer.push(letter);
            }
            _ => {}
        }
    }
}
