//! What one server is asked, and what that costs it and its clients.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use xenstore::wire::MessageType as Type;

use super::server::{Kind, Server};
use super::wire::Client;

/// How many requests one measurement of CPU time takes.
const REQUESTS: usize = 5000;
/// How many measurements of each kind a turn has.
const SAMPLES: usize = 5;
/// How many requests are in flight in the rows that say so.
const IN_FLIGHT: usize = 16;
/// Transactions whose time is taken in a turn.
const TRANSACTIONS: usize = 100;
/// Watches that concern nobody.
const WATCHES: usize = 10_000;
/// The nodes of a large store.
const NODES: usize = 100_000;
/// What each of them holds: 32 bytes.
const VALUE: &str = "0123456789abcdef0123456789abcdef";
/// How many of them are made between two looks at the clock.
const STRETCH: usize = 10_000;
/// How long a reader goes on after the reply to `rm`, when the server may still be tidying up.
const AFTER_RM: Duration = Duration::from_millis(500);

/// The path of the n-th of many nodes: a hundred to a directory.
fn path(index: usize) -> String {
    format!("/bench/many/{}/{}/{}", index / 10_000, index / 100 % 100, index % 100)
}

/// A value measured, and the row it belongs to.
type Measured = (&'static str, f64);

/// Everything but the large store.
pub(super) fn requests(kind: Kind, server: &Server) -> Result<Vec<Measured>> {
    let mut done = Vec::new();
    let mut client = Client::connect(server.socket())?;
    client.ask(Type::WRITE, 0, b"/bench/value\x000123456789abcdef")?;
    if kind == Kind::Nothing {
        for _ in 0..SAMPLES {
            done.push(("read", cpu(server, &mut client, Type::READ, b"/bench/value\0", 1)?));
            done.push(("read-16", cpu(server, &mut client, Type::READ, b"/bench/value\0", IN_FLIGHT)?));
        }
        for _ in 0..TRANSACTIONS {
            // A transaction's start, twenty writes and its end.
            let start = Instant::now();
            client.ask_all(Type::READ, std::iter::repeat_n(b"/bench/value\0", 22), 1)?;
            done.push(("transaction-20", start.elapsed().as_secs_f64() * 1e6));
        }
        return Ok(done);
    }
    for _ in 0..SAMPLES {
        for (in_flight, names) in
            [(1, ["read", "write", "mkdir", "rm"]), (IN_FLIGHT, ["read-16", "write-16", "mkdir-16", "rm-16"])]
        {
            let [read, write, mkdir, rm] = names;
            done.push((read, cpu(server, &mut client, Type::READ, b"/bench/value\0", in_flight)?));
            let value = b"/bench/value\0fedcba9876543210";
            done.push((write, cpu(server, &mut client, Type::WRITE, value, in_flight)?));
            done.push((mkdir, cpu_paths(server, &mut client, Type::MKDIR, in_flight)?));
            done.push((rm, cpu_paths(server, &mut client, Type::RM, in_flight)?));
        }
    }
    transactions(server.socket(), &mut done)?;
    // A connection of its own, so that nothing but the number of watches differs.
    let mut watcher = Client::connect(server.socket())?;
    let mut plain = Vec::new();
    for _ in 0..SAMPLES {
        plain.push(cpu(server, &mut client, Type::WRITE, b"/bench/value\0x", 1)?);
    }
    watcher.ask_all(Type::WATCH, (0..WATCHES).map(|i| format!("/other/{i}/x\0t\0")), IN_FLIGHT)?;
    for before in plain {
        let after = cpu(server, &mut client, Type::WRITE, b"/bench/value\0x", 1)?;
        done.push(("write-10000-watches", after / before));
    }
    Ok(done)
}

/// The server's CPU time for one of many equal requests.
fn cpu(server: &Server, client: &mut Client, ty: Type, payload: &[u8], in_flight: usize) -> Result<f64> {
    let before = server.cpu_us()?;
    client.ask_all(ty, std::iter::repeat_n(payload, REQUESTS), in_flight)?;
    Ok((server.cpu_us()? - before) / REQUESTS as f64)
}

/// The same for requests each with a path of its own.
fn cpu_paths(server: &Server, client: &mut Client, ty: Type, in_flight: usize) -> Result<f64> {
    let paths: Vec<String> = (0..REQUESTS).map(|i| path(i) + "\0").collect();
    let before = server.cpu_us()?;
    client.ask_all(ty, paths, in_flight)?;
    Ok((server.cpu_us()? - before) / REQUESTS as f64)
}

/// How long transactions of twenty writes take: each request sent after the last reply, or all but the first at once.
fn transactions(socket: &Path, done: &mut Vec<Measured>) -> Result<()> {
    let mut client = Client::connect(socket)?;
    for round in 0..TRANSACTIONS {
        for (row, in_flight) in [("transaction-20", 1), ("transaction-20-at-once", 21)] {
            let writes = (0..20).map(|key| format!("/bench/vif/0/key-{key}\0value {round}"));
            let start = Instant::now();
            let id = client.ask(Type::TRANSACTION_START, 0, b"\0")?;
            let id: u32 = String::from_utf8(id)?.trim_end_matches('\0').parse()?;
            let mut requests: Vec<_> = writes.map(|write| (Type::WRITE, write)).collect();
            requests.push((Type::TRANSACTION_END, "T\0".to_owned()));
            for together in requests.chunks(in_flight) {
                for (ty, payload) in together {
                    client.queue(*ty, id, payload.as_bytes());
                }
                client.flush()?;
                for _ in together {
                    client.reply()?;
                }
            }
            done.push((row, start.elapsed().as_secs_f64() * 1e6));
        }
    }
    Ok(())
}

/// A store that grows to a hundred thousand nodes.
pub(super) fn growth(server: &Server) -> Result<Vec<Measured>> {
    let mut client = Client::connect(server.socket())?;
    client.ask(Type::MKDIR, 0, b"/bench\0")?;
    let empty = server.memory_mib()?;
    let mut stretches = Vec::new();
    for first in (0..NODES).step_by(STRETCH) {
        let before = server.cpu_us()?;
        client.ask_all(Type::WRITE, (first..first + STRETCH).map(|i| path(i) + "\0" + VALUE), IN_FLIGHT)?;
        stretches.push((server.cpu_us()? - before) / STRETCH as f64);
    }
    let memory = server.memory_mib()? - empty;
    let least = stretches.iter().copied().fold(f64::INFINITY, f64::min);
    let most = stretches.iter().copied().fold(0.0, f64::max);
    Ok(vec![
        ("create-100000", stretches.iter().sum::<f64>() / stretches.len() as f64),
        ("create-flatness", most / least),
        ("memory-100000", memory),
    ])
}

/// The end of those nodes.
pub(super) fn removal(server: &Server) -> Result<Vec<Measured>> {
    let mut client = Client::connect(server.socket())?;
    let calm = waits_of_another(server, || {
        thread::sleep(AFTER_RM);
        Ok(())
    })?;
    let mut took = 0.0;
    let waits = waits_of_another(server, || {
        let start = Instant::now();
        client.ask(Type::RM, 0, b"/bench/many\0")?;
        took = start.elapsed().as_secs_f64() * 1e3;
        thread::sleep(AFTER_RM);
        Ok(())
    })?;
    ensure!(waits.reads > 0, "nothing was read meanwhile");
    Ok(vec![
        ("rm-100000", took),
        ("rm-100000-others-wait", waits.longest),
        ("rm-100000-busy", waits.busiest),
        ("others-wait-without-rm", calm.longest),
    ])
}

/// What another client met while something went on.
#[derive(Default)]
struct Waits {
    reads: usize,
    /// The longest that it waited for a reply, in ms.
    longest: f64,
    /// The most CPU time that the server used during one of these waits, in ms: what is left of a wait without other programs.
    busiest: f64,
}

fn waits_of_another(server: &Server, work: impl FnOnce() -> Result<()>) -> Result<Waits> {
    let mut reader = Client::connect(server.socket())?;
    let clock = server.clock();
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let reading = scope.spawn(|| -> Result<Waits> {
            let mut waits = Waits::default();
            while !is_over.load(Ordering::Relaxed) {
                let (used, start) = (clock.us()?, Instant::now());
                reader.ask(Type::DIRECTORY, 0, b"/\0")?;
                waits.longest = waits.longest.max(start.elapsed().as_secs_f64() * 1e3);
                waits.busiest = waits.busiest.max((clock.us()? - used) / 1e3);
                waits.reads += 1;
                thread::sleep(Duration::from_micros(100));
            }
            Ok(waits)
        });
        let done = work();
        is_over.store(true, Ordering::Relaxed);
        let read = reading.join().expect("the reader does not panic");
        done.and(read)
    })
}
