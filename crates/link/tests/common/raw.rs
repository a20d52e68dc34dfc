//! The frame format once more, written by hand: an end that can break every rule.
//!
//! Deliberately not the crate's own code: a change of the format that both ends share would go unnoticed otherwise.

/// CRC-32 as in Ethernet, zip and PNG, bit by bit.
pub fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = !0u32;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = crc >> 1 ^ if crc & 1 == 1 { 0xedb8_8320 } else { 0 };
        }
    }
    !crc
}

/// A frame's form on the line.
pub fn on_line(body: &[u8]) -> Vec<u8> {
    let mut frame = body.to_vec();
    frame.extend(crc32(body).to_le_bytes());
    let mut line = vec![0];
    let mut rest = &frame[..];
    loop {
        let run = rest.iter().take(254).position(|byte| *byte == 0).unwrap_or(rest.len().min(254));
        line.push(run as u8 + 1);
        line.extend(&rest[..run]);
        if run == rest.len() {
            break;
        }
        rest = &rest[if run == 254 { run } else { run + 1 }..];
    }
    line.push(0);
    line
}

/// Who an end is: boot id and epoch.
pub type Identity = (u64, u32);

fn identity_bytes((boot, epoch): Identity) -> [u8; 12] {
    let mut bytes = [0; 12];
    bytes[..8].copy_from_slice(&boot.to_le_bytes());
    bytes[8..].copy_from_slice(&epoch.to_le_bytes());
    bytes
}

/// A hello's body, with generous limits.
pub fn hello(version: u16, answer: bool, from: Identity, to: Identity) -> Vec<u8> {
    let mut body = vec![0xf8];
    body.extend(version.to_le_bytes());
    body.push(answer.into());
    body.extend(identity_bytes(from));
    body.extend(identity_bytes(to));
    body.push(64);
    body.extend(512u16.to_le_bytes());
    body.extend(1_000_000u32.to_le_bytes());
    body.extend(2_000_000u32.to_le_bytes());
    body
}

/// A data frame's body.
pub fn data(from: Identity, to: Identity, next: u8, sequence: u8, number: u8, record: &[u8]) -> Vec<u8> {
    let both = [identity_bytes(from), identity_bytes(to)].concat();
    let mut body = vec![0xfb];
    body.extend((crc32(&both) as u16).to_le_bytes());
    body.extend([next, 0xff, sequence, number]);
    body.extend(record);
    body
}
