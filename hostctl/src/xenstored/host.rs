//! The host's part in requests that reach beyond the store: what `xenstore-control` asks for, and domains without Xen.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};

use xen_abi::DomId;
use xenstore::{Error, Host};

/// This process as the store's host. Whatever domain is introduced is taken to exist. What the store prints and logs goes to stderr, or the
/// log to a file that was named to it.
#[derive(Debug, Default)]
pub(super) struct ThisProcess {
    log: Option<File>,
}

impl Host for ThisProcess {
    fn introduce(&mut self, _: DomId, _: u64, _: u32) -> Result<(), Error> {
        Ok(())
    }

    fn print(&mut self, text: &str) {
        // A closed stderr is no reason to fail.
        let _ = writeln!(io::stderr(), "xenstored: {text}");
    }

    fn log(&mut self, line: &str) {
        match &mut self.log {
            // Neither is a full disk.
            Some(file) => drop(writeln!(file, "{line}")),
            None => self.print(line),
        }
    }

    fn log_to(&mut self, file: &str) -> Result<(), Error> {
        let opened = OpenOptions::new().create(true).append(true).open(file);
        self.log = Some(opened.map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => Error::NotFound,
            io::ErrorKind::PermissionDenied => Error::Access,
            _ => Error::Invalid,
        })?);
        Ok(())
    }
}
