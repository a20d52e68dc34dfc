//! Messages as bytes: a 16-byte header (type, request id, transaction id, length), then at most 4096 bytes.
//!
//! Source: `struct xsd_sockmsg` of public/io/xs_wire.h. The decoder takes bytes as they come, in any pieces, holds at
//! most one message, and refuses a length over the limit before it makes room for it.

use alloc::vec::Vec;

use crate::Error;

/// The longest payload, either way. C: `XENSTORE_PAYLOAD_MAX`.
pub const PAYLOAD_MAX: usize = 4096;
/// The length of a header. C: `sizeof(struct xsd_sockmsg)`.
pub const HEADER_LEN: usize = 16;

/// A message's type. C: `enum xsd_sockmsg_type`. Any number may come from a guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MessageType(pub u32);

#[allow(missing_docs)] // The names are the protocol's own.
impl MessageType {
    pub const CONTROL: Self = Self(0);
    pub const DIRECTORY: Self = Self(1);
    pub const READ: Self = Self(2);
    pub const GET_PERMS: Self = Self(3);
    pub const WATCH: Self = Self(4);
    pub const UNWATCH: Self = Self(5);
    pub const TRANSACTION_START: Self = Self(6);
    pub const TRANSACTION_END: Self = Self(7);
    pub const INTRODUCE: Self = Self(8);
    pub const RELEASE: Self = Self(9);
    pub const GET_DOMAIN_PATH: Self = Self(10);
    pub const WRITE: Self = Self(11);
    pub const MKDIR: Self = Self(12);
    pub const RM: Self = Self(13);
    pub const SET_PERMS: Self = Self(14);
    pub const WATCH_EVENT: Self = Self(15);
    pub const ERROR: Self = Self(16);
    pub const IS_DOMAIN_INTRODUCED: Self = Self(17);
    pub const RESUME: Self = Self(18);
    pub const SET_TARGET: Self = Self(19);
    pub const RESET_WATCHES: Self = Self(21);
    pub const DIRECTORY_PART: Self = Self(22);
    pub const GET_FEATURE: Self = Self(23);
    pub const SET_FEATURE: Self = Self(24);
    pub const GET_QUOTA: Self = Self(25);
    pub const SET_QUOTA: Self = Self(26);
}

/// One request, framed and otherwise unchecked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// What is asked.
    pub ty: MessageType,
    /// Chosen by the client, given back in the reply.
    pub req_id: u32,
    /// The transaction it belongs to; 0 for none.
    pub tx_id: u32,
    /// At most [`PAYLOAD_MAX`] bytes.
    pub payload: Vec<u8>,
}

impl Request {
    /// The bytes of the reply to this request. An answer too long for a message becomes `E2BIG`.
    pub fn reply(&self, answer: Result<&[u8], Error>) -> Vec<u8> {
        match answer {
            Ok(payload) if payload.len() <= PAYLOAD_MAX => {
                encode(self.ty, self.req_id, self.tx_id, &[payload])
            }
            Ok(_) => self.reply(Err(Error::TooBig)),
            Err(error) => {
                encode(MessageType::ERROR, self.req_id, self.tx_id, &[error.word().as_bytes(), &[0]])
            }
        }
    }
}

/// The bytes of a message whose payload is the concatenation of `parts`.
pub(crate) fn encode(ty: MessageType, req_id: u32, tx_id: u32, parts: &[&[u8]]) -> Vec<u8> {
    let len: usize = parts.iter().map(|part| part.len()).sum();
    let mut bytes = Vec::with_capacity(HEADER_LEN + len);
    // Callers keep payloads within `PAYLOAD_MAX`.
    for word in [ty.0, req_id, tx_id, len as u32] {
        bytes.extend_from_slice(&word.to_le_bytes());
    }
    for part in parts {
        bytes.extend_from_slice(part);
    }
    bytes
}

/// The peer announced a payload over [`PAYLOAD_MAX`]: nobody knows any more where its messages begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLong(
    /// The length that it announced.
    pub u32,
);

/// Takes a byte stream apart into requests.
#[derive(Debug, Default)]
pub struct Decoder {
    header: [u8; HEADER_LEN],
    /// Bytes of the current message that are here, header included.
    have: usize,
    payload: Vec<u8>,
}

impl Decoder {
    /// A decoder at a message's start.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads with `read` until a request is complete (`Some`) or `read` gives nothing (`None`). No byte after the request is
    /// taken.
    ///
    /// # Errors
    /// `read`'s own, or [`TooLong`] converted. The decoder is of no use afterwards.
    pub fn decode<E: From<TooLong>>(
        &mut self,
        mut read: impl FnMut(&mut [u8]) -> Result<usize, E>,
    ) -> Result<Option<Request>, E> {
        while self.have < HEADER_LEN {
            match read(&mut self.header[self.have..])? {
                0 => return Ok(None),
                got => self.have += got,
            }
            if self.have == HEADER_LEN {
                let len = self.word(3);
                if len as usize > PAYLOAD_MAX {
                    return Err(TooLong(len).into());
                }
                self.payload.resize(len as usize, 0);
            }
        }
        while self.have < HEADER_LEN + self.payload.len() {
            match read(&mut self.payload[self.have - HEADER_LEN..])? {
                0 => return Ok(None),
                got => self.have += got,
            }
        }
        self.have = 0;
        Ok(Some(Request {
            ty: MessageType(self.word(0)),
            req_id: self.word(1),
            tx_id: self.word(2),
            payload: core::mem::take(&mut self.payload),
        }))
    }

    fn word(&self, index: usize) -> u32 {
        let at = index * 4;
        u32::from_le_bytes([self.header[at], self.header[at + 1], self.header[at + 2], self.header[at + 3]])
    }
}

/// The payload's strings, each ended by a nul; what follows the last nul is not among them.
pub(crate) fn strings(payload: &[u8]) -> impl Iterator<Item = &[u8]> + Clone {
    let end = payload.iter().rposition(|&b| b == 0).unwrap_or(0);
    let any = payload.contains(&0);
    payload[..end].split(|&b| b == 0).filter(move |_| any)
}

/// The payload as exactly one string: one nul, at its end.
pub(crate) fn one_string(payload: &[u8]) -> Result<&[u8], Error> {
    match payload.split_last() {
        Some((0, text)) if !text.contains(&0) => Ok(text),
        _ => Err(Error::Invalid),
    }
}

/// A decimal number, digits only.
pub(crate) fn decimal(text: &[u8]) -> Result<u32, Error> {
    if text.is_empty() || !text.iter().all(u8::is_ascii_digit) {
        return Err(Error::Invalid);
    }
    let text = core::str::from_utf8(text).map_err(|_| Error::Invalid)?;
    text.parse().map_err(|_| Error::Invalid)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decode_all(bytes: &[u8], pieces: &[usize]) -> Result<Vec<Request>, TooLong> {
        let mut rest = bytes;
        let mut pieces = pieces.iter().cycle();
        let mut decoder = Decoder::new();
        let mut requests = Vec::new();
        loop {
            let got = decoder.decode(|into| {
                let len = into.len().min(rest.len()).min(*pieces.next().unwrap_or(&1));
                into[..len].copy_from_slice(&rest[..len]);
                rest = &rest[len..];
                Ok::<_, TooLong>(len)
            })?;
            match got {
                Some(request) => requests.push(request),
                None => return Ok(requests),
            }
        }
    }

    #[test]
    fn strings_end_at_the_last_nul() {
        let split = |payload: &'static [u8]| strings(payload).collect::<Vec<_>>();
        assert_eq!(split(b""), Vec::<&[u8]>::new());
        assert_eq!(split(b"abc"), Vec::<&[u8]>::new());
        assert_eq!(split(b"\0"), [b""]);
        assert_eq!(split(b"a\0\0bc\0de"), [&b"a"[..], b"", b"bc"]);
    }

    #[test]
    fn a_length_over_the_limit_is_refused_before_any_room_is_made() {
        let mut bytes = encode(MessageType::READ, 1, 0, &[]);
        bytes[12..].copy_from_slice(&4097u32.to_le_bytes());
        assert_eq!(decode_all(&bytes, &[7]), Err(TooLong(4097)));
        bytes[12..].copy_from_slice(&u32::MAX.to_le_bytes());
        assert_eq!(decode_all(&bytes, &[16]), Err(TooLong(u32::MAX)));
    }

    #[test]
    fn an_answer_that_does_not_fit_is_e2big_with_the_ids_of_its_request() {
        let request = Request { ty: MessageType::DIRECTORY, req_id: 7, tx_id: 9, payload: Vec::new() };
        let reply = request.reply(Ok(&[0; PAYLOAD_MAX + 1]));
        assert_eq!(reply, encode(MessageType::ERROR, 7, 9, &[b"E2BIG\0"]));
    }

    proptest! {
        #[test]
        fn any_pieces_give_the_same_requests(
            messages in prop::collection::vec((0u32..30, any::<u32>(), any::<u32>(), prop::collection::vec(any::<u8>(), 0..300)), 0..8),
            pieces in prop::collection::vec(1usize..40, 1..20),
        ) {
            let bytes: Vec<u8> =
                messages.iter().flat_map(|(ty, req, tx, body)| encode(MessageType(*ty), *req, *tx, &[body])).collect();
            let expected: Vec<Request> = messages
                .into_iter()
                .map(|(ty, req_id, tx_id, payload)| Request { ty: MessageType(ty), req_id, tx_id, payload })
                .collect();
            prop_assert_eq!(decode_all(&bytes, &pieces), Ok(expected));
        }

        #[test]
        fn garbage_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..200), pieces in prop::collection::vec(1usize..9, 1..4)) {
            let _ = decode_all(&bytes, &pieces);
        }
    }
}
