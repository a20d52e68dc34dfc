//! The store without a socket: calls of the crate.

use anyhow::{Context, Result, ensure};
use rustix::time::{ClockId, clock_gettime};
use xen_abi::DomId;
use xenstore::wire::{HEADER_LEN, MessageType as Type, Request};
use xenstore::{ConnId, Store};

/// How often a write is repeated for one measurement.
const WRITES: u32 = 100_000;
/// How often a transaction is.
const TRANSACTIONS: u32 = 2000;

/// CPU time of a write, and of a transaction of twenty, in us each.
pub(super) fn measure() -> Result<[(&'static str, f64); 2]> {
    let mut store = Store::new(DomId(0));
    let conn = store.connect_control();
    let write = request(Type::WRITE, 0, b"/local/domain/1/device/vif/0/state\x004");
    let start = cpu_us();
    for _ in 0..WRITES {
        ask(&mut store, conn, &write)?;
    }
    let one = (cpu_us() - start) / f64::from(WRITES);
    let start = cpu_us();
    for _ in 0..TRANSACTIONS {
        transaction(&mut store, conn)?;
    }
    let twenty = (cpu_us() - start) / f64::from(TRANSACTIONS);
    Ok([("in-process-write", one), ("in-process-transaction-20", twenty)])
}

/// CPU time that this thread has used, in us: what else runs on the machine is not in it.
fn cpu_us() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 * 1e6 + time.tv_nsec as f64 / 1e3
}

fn transaction(store: &mut Store, conn: ConnId) -> Result<()> {
    let reply = ask(store, conn, &request(Type::TRANSACTION_START, 0, b"\0"))?;
    let id = reply.get(HEADER_LEN..reply.len() - 1).context("an id")?;
    let id = std::str::from_utf8(id)?.parse()?;
    for key in 0..20 {
        let payload = format!("/local/domain/1/device/vif/0/key-{key}\0value");
        ask(store, conn, &request(Type::WRITE, id, payload.as_bytes()))?;
    }
    ask(store, conn, &request(Type::TRANSACTION_END, id, b"T\0")).map(drop)
}

fn request(ty: Type, tx_id: u32, payload: &[u8]) -> Request {
    Request { ty, req_id: 1, tx_id, payload: payload.to_vec() }
}

/// The reply's bytes, whose type is the request's: it is no error.
fn ask(store: &mut Store, conn: ConnId, request: &Request) -> Result<Vec<u8>> {
    let reply = store.handle(conn, request);
    ensure!(reply.starts_with(&request.ty.0.to_le_bytes()), "refused: {request:?}");
    Ok(reply)
}
