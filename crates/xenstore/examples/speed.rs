//! How long the store's own work takes, without any transport: `cargo run --release -p xenstore --example speed`.
#![allow(unreachable_pub)] // The allocator is the tests'.

#[path = "../tests/common/counting.rs"]
mod counting;

use std::time::Duration;

use counting::{Counting, NOW};
use rustix::time::{ClockId, clock_gettime};

use xen_abi::DomId;
use xenstore::wire::{MessageType as Type, Request};
use xenstore::{Access, ConnId, Limits, Perm, Store, home};

#[global_allocator]
static COUNTING: Counting = Counting;

/// How much work is done at a time.
const BUDGET: usize = 1024;

fn request(ty: Type, tx_id: u32, payload: impl Into<Vec<u8>>) -> Request {
    Request { ty, req_id: 1, tx_id, payload: payload.into() }
}

/// The processor time of this thread: what others do meanwhile does not count.
fn cpu_time() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
}

/// Prints the mean time of `count` rounds: that of the best of ten parts, since others use the machine too.
fn time(what: &str, count: u32, mut round: impl FnMut(u32)) {
    let part = count.div_ceil(10);
    let mean = |first: u32| {
        let (last, start) = ((first + part).min(count), cpu_time());
        (first..last).for_each(&mut round);
        (cpu_time() - start).as_secs_f64() * 1e6 / f64::from(last - first)
    };
    let best = (0..count).step_by(part as usize).map(mean).fold(f64::INFINITY, f64::min);
    println!("{what:<46} {best:>10.3} us");
}

fn start(store: &mut Store, conn: ConnId) -> u32 {
    let reply = store.handle(conn, &request(Type::TRANSACTION_START, 0, "\0"));
    std::str::from_utf8(&reply[16..reply.len() - 1]).expect("digits").parse().expect("a number")
}

fn transaction(store: &mut Store, conn: ConnId, round: u32) {
    let id = start(store, conn);
    for index in 0..20 {
        store.handle(conn, &request(Type::WRITE, id, format!("device/vif/0/key-{index}\0{round}")));
    }
    let reply = store.handle(conn, &request(Type::TRANSACTION_END, id, "T\0"));
    assert_eq!(&reply[16..], b"OK\0");
}

fn create(store: &mut Store, domid: DomId) {
    store.register(domid);
    let top = home(domid);
    let done = store.control(|store| {
        store.mkdir_with(&top, &[Perm::new(DomId(0), Access::None), Perm::new(domid, Access::Read)])?;
        for index in 0..38 {
            store.write(&format!("{top}/control/key-{index}"), "value")?;
        }
        store.mkdir_with(&format!("{top}/data"), &[Perm::new(domid, Access::None)])
    });
    done.expect("legal paths and known domains");
    store.introduce(domid);
}

fn main() {
    let mut store = Store::new(DomId(0));
    time("create: 40 nodes of a domain, one call", 1000, |index| {
        create(&mut store, DomId(index as u16 + 1));
    });
    time("destroy: all nodes of a domain, one call", 990, |index| {
        let domid = DomId(index as u16 + 1);
        let path = home(domid);
        let _ = store.control(|store| store.rm(&path));
        store.release(domid);
    });
    let guest = DomId(1000);
    let _ = store.control(|store| store.mkdir_with(&home(guest), &[Perm::new(guest, Access::None)]));
    let conn = store.connect(guest).expect("introduced");
    let mut with_watches = |watches: &str| {
        time(&format!("write, {watches}"), 200_000, |round| {
            store.handle(conn, &request(Type::WRITE, 0, format!("device/vif/0/state\0{round}")));
        });
        time(&format!("read, {watches}"), 200_000, |_| {
            store.handle(conn, &request(Type::READ, 0, "device/vif/0/state\0"));
        });
        time(&format!("transaction of 20 writes, {watches}"), 10_000, |round| {
            transaction(&mut store, conn, round);
        });
        let control = store.connect_control();
        for index in 0..10_000 {
            let _ = store.watch(control, &format!("/other/{index}/x"), "t");
        }
    };
    with_watches("no watches");
    with_watches("10,000 unrelated watches");
    // All of its own: what is measured is not the heap of what came before.
    let mut store = Store::with_limits(DomId(0), Limits::upstream());
    many_nodes(&mut store);
    removals(&mut store);
}

/// Whether the hundred-thousandth node takes longer than the first, and what they take in memory.
fn many_nodes(store: &mut Store) {
    let control = store.connect_control();
    let before = NOW.get();
    for part in 0..10 {
        time(&format!("new nodes, {} thousand to {}", part * 10, part * 10 + 10), 10_000, |index| {
            let index = part * 10_000 + index;
            let path = format!("/many/{}/{}\0v", index / 100, index % 100);
            store.handle(control, &request(Type::WRITE, 0, path));
        });
    }
    println!("memory of 100,000 small nodes: {:.1} MiB", (NOW.get() - before) as f64 / f64::from(1 << 20));
    store.disconnect(control);
}

/// Removes 100,000 nodes in each way there is.
fn removals(store: &mut Store) {
    let control = store.connect_control();
    removal("rm of 100,000 nodes", store, |store| {
        store.handle(control, &request(Type::RM, 0, "/many\0"));
    });
    let guest = DomId(1);
    store.introduce(guest);
    let fill = |store: &mut Store| {
        let done = store.control(|store| {
            (0..100_000).try_for_each(|n| store.write(&format!("/many/{}/{}", n / 100, n % 100), "v"))
        });
        done.expect("legal paths");
        while store.work(BUDGET) {}
    };
    fill(store);
    let id = start(store, control);
    store.handle(control, &request(Type::RM, id, "/many\0"));
    store.handle(control, &request(Type::WRITE, 0, "/elsewhere\0x"));
    removal("commit of an rm of 100,000 nodes", store, |store| {
        let reply = store.handle(control, &request(Type::TRANSACTION_END, id, "T\0"));
        assert_eq!(&reply[16..], b"OK\0");
    });
    fill(store);
    let perms = [Perm::new(guest, Access::None)];
    store.control(|store| store.write_with("/many/999/theirs", "", &perms)).expect("registered");
    removal("release, with a node of its own among 100,000", store, |store| store.release(guest));
    for n in 0..10_000 {
        store.watch(control, &format!("/many/{}/{}", n / 10, n % 10), "t").expect("new");
    }
    removal("rm of 100,000 nodes with 10,000 watches inside", store, |store| {
        store.handle(control, &request(Type::RM, 0, "/many\0"));
    });
}

/// Prints how long a removal took altogether, and the longest step in which nobody else had his turn.
fn removal(what: &str, store: &mut Store, remove: impl FnOnce(&mut Store)) {
    let start = cpu_time();
    remove(store);
    let first = cpu_time() - start;
    let mut worst = Duration::ZERO;
    loop {
        let step = cpu_time();
        let more = store.work(BUDGET);
        worst = worst.max(cpu_time() - step);
        if !more {
            break;
        }
    }
    let micros = |time: Duration| time.as_secs_f64() * 1e6;
    let (all, first, worst) = (micros(cpu_time() - start), micros(first), micros(worst));
    println!("{what:<46} {all:>10.0} us; first step {first:.0} us, worst later {worst:.0} us");
}
