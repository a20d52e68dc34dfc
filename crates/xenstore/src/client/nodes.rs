//! Requests on nodes, the same ones outside and inside a transaction.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::session::{Undo, split_string};
use super::{Client, ClientError, Fault};
use crate::wire::{MessageType as Type, strings};
use crate::{Access, Error, Perm};

/// How often a list that others change meanwhile is begun anew.
const LIST_TRIES: u32 = 16;
/// The bytes of a list, at most: more is a server that goes on for ever.
const LIST_MAX: usize = 4 << 20;

/// Requests on nodes. On a [`Client`] each stands for itself; on a [`super::Transaction`] they are part of it.
///
/// Every method fails with [`ClientError::Ended`] when the connection is over, and with [`ClientError::Unsendable`] if a string has a nul
/// or all is too long. Paths that do not begin with `/` are in the caller's home, where it is a domain.
#[allow(async_fn_in_trait)] // The executor is single-threaded: nobody needs the futures to be Send.
pub trait Nodes {
    /// The connection, and the transaction's id (0: none).
    fn scope(&self) -> (&Client, u32);

    /// A node's value.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Access`].
    async fn read(&self, path: &str) -> Result<Vec<u8>, ClientError> {
        ask(self.scope(), Type::READ, &[path]).await
    }

    /// Gives a node a value; it and its directories are made where missing.
    ///
    /// # Errors
    /// [`Error::Access`], [`Error::NoSpace`].
    async fn write(&self, path: &str, value: impl AsRef<[u8]>) -> Result<(), ClientError> {
        let (client, tx_id) = self.scope();
        let parts = [text(path)?, &[0], value.as_ref()];
        client.call(Type::WRITE, tx_id, &parts, Undo::Nothing).await.map(drop)
    }

    /// Makes a node and its directories where missing.
    ///
    /// # Errors
    /// [`Error::Access`], [`Error::NoSpace`].
    async fn mkdir(&self, path: &str) -> Result<(), ClientError> {
        ask(self.scope(), Type::MKDIR, &[path]).await.map(drop)
    }

    /// Removes a node and all below. Removing what is not there is fine, if its directory is.
    ///
    /// # Errors
    /// [`Error::NotFound`]: no such directory. [`Error::Access`].
    async fn rm(&self, path: &str) -> Result<(), ClientError> {
        ask(self.scope(), Type::RM, &[path]).await.map(drop)
    }

    /// Whether the node is there, for all that the server tells us.
    ///
    /// # Errors
    /// As for [`Self::read`], but for [`Error::NotFound`].
    async fn exists(&self, path: &str) -> Result<bool, ClientError> {
        match self.read(path).await {
            Ok(_) => Ok(true),
            Err(ClientError::Refused(Error::NotFound)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The names in a directory, in the server's order, however many they are.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Access`]. [`ClientError::Unstable`]: a list too long for one message changed each time.
    async fn directory(&self, path: &str) -> Result<Vec<String>, ClientError> {
        let (client, tx_id) = self.scope();
        match ask((client, tx_id), Type::DIRECTORY, &[path]).await {
            Ok(list) => names(&list).ok_or_else(|| client.malformed(Type::DIRECTORY)),
            Err(ClientError::Refused(Error::TooBig)) => directory_in_parts(client, tx_id, path).await,
            Err(error) => Err(error),
        }
    }

    /// A node's permissions; the first entry names its owner, and what everybody may who is not named.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Access`].
    async fn perms(&self, path: &str) -> Result<Vec<Perm>, ClientError> {
        let (client, tx_id) = self.scope();
        let answer = ask((client, tx_id), Type::GET_PERMS, &[path]).await?;
        let perms: Option<Vec<Perm>> =
            whole_strings(&answer).and_then(|words| words.map(|word| Perm::parse(word).ok()).collect());
        perms.filter(|perms| !perms.is_empty()).ok_or_else(|| client.malformed(Type::GET_PERMS))
    }

    /// Sets a node's permissions.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Access`]; [`Error::NotPermitted`]: another owner, and the caller is not privileged.
    async fn set_perms(&self, path: &str, perms: &[Perm]) -> Result<(), ClientError> {
        let words: Vec<String> = perms.iter().map(word).collect();
        let mut args = alloc::vec![path];
        args.extend(words.iter().map(String::as_str));
        ask(self.scope(), Type::SET_PERMS, &args).await.map(drop)
    }
}

impl Nodes for Client {
    fn scope(&self) -> (&Client, u32) {
        (self, 0)
    }
}

async fn ask(scope: (&Client, u32), ty: Type, args: &[&str]) -> Result<Vec<u8>, ClientError> {
    let (client, tx_id) = scope;
    client.call(ty, tx_id, &ended(args)?, Undo::Nothing).await
}

/// The list of a directory, piece by piece: all pieces of one generation.
async fn directory_in_parts(client: &Client, tx_id: u32, path: &str) -> Result<Vec<String>, ClientError> {
    for _ in 0..LIST_TRIES {
        let (mut list, mut generation): (Vec<u8>, Option<Vec<u8>>) = (Vec::new(), None);
        loop {
            let offset = format!("{}", list.len());
            let answer = ask((client, tx_id), Type::DIRECTORY_PART, &[path, &offset]).await?;
            let malformed = || client.malformed(Type::DIRECTORY_PART);
            let (now, part) = split_string(&answer).ok_or_else(malformed)?;
            if generation.get_or_insert_with(|| now.to_vec()) != now {
                break;
            }
            // After the last name comes one more nul.
            let is_end = part == [0] || part.ends_with(&[0, 0]);
            list.extend_from_slice(if is_end { &part[..part.len() - 1] } else { part });
            if is_end {
                return names(&list).ok_or_else(malformed);
            }
            if part.is_empty() || list.len() > LIST_MAX {
                client.fail(Fault::Endless);
                return Err(ClientError::Ended(Fault::Endless));
            }
        }
    }
    Err(ClientError::Unstable)
}

/// The entry as the protocol writes it: `r5`.
fn word(perm: &Perm) -> String {
    let letter = match perm.access {
        Access::None => 'n',
        Access::Read => 'r',
        Access::Write => 'w',
        Access::Both => 'b',
    };
    format!("{letter}{}", perm.domid.0)
}

/// The strings of a payload that ends with one, or is empty.
fn whole_strings(payload: &[u8]) -> Option<impl Iterator<Item = &[u8]>> {
    payload.last().is_none_or(|last| *last == 0).then(|| strings(payload))
}

/// Names: not empty, nothing but text.
fn names(list: &[u8]) -> Option<Vec<String>> {
    let name =
        |name: &[u8]| core::str::from_utf8(name).ok().filter(|name| !name.is_empty()).map(String::from);
    whole_strings(list)?.map(name).collect()
}

/// The string's bytes, which must not have a nul: it would be two strings.
pub(super) fn text(string: &str) -> Result<&[u8], ClientError> {
    if string.contains('\0') { Err(ClientError::Unsendable) } else { Ok(string.as_bytes()) }
}

/// The strings with a nul behind each.
pub(super) fn ended<'a>(args: &[&'a str]) -> Result<Vec<&'a [u8]>, ClientError> {
    let mut parts = Vec::with_capacity(args.len() * 2);
    for arg in args {
        parts.push(text(arg)?);
        parts.push(&[0]);
    }
    Ok(parts)
}
