//! The loop of a full screen: keys, looks and sizes as they come. Nothing in it waits for one thing only.

use std::io::{self, Read, stdout};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use proto::endpoints;
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use rustix::event::epoll;

use super::app::{After, App};
use super::keys::{Key, Keys, PATIENCE};
use super::{Parts, Settings, draw};
use crate::client::{Client, Event, Ticket, is_readable};
use crate::clock;
use crate::output::Output;
use crate::terminal::FullScreen;
use crate::xm::failure::Failure;

/// An answer that takes longer than this is said to be missing.
pub(super) const SLOW: Duration = Duration::from_secs(2);

/// Shows looks until somebody quits or enough were shown.
///
/// # Errors
/// The terminal refuses, the line is lost, or a signal came. The terminal is as before then.
pub(super) fn run(client: &mut Client, settings: Settings, out: &mut Output) -> Result<(), Failure> {
    let xen = client.welcome()?.greeting.xen.clone();
    out.flush()?;
    let mut input = Input::open()?;
    let Some(_screen) = FullScreen::enter()? else {
        return Err(Failure::Plain("stdin is no terminal; use --batch or --json".into()));
    };
    let mut terminal = Terminal::new(CrosstermBackend::new(stdout()))?;
    let mut app = App::new(settings, xen);
    let mut ticket: Option<Ticket<endpoints::HostTop>> = None;
    let mut parts = Parts::default();
    let mut due = Instant::now();
    loop {
        if ticket.is_none() && Instant::now() >= due {
            ticket = Some(client.start::<endpoints::HostTop>(&app.settings.request(parts.from()))?);
            app.asked = Some(Instant::now());
        }
        terminal.draw(|frame| draw::draw(&mut app, frame))?;
        // Where an answer is missing, its age is shown.
        let wake = if ticket.is_some() { Instant::now() + SLOW } else { due };
        let wake = input.patience().map_or(wake, |patience| patience.min(wake));
        match client.event(Some(input.fd()), Some(wake))? {
            Event::Answer(response) => {
                let Some(asked) = &ticket else { continue };
                let Some(answer) = client.answer(asked, response)? else { continue };
                ticket = None;
                let part = answer.map_err(|error| Failure::xen(&error))?;
                let Some(top) = parts.take(part) else { continue };
                app.take(top, clock::local_time());
                due = Instant::now() + app.settings.delay;
                if app.settings.count() {
                    terminal.draw(|frame| draw::draw(&mut app, frame))?;
                    return Ok(());
                }
            }
            Event::Extra => {
                let Some(pressed) = input.read()? else {
                    return Err(Failure::Plain("the terminal is gone".into()));
                };
                for key in pressed {
                    match app.press(key) {
                        After::Draw => {}
                        After::Ask => due = Instant::now(),
                        After::Quit => return Ok(()),
                    }
                }
                // A new delay counts from now.
                due = due.min(Instant::now() + app.settings.delay);
            }
            Event::Deadline if input.give_up().is_some_and(|key| app.press(key) == After::Quit) => {
                return Ok(());
            }
            _ => {}
        }
    }
}

/// Keys and changes of the terminal's size, as one thing to wait for.
struct Input {
    both: OwnedFd,
    /// SIGWINCH came.
    resized: UnixStream,
    keys: Keys,
    /// When something was read last.
    read: Instant,
}

impl Input {
    fn open() -> io::Result<Input> {
        let (resized, sender) = UnixStream::pair()?;
        resized.set_nonblocking(true)?;
        signal_hook::low_level::pipe::register(rustix::process::Signal::WINCH.as_raw(), sender)?;
        let both = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        for fd in [io::stdin().as_fd(), resized.as_fd()] {
            epoll::add(&both, fd, epoll::EventData::new_u64(0), epoll::EventFlags::IN)?;
        }
        Ok(Input { both, resized, keys: Keys::default(), read: Instant::now() })
    }

    fn fd(&self) -> BorrowedFd<'_> {
        self.both.as_fd()
    }

    /// The keys that were pressed, without waiting for any; `None`: the terminal is gone.
    fn read(&mut self) -> io::Result<Option<Vec<Key>>> {
        let mut bytes = [0; 1024];
        // A new size is looked up whenever something is drawn.
        while matches!((&self.resized).read(&mut bytes), Ok(1..)) {}
        if !is_readable(io::stdin().as_fd()) {
            return Ok(Some(Vec::new()));
        }
        // Past the standard library's buffer, in which a key would wait unseen.
        match rustix::io::retry_on_intr(|| rustix::io::read(io::stdin(), &mut bytes)) {
            Ok(0) | Err(rustix::io::Errno::IO) => Ok(None),
            Ok(count) => {
                self.read = Instant::now();
                Ok(Some(self.keys.take(&bytes[..count])))
            }
            // Another program has the terminal set so, and took what there was.
            Err(rustix::io::Errno::AGAIN) => Ok(Some(Vec::new())),
            Err(error) => Err(error.into()),
        }
    }

    /// When a key that is begun is to be given up.
    fn patience(&self) -> Option<Instant> {
        self.keys.is_begun().then(|| self.read + PATIENCE)
    }

    /// Gives such a key up, if it is time; an escape was a key itself.
    fn give_up(&mut self) -> Option<Key> {
        self.patience().filter(|&patience| Instant::now() >= patience)?;
        self.keys.give_up()
    }
}
