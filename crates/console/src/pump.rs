//! Between a guest's console page and its log.

use core::future::poll_fn;
use core::pin::pin;
use core::task::Poll;

use ring::layout::console as page;
use ring::{Consumer, EventChannel, Producer, RingError, Shared};

use crate::registry::{ConsoleId, Consoles, SharedConsoles};

/// How many bytes of output one turn takes: twice what the ring holds.
const TURN: usize = 4096;

/// A guest's console page, the backend's end. C: `struct xencons_interface`.
#[derive(Debug)]
pub struct Pump<S> {
    page: S,
    output: Consumer,
    input: Producer,
}

/// What one turn did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pumped {
    /// Bytes that the guest printed.
    pub output: usize,
    /// Bytes that were typed into the guest.
    pub input: usize,
    /// The guest is to be notified.
    pub notify: bool,
    /// The turn ended before the output did: give others theirs, and come back without waiting.
    pub more: bool,
    /// There is room for input.
    pub has_room: bool,
}

impl<S: Shared> Pump<S> {
    /// The pump on a guest's page.
    pub fn new(page: S) -> Self {
        Pump { page, output: Consumer::new(page::OUT), input: Producer::new(page::IN) }
    }

    /// Moves what is there, in both directions, but no more output than a turn's share.
    ///
    /// The guest is notified of input; of output taken only if its ring had been at least half full. A guest that
    /// waits for room waits because there was next to none; the others would be woken for nothing, at
    /// the price of a hypercall for every line they print.
    ///
    /// # Errors
    /// [`RingError`]: the guest's indices make no sense, now and for ever.
    pub fn pump(&mut self, id: ConsoleId, consoles: &mut Consoles) -> Result<Pumped, RingError> {
        let was_half_full = self.output.available(&self.page)? >= page::OUT.size() / 2;
        let mut done = Pumped { notify: was_half_full, ..Pumped::default() };
        let mut chunk = [0; 512];
        while done.output < TURN {
            match self.output.read(&self.page, &mut chunk)? {
                0 => break,
                got => {
                    consoles.print(id, &chunk[..got]);
                    done.output += got;
                }
            }
        }
        done.more = done.output >= TURN;
        if let Some(input) = consoles.input(id) {
            while !input.is_empty() {
                let sent = self.input.write(&self.page, input.as_slices().0)?;
                if sent == 0 {
                    break;
                }
                input.drain(..sent);
                done.input += sent;
            }
        }
        if done.input > 0 {
            consoles.input_taken(id);
            done.notify = true;
        }
        done.has_room = self.input.room(&self.page)? > 0;
        Ok(done)
    }
}

/// How the service of a console ended. The log stays readable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closed {
    /// The domain is gone: [`Consoles::close`].
    Gone,
    /// The domain's ring indices make no sense.
    Broken(RingError),
}

/// Serves a domain's console until the domain is gone or breaks its ring; returns which. Takes what is left in the ring before it returns.
pub async fn serve(
    page: impl Shared,
    events: impl EventChannel,
    id: ConsoleId,
    consoles: &SharedConsoles,
) -> Closed {
    let mut pump = Pump::new(page);
    loop {
        // The borrow ends before the next await.
        let done = match pump.pump(id, &mut consoles.borrow_mut()) {
            Ok(done) => done,
            Err(error) => return Closed::Broken(error),
        };
        if done.notify {
            events.notify();
        }
        let is_live =
            if done.more { give_way(id, consoles).await } else { wait(&events, id, done, consoles).await };
        if !is_live {
            // The guest does not run any more: one last turn empties the ring.
            return match pump.pump(id, &mut consoles.borrow_mut()) {
                Ok(_) => Closed::Gone,
                Err(error) => Closed::Broken(error),
            };
        }
    }
}

/// Waits for the guest, or for input that it has room for. False: the domain is gone.
async fn wait(events: &impl EventChannel, id: ConsoleId, done: Pumped, consoles: &SharedConsoles) -> bool {
    let mut event = pin!(events.wait());
    poll_fn(|cx| match consoles.borrow_mut().poll_server(id, done.has_room, cx) {
        Poll::Ready(is_live) => Poll::Ready(is_live),
        Poll::Pending => event.as_mut().poll(cx).map(|()| true),
    })
    .await
}

/// Lets other tasks run once. False: the domain is gone.
async fn give_way(id: ConsoleId, consoles: &SharedConsoles) -> bool {
    let mut gave = false;
    poll_fn(|cx| match consoles.borrow_mut().poll_server(id, false, cx) {
        Poll::Ready(is_live) => Poll::Ready(is_live),
        Poll::Pending if core::mem::replace(&mut gave, true) => Poll::Ready(true),
        Poll::Pending => {
            cx.waker().wake_by_ref();
            Poll::Pending
        }
    })
    .await
}

#[cfg(test)]
mod tests;
