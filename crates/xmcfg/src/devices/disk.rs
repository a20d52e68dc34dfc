//! Disks: `uname,dev,mode[,backend[,protocol]]`, and xl's `target, format, vdev, access` and `key=value`.

use super::DeviceError;
use crate::sxp::Sxp;

/// A disk, in xm's terms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disk {
    /// `phy:`, `file:` and the like, and where; empty for an empty drive.
    pub uname: String,
    /// Its name in the guest, with `ioemu:` before or `:cdrom` behind.
    pub dev: String,
    /// `r`, `w` or `w!`.
    pub mode: String,
    /// The domain that serves it, if that is not the usual one.
    pub backend: Option<String>,
    /// How the guest lays out its requests.
    pub protocol: Option<String>,
}

impl Disk {
    /// Reads a disk.
    ///
    /// # Errors
    /// [`DeviceError::Disk`].
    pub fn read(text: &str) -> Result<Disk, DeviceError> {
        if let Some(disk) = xl(text) {
            return Ok(disk);
        }
        let fields: Vec<&str> = text.split(',').collect();
        if !(3..=5).contains(&fields.len()) {
            return Err(DeviceError::Disk(text.into()));
        }
        let field = |number: usize| fields.get(number).map(|field| (*field).to_owned());
        Ok(Disk {
            uname: fields[0].into(),
            dev: fields[1].into(),
            mode: fields[2].into(),
            backend: field(3),
            protocol: field(4),
        })
    }

    /// What serves it: `tap2`, `tap` or `vbd`.
    pub fn class(&self) -> &'static str {
        if self.uname.starts_with("tap2:") {
            "tap2"
        } else if self.uname.starts_with("tap:") {
            "tap"
        } else {
            "vbd"
        }
    }

    /// Its form.
    pub fn form(self) -> Sxp {
        let class = self.class();
        let mut pairs = vec![("uname", self.uname), ("dev", self.dev), ("mode", self.mode)];
        pairs.extend(self.backend.map(|backend| ("backend", backend)));
        pairs.extend(self.protocol.map(|protocol| ("protocol", protocol)));
        super::form(class, pairs.into_iter().map(|(key, value)| (key.into(), value)))
    }
}

const FORMATS: &[&str] = &["raw", "qcow", "qcow2", "vhd", "qed", "empty"];

/// xl's way, told by a format in the second place or by keys; `None` if it is not that.
fn xl(text: &str) -> Option<Disk> {
    const KEYS: &[&str] =
        &["target", "format", "vdev", "access", "backend", "backendtype", "devtype", "script"];
    let fields: Vec<&str> = text.split(',').map(str::trim).collect();
    let key = |field: &str| field.split_once('=').is_some_and(|(key, _)| KEYS.contains(&key.trim()));
    let is_positional =
        fields[0].starts_with('/') && fields.get(1).is_some_and(|format| FORMATS.contains(format));
    if !is_positional && !fields.iter().any(|field| key(field)) {
        return None;
    }
    let (mut target, mut format, mut vdev, mut access) =
        (String::new(), "raw".to_owned(), String::new(), "rw".to_owned());
    let (mut backend, mut kind, mut is_cdrom) = (None, String::new(), false);
    let mut place = 0;
    // The target comes last where it has its key, for it may have commas.
    let (head, tail) = match text.find("target=") {
        Some(at) => (&text[..at], Some(&text[at + "target=".len()..])),
        None => (text, None),
    };
    for field in head.split(',').map(str::trim) {
        let (key, value) = match field.split_once('=') {
            Some((key, value)) => (key.trim(), value.trim()),
            None if matches!(field, "cdrom" | "devtype=cdrom") => ("devtype", "cdrom"),
            None => {
                place += 1;
                (*["target", "format", "vdev", "access"].get(place - 1)?, field)
            }
        };
        match key {
            _ if value.is_empty() => {}
            "target" => target = value.into(),
            "format" => format = value.into(),
            "vdev" => vdev = value.into(),
            "access" => access = value.into(),
            "backend" => backend = Some(value.to_owned()),
            "backendtype" => kind = value.into(),
            "devtype" => is_cdrom = value == "cdrom",
            "script" => kind = value.trim_start_matches("block-").into(),
            _ => return None,
        }
    }
    if let Some(tail) = tail {
        target = tail.trim().into();
    }
    let prefix = match (kind.as_str(), format.as_str()) {
        ("" | "phy" | "qdisk", "raw" | "empty") if target.starts_with("/dev/") => "phy".into(),
        ("phy", _) => "phy".into(),
        ("" | "qdisk", "raw" | "empty") => "file".into(),
        ("" | "tap" | "qdisk", "vhd") => "tap2:vhd".into(),
        ("tap", "raw") => "tap:aio".into(),
        ("" | "tap" | "qdisk", format) => format!("tap:{format}"),
        (script, _) => script.to_owned(),
    };
    let mode = if is_cdrom || matches!(access.as_str(), "r" | "ro") { "r" } else { "w" };
    let suffix = if is_cdrom { ":cdrom" } else { "" };
    let uname = if target.is_empty() { target } else { format!("{prefix}:{target}") };
    Some(Disk { uname, dev: format!("{vdev}{suffix}"), mode: mode.into(), backend, protocol: None })
}
