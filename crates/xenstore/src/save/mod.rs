//! The whole store as bytes, and back: for a control domain that is restarted beneath its guests.
//!
//! Everything that a client could notice is kept: nodes, domains with their lives and accounts, connections with watches, open transactions
//! and events that wait, and work that is not done. What is not kept is the program's own: who hosts the store, and who
//! sleeps on it.
//!
//! The form is `XSTORE`, a version, the nodes of all snapshots (each once), the rest, and a CRC-32 of all that. Whoever wrote the bytes,
//! reading them takes time and memory in proportion to their number, and the result is a store that works.

use alloc::vec::Vec;
use core::fmt;

use crc::{CRC_32_ISCSI, Crc, Table};

mod bytes;
mod graph;
mod places;
mod shapes;

pub(crate) use bytes::{Loader, Saver};

use crate::store::Store;

const MAGIC: &[u8; 6] = b"XSTORE";
/// Changes with the form.
const VERSION: u8 = 2;
const CRC: Crc<u32, Table<16>> = Crc::<u32, Table<16>>::new(&CRC_32_ISCSI);
const CRC_LEN: usize = 4;

/// Why bytes are no saved store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RestoreError {
    /// They are something else.
    Foreign,
    /// Another version of this program wrote them.
    Version(u8),
    /// They were changed after they were written.
    Checksum,
    /// Something is missing at the end.
    Short,
    /// They say what cannot be.
    Malformed,
}

impl fmt::Display for RestoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RestoreError::Foreign => f.write_str("not a saved store"),
            RestoreError::Version(version) => {
                write!(f, "saved in version {version} of the form, not {VERSION}")
            }
            RestoreError::Checksum => f.write_str("damaged: the checksum does not match"),
            RestoreError::Short => f.write_str("cut off"),
            RestoreError::Malformed => f.write_str("contradicts itself"),
        }
    }
}

impl core::error::Error for RestoreError {}

/// A part of the saved form.
pub(crate) trait Saved: Sized {
    fn save<'a>(&'a self, to: &mut Saver<'a>);
    fn load(from: &mut Loader<'_>) -> Result<Self, RestoreError>;
}

/// Implements [`Saved`] for a structure: these fields in this order; `else` gives the ones that are not saved, `then` checks and
/// completes the whole.
macro_rules! saved {
    ($name:ident { $($field:tt),* $(,)? } $(else { $($other:ident: $value:expr),* $(,)? })? $(then $check:path)?) => {
        impl $crate::save::Saved for $name {
            fn save<'a>(&'a self, to: &mut $crate::save::Saver<'a>) {
                $($crate::save::Saved::save(&self.$field, to);)*
            }

            fn load(from: &mut $crate::save::Loader<'_>) -> Result<Self, $crate::save::RestoreError> {
                let loaded = $name { $($field: $crate::save::Saved::load(from)?,)* $($($other: $value,)*)? };
                $(let loaded = $check(loaded)?;)?
                Ok(loaded)
            }
        }
    };
}

pub(crate) use saved;

impl Store {
    /// The whole store as bytes.
    pub fn save(&self) -> Vec<u8> {
        let mut saver = Saver::default();
        Saved::save(self, &mut saver);
        let Saver { out: body, graph } = saver;
        let mut out = Vec::from(MAGIC);
        out.push(VERSION);
        graph.finish(&mut out);
        out.extend_from_slice(&body);
        let checksum = CRC.checksum(&out);
        out.extend_from_slice(&checksum.to_le_bytes());
        out
    }

    /// The store that these bytes tell of. It has no host yet ([`Self::set_host`]); its connections have the ids that they had
    /// ([`Self::connections`], [`crate::serve_again`]).
    ///
    /// # Errors
    /// See [`RestoreError`]: there is no store then.
    pub fn restore(saved: &[u8]) -> Result<Store, RestoreError> {
        let rest = saved.strip_prefix(MAGIC).ok_or(RestoreError::Foreign)?;
        let (&version, rest) = rest.split_first().ok_or(RestoreError::Short)?;
        if version != VERSION {
            return Err(RestoreError::Version(version));
        }
        let at = rest.len().checked_sub(CRC_LEN).ok_or(RestoreError::Short)?;
        let (mut rest, checksum) = rest.split_at(at);
        if CRC.checksum(&saved[..saved.len() - CRC_LEN]).to_le_bytes() != *checksum {
            return Err(RestoreError::Checksum);
        }
        let graph = graph::Loaded::read(&mut rest)?;
        let mut loader = Loader { rest, graph };
        let store = Store::load(&mut loader)?;
        if loader.rest.is_empty() { Ok(store) } else { Err(RestoreError::Malformed) }
    }
}
