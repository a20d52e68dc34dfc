//! Displays of paravirtualised guests, each with its keyboard.

use xmpy::Host;

use super::{DeviceError, form, pairs};
use crate::pyhash::dictionary;
use crate::sxp::Sxp;
use crate::variables::Variables;

const KEYS: &[&str] = &[
    "vnc",
    "sdl",
    "vncdisplay",
    "vnclisten",
    "vncunused",
    "vncpasswd",
    "display",
    "xauthority",
    "opengl",
    "keymap",
    "serial",
    "monitor",
    "videoram",
    "type",
];

/// A keyboard and a display.
pub(super) fn forms(text: &str, vars: &Variables, host: &dyn Host) -> Result<[Sxp; 2], DeviceError> {
    let mut pairs = pairs::read(text)?;
    if let Some((key, _)) = pairs.iter().find(|(key, _)| !KEYS.contains(&key.as_str())) {
        return Err(DeviceError::Vfb(key.clone()));
    }
    // The way of older releases.
    if let Some((key, kind)) = pairs.iter_mut().find(|(key, _)| key == "type") {
        *key = std::mem::replace(kind, "1".into());
    }
    for key in ["keymap", "display", "xauthority"] {
        if !pairs.iter().any(|(known, _)| known == key) {
            pairs.extend(filled(key, vars, host).map(|value| (key.to_owned(), value)));
        }
    }
    Ok([form("vkbd", []), form("vfb", dictionary(pairs))])
}

/// A variable that names X's display or its authority, or what the environment says of that.
pub(crate) fn filled(key: &str, vars: &Variables, host: &dyn Host) -> Option<String> {
    let set = vars.non_empty(key).map(|value| value.text());
    let env =
        |name: &str| host.environ().into_iter().find(|(known, _)| known == name).map(|(_, value)| value);
    let home = || env("HOME").map(|home| format!("{home}/.Xauthority"));
    set.or_else(|| match key {
        "display" => env("DISPLAY"),
        "xauthority" => env("XAUTHORITY").or_else(home),
        _ => None,
    })
}
