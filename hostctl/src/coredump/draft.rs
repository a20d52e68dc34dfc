//! A file that is not there until it is complete.
//!
//! It has no name while it is written, so that nothing of it is left when this program fails, is interrupted or killed; and what had its
//! name before stays until it is replaced, in one step. Where a file system knows no nameless files it has a hidden name.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Mode, OFlags, linkat};
use rustix::io::Errno;

/// A file under way. Dropped: nothing is left of it.
#[derive(Debug)]
pub(super) struct Draft {
    file: File,
    target: PathBuf,
    /// The hidden name, where it has one.
    hidden: Option<PathBuf>,
}

impl Draft {
    /// Begins a file for this path. Only its owner may read it: it has what a domain knows.
    ///
    /// # Errors
    /// It cannot be made there; or something is there that is no file.
    pub(super) fn new(target: &Path) -> io::Result<Draft> {
        match fs::symlink_metadata(target) {
            Ok(found) if !found.is_file() => return Err(io::Error::other("it is there, and is no file")),
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let dir = directory(target);
        let nameless =
            rustix::fs::open(dir, OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC, Mode::from(0o600));
        let (file, hidden) = match nameless {
            Ok(fd) => (File::from(fd), None),
            Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::INVAL) => {
                let hidden = hidden_name(target)?;
                let file =
                    OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&hidden)?;
                (file, Some(hidden))
            }
            Err(error) => return Err(error.into()),
        };
        Ok(Draft { file, target: target.to_owned(), hidden })
    }

    /// The path that the file will have.
    pub(super) fn target(&self) -> &Path {
        &self.target
    }

    /// Writes bytes at an offset; what is never written is a hole.
    ///
    /// # Errors
    /// The disk is full, or broken.
    pub(super) fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all_at(bytes, offset)
    }

    /// Makes the file this long and durable, and gives it its name.
    ///
    /// # Errors
    /// The disk is full, or broken; then nothing is left of the file.
    pub(super) fn finish(mut self, len: u64) -> io::Result<File> {
        self.file.set_len(len)?;
        self.file.sync_all()?;
        if self.hidden.is_none() {
            let hidden = hidden_name(&self.target)?;
            let own = format!("/proc/self/fd/{}", self.file.as_raw_fd());
            linkat(CWD, own, CWD, &hidden, AtFlags::SYMLINK_FOLLOW)?;
            self.hidden = Some(hidden);
        }
        if let Some(hidden) = &self.hidden {
            fs::rename(hidden, &self.target)?;
        }
        self.hidden = None;
        // The name shall be durable too; a directory that cannot be synchronised is no reason to fail.
        let _ = File::open(directory(&self.target)).and_then(|dir| dir.sync_all());
        self.file.try_clone()
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if let Some(hidden) = &self.hidden {
            let _ = fs::remove_file(hidden);
        }
    }
}

/// The directory in which a file lies.
fn directory(target: &Path) -> &Path {
    match target.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => dir,
        _ => Path::new("."),
    }
}

fn hidden_name(target: &Path) -> io::Result<PathBuf> {
    let name = target.file_name().ok_or_else(|| io::Error::other("it names no file"))?;
    let mut hidden = std::ffi::OsString::from(".");
    hidden.push(name);
    hidden.push(format!(".{:016x}", crate::random()?));
    Ok(directory(target).join(hidden))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};

    use super::*;

    fn names(dir: &Path) -> Vec<String> {
        fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn a_file_is_there_when_it_is_complete_and_not_before() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("core");
        let draft = Draft::new(&target).unwrap();
        draft.write_at(1 << 20, b"word").unwrap();
        assert!(!target.exists());
        draft.finish(64 << 20).unwrap();
        assert_eq!(names(dir.path()), ["core"]);
        let found = fs::metadata(&target).unwrap();
        assert_eq!((found.len(), found.permissions().mode() & 0o777), (64 << 20, 0o600));
        assert!(found.blocks() * 512 < 1 << 20, "the rest is a hole");
        assert_eq!(&fs::read(&target).unwrap()[1 << 20..][..5], b"word\0");
    }

    #[test]
    fn what_was_there_before_is_replaced_at_the_end_or_stays() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("core");
        fs::write(&target, "old").unwrap();
        let draft = Draft::new(&target).unwrap();
        draft.write_at(0, b"new").unwrap();
        drop(draft);
        assert_eq!(fs::read(&target).unwrap(), b"old");
        let draft = Draft::new(&target).unwrap();
        draft.write_at(0, b"new").unwrap();
        draft.finish(3).unwrap();
        assert_eq!(fs::read(&target).unwrap(), b"new");
        assert_eq!(names(dir.path()), ["core"]);
    }

    #[test]
    fn a_name_that_was_hidden_is_gone_with_the_draft() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("core");
        let hidden = hidden_name(&target).unwrap();
        let file = File::create(&hidden).unwrap();
        drop(Draft { file, target, hidden: Some(hidden) });
        assert!(names(dir.path()).is_empty());
    }

    #[test]
    fn what_is_no_file_is_not_written_to() {
        let error = Draft::new(Path::new("/dev/full")).unwrap_err();
        assert_eq!(error.to_string(), "it is there, and is no file");
        assert!(Draft::new(Path::new("/nowhere/at/all")).is_err());
    }
}
