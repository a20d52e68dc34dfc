//! What no server can be cheaper than: it reads from one client and answers each request with `OK`, whatever it was.

use std::io::{Read, Write};
use std::os::unix::net::UnixListener;
use std::path::Path;

use anyhow::Result;
use xenstore::wire::HEADER_LEN;

/// Serves one client after another until it is killed.
pub(super) fn run(socket: &Path) -> Result<()> {
    let listener = UnixListener::bind(socket)?;
    println!("listening on {}", socket.display());
    let mut bytes = vec![0; 64 << 10];
    loop {
        let (mut client, _) = listener.accept()?;
        let (mut have, mut replies) = (0, Vec::new());
        while let Ok(got @ 1..) = client.read(&mut bytes[have..]) {
            have += got;
            let mut taken = 0;
            while let Some(header) = bytes[taken..have].first_chunk::<HEADER_LEN>() {
                let [.., a, b, c, d] = *header;
                let end = taken + HEADER_LEN + u32::from_le_bytes([a, b, c, d]) as usize;
                if end > have {
                    break;
                }
                replies.extend_from_slice(&header[..12]);
                replies.extend_from_slice(&[3, 0, 0, 0, b'O', b'K', 0]);
                taken = end;
            }
            bytes.copy_within(taken..have, 0);
            have -= taken;
            client.write_all(&replies)?;
            replies.clear();
        }
    }
}
