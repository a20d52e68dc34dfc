//! The few words of QMP that a lab needs.

use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// Asks QEMU to end at once; it has when this succeeds, or will in a moment.
///
/// # Errors
/// QEMU cannot be reached, or does not answer within the limit.
pub fn quit(socket: &Path, limit: Duration) -> io::Result<()> {
    let stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(limit))?;
    stream.set_write_timeout(Some(limit))?;
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let mut stream = stream;
    lines.next().transpose()?;
    stream.write_all(b"{\"execute\": \"qmp_capabilities\"}\n")?;
    lines.next().transpose()?;
    stream.write_all(b"{\"execute\": \"quit\"}\n")?;
    lines.next().transpose()?;
    Ok(())
}
