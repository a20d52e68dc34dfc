//! Where a line's broker is found.

use std::io;
use std::path::PathBuf;

use crate::connect::Line;
use crate::dirs;
use crate::lab::dir::LabDir;

/// The files of a line's broker.
#[derive(Clone, Debug)]
pub struct Place {
    /// The socket that it serves; only this user may connect.
    pub socket: PathBuf,
    /// Locked by the broker for as long as it lives.
    pub lock: PathBuf,
    /// What it did, and text that came over the line and was no frame.
    pub log: PathBuf,
    /// The line's other end.
    pub line: PathBuf,
    /// The file of the machine's shared memory, where there is one.
    pub shared_memory: Option<PathBuf>,
    /// The broker ends with the line only, not when it is idle.
    pub stays: bool,
}

impl Place {
    /// The files of this line's broker. Makes their directory if need be.
    ///
    /// # Errors
    /// The directory cannot be made private.
    pub fn of(line: &Line) -> io::Result<Place> {
        match line {
            Line::Lab(name) => {
                let dir = LabDir::of(name);
                Ok(Place {
                    socket: dir.file("broker.sock"),
                    lock: dir.file("broker.lock"),
                    log: dir.broker_log(),
                    line: dir.serial_socket(),
                    shared_memory: Some(dir.shared_memory()),
                    stays: true,
                })
            }
            Line::Unix(path) => {
                let dir = dirs::runtime().join("lines");
                dirs::make_private(&dir)?;
                let line = std::path::absolute(path)?;
                // A socket's path is short; the line's own path may not be.
                let name = format!("{:016x}", fnv1a(line.as_os_str().as_encoded_bytes()));
                Ok(Place {
                    socket: dir.join(format!("{name}.sock")),
                    lock: dir.join(format!("{name}.lock")),
                    log: dir.join(format!("{name}.log")),
                    line,
                    shared_memory: None,
                    stays: false,
                })
            }
        }
    }
}

/// FNV-1a: names a file by a path. Nobody gains by making two paths collide.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}
