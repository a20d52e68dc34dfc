//! The thread that a control domain runs on, and its line: a unix socket whose other end is hostctl's broker.

use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::world::{Setup, World};

type Work = Box<dyn FnOnce(&World) + Send>;

/// How long the line must be silent before time may jump.
const SILENCE: Duration = Duration::from_millis(30);

/// A running control domain. Dropped, it is gone.
pub struct SimControl {
    line: PathBuf,
    work: Option<Sender<Work>>,
    /// A byte in it says that there is work.
    bell: UnixStream,
    thread: Option<JoinHandle<()>>,
}

impl SimControl {
    /// Starts one whose line is a new socket at `line`.
    ///
    /// # Panics
    /// There can be no socket.
    #[must_use]
    pub fn start(line: &Path, setup: Setup) -> SimControl {
        let listener = UnixListener::bind(line).expect("a socket can be made");
        let (work, orders) = channel();
        let (bell, rung) = UnixStream::pair().expect("a pair of sockets can be made");
        let thread = std::thread::spawn(move || Server::new(setup, listener, orders, rung).run());
        SimControl { line: line.to_owned(), work: Some(work), bell, thread: Some(thread) }
    }

    /// Where its line is.
    #[must_use]
    pub fn line(&self) -> &Path {
        &self.line
    }

    /// Works on the machine between two of its steps, and returns what came of it.
    ///
    /// # Panics
    /// The work does, or the machine did before.
    pub fn on<R: Send + 'static>(&self, work: impl FnOnce(&World) -> R + Send + 'static) -> R {
        let (answer, result) = channel();
        let work: Work = Box::new(move |world| {
            // Whoever asked may have given up.
            let _ = answer.send(work(world));
        });
        let sender = self.work.as_ref().expect("it is there until this is dropped");
        sender.send(work).expect("the machine runs");
        (&self.bell).write_all(&[1]).expect("the machine runs");
        result.recv().expect("the machine runs")
    }
}

impl Drop for SimControl {
    fn drop(&mut self) {
        self.work.take();
        // It may be over already.
        let _ = (&self.bell).write_all(&[1]);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
            && !std::thread::panicking()
        {
            panic!("the control domain panicked");
        }
    }
}

struct Server {
    world: World,
    listener: UnixListener,
    line: Option<UnixStream>,
    orders: Receiver<Work>,
    rung: UnixStream,
}

impl Server {
    fn new(setup: Setup, listener: UnixListener, orders: Receiver<Work>, rung: UnixStream) -> Server {
        for socket in [listener.set_nonblocking(true), rung.set_nonblocking(true)] {
            socket.expect("sockets can be non-blocking");
        }
        Server { world: World::new(setup), listener, line: None, orders, rung }
    }

    fn run(mut self) {
        loop {
            loop {
                match self.orders.try_recv() {
                    Ok(work) => work(&self.world),
                    Err(std::sync::mpsc::TryRecvError::Empty) => break,
                    Err(std::sync::mpsc::TryRecvError::Disconnected) => return,
                }
            }
            self.step();
            // Told to end, its line falls silent.
            if self.world.has_ended() {
                self.line = None;
            }
            self.wait();
        }
    }

    /// Does all that can be done now, and hands the line what came of it.
    fn step(&mut self) {
        let (world, control) = (&self.world, self.world.control);
        control.line.with_link(|link| link.tick(world.line_now()));
        loop {
            while let Some(event) = control.line.next_event() {
                control.on_event(event);
            }
            world.settle();
            control.hand_answers();
            let mut bytes = [0; 4096];
            let count = control.line.with_link(|link| link.transmit(&mut bytes, world.line_now()));
            if count == 0 {
                return;
            }
            // Without a listener the bytes are lost, as on a cable.
            if self.line.as_mut().is_some_and(|line| line.write_all(&bytes[..count]).is_err()) {
                self.line = None;
            }
        }
    }

    /// Waits for bytes, for work, or for the link's next deadline.
    fn wait(&mut self) {
        let world = &self.world;
        let now = world.line_now();
        let deadline = world.control.line.with_link(|link| link.deadline());
        let until = deadline.map(|deadline| Duration::from_micros(deadline.0.saturating_sub(now.0)));
        let jumps = world.time_jumps.get();
        let until = if jumps { Some(until.unwrap_or(SILENCE).min(SILENCE)) } else { until };
        let limit = until
            .map(|span| Timespec { tv_sec: span.as_secs() as i64, tv_nsec: i64::from(span.subsec_nanos()) });
        let mut fds =
            vec![PollFd::new(&self.listener, PollFlags::IN), PollFd::new(&self.rung, PollFlags::IN)];
        fds.extend(self.line.as_ref().map(|line| PollFd::new(line, PollFlags::IN)));
        let ready = poll(&mut fds, limit.as_ref()).unwrap_or(0);
        if ready == 0 && jumps && until.is_some_and(|span| span >= SILENCE) {
            world.jump();
        }
        let mut bytes = [0; 65536];
        // Its bytes say only that there is work.
        let _ = self.rung.read(&mut bytes);
        if let Ok((line, _)) = self.listener.accept() {
            line.set_nonblocking(false).expect("sockets can block");
            line.set_read_timeout(Some(Duration::from_millis(1))).expect("reads can have a limit");
            self.line = Some(line);
        }
        let Some(line) = &mut self.line else { return };
        if !can_read(line) {
            return;
        }
        match line.read(&mut bytes) {
            Ok(0) => self.line = None,
            Ok(count) => {
                self.world.control.line.with_link(|link| link.receive(&bytes[..count], world.line_now()));
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(_) => self.line = None,
        }
    }
}

fn can_read(line: &UnixStream) -> bool {
    let mut fds = [PollFd::new(line, PollFlags::IN)];
    poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).is_ok_and(|count| count > 0)
}
