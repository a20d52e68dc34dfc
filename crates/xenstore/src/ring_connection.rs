//! A connection over a guest's xenstore page and its event channel.

use ring::layout::xenstore as page;
use ring::{Consumer, EventChannel, Producer, Shared};

use crate::serve::{Broken, Connection};
use crate::wire::{Decoder, Request};

/// A guest's xenstore ring, the server's end.
///
/// One notification pays for a request taken and its reply written: the peer is notified when nothing more can be done
/// without it, or before its next request is worked on.
#[derive(Debug)]
pub struct RingConnection<S, E> {
    page: S,
    events: E,
    requests: Consumer,
    replies: Producer,
    decoder: Decoder,
    /// An index of ours was moved since the last notification.
    owes: bool,
    /// That includes the replies' one.
    owes_reply: bool,
}

impl<S: Shared, E: EventChannel> RingConnection<S, E> {
    /// The connection over `page`, a `struct xenstore_domain_interface`, and its event channel.
    pub fn new(page: S, events: E) -> Self {
        RingConnection {
            page,
            events,
            requests: Consumer::new(page::REQ),
            replies: Producer::new(page::RSP),
            decoder: Decoder::new(),
            owes: false,
            owes_reply: false,
        }
    }

    fn notify(&mut self) {
        if self.owes {
            self.events.notify();
        }
        (self.owes, self.owes_reply) = (false, false);
    }

    fn take_request(&mut self) -> Result<Option<Request>, Broken> {
        self.check_reconnect()?;
        let RingConnection { page, requests, decoder, owes, .. } = self;
        decoder.decode(|into| {
            let got = requests.read(page, into)?;
            *owes |= got > 0;
            Ok(got)
        })
    }

    fn check_reconnect(&self) -> Result<(), Broken> {
        match self.page.load_u32(page::CONNECTION) {
            page::RECONNECT => Err(Broken::Reconnect),
            // Anything else that a guest may write there means nothing.
            _ => Ok(()),
        }
    }
}

impl<S: Shared, E: EventChannel> Connection for RingConnection<S, E> {
    fn offer(&mut self, features: u32) {
        self.page.store_u32(page::SERVER_FEATURES, features);
    }

    async fn recv(&mut self) -> Result<Request, Broken> {
        loop {
            if let Some(request) = self.take_request()? {
                if self.owes_reply {
                    self.notify();
                }
                return Ok(request);
            }
            self.notify();
            self.events.wait().await;
        }
    }

    async fn send(&mut self, mut message: &[u8]) -> Result<(), Broken> {
        while !message.is_empty() {
            let sent = self.replies.write(&self.page, message)?;
            message = &message[sent..];
            if sent > 0 {
                (self.owes, self.owes_reply) = (true, true);
            } else {
                self.notify();
                self.events.wait().await;
                self.check_reconnect()?;
            }
        }
        Ok(())
    }

    fn restart(&mut self) {
        page::REQ.clear(&self.page);
        page::RSP.clear(&self.page);
        (self.requests, self.replies) = (Consumer::new(page::REQ), Producer::new(page::RSP));
        self.decoder = Decoder::new();
        self.page.store_u32(page::ERROR, page::ERROR_NONE);
        self.page.store_u32(page::CONNECTION, page::CONNECTED);
        self.owes = true;
        self.notify();
    }

    fn fail(&mut self, why: Broken) {
        let error = match why {
            Broken::Indices(_) => page::ERROR_RINGIDX,
            Broken::TooLong(_) => page::ERROR_PROTO,
            Broken::Reconnect => page::ERROR_NONE,
        };
        self.page.store_u32(page::ERROR, error);
        self.owes = true;
        self.notify();
    }
}
