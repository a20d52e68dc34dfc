//! Writes cpio archives in the "newc" format, the one that Linux unpacks as its first root file system.
//!
//! Every entry belongs to root and carries no date, so that the same input always gives the same bytes.
//! Source: Linux's Documentation/driver-api/early-userspace/buffer-format.rst.

use std::collections::BTreeSet;

/// File type bits of an entry's mode, as in `stat(2)`.
const DIRECTORY: u32 = 0o040_000;
const REGULAR: u32 = 0o100_000;
const SYMLINK: u32 = 0o120_000;
const CHARACTER: u32 = 0o020_000;

/// An archive that is being written. Directories above an entry are added by themselves.
#[derive(Default)]
pub struct Archive {
    bytes: Vec<u8>,
    directories: BTreeSet<String>,
    entries: u32,
}

impl Archive {
    /// Starts an empty archive.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a directory, and those above it, once.
    pub fn directory(&mut self, path: &str) {
        let path = trimmed(path);
        if path.is_empty() || self.directories.contains(path) {
            return;
        }
        self.parents(path);
        self.directories.insert(path.to_owned());
        self.entry(path, DIRECTORY | 0o755, 0, &[]);
    }

    /// Adds a file that everybody may read, and may run where `executable` is true.
    pub fn file(&mut self, path: &str, content: &[u8], executable: bool) {
        let path = trimmed(path);
        self.parents(path);
        let permissions = if executable { 0o755 } else { 0o644 };
        self.entry(path, REGULAR | permissions, 0, content);
    }

    /// Adds a symbolic link to `target`.
    pub fn symlink(&mut self, path: &str, target: &str) {
        let path = trimmed(path);
        self.parents(path);
        self.entry(path, SYMLINK | 0o777, 0, target.as_bytes());
    }

    /// Adds a character device.
    pub fn device(&mut self, path: &str, major: u32, minor: u32) {
        let path = trimmed(path);
        self.parents(path);
        self.entry(path, CHARACTER | 0o600, (major << 16) | (minor & 0xffff), &[]);
    }

    /// Ends the archive and returns its bytes.
    pub fn finish(mut self) -> Vec<u8> {
        self.entry("TRAILER!!!", 0, 0, &[]);
        self.bytes
    }

    fn parents(&mut self, path: &str) {
        if let Some((above, _)) = path.rsplit_once('/') {
            self.directory(above);
        }
    }

    /// One entry: a header of 110 characters, the name, the content, each padded to four bytes. `device` holds
    /// the major number in its upper half.
    fn entry(&mut self, path: &str, mode: u32, device: u32, content: &[u8]) {
        self.entries += 1;
        let size = u32::try_from(content.len()).expect("an entry is smaller than 4 GiB");
        let name_size = u32::try_from(path.len() + 1).expect("a path is short");
        let fields = [
            self.entries, // inode
            mode,
            0, // owner
            0, // group
            1, // links
            0, // date
            size,
            0, // device that holds the file
            0,
            device >> 16,
            device & 0xffff,
            name_size,
            0, // checksum, unused in this variant
        ];
        self.bytes.extend_from_slice(b"070701");
        for field in fields {
            self.bytes.extend_from_slice(format!("{field:08X}").as_bytes());
        }
        self.bytes.extend_from_slice(path.as_bytes());
        self.bytes.push(0);
        self.pad();
        self.bytes.extend_from_slice(content);
        self.pad();
    }

    fn pad(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }
}

/// Entries are named relative to the root.
fn trimmed(path: &str) -> &str {
    path.trim_start_matches("./").trim_matches('/')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads an archive back: each entry's name, mode and content.
    fn read(bytes: &[u8]) -> Vec<(String, u32, Vec<u8>)> {
        let mut entries = Vec::new();
        let mut at = 0;
        loop {
            assert_eq!(&bytes[at..at + 6], b"070701", "an entry begins at {at}");
            let field = |n: usize| {
                let text = std::str::from_utf8(&bytes[at + 6 + n * 8..at + 14 + n * 8]).unwrap();
                usize::from_str_radix(text, 16).unwrap()
            };
            let (mode, size, name_size) = (field(1), field(6), field(11));
            let name_at = at + 110;
            let name = String::from_utf8(bytes[name_at..name_at + name_size - 1].to_vec()).unwrap();
            let content_at = (name_at + name_size).next_multiple_of(4);
            if name == "TRAILER!!!" {
                return entries;
            }
            entries.push((name, mode as u32, bytes[content_at..content_at + size].to_vec()));
            at = (content_at + size).next_multiple_of(4);
        }
    }

    #[test]
    fn an_archive_reads_back_as_it_was_written() {
        let mut archive = Archive::new();
        archive.file("/init", b"#!/bin/sh\n", true);
        archive.symlink("bin/sh", "busybox");
        archive.directory("bin");
        let entries = read(&archive.finish());
        assert_eq!(
            entries,
            [
                ("init".into(), 0o100_755, b"#!/bin/sh\n".to_vec()),
                ("bin".into(), 0o040_755, vec![]),
                ("bin/sh".into(), 0o120_777, b"busybox".to_vec()),
            ]
        );
    }

    #[test]
    fn directories_come_before_what_they_hold_and_only_once() {
        let mut archive = Archive::new();
        archive.file("a/b/c", b"1", false);
        archive.file("a/b/d", b"2", false);
        let names: Vec<String> = read(&archive.finish()).into_iter().map(|entry| entry.0).collect();
        assert_eq!(names, ["a", "a/b", "a/b/c", "a/b/d"]);
    }
}
