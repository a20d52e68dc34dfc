//! The bundle's form: a cpio archive of the "newc" kind, written and read.
//!
//! Each image is two files, `NAME.img` (its container) and `NAME.id` (its id in hexadecimal digits, which spares the control
//! domain the hashing at its boot). The archive's ramdisk-like form lets anybody look into it with `cpio -t`.
//!
//! Source: Linux's Documentation/driver-api/early-userspace/buffer-format.rst.

const MAGIC: &[u8] = b"070701";
const HEADER_LEN: usize = 110;
const TRAILER: &str = "TRAILER!!!";
const REGULAR_FILE: u32 = 0o100_644;
/// How the names of images' files end.
const IMAGE_SUFFIX: &str = ".img";
/// How the names of the files end that hold an image's id.
const ID_SUFFIX: &str = ".id";

/// An archive under construction.
#[derive(Debug, Default)]
pub(super) struct Writer {
    bytes: Vec<u8>,
    nr_files: u32,
}

/// A file of an archive is longer than its header can say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an image of 4 GiB or more does not fit into a bundle")]
pub(super) struct TooLong;

impl Writer {
    /// Adds an image and its id.
    ///
    /// # Errors
    /// The container is longer than 32 bits can say.
    pub(super) fn image(&mut self, name: &str, container: &[u8], id: &[u8; 32]) -> Result<(), TooLong> {
        self.file(&format!("{name}{IMAGE_SUFFIX}"), container, REGULAR_FILE)?;
        self.file(&format!("{name}{ID_SUFFIX}"), super::hex(id).as_bytes(), REGULAR_FILE)
    }

    /// Ends the archive.
    pub(super) fn finish(mut self) -> Vec<u8> {
        self.file(TRAILER, &[], 0).expect("nothing is short enough");
        self.bytes
    }

    fn file(&mut self, name: &str, content: &[u8], mode: u32) -> Result<(), TooLong> {
        let size = u32::try_from(content.len()).map_err(|_| TooLong)?;
        let name_size = u32::try_from(name.len() + 1).map_err(|_| TooLong)?;
        self.nr_files += 1;
        // inode, mode, uid, gid, links, time, size, four device numbers, the name's size, a checksum that newc leaves
        // at 0. No time and no owner: the same images make the same bundle.
        let fields = [self.nr_files, mode, 0, 0, 1, 0, size, 0, 0, 0, 0, name_size, 0];
        self.bytes.extend(MAGIC);
        for field in fields {
            self.bytes.extend(format!("{field:08x}").bytes());
        }
        self.bytes.extend(name.bytes().chain([0]));
        self.pad();
        self.bytes.extend(content);
        self.pad();
        Ok(())
    }

    fn pad(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }
}

/// An image of an archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry<'a> {
    /// Its name.
    pub(super) name: &'a str,
    /// Its container.
    pub(super) container: &'a [u8],
    /// What `NAME.id` says, if there is such a file.
    pub(super) stated_id: Option<&'a str>,
}

/// A bundle is damaged, or none, from this byte on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is no bundle, or damaged: at byte {0} there is no entry of a cpio archive (newc)")]
pub(super) struct Damaged(usize);

/// Finds the images of an archive.
///
/// # Errors
/// Something in it is not as it must be; nothing of it is used then, as in the control domain.
pub(super) fn images(archive: &[u8]) -> Result<Vec<Entry<'_>>, Damaged> {
    let mut files: Vec<(&str, &[u8])> = Vec::new();
    let mut at = 0;
    loop {
        let (name, content, next) = file_at(archive, at).ok_or(Damaged(at))?;
        if name == TRAILER {
            break;
        }
        files.push((name, content));
        at = next;
    }
    let id_of = |stem: &str| {
        let (_, text) = files.iter().find(|(name, _)| name.strip_suffix(ID_SUFFIX) == Some(stem))?;
        std::str::from_utf8(text).ok().map(str::trim)
    };
    Ok(files
        .iter()
        .filter_map(|&(name, container)| {
            let stem = name.strip_suffix(IMAGE_SUFFIX)?;
            Some(Entry { name: stem.rsplit('/').next()?, container, stated_id: id_of(stem) })
        })
        .collect())
}

/// The file whose header is at `start`: name, content, where the next one starts.
fn file_at(archive: &[u8], start: usize) -> Option<(&str, &[u8], usize)> {
    let header = archive.get(start..)?.get(..HEADER_LEN)?;
    let digits = header.strip_prefix(MAGIC)?;
    let field = |n: usize| -> Option<usize> {
        usize::from_str_radix(std::str::from_utf8(digits.get(8 * n..8 * n + 8)?).ok()?, 16).ok()
    };
    let (size, name_size) = (field(6)?, field(11)?);
    let name_at = start + HEADER_LEN;
    let name = archive.get(name_at..)?.get(..name_size)?.strip_suffix(b"\0")?;
    let content_at = (name_at + name_size).next_multiple_of(4);
    let content = archive.get(content_at..)?.get(..size)?;
    Some((std::str::from_utf8(name).ok()?, content, (content_at + size).next_multiple_of(4)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two_images() -> Vec<u8> {
        let mut writer = Writer::default();
        writer.image("linux", b"12345", &[0x0f; 32]).unwrap();
        writer.image("ramdisk.cpio", b"", &[0xab; 32]).unwrap();
        writer.finish()
    }

    #[test]
    fn the_control_domain_finds_what_was_written() {
        let archive = two_images();
        let found = toolstack::bundle::images(&archive).unwrap();
        let plain: Vec<_> =
            found.iter().map(|i| (i.name.as_str(), i.container, i.stated_id.map(|id| id.0))).collect();
        assert_eq!(
            plain,
            [("linux", &b"12345"[..], Some([0x0f; 32])), ("ramdisk.cpio", &b""[..], Some([0xab; 32]))]
        );
    }

    #[test]
    fn what_was_written_is_read_back() {
        let archive = two_images();
        let found = images(&archive).unwrap();
        assert_eq!(found[0].container, b"12345");
        assert_eq!(found[0].stated_id, Some("0f".repeat(32).as_str()));
        assert_eq!((found[1].name, found.len()), ("ramdisk.cpio", 2));
    }

    #[test]
    fn an_archive_cut_anywhere_is_damaged() {
        let archive = two_images();
        for length in 0..archive.len() - 4 {
            assert!(images(&archive[..length]).is_err(), "{length}");
        }
        assert_eq!(images(b"hello"), Err(Damaged(0)));
    }
}
