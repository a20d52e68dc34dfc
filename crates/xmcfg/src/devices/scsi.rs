//! SCSI devices of the machine: `PDEV,VDEV[,DOM]`.

use super::{DeviceError, form as device};
use crate::sxp::Sxp;

/// With names as they were written: only the domain that has the device can tell its number.
pub(super) fn form(text: &str) -> Result<Sxp, DeviceError> {
    let fields: Vec<&str> = text.split(',').map(str::trim).collect();
    let (&[physical, seen] | &[physical, seen, _]) = fields.as_slice() else {
        return Err(DeviceError::Scsi(text.into()));
    };
    let is_number = |field: &str| {
        let parts: Vec<&str> = field.split(':').collect();
        parts.len() == 4
            && parts.iter().all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()))
    };
    if physical.is_empty() || !(seen == "host" || is_number(seen)) {
        return Err(DeviceError::Scsi(text.into()));
    }
    let is_host = u8::from(seen == "host").to_string();
    let mut pairs =
        vec![("feature-host", is_host), ("p-dev", physical.to_owned()), ("v-dev", seen.to_owned())];
    pairs.extend(fields.get(2).map(|backend| ("backend", (*backend).to_owned())));
    Ok(device("vscsi", pairs.into_iter().map(|(key, value)| (key.into(), value))))
}
