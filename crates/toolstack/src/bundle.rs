//! The boot bundle: the one file that the boot loader lays beside the control domain, holding images.
//!
//! It is a cpio archive of the "newc" kind (`cpio -o -H newc`), as Linux's initial ramdisks are. A regular file whose
//! name ends in [`IMAGE_SUFFIX`] is an image's container; everything else is somebody else's. A file of the same
//! stem that ends in [`ID_SUFFIX`] and holds 64 hexadecimal digits spares the boot the work of hashing the
//! container: whoever made the bundle made the control domain's kernel too, so the id is believed.
//!
//! The parser reads in place, copies nothing, and stops at the first thing that is not as it must be.
//!
//! Source: the format is described in Linux's Documentation/driver-api/early-userspace/buffer-format.rst.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use proto::image::ImageId;

/// How images' file names end.
pub const IMAGE_SUFFIX: &str = ".img";
/// How the names of files end that hold an image's id.
pub const ID_SUFFIX: &str = ".id";

const HEADER_LEN: usize = 110;
const MAGIC: &[u8] = b"070701";
/// The same with checksums, which nobody checks.
const MAGIC_CRC: &[u8] = b"070702";
const TRAILER: &str = "TRAILER!!!";
/// The kind bits of a mode, and a regular file's.
const S_IFMT: u32 = 0o170_000;
const S_IFREG: u32 = 0o100_000;
/// More files than any bundle has: a damaged one shall not keep the boot busy.
const MAX_FILES: usize = 4096;

/// Why a bundle was read only in part, or not at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BundleError {
    /// What is at this offset does not begin like an entry.
    NotCpio {
        /// Bytes from the start.
        offset: usize,
    },
    /// The entry at this offset is longer than what is left.
    Truncated {
        /// Bytes from the start.
        offset: usize,
    },
    /// The entry at this offset has a name that is no text.
    BadName {
        /// Bytes from the start.
        offset: usize,
    },
    /// It has more files than a bundle may have.
    TooManyFiles,
}

impl fmt::Display for BundleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotCpio { offset } => write!(f, "what is at byte {offset} is no cpio (newc) entry"),
            Self::Truncated { offset } => write!(f, "the entry at byte {offset} is longer than what is left"),
            Self::BadName { offset } => write!(f, "the entry at byte {offset} has a name that is no text"),
            Self::TooManyFiles => write!(f, "it has more than {MAX_FILES} files"),
        }
    }
}

/// An image of the bundle, where it lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bundled<'a> {
    /// Its file's name without directory and suffix.
    pub name: String,
    /// Its container.
    pub container: &'a [u8],
    /// Its id, where the bundle states it.
    pub stated_id: Option<ImageId>,
}

/// Finds the images of a bundle.
///
/// # Errors
/// Nothing of a bundle with any error is used: a bundle that is cut short would fail later and less clearly.
pub fn images(archive: &[u8]) -> Result<Vec<Bundled<'_>>, BundleError> {
    let files = files(archive)?;
    let id_of = |stem: &str| {
        let found = files.iter().find(|(name, _)| name.strip_suffix(ID_SUFFIX) == Some(stem));
        found.and_then(|(_, text)| parse_id(text))
    };
    let mut found = Vec::new();
    for &(name, container) in &files {
        let Some(stem) = name.strip_suffix(IMAGE_SUFFIX) else { continue };
        let plain = stem.rsplit('/').next().unwrap_or(stem);
        found.push(Bundled { name: plain.into(), container, stated_id: id_of(stem) });
    }
    Ok(found)
}

/// The regular files of an archive, in its order.
fn files(archive: &[u8]) -> Result<Vec<(&str, &[u8])>, BundleError> {
    let mut files = Vec::new();
    let mut at = 0;
    loop {
        let entry = Entry::read(archive, at)?;
        if entry.name == TRAILER {
            return Ok(files);
        }
        if files.len() == MAX_FILES {
            return Err(BundleError::TooManyFiles);
        }
        if entry.mode & S_IFMT == S_IFREG {
            files.push((entry.name, entry.content));
        }
        at = entry.next;
    }
}

struct Entry<'a> {
    name: &'a str,
    mode: u32,
    content: &'a [u8],
    /// Where the next entry begins.
    next: usize,
}

impl<'a> Entry<'a> {
    fn read(archive: &'a [u8], offset: usize) -> Result<Self, BundleError> {
        let truncated = BundleError::Truncated { offset };
        let header = slice(archive, offset, HEADER_LEN).ok_or(truncated)?;
        if ![MAGIC, MAGIC_CRC].contains(&&header[..MAGIC.len()]) {
            return Err(BundleError::NotCpio { offset });
        }
        let field =
            |n: usize| parse_hex(&header[MAGIC.len() + 8 * n..][..8]).ok_or(BundleError::NotCpio { offset });
        let (mode, size, name_size) = (field(1)?, field(6)? as usize, field(11)? as usize);
        let name = slice(archive, offset + HEADER_LEN, name_size).ok_or(truncated)?;
        let name = name.strip_suffix(b"\0").and_then(|n| core::str::from_utf8(n).ok());
        let name = name.ok_or(BundleError::BadName { offset })?;
        // Names and contents are padded to four bytes, counted from the start. None of this overflows: the
        // numbers have 32 bits and the archive is memory.
        let start = (offset + HEADER_LEN + name_size).next_multiple_of(4);
        let content = slice(archive, start, size).ok_or(truncated)?;
        Ok(Self { name, mode, content, next: (start + size).next_multiple_of(4) })
    }
}

fn slice(archive: &[u8], start: usize, len: usize) -> Option<&[u8]> {
    archive.get(start..start.checked_add(len)?)
}

fn parse_hex(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0, |number, &d| Some(number << 4 | char::from(d).to_digit(16)?))
}

fn parse_id(text: &[u8]) -> Option<ImageId> {
    let digits = text.trim_ascii();
    if digits.len() != 64 {
        return None;
    }
    let mut id = [0; 32];
    for (byte, pair) in id.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = parse_hex(pair)? as u8;
    }
    Some(ImageId(id))
}

#[cfg(test)]
pub(crate) mod tests {
    use alloc::format;
    use alloc::vec;

    use super::*;

    /// An archive of regular files.
    pub(crate) fn cpio(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut archive = Vec::new();
        let entries = files.iter().map(|&(name, content)| (name, content, 0o100_644));
        for (name, content, mode) in entries.chain([(TRAILER, &[][..], 0)]) {
            add(&mut archive, name, content, mode);
        }
        archive
    }

    fn add(archive: &mut Vec<u8>, name: &str, content: &[u8], mode: u32) {
        let fields = [1, mode, 0, 0, 1, 0, content.len() as u32, 0, 0, 0, 0, name.len() as u32 + 1, 0];
        archive.extend(MAGIC);
        for field in fields {
            archive.extend(format!("{field:08x}").bytes());
        }
        archive.extend(name.bytes().chain([0]));
        archive.resize(archive.len().next_multiple_of(4), 0);
        archive.extend(content);
        archive.resize(archive.len().next_multiple_of(4), 0);
    }

    #[test]
    fn images_are_found_by_suffix_and_lie_in_place() {
        let id = "0f".repeat(32) + "\n";
        let archive = cpio(&[
            ("readme", b"hello"),
            ("boot/linux.img", b"12345"),
            ("b.img", b""),
            ("b.id", id.as_bytes()),
        ]);
        let found = images(&archive).unwrap();
        assert_eq!(found.len(), 2);
        assert_eq!(
            (found[0].name.as_str(), found[0].container, found[0].stated_id),
            ("linux", &b"12345"[..], None)
        );
        assert_eq!((found[1].name.as_str(), found[1].stated_id), ("b", Some(ImageId([0x0f; 32]))));
        assert!(archive.as_ptr_range().contains(&found[0].container.as_ptr()));
    }

    #[test]
    fn directories_are_passed_over() {
        let mut archive = Vec::new();
        add(&mut archive, "d.img", b"", 0o040_755);
        add(&mut archive, TRAILER, b"", 0);
        assert_eq!(images(&archive), Ok(vec![]));
    }

    #[test]
    fn an_archive_cut_anywhere_is_an_error_and_never_a_panic() {
        let archive = cpio(&[("a.img", b"abc"), ("b.img", b"defgh")]);
        let trailer = archive.len() - (HEADER_LEN + TRAILER.len() + 1).next_multiple_of(4);
        for len in 0..trailer + HEADER_LEN + TRAILER.len() {
            assert!(images(&archive[..len]).is_err(), "{len}");
        }
    }

    #[test]
    fn any_byte_may_be_wrong_without_harm() {
        let archive = cpio(&[("a.img", b"abc")]);
        for at in 0..archive.len() {
            for wrong in [0, b'f', 0xff] {
                let mut damaged = archive.clone();
                damaged[at] = wrong;
                let _ = images(&damaged);
            }
        }
        assert_eq!(images(b"07070"), Err(BundleError::Truncated { offset: 0 }));
        assert_eq!(images(&[b'x'; 200]), Err(BundleError::NotCpio { offset: 0 }));
    }

    #[test]
    fn an_id_that_is_no_hash_is_not_believed() {
        for bad in ["", "00", &"0g".repeat(32), &"é".repeat(32)] {
            let archive = cpio(&[("a.img", b"abc"), ("a.id", bad.as_bytes())]);
            assert_eq!(images(&archive).unwrap()[0].stated_id, None, "{bad}");
        }
    }
}
