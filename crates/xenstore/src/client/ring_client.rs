//! The transport over a xenstore page and its event channel, the guest's end.

use ring::layout::xenstore as page;
use ring::{Consumer, EventChannel, Producer, Shared};

use super::Fault;
use super::drive::Transport;

/// A xenstore ring, the client's end. What the page says is an allegation like everything a server sends.
#[derive(Debug)]
pub struct RingClient<S, E> {
    page: S,
    events: E,
    requests: Producer,
    replies: Consumer,
    /// An index of ours was moved since the last notification.
    owes: bool,
}

impl<S: Shared, E: EventChannel> RingClient<S, E> {
    /// The transport over `page`, a `struct xenstore_domain_interface`, and its event channel. [`Self::connect`] comes first.
    pub fn new(page: S, events: E) -> Self {
        RingClient {
            page,
            events,
            requests: Producer::new(page::REQ),
            replies: Consumer::new(page::RSP),
            owes: false,
        }
    }

    /// The features that the server offers now.
    pub fn features(&self) -> u32 {
        self.page.load_u32(page::SERVER_FEATURES)
    }

    /// Waits for a connection on which nothing was said yet: whoever used the page before (a boot loader, ourselves) is forgotten.
    ///
    /// Where the server offers reconnection, it is asked for one, and drops watches and transactions too. Else what waits in the ring is
    /// thrown away. If the ring is being reset already, the end of that is waited for.
    ///
    /// # Errors
    /// [`Fault::Indices`]: the ring is beyond repair, and the server does not offer reconnection.
    pub async fn connect(&mut self) -> Result<(), Fault> {
        if self.is_connected() && self.features() & page::FEATURE_RECONNECTION != 0 {
            self.page.store_u32(page::CONNECTION, page::RECONNECT);
            self.events.notify();
        }
        // Nothing but this field means anything meanwhile.
        while !self.is_connected() {
            self.events.wait().await;
        }
        (self.requests, self.replies) = (Producer::new(page::REQ), Consumer::new(page::RSP));
        self.owes = false;
        let mut old = [0; 64];
        // As many as a ring holds: a server that goes on writing says something new.
        for _ in 0..page::RSP.size() / old.len() {
            self.owes |= self.replies.read(&self.page, &mut old)? > 0;
        }
        Ok(())
    }

    fn is_connected(&self) -> bool {
        self.page.load_u32(page::CONNECTION) == page::CONNECTED
    }

    fn check(&self) -> Result<(), Fault> {
        if !self.is_connected() {
            return Err(Fault::Reset);
        }
        let has_error = self.features() & page::FEATURE_ERROR != 0;
        match self.page.load_u32(page::ERROR) {
            code if has_error && code != page::ERROR_NONE => Err(Fault::CutOff(code)),
            _ => Ok(()),
        }
    }
}

impl<S: Shared, E: EventChannel> Transport for RingClient<S, E> {
    async fn exchange(&mut self, outgoing: &[u8], incoming: &mut [u8]) -> Result<(usize, usize), Fault> {
        loop {
            self.check()?;
            let sent = self.requests.write(&self.page, outgoing)?;
            let got = self.replies.read(&self.page, incoming)?;
            self.owes |= sent + got > 0;
            if sent + got > 0 {
                return Ok((sent, got));
            }
            if core::mem::take(&mut self.owes) {
                self.events.notify();
            }
            self.events.wait().await;
        }
    }
}
