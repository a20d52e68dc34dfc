//! A client whose broker is the test.

use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::path::PathBuf;

use super::*;

/// A client, and the broker's end of its socket.
fn pair() -> (Client, UnixStream) {
    let (socket, broker) = UnixStream::pair().unwrap();
    socket.set_nonblocking(true).unwrap();
    let nowhere = || PathBuf::from("/nowhere");
    let place = Place {
        socket: nowhere(),
        lock: nowhere(),
        log: nowhere(),
        line: nowhere(),
        shared_memory: None,
        stays: false,
    };
    let patience = Duration::from_secs(60);
    let client = Client::over(socket, Line::Unix(nowhere()), place, Signals::get().unwrap(), patience);
    (client, broker)
}

fn data(len: usize) -> Vec<u8> {
    encode(&FromBroker::Data { channel: 3, bytes: vec![7; len] }, Vec::new())
}

#[test]
fn a_pipe_without_end_and_a_guest_without_end_take_turns() {
    let (mut client, mut broker) = pair();
    let (mut pipe, theirs) = UnixStream::pair().unwrap();
    pipe.write_all(b"y").unwrap();
    (0..8).for_each(|_| broker.write_all(&data(1)).unwrap());
    let seen: String = (0..16)
        .map(|_| match client.event(Some(theirs.as_fd()), None).unwrap() {
            Event::Extra => 'e',
            Event::Data(3, _) => 'd',
            event => panic!("{event:?}"),
        })
        .collect();
    assert_eq!(seen, "ed".repeat(8));
    // Where one has nothing to say the other need not wait.
    assert!(matches!(client.event(Some(theirs.as_fd()), None), Ok(Event::Extra)));
    assert!(matches!(client.event(Some(theirs.as_fd()), None), Ok(Event::Extra)));
}

#[test]
fn a_peer_that_floods_a_writer_is_given_up_on_before_memory_is_short() {
    let (mut client, mut broker) = pair();
    let mut listener = broker.try_clone().unwrap();
    let flood = std::thread::spawn(move || {
        let part = data(1 << 20);
        // Ends when the client has gone.
        (0..64).take_while(|_| broker.write_all(&part).is_ok()).count()
    });
    // More than the socket holds: it is never read.
    let result = client.write(3, &vec![0; 8 << 20]);
    assert!(matches!(result, Err(CallError::Flooded { .. })), "{result:?}");
    drop(client);
    assert!(flood.join().unwrap() < 64);
    let _ = listener.read(&mut [0]);
}
