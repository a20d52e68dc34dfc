//! Unpacking what kernels are packed with.
//!
//! A Linux payload is one packed stream, followed (but for gzip, which has it inside) by four bytes with the
//! unpacked length. Only the stream is read; what follows it is ignored.

use std::borrow::Cow;
use std::fmt;
use std::io::{self, Read};

use super::bzimage::{self, BzImageError};

/// The longest kernel that is unpacked: bounds memory where a small file claims to be a large one.
pub const MAX_UNPACKED: usize = 1 << 30;

/// How a kernel is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "they are names")]
pub enum Format {
    Gzip,
    Xz,
    Zstd,
    Lz4,
    Bzip2,
    Lzma,
    Lzo,
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Format::Gzip => "gzip",
            Format::Xz => "xz",
            Format::Zstd => "zstd",
            Format::Lz4 => "lz4",
            Format::Bzip2 => "bzip2",
            Format::Lzma => "lzma",
            Format::Lzo => "lzo",
        })
    }
}

/// Why a kernel could not be unpacked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnpackError {
    /// It is a bzImage whose payload was not found.
    #[error("{0}")]
    BzImage(#[from] BzImageError),
    /// A bzImage's payload is packed with something unknown.
    #[error("it is a bzImage whose payload is packed in an unknown way (it starts with {start:02x?})")]
    UnknownFormat {
        /// What it starts with.
        start: Vec<u8>,
    },
    /// Packed with something that this program does not unpack.
    #[error(
        "it is packed with {format}, which is not supported: unpack it with Linux's scripts/extract-vmlinux"
    )]
    Unsupported {
        /// With what.
        format: Format,
    },
    /// Packed with this, and damaged.
    #[error("its {format} data is damaged: {reason}")]
    Damaged {
        /// With what.
        format: Format,
        /// What the unpacker says.
        reason: String,
    },
    /// It is larger than [`MAX_UNPACKED`].
    #[error("unpacked it is larger than {} MiB", MAX_UNPACKED >> 20)]
    TooLarge,
}

/// The kernel inside a file: of a bzImage its unpacked payload, of a packed file what is in it; any other file as
/// it is.
///
/// # Errors
/// [`UnpackError`]: it is packed, and cannot be unpacked.
pub fn unpack(file: &[u8]) -> Result<Cow<'_, [u8]>, UnpackError> {
    let Some(payload) = bzimage::payload(file) else {
        return match format_of(file) {
            Some(format) => unpack_as(format, file).map(Cow::Owned),
            None => Ok(Cow::Borrowed(file)),
        };
    };
    let payload = payload?;
    match format_of(payload) {
        Some(format) => unpack_as(format, payload).map(Cow::Owned),
        None if payload.starts_with(b"\x7fELF") => Ok(Cow::Borrowed(payload)),
        None => Err(UnpackError::UnknownFormat { start: payload.iter().take(6).copied().collect() }),
    }
}

fn format_of(bytes: &[u8]) -> Option<Format> {
    const STARTS: [(&[u8], Format); 7] = [
        (b"\x1f\x8b\x08", Format::Gzip),
        (b"\xfd7zXZ\0", Format::Xz),
        (b"\x28\xb5\x2f\xfd", Format::Zstd),
        (&LZ4_LEGACY, Format::Lz4),
        (b"BZh", Format::Bzip2),
        (b"\x5d\0\0", Format::Lzma),
        (b"\x89LZO", Format::Lzo),
    ];
    STARTS.iter().find(|(start, _)| bytes.starts_with(start)).map(|&(_, format)| format)
}

fn unpack_as(format: Format, packed: &[u8]) -> Result<Vec<u8>, UnpackError> {
    let damaged = |reason: String| UnpackError::Damaged { format, reason };
    match format {
        Format::Gzip => gzip(packed),
        Format::Lz4 => lz4(packed),
        Format::Lzo => Err(UnpackError::Unsupported { format }),
        Format::Xz => read_all(format, lzma_rust2::XzReader::new(packed, false)),
        Format::Bzip2 => read_all(format, bzip2::read::BzDecoder::new(packed)),
        Format::Zstd => {
            let decoder = ruzstd::decoding::StreamingDecoder::new(packed);
            read_all(format, decoder.map_err(|error| damaged(error.to_string()))?)
        }
        Format::Lzma => {
            // The stream says how much memory its dictionary takes; Linux's is 32 MiB at most.
            let reader = lzma_rust2::LzmaReader::new_mem_limit(packed, 256 << 10, None);
            read_all(format, reader.map_err(|error| damaged(error.to_string()))?)
        }
    }
}

/// Reads a stream to its end, and no further than [`MAX_UNPACKED`].
fn read_all(format: Format, stream: impl Read) -> Result<Vec<u8>, UnpackError> {
    let mut out = Vec::new();
    let read = stream.take(MAX_UNPACKED as u64 + 1).read_to_end(&mut out);
    read.map_err(|error: io::Error| UnpackError::Damaged { format, reason: error.to_string() })?;
    if out.len() > MAX_UNPACKED { Err(UnpackError::TooLarge) } else { Ok(out) }
}

/// One gzip member. Source: RFC 1952.
fn gzip(packed: &[u8]) -> Result<Vec<u8>, UnpackError> {
    let damaged = |reason: &str| UnpackError::Damaged { format: Format::Gzip, reason: reason.into() };
    let body = gzip_body(packed).ok_or(damaged("its header is cut off"))?;
    miniz_oxide::inflate::decompress_to_vec_with_limit(body, MAX_UNPACKED).map_err(|error| {
        if error.status == miniz_oxide::inflate::TINFLStatus::HasMoreOutput {
            UnpackError::TooLarge
        } else {
            damaged(&error.to_string())
        }
    })
}

/// What follows the header.
fn gzip_body(packed: &[u8]) -> Option<&[u8]> {
    const CHECKSUM: u8 = 1 << 1;
    const EXTRA: u8 = 1 << 2;
    const NAME: u8 = 1 << 3;
    const COMMENT: u8 = 1 << 4;
    let flags = *packed.get(3)?;
    let mut rest = packed.get(10..)?;
    if flags & EXTRA != 0 {
        let len = usize::from(u16::from_le_bytes([*rest.first()?, *rest.get(1)?]));
        rest = rest.get(2 + len..)?;
    }
    for text in [NAME, COMMENT] {
        if flags & text != 0 {
            let end = rest.iter().position(|&byte| byte == 0)?;
            rest = &rest[end + 1..];
        }
    }
    if flags & CHECKSUM != 0 { rest.get(2..) } else { Some(rest) }
}

const LZ4_LEGACY: [u8; 4] = 0x184c_2102u32.to_le_bytes();
/// The plain bytes of all blocks but the last of a legacy frame.
const LZ4_BLOCK: usize = 8 << 20;

/// A legacy lz4 frame: a magic number, then blocks, each behind its packed length. Source: lz4_Frame_format.md.
///
/// In a bzImage the unpacked length follows, which looks like one more block's length; it ends the frame, since a
/// block of that length would go beyond the end.
fn lz4(packed: &[u8]) -> Result<Vec<u8>, UnpackError> {
    let damaged = |reason: String| UnpackError::Damaged { format: Format::Lz4, reason };
    let mut rest = packed;
    let mut out = Vec::new();
    while let Some((head, after)) = rest.split_first_chunk::<4>() {
        rest = after;
        if *head == LZ4_LEGACY {
            continue;
        }
        let len = u32::from_le_bytes(*head) as usize;
        if rest.is_empty() && len == out.len() {
            break;
        }
        let (block, after) = rest
            .split_at_checked(len)
            .ok_or_else(|| damaged(format!("a block of {len} bytes is cut off")))?;
        rest = after;
        if out.len() >= MAX_UNPACKED {
            return Err(UnpackError::TooLarge);
        }
        let start = out.len();
        out.resize(start + LZ4_BLOCK, 0);
        let plain = lz4_flex::block::decompress_into(block, &mut out[start..]);
        out.truncate(start + plain.map_err(|error| damaged(error.to_string()))?);
    }
    Ok(out)
}
