//! The kernel's command line: `word=value` pairs and single words, split at spaces.

/// The words after the image's name.
#[derive(Clone, Copy)]
pub struct CommandLine(&'static str);

impl CommandLine {
    /// Wraps the text that the boot loader left; what is not UTF-8 ends it.
    pub fn new(bytes: &'static [u8]) -> Self {
        let text = match core::str::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => core::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or(""),
        };
        Self(text)
    }

    /// The value of the last `key=value`; later words win, as Xen's do.
    pub fn value(self, key: &str) -> Option<&'static str> {
        self.0.split_ascii_whitespace().rev().find_map(|word| word.strip_prefix(key)?.strip_prefix('='))
    }

    /// Another domain serves the store, and this one is a guest: `xenstore=client`.
    pub fn is_guest(self) -> bool {
        self.value("xenstore") == Some("client")
    }
}
