//! I/O ports and interrupts of the machine.

use super::{DeviceError, form as device};
use crate::sxp::Sxp;
use crate::value::python_int;

/// `FROM[-TO]`, hexadecimal without `0x`.
pub(super) fn form(text: &str) -> Result<Sxp, DeviceError> {
    let wrong = || DeviceError::Ports(text.into());
    let port = |word: &str| {
        let is_hex = !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_hexdigit());
        u32::from_str_radix(word, 16).ok().filter(|_| is_hex)
    };
    let (from, to) = text.split_once('-').unwrap_or((text, text));
    let (from, to) = (port(from).ok_or_else(wrong)?, port(to).ok_or_else(wrong)?);
    Ok(device("ioports", [("from".into(), format!("{from:#x}")), ("to".into(), format!("{to:#x}"))]))
}

/// A number.
pub(super) fn irq(text: &str) -> Result<Sxp, DeviceError> {
    let number = python_int(text).ok_or_else(|| DeviceError::Irq(text.into()))?;
    Ok(device("irq", [("irq".into(), number.to_string())]))
}
