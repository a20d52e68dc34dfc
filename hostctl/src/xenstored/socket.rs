//! The server's socket in the file system: taken by one server at a time, and gone when that ends.

use std::fs::{File, Metadata};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, Mode, flock};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};
use thiserror::Error;

/// How long another server may take to make its socket in the same directory.
const PATIENCE: Duration = Duration::from_secs(2);

/// Why the path is not ours to serve.
#[derive(Debug, Error)]
pub(crate) enum NotOurs {
    /// A server answers there.
    #[error("{0} is in use: a server answers there")]
    InUse(PathBuf),
    /// Something lies there that no server left behind.
    #[error("{0} is there already, and is no socket")]
    NoSocket(PathBuf),
    /// A socket of the kernel's has room for 107 bytes.
    #[error("the path {0} is too long for a socket")]
    TooLong(PathBuf),
    /// Somebody holds the directory's lock.
    #[error("another process holds the lock of the directory {0}")]
    Locked(PathBuf),
    /// The system refuses.
    #[error("cannot make the socket {0}: {1}")]
    System(PathBuf, io::Error),
}

/// A listening socket that only this user may connect to. Dropped, it takes its path away.
#[derive(Debug)]
pub(crate) struct Socket {
    path: PathBuf,
    /// The file that we made: whatever else lies at the path later is not ours.
    file: (u64, u64),
    pub(crate) listener: UnixListener,
}

impl Socket {
    /// Makes the socket, in place of one that nobody serves any more.
    ///
    /// # Errors
    /// See [`NotOurs`]; nothing was changed then.
    pub(crate) fn claim(path: &Path) -> Result<Socket, NotOurs> {
        let failed = |error: io::Error| NotOurs::System(path.into(), error);
        let address = SocketAddrUnix::new(path).map_err(|error| match error {
            Errno::NAMETOOLONG => NotOurs::TooLong(path.into()),
            error => failed(error.into()),
        })?;
        // Two servers that start at once must not both find the same stale socket. The lock ends with the file.
        let _lock = lock_directory(path)?;
        match std::fs::symlink_metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed(error)),
            Ok(there) if !there.file_type().is_socket() => return Err(NotOurs::NoSocket(path.into())),
            Ok(_) if is_served(&address).map_err(failed)? => return Err(NotOurs::InUse(path.into())),
            Ok(_) => std::fs::remove_file(path).map_err(failed)?,
        }
        let listener = bind_private(path).map_err(failed)?;
        let made = std::fs::symlink_metadata(path).map_err(failed)?;
        Ok(Socket { path: path.into(), file: identity(&made), listener })
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        let is_ours = |there: &Metadata| identity(there) == self.file;
        if std::fs::symlink_metadata(&self.path).is_ok_and(|there| is_ours(&there)) {
            // There is nobody left to tell.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

fn identity(file: &Metadata) -> (u64, u64) {
    (file.dev(), file.ino())
}

fn lock_directory(path: &Path) -> Result<File, NotOurs> {
    let directory = match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    let file = File::open(directory).map_err(|error| NotOurs::System(path.into(), error))?;
    let start = Instant::now();
    loop {
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(file),
            Err(Errno::WOULDBLOCK) if start.elapsed() < PATIENCE => {
                std::thread::sleep(Duration::from_millis(10));
            }
            Err(Errno::WOULDBLOCK) => return Err(NotOurs::Locked(directory.into())),
            Err(error) => return Err(NotOurs::System(path.into(), error.into())),
        }
    }
}

/// Whether a server listens there. It does also when its backlog is full.
fn is_served(address: &SocketAddrUnix) -> io::Result<bool> {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let probe: OwnedFd = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    match connect(&probe, address) {
        Ok(()) | Err(Errno::WOULDBLOCK) => Ok(true),
        Err(Errno::CONNREFUSED) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Binds with mode 0600 from the first moment. The process has one thread yet, so that the mask concerns nobody else.
fn bind_private(path: &Path) -> io::Result<UnixListener> {
    let mask = rustix::process::umask(Mode::from_raw_mode(0o177));
    let listener = UnixListener::bind(path);
    rustix::process::umask(mask);
    let listener = listener?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_socket_stays_as_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        std::fs::write(&path, "precious").unwrap();
        assert!(matches!(Socket::claim(&path), Err(NotOurs::NoSocket(_))));
        assert_eq!(std::fs::read(&path).unwrap(), b"precious");
    }

    #[test]
    fn a_long_path_and_a_missing_directory_are_named() {
        let dir = tempfile::tempdir().unwrap();
        let long = dir.path().join("x".repeat(108));
        assert!(matches!(Socket::claim(&long), Err(NotOurs::TooLong(_))));
        let missing = Socket::claim(&dir.path().join("no/socket")).unwrap_err().to_string();
        assert!(missing.contains("no/socket") && missing.contains("No such file"), "{missing}");
    }

    #[test]
    fn a_socket_of_somebody_else_at_our_path_is_left_alone_at_the_end() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("socket");
        let ours = Socket::claim(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        let theirs = UnixListener::bind(&path).unwrap();
        drop(ours);
        assert!(path.exists());
        drop(theirs);
    }
}
