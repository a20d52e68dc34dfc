//! What the servers have in common.

use std::collections::BTreeMap;
use std::io;

use crate::history::{Who, ty};

/// What a guest may use in histories: little, so that limits are reached.
pub const LIMITS: store_peers::Limits = store_peers::Limits {
    nodes: 30,
    node_size: 600,
    watches: 8,
    transactions: 3,
    path_max: 1000,
    is_unhurried: true,
};

/// A reply: its payload, or the error's name.
pub type Reply = Result<Vec<u8>, String>;

/// The watch events that each connection got, as path and token.
pub type Events = BTreeMap<Who, Vec<(String, String)>>;

/// A store, however it is reached.
pub trait Server {
    /// Its name.
    fn name(&self) -> String;

    /// A request's reply. Events that come before it are kept for [`Self::events`].
    ///
    /// # Errors
    /// The server is gone, says nothing, or answers something else than was asked.
    fn ask(&mut self, who: Who, tx_id: u32, ty: u32, payload: &[u8]) -> io::Result<Reply>;

    /// Makes the domain and introduces it, between two of the toolstack's requests.
    ///
    /// # Errors
    /// As [`Self::ask`].
    fn boot(&mut self, domid: u16) -> io::Result<()>;

    /// Makes the domain known to Xen, so that permissions can name it.
    ///
    /// # Errors
    /// As [`Self::ask`].
    fn create(&mut self, domid: u16) -> io::Result<()>;

    /// The domain shuts down.
    ///
    /// # Errors
    /// As [`Self::ask`].
    fn shut_down(&mut self, domid: u16) -> io::Result<()>;

    /// The domain is gone.
    ///
    /// # Errors
    /// As [`Self::ask`].
    fn die(&mut self, domid: u16) -> io::Result<()>;

    /// Forgets the connection of a domain that was released.
    fn drop_connection(&mut self, domid: u16);

    /// All events since the last call.
    ///
    /// # Errors
    /// As [`Self::ask`].
    fn events(&mut self) -> io::Result<Events>;
}

/// Takes a reply apart.
///
/// # Errors
/// It is no reply to a request of this type.
pub(crate) fn reply(asked: u32, got: u32, payload: Vec<u8>) -> io::Result<Reply> {
    match got {
        ty::ERROR => Ok(Err(String::from_utf8_lossy(&payload).trim_end_matches('\0').to_owned())),
        got if got == asked => Ok(Ok(payload)),
        got => Err(io::Error::other(format!("a request of type {asked} got a reply of type {got}"))),
    }
}

/// Takes an event apart: path and token.
///
/// # Errors
/// It has not two strings.
pub(crate) fn event(payload: &[u8]) -> io::Result<(String, String)> {
    let text = String::from_utf8_lossy(payload);
    let mut strings = text.split_terminator('\0');
    match (strings.next(), strings.next(), strings.next()) {
        (Some(path), Some(token), None) => Ok((path.to_owned(), token.to_owned())),
        _ => Err(io::Error::other(format!("no watch event: {text:?}"))),
    }
}
