//! Where a Linux bzImage keeps its payload. Source: Linux, Documentation/arch/x86/boot.rst.

/// The boot sector's signature, and the setup header's.
const BOOT_FLAG: (usize, [u8; 2]) = (0x1fe, [0x55, 0xaa]);
const HEADER: (usize, [u8; 4]) = (0x202, *b"HdrS");
const SETUP_SECTORS: usize = 0x1f1;
const PROTOCOL: usize = 0x206;
const PAYLOAD_OFFSET: usize = 0x248;
const PAYLOAD_LENGTH: usize = 0x24c;
const SECTOR: usize = 512;

/// Why a bzImage's payload was not found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BzImageError {
    /// The boot protocol is older than 2.08 (Linux 2.6.24), which does not say where the payload is.
    #[error("its boot protocol {}.{:02} is older than 2.08: take the vmlinux file of that kernel", .version >> 8, .version & 0xff)]
    Old {
        /// As the header has it: 0x0207 is 2.07.
        version: u16,
    },
    /// The file ends before the payload does.
    #[error("it is truncated: its header promises {expected} bytes, and it has {found}")]
    Truncated {
        /// What the header promises.
        expected: u64,
        /// What there is.
        found: u64,
    },
}

/// Finds the payload; `None`: it is no bzImage.
pub(super) fn payload(file: &[u8]) -> Option<Result<&[u8], BzImageError>> {
    let is = |at: usize, what: &[u8]| file.get(at..at + what.len()) == Some(what);
    if !is(BOOT_FLAG.0, &BOOT_FLAG.1) || !is(HEADER.0, &HEADER.1) {
        return None;
    }
    Some(find(file))
}

fn find(file: &[u8]) -> Result<&[u8], BzImageError> {
    let found = file.len() as u64;
    let truncated = |expected: u64| BzImageError::Truncated { expected, found };
    let header = file.get(..PAYLOAD_LENGTH + 4).ok_or(truncated(PAYLOAD_LENGTH as u64 + 4))?;
    let version = u16::from_le_bytes([header[PROTOCOL], header[PROTOCOL + 1]]);
    if version < 0x0208 {
        return Err(BzImageError::Old { version });
    }
    let word = |at: usize| u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
    // For the sake of very old kernels 0 means 4.
    let sectors = if header[SETUP_SECTORS] == 0 { 4 } else { usize::from(header[SETUP_SECTORS]) };
    let start = ((sectors + 1) * SECTOR) as u64 + u64::from(word(PAYLOAD_OFFSET));
    let end = start + u64::from(word(PAYLOAD_LENGTH));
    file.get(start as usize..end as usize).ok_or(truncated(end))
}
