//! How a frame looks on the line, and how frames are told from everything else on it.
//!
//! [`Encoding`] is the seam between the protocol and the kind of line: [`Cobs`] serves lines that carry all 256 bytes. A
//! line that is shared with a console needs another form (printable, short); it is another implementation.

use alloc::vec::Vec;

use crate::frame::{MAX_FRAME, is_frame_start};

/// The longest form of a frame between its delimiters: COBS adds a byte for each 254 begun.
const MAX_LINE: usize = MAX_FRAME + MAX_FRAME.div_ceil(254);

/// What was found on the line.
#[derive(Debug, PartialEq, Eq)]
pub enum Piece<'a> {
    /// Something of a frame's form; its checksum was not looked at yet.
    Frame {
        /// The frame's bytes, checksum included.
        frame: &'a [u8],
        /// The same as it was on the line, to be handed on as foreign bytes when it turns out not to be a frame.
        line: &'a [u8],
    },
    /// Bytes that belong to no frame.
    Foreign(&'a [u8]),
}

/// The form of frames on one kind of line.
///
/// Whatever bytes come, `decode` hands on every one of them that is not a delimiter, as part of a frame
/// or as foreign; it finds the next intact frame after any garbage, and holds a bounded number of bytes.
///
/// The default value stands in for an instant while the link looks at a piece; making it must cost nothing.
pub trait Encoding: Default {
    /// Appends `frame`, delimiters included, to `line`.
    fn encode(&mut self, frame: &[u8], line: &mut Vec<u8>);

    /// Takes bytes from the front of `bytes` until a piece is complete. `None`: all were taken, and the piece is not complete.
    fn decode<'a, 'b: 'a>(&'a mut self, bytes: &mut &'b [u8]) -> Option<Piece<'a>>;
}

/// Binary frames: consistent overhead byte stuffing, a zero before and after each frame.
///
/// The zero before costs a byte and saves the frame when foreign text came just before it, or when the zero
/// after the last frame was lost.
///
/// Text is recognised by its second byte (a frame's is never part of UTF-8 text) and handed on from there
/// without waiting for a delimiter. Only what looks like a frame, or is a single byte, is held until the next zero.
#[derive(Debug, Default)]
pub struct Cobs {
    /// The piece that is being collected, as on the line.
    line: Vec<u8>,
    /// `line` decoded.
    frame: Vec<u8>,
    /// `line` was handed out and is to be emptied.
    spent: bool,
    /// The rest of this piece is foreign, up to the next zero.
    foreign: bool,
}

impl Cobs {
    /// A decoder that has seen nothing.
    pub const fn new() -> Self {
        Self { line: Vec::new(), frame: Vec::new(), spent: false, foreign: false }
    }

    /// Says whether the collected bytes cannot become a frame any more.
    fn is_hopeless(&self) -> bool {
        self.line.first() == Some(&1)
            || self.line.get(1).is_some_and(|&start| !is_frame_start(start))
            || self.line.len() > MAX_LINE
    }

    /// The piece that a zero has just completed.
    fn complete(&mut self) -> Piece<'_> {
        self.frame.resize(self.line.len(), 0);
        match cobs::decode(&self.line, &mut self.frame) {
            Ok(report) => Piece::Frame { frame: &self.frame[..report.frame_size()], line: &self.line },
            Err(_) => Piece::Foreign(&self.line),
        }
    }
}

impl Encoding for Cobs {
    fn encode(&mut self, frame: &[u8], line: &mut Vec<u8>) {
        let start = line.len();
        line.resize(start + frame.len() + frame.len() / 254 + 3, 0);
        let length = cobs::try_encode_including_sentinels(frame, &mut line[start..])
            .expect("room for one byte in 254 and both delimiters was just made");
        line.truncate(start + length);
    }

    fn decode<'a, 'b: 'a>(&'a mut self, bytes: &mut &'b [u8]) -> Option<Piece<'a>> {
        if core::mem::take(&mut self.spent) {
            self.line.clear();
        }
        while !bytes.is_empty() {
            let run = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len());
            if run == 0 {
                *bytes = &bytes[1..];
                self.foreign = false;
                if !self.line.is_empty() {
                    self.spent = true;
                    return Some(self.complete());
                }
            } else if self.foreign {
                let (text, rest) = bytes.split_at(run);
                *bytes = rest;
                return Some(Piece::Foreign(text));
            } else {
                // One byte beyond the longest frame is enough to know that it is none.
                let run = run.min(MAX_LINE + 1 - self.line.len());
                let (part, rest) = bytes.split_at(run);
                *bytes = rest;
                self.line.extend_from_slice(part);
                if self.is_hopeless() {
                    self.foreign = true;
                    self.spent = true;
                    return Some(Piece::Foreign(&self.line));
                }
            }
        }
        None
    }
}
