//! A stream of hostctl's tied to a domain's console: what the domain prints goes out, what comes is typed.

use alloc::vec::Vec;
use core::future::poll_fn;

use console::{Gone, Reader, SharedConsoles};
use embassy_futures::select::{Either3, select3};
use link::line::{Broken, Stream};

/// How the stream's work ended.
enum Ended {
    /// The domain is gone and everything it printed was sent, or nobody follows, or all that the other end had to type is typed.
    Finished,
    /// The other end threw the stream away.
    Abandoned,
}

/// Copies both ways until the domain is gone or the other end has had enough.
///
/// The other end leaves by ending its half, and knows from our end that everything it typed has gone in. Throwing the stream away
/// would take what is on its way along.
pub(crate) async fn attach(consoles: &'static SharedConsoles, reader: Reader, stream: Stream, follow: bool) {
    let typed = type_in(consoles, &reader, &stream);
    let printed = print_out(consoles, reader.clone(), &stream, follow);
    let ended = match select3(printed, typed, stream.broken()).await {
        Either3::First(ended) | Either3::Second(ended) => ended,
        Either3::Third(()) => Ended::Abandoned,
    };
    match ended {
        Ended::Finished => stream.close(),
        Ended::Abandoned => drop(stream),
    }
}

async fn print_out(consoles: &SharedConsoles, mut reader: Reader, stream: &Stream, follow: bool) -> Ended {
    let mut chunk = [0; 1024];
    loop {
        let read = match follow {
            true => poll_fn(|cx| consoles.borrow_mut().poll_read(&mut reader, &mut chunk, cx)).await,
            false => consoles.borrow().read(&mut reader, &mut chunk).and_then(|read| match read.len {
                0 => Err(Gone),
                _ => Ok(read),
            }),
        };
        let Ok(read) = read else { return Ended::Finished };
        if stream.write_all(&chunk[..read.len]).await.is_err() {
            return Ended::Abandoned;
        }
    }
}

/// Types what comes, until the other end has ended its half or threw the stream away.
async fn type_in(consoles: &SharedConsoles, reader: &Reader, stream: &Stream) -> Ended {
    let mut bytes = Vec::new();
    loop {
        bytes.clear();
        match stream.read(&mut bytes).await {
            Ok(0) => return Ended::Finished,
            Ok(_) => (),
            Err(Broken) => return Ended::Abandoned,
        }
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            match poll_fn(|cx| consoles.borrow_mut().poll_write(reader.console(), rest, cx)).await {
                Ok(taken) => rest = &rest[taken..],
                // Typing into a dead domain goes nowhere; its last words are still being sent.
                Err(Gone) => {
                    stream.broken().await;
                    return Ended::Abandoned;
                }
            }
        }
    }
}
