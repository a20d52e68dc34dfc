//! Trusted platform modules: `instance=N,backend=DOM[,uuid=U]`.

use super::{DeviceError, form as device};
use crate::sxp::Sxp;
use crate::value::python_int;

pub(super) fn form(text: &str) -> Result<Sxp, DeviceError> {
    let (mut instance, mut backend, mut uuid) = (None, None, None);
    for piece in text.split(',') {
        let place = match piece.split_once('=').map(|(key, value)| (key.trim(), value.trim())) {
            Some(("instance", value)) => (&mut instance, value),
            Some(("backend", value)) => (&mut backend, value),
            Some(("uuid", value)) => (&mut uuid, value),
            _ => return Err(DeviceError::Vtpm(text.into())),
        };
        *place.0 = Some(place.1.to_owned());
    }
    let instance = match instance.as_deref().map(|word| (word, python_int(word))) {
        None => None,
        Some(("VTPMD", _)) => Some("0".to_owned()),
        Some((_, Some(0))) => return Err(DeviceError::VtpmZero),
        Some((_, Some(number))) => Some(number.to_string()),
        Some((_, None)) => return Err(DeviceError::VtpmNumber),
    };
    let pairs = [("pref_instance", instance), ("backend", backend), ("uuid", uuid)];
    Ok(device("vtpm", pairs.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?)))))
}
