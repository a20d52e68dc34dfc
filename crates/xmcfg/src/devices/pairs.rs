//! `key=value,key=value`, as devices are written.

use crate::devices::DeviceError;
use crate::pyhash::dictionary;

/// Reads pairs; in the order in which xm printed them.
///
/// # Errors
/// A piece has no `=`.
pub(super) fn read(text: &str) -> Result<Vec<(String, String)>, DeviceError> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let pair = |piece: &str| match piece.split_once('=') {
        Some((key, value)) => Ok((key.trim().to_owned(), value.trim().to_owned())),
        None => Err(DeviceError::NoPair(piece.into())),
    };
    Ok(dictionary(text.split(',').map(pair).collect::<Result<Vec<_>, _>>()?))
}
