//! From an image file to a container.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use super::unpack::{UnpackError, unpack};
use crate::container::pack;
use crate::kernel::{KernelError, KernelHeaders};
use crate::{Container, ImageId, ReadError};

/// The largest file that is read.
const MAX_FILE: u64 = 1 << 30;

/// What an image is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// It is booted: a bzImage or ELF file, which is unpacked and checked.
    Kernel,
    /// It is handed to the kernel as it is.
    Ramdisk,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Kernel => "kernel",
            Kind::Ramdisk => "ramdisk",
        })
    }
}

/// An image could not be prepared. As text: which file, why, and where there is one, a way out.
#[derive(Debug, thiserror::Error)]
#[error("{kind} {}: {problem}", .path.display())]
pub struct PrepareError {
    /// The file.
    pub path: PathBuf,
    /// What it was to be.
    pub kind: Kind,
    /// What is wrong with it.
    pub problem: Problem,
}

/// What is wrong with an image file.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// There is no such file.
    #[error("no such file")]
    Missing,
    /// It could not be read.
    #[error("cannot be read: {0}")]
    Unreadable(io::Error),
    /// It is empty.
    #[error("it is empty")]
    Empty,
    /// It is too large to be an image.
    #[error("it has {len} bytes, and at most {MAX_FILE} are possible")]
    TooLarge {
        /// Its length.
        len: u64,
    },
    /// It is packed, and cannot be unpacked.
    #[error("{0}")]
    Packed(UnpackError),
    /// It is no kernel that can be booted.
    #[error("{error}{}", way_out(.error))]
    Kernel {
        /// What the parser says.
        error: KernelError,
    },
}

/// What can be done about it.
fn way_out(error: &KernelError) -> &'static str {
    match error {
        KernelError::Truncated { .. } => "; copy it again",
        KernelError::NotElf | KernelError::WrongElf => {
            "; give an x86 bzImage (vmlinuz) or ELF kernel (vmlinux)"
        }
        KernelError::NotPvh => "; for Linux, build it with CONFIG_PVH=y",
        _ => "",
    }
}

/// An image, ready to travel.
#[derive(Debug)]
pub struct PreparedImage {
    /// What it is known by.
    pub id: ImageId,
    /// How many plain bytes it has.
    pub plain_len: u64,
    /// How many bytes its container has.
    pub container_len: u64,
    source: PathBuf,
    kind: Kind,
    place: Place,
}

#[derive(Debug)]
enum Place {
    Memory(Vec<u8>),
    /// A file that starts with the container.
    Entry(PathBuf),
}

impl PreparedImage {
    /// In memory.
    pub(super) fn made(source: &Path, kind: Kind, id: ImageId, container: Vec<u8>) -> Self {
        let plain_len = Container::parse(&container).map_or(0, |container| container.plain_len());
        PreparedImage {
            id,
            plain_len,
            container_len: container.len() as u64,
            source: source.into(),
            kind,
            place: Place::Memory(container),
        }
    }

    /// In the cache.
    pub(super) fn kept(
        source: &Path,
        kind: Kind,
        id: ImageId,
        plain_len: u64,
        container_len: u64,
        entry: PathBuf,
    ) -> Self {
        PreparedImage {
            id,
            plain_len,
            container_len,
            source: source.into(),
            kind,
            place: Place::Entry(entry),
        }
    }

    /// The file that it was made of.
    #[must_use]
    pub fn source(&self) -> &Path {
        &self.source
    }

    /// What travels. It has been compared with the id: where the cache is damaged or its entry gone, the container
    /// is made again.
    ///
    /// # Errors
    /// It had to be made again, and the source is gone or has changed.
    pub fn container(self) -> Result<Vec<u8>, PrepareError> {
        let entry = match self.place {
            Place::Memory(container) => return Ok(container),
            Place::Entry(entry) => entry,
        };
        if let Ok(mut bytes) = std::fs::read(&entry) {
            bytes.truncate(self.container_len as usize);
            if super::id_of(&bytes) == self.id {
                return Ok(bytes);
            }
            // Damaged: the next `prepare` will make it again.
            let _ = std::fs::remove_file(&entry);
        }
        let bytes = read(&self.source, self.kind)?;
        let container = make(&self.source, self.kind, &bytes)?;
        if super::id_of(&container) != self.id {
            let changed = io::Error::other("it has changed meanwhile; try again");
            return Err(PrepareError {
                path: self.source,
                kind: self.kind,
                problem: Problem::Unreadable(changed),
            });
        }
        Ok(container)
    }
}

/// Reads an image file.
pub(super) fn read(path: &Path, kind: Kind) -> Result<Vec<u8>, PrepareError> {
    let fail = |problem| PrepareError { path: path.into(), kind, problem };
    let unreadable = |error: io::Error| {
        fail(if error.kind() == io::ErrorKind::NotFound {
            Problem::Missing
        } else {
            Problem::Unreadable(error)
        })
    };
    let len = std::fs::metadata(path).map_err(unreadable)?.len();
    if len > MAX_FILE {
        return Err(fail(Problem::TooLarge { len }));
    }
    let bytes = std::fs::read(path).map_err(unreadable)?;
    if bytes.is_empty() { Err(fail(Problem::Empty)) } else { Ok(bytes) }
}

/// Makes the container of a file's bytes.
pub(super) fn make(path: &Path, kind: Kind, bytes: &[u8]) -> Result<Vec<u8>, PrepareError> {
    let fail = |problem| PrepareError { path: path.into(), kind, problem };
    if kind == Kind::Ramdisk {
        return Ok(pack(bytes));
    }
    let plain = unpack(bytes).map_err(|error| fail(Problem::Packed(error)))?;
    check(&plain).map_err(|error| fail(Problem::Kernel { error }))?;
    Ok(pack(&plain))
}

fn check(mut plain: &[u8]) -> Result<(), KernelError> {
    match KernelHeaders::parse(&mut plain) {
        Err(KernelError::Unreadable(ReadError::OutOfRange { end, len })) => {
            Err(KernelError::Truncated { expected: end, found: len })
        }
        other => other.map(|_| ()),
    }
}
