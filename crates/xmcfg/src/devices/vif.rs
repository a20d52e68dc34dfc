//! Network interfaces.

use super::{DeviceError, form as device, pairs};
use crate::sxp::Sxp;

const KEYS: &[&str] = &[
    "mac", "bridge", "ip", "script", "type", "vifname", "rate", "model", "accel", "backend", "policy",
    "label",
];
const KEYS2: &[&str] = &[
    "front_mac",
    "back_mac",
    "backend",
    "trusted",
    "back_trusted",
    "front_filter_mac",
    "filter_mac",
    "bridge",
    "pdev",
    "max_bypasses",
];

pub(super) fn form(text: &str) -> Result<Sxp, DeviceError> {
    of(text, "vif", KEYS)
}

pub(super) fn form2(text: &str) -> Result<Sxp, DeviceError> {
    of(text, "vif2", KEYS2)
}

fn of(text: &str, class: &'static str, keys: &[&str]) -> Result<Sxp, DeviceError> {
    let pairs = pairs::read(text)?;
    match pairs.iter().find(|(key, _)| !keys.contains(&key.as_str())) {
        Some((key, _)) => Err(DeviceError::Option { class, key: key.clone() }),
        None => Ok(device(class, pairs)),
    }
}
