//! Numbers of disks: what a name such as `xvda1` is to the guest.

use thiserror::Error;

/// A disk's number, under the key that carries it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceNumber {
    /// `virtual-device`: a major and a minor number of Linux.
    Plain(u32),
    /// `virtual-device-ext`: a Xen disk beyond the sixteenth.
    Extended(u32),
}

/// A name that no disk has.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("Unable to find number for device ({0})")]
pub struct BadNumber(pub String);

const SD_MAJORS: [u32; 16] = [8, 65, 66, 67, 68, 69, 70, 71, 128, 129, 130, 131, 132, 133, 134, 135];
const HD_MAJORS: [u32; 10] = [3, 22, 33, 34, 56, 57, 88, 89, 90, 91];
const XVD_MAJOR: u32 = 202;
/// Letters up to `iz`.
const MOST_DISKS: u32 = 260;

impl DeviceNumber {
    /// The number of a name, which may begin with `/dev/` or `ioemu:` and end in `:disk` or `:cdrom`.
    ///
    /// # Errors
    /// [`BadNumber`].
    pub fn of(name: &str) -> Result<DeviceNumber, BadNumber> {
        let bare = name.strip_prefix("ioemu:").unwrap_or(name);
        let bare = bare.split(':').next().unwrap_or_default();
        let bare = bare.strip_prefix("/dev/").unwrap_or(bare);
        number(bare).ok_or_else(|| BadNumber(name.into()))
    }
}

fn number(name: &str) -> Option<DeviceNumber> {
    let kind = ["xvd", "sd", "hd"].into_iter().find(|kind| name.starts_with(kind));
    let Some(kind) = kind else {
        let number = match name.strip_prefix("0x") {
            Some(hex) => u32::from_str_radix(hex, 16).ok(),
            None => name.parse().ok().filter(|_| name.bytes().all(|byte| byte.is_ascii_digit())),
        };
        return number.map(DeviceNumber::Plain);
    };
    let rest = &name[kind.len()..];
    let letters = &rest[..rest.find(|c: char| !c.is_ascii_lowercase()).unwrap_or(rest.len())];
    let index = index(letters)?;
    let part = match &rest[letters.len()..] {
        "" => 0,
        digits if digits.starts_with(|c: char| ('1'..='9').contains(&c)) => digits.parse().ok()?,
        _ => return None,
    };
    let most = if kind == "hd" { 63 } else { 15 };
    if part > most {
        return None;
    }
    match kind {
        "sd" => {
            let major = SD_MAJORS.get((index / 16) as usize)?;
            Some(DeviceNumber::Plain(major * 256 + index % 16 * 16 + part))
        }
        "hd" => {
            let major = HD_MAJORS.get((index / 2) as usize)?;
            Some(DeviceNumber::Plain(major * 256 + index % 2 * 64 + part))
        }
        _ if index < 16 => Some(DeviceNumber::Plain(XVD_MAJOR * 256 + index * 16 + part)),
        _ => Some(DeviceNumber::Extended((1 << 28) + index * 256 + part)),
    }
}

/// 0 for `a`, 25 for `z`, 26 for `aa`.
fn index(letters: &str) -> Option<u32> {
    let letter = |byte: u8| u32::from(byte - b'a');
    let index = match letters.as_bytes() {
        [one] => letter(*one),
        [first, second] => (letter(*first) + 1) * 26 + letter(*second),
        _ => return None,
    };
    (index < MOST_DISKS).then_some(index)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_the_numbers_that_linux_and_xen_gave_them() {
        use DeviceNumber::{Extended, Plain};
        for (name, number) in [
            ("xvda", Plain(51712)),
            ("xvda1", Plain(51713)),
            ("xvdb", Plain(51728)),
            ("xvdp15", Plain(51967)),
            ("hda", Plain(768)),
            ("hda1", Plain(769)),
            ("hdc", Plain(5632)),
            ("ioemu:hdc:cdrom", Plain(5632)),
            ("hdt63", Plain(91 * 256 + 64 + 63)),
            ("sda", Plain(2048)),
            ("/dev/sda1", Plain(2049)),
            ("sdq", Plain(65 * 256)),
            ("sdaa", Plain(65 * 256 + 160)),
            ("sdiv", Plain(135 * 256 + 240)),
            ("xvdq", Extended((1 << 28) + 16 * 256)),
            ("xvdaa3", Extended((1 << 28) + 26 * 256 + 3)),
            ("xvdiz", Extended((1 << 28) + 259 * 256)),
            ("0x800", Plain(2048)),
            ("51712", Plain(51712)),
        ] {
            assert_eq!(DeviceNumber::of(name), Ok(number), "{name}");
        }
    }

    #[test]
    fn other_names_have_none() {
        for name in [
            "", "xvd", "xvda16", "sda0", "hdu", "hda64", "sdja", "xvdja", "sdaaa", "fd0", "+5", "xvda01",
            "sda1x",
        ] {
            let error = DeviceNumber::of(name).unwrap_err().to_string();
            assert_eq!(error, format!("Unable to find number for device ({name})"));
        }
    }
}
