//! The loop of a full screen: keys, looks and sizes as they come. Nothing in it waits for one thing only.

use std::io::{self, Read, stdout};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use crossterm::event as keys;
use proto::endpoints;
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use rustix::event::epoll;

use super::app::{After, App};
use super::{Settings, draw};
use crate::client::{Client, Event, Ticket};
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
    let input = Input::open()?;
    let Some(_screen) = FullScreen::enter()? else {
        return Err(Failure::Plain("stdin is no terminal; use --batch or --json".into()));
    };
    let mut terminal = Terminal::new(CrosstermBackend::new(stdout()))?;
    let mut app = App::new(settings, xen);
    let mut ticket: Option<Ticket<endpoints::HostTop>> = None;
    let mut due = Instant::now();
    loop {
        if ticket.is_none() && Instant::now() >= due {
            ticket = Some(client.start::<endpoints::HostTop>(&app.settings.request())?);
            app.asked = Some(Instant::now());
        }
        terminal.draw(|frame| draw::draw(&mut app, frame))?;
        // Where an answer is missing, its age is shown.
        let wake = if ticket.is_some() { Instant::now() + SLOW } else { due };
        match client.event(Some(input.fd()), Some(wake))? {
            Event::Answer(response) => {
                let Some(asked) = &ticket else { continue };
                let Some(answer) = client.answer(asked, response)? else { continue };
                ticket = None;
                app.take(answer.map_err(|error| Failure::xen(&error))?, clock::local_time());
                due = Instant::now() + app.settings.delay;
                if app.settings.count() {
                    terminal.draw(|frame| draw::draw(&mut app, frame))?;
                    return Ok(());
                }
            }
            Event::Extra => {
                for key in input.read()? {
                    match app.press(key) {
                        After::Draw => {}
                        After::Ask => due = Instant::now(),
                        After::Quit => return Ok(()),
                    }
                }
                // A new delay counts from now.
                due = due.min(Instant::now() + app.settings.delay);
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
        Ok(Input { both, resized })
    }

    fn fd(&self) -> BorrowedFd<'_> {
        self.both.as_fd()
    }

    /// The keys that were pressed. A terminal that is gone is an error.
    fn read(&self) -> io::Result<Vec<keys::KeyEvent>> {
        let mut bytes = [0; 64];
        while matches!((&self.resized).read(&mut bytes), Ok(1..)) {}
        let mut pressed = Vec::new();
        // A new size is looked up whenever something is drawn.
        while keys::poll(Duration::ZERO)? {
            if let keys::Event::Key(key) = keys::read()?
                && key.kind != keys::KeyEventKind::Release
            {
                pressed.push(key);
            }
        }
        Ok(pressed)
    }
}
