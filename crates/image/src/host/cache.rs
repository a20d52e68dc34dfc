//! Packed images on disk.
//!
//! An entry is one file, named by what the image was made of: the SHA-256 of the source's bytes, and what it is
//! for. It holds the container, then the container's id. So an image that was packed before costs reading and
//! hashing its source; the entry itself is read, and compared with its id, only where the container is wanted.
//!
//! Entries appear by renaming a complete file: other processes see all of it or nothing, and two that make the same
//! one at once make the same bytes. A cache that cannot be written (no home, disk full) costs time, not the command.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use sha2::{Digest, Sha256};

use super::prepare::{Kind, PrepareError, PreparedImage, make, read};
use crate::ImageId;
use crate::container::{MAGIC, VERSION};

/// How many bytes of entries are kept.
const MAX_BYTES: u64 = 2 << 30;
/// How entries' names end.
const SUFFIX: &str = "image";
/// A file of a process that died while it made an entry is removed when it is this old.
const ABANDONED: Duration = Duration::from_secs(3600);
const TEMPORARY: &str = ".making-";
/// The container's id, at the entry's end.
const TRAILER: usize = 32;

/// Packed images, on disk.
#[derive(Clone, Debug)]
pub struct ImageCache {
    /// None: nothing is kept.
    folder: Option<PathBuf>,
    max_bytes: u64,
}

impl ImageCache {
    /// The cache in this folder, which is made when it is first needed.
    #[must_use]
    pub fn at(folder: impl Into<PathBuf>) -> Self {
        ImageCache { folder: Some(folder.into()), max_bytes: MAX_BYTES }
    }

    /// The user's: `nanodom/images` in `$XDG_CACHE_HOME` or `~/.cache`; without a home none.
    #[must_use]
    pub fn of_user() -> Self {
        let absolute =
            |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let folder = absolute("XDG_CACHE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".cache")));
        ImageCache { folder: folder.map(|folder| folder.join("nanodom/images")), max_bytes: MAX_BYTES }
    }

    /// No cache: every image is packed anew.
    #[must_use]
    pub fn none() -> Self {
        ImageCache { folder: None, max_bytes: 0 }
    }

    /// The same cache, but keeping no more than this.
    #[must_use]
    pub fn keeping(self, max_bytes: u64) -> Self {
        ImageCache { max_bytes, ..self }
    }

    /// Finds or makes the container of an image file. A kernel is unpacked and checked first.
    ///
    /// # Errors
    /// The file is missing, cannot be read, or is no such image.
    pub fn prepare(&self, path: &Path, kind: Kind) -> Result<PreparedImage, PrepareError> {
        let source = read(path, kind)?;
        let entry = self.folder.as_ref().map(|folder| folder.join(name(&source, kind)));
        if let Some(found) = entry.as_ref().and_then(|entry| look_up(path, kind, entry)) {
            return Ok(found);
        }
        let container = make(path, kind, &source)?;
        let id = super::id_of(&container);
        if let Some(entry) = entry {
            // A cache that cannot be written is none; the image is there all the same.
            let _ = self.keep(&entry, &container, &id);
        }
        Ok(PreparedImage::made(path, kind, id, container))
    }

    fn keep(&self, entry: &Path, container: &[u8], id: &ImageId) -> io::Result<()> {
        let folder = entry.parent().ok_or(io::ErrorKind::NotFound)?;
        fs::create_dir_all(folder)?;
        let mut file = tempfile::Builder::new().prefix(TEMPORARY).tempfile_in(folder)?;
        file.write_all(container)?;
        file.write_all(id)?;
        file.persist(entry).map_err(|error| error.error)?;
        self.trim(folder)
    }

    /// Removes the entries that were used longest ago, until the rest is small enough.
    fn trim(&self, folder: &Path) -> io::Result<()> {
        let mut entries = Vec::new();
        for file in fs::read_dir(folder)? {
            let file = file?;
            // Another process may be removing it at this moment.
            let Ok(metadata) = file.metadata() else { continue };
            let used = metadata.modified()?;
            let path = file.path();
            if file.file_name().to_string_lossy().starts_with(TEMPORARY) {
                if SystemTime::now().duration_since(used).is_ok_and(|age| age > ABANDONED) {
                    let _ = fs::remove_file(&path);
                }
            } else if path.extension().is_some_and(|extension| extension == SUFFIX) {
                entries.push((used, metadata.len(), path));
            }
        }
        entries.sort();
        let mut total: u64 = entries.iter().map(|(_, len, _)| len).sum();
        for (_, len, path) in entries {
            if total <= self.max_bytes {
                break;
            }
            let _ = fs::remove_file(path);
            total -= len;
        }
        Ok(())
    }
}

/// An entry's name. The format's version is part of it: another release makes its own entries.
fn name(source: &[u8], kind: Kind) -> String {
    let digest = Sha256::digest(source);
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{hex}-{kind}-{VERSION}.{SUFFIX}")
}

/// The image of an entry, if there is one that looks whole. It now counts as just used.
fn look_up(source: &Path, kind: Kind, entry: &Path) -> Option<PreparedImage> {
    let mut file = File::open(entry).ok()?;
    let container_len = file.metadata().ok()?.len().checked_sub(TRAILER as u64)?;
    let mut header = [0; 24];
    file.read_exact(&mut header).ok()?;
    let (magic, plain_len) = (header.first_chunk::<8>()?, header.last_chunk::<8>()?);
    if *magic != MAGIC {
        return None;
    }
    let mut id = [0; TRAILER];
    file.seek(SeekFrom::End(-(TRAILER as i64))).ok()?;
    file.read_exact(&mut id).ok()?;
    // Another user's cache may be read only: then the order of removal is not ours to keep.
    let _ = file.set_modified(SystemTime::now());
    let plain_len = u64::from_le_bytes(*plain_len);
    Some(PreparedImage::kept(source, kind, id, plain_len, container_len, entry.into()))
}
