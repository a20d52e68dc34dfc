//! USB controllers with devices of the machine: `usbver=1|2,numports=1..16,port_N=BUSID,...`.

use super::{DeviceError, pairs};
use crate::sxp::Sxp;

pub(super) fn form(text: &str) -> Result<Sxp, DeviceError> {
    let (mut version, mut ports, mut devices) = (2, 8, Vec::new());
    for (key, value) in pairs::read(text)? {
        let wrong = || DeviceError::Option { class: "vusb", key: key.clone() };
        let number = value.parse::<usize>().ok();
        match key.as_str() {
            "usbver" => version = number.filter(|n| (1..=2).contains(n)).ok_or_else(wrong)?,
            "numports" => ports = number.filter(|n| (1..=16).contains(n)).ok_or_else(wrong)?,
            _ => {
                let port = key.strip_prefix("port_").and_then(|n| n.parse::<usize>().ok()).filter(|&n| n > 0);
                devices.push((port.ok_or_else(wrong)?, key.clone(), value));
            }
        }
    }
    if let Some((_, key, _)) = devices.iter().find(|(port, ..)| *port > ports) {
        return Err(DeviceError::Option { class: "vusb", key: key.clone() });
    }
    let device = |port: usize| {
        let device = devices.iter().find(|(number, ..)| *number == port);
        device.map_or("", |(_, _, busid)| busid)
    };
    let list = (1..=ports).map(|port| Sxp::pair(&port.to_string(), device(port)));
    Ok(Sxp::List(vec![
        "vusb".into(),
        Sxp::pair("usb-ver", version as i64),
        Sxp::pair("num-ports", ports as i64),
        Sxp::List(std::iter::once("port".into()).chain(list).collect()),
    ]))
}
