//! The checksum of everything: CRC-32C, begun with the journal's id.
//!
//! Castagnoli's polynomial finds every error of up to three bits, and every burst of up to 32, in far longer records than ours.

use crc::{CRC_32_ISCSI, Crc, Table};

use crate::header::Id;

static CRC: Crc<u32, Table<16>> = Crc::<u32, Table<16>>::new(&CRC_32_ISCSI);

/// The checksum of these bytes, as a record of the journal `id`.
pub(crate) fn of(id: Id, bytes: &[u8]) -> u32 {
    let mut digest = CRC.digest();
    digest.update(&id.0);
    digest.update(bytes);
    digest.finalize()
}

/// The checksum of bytes that say themselves whose they are.
pub(crate) fn plain(bytes: &[u8]) -> u32 {
    CRC.checksum(bytes)
}
