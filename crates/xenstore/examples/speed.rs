//! How long the store's own work takes, without any transport: `cargo run --release -p xenstore --example speed`.

use std::time::Instant;

use xen_abi::DomId;
use xenstore::wire::{MessageType as Type, Request};
use xenstore::{Access, ConnId, Perm, Store, home};

fn request(ty: Type, tx_id: u32, payload: impl Into<Vec<u8>>) -> Request {
    Request { ty, req_id: 1, tx_id, payload: payload.into() }
}

/// Prints the mean time of one of `count` rounds.
fn time(what: &str, count: u32, mut round: impl FnMut(u32)) {
    let start = Instant::now();
    (0..count).for_each(&mut round);
    println!("{what:<46} {:>10.3} us", start.elapsed().as_secs_f64() * 1e6 / f64::from(count));
}

fn transaction(store: &mut Store, conn: ConnId, round: u32) {
    let reply = store.handle(conn, &request(Type::TRANSACTION_START, 0, "\0"));
    let id = std::str::from_utf8(&reply[16..reply.len() - 1]).expect("digits").parse().expect("a number");
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
    let control = store.connect_control();
    time("write of a new node, up to 100,000", 100_000, |index| {
        let path = format!("/many/{}/{}\0v", index / 100, index % 100);
        store.handle(control, &request(Type::WRITE, 0, path));
    });
    time("rm of 100,000 nodes", 1, |_| {
        store.handle(control, &request(Type::RM, 0, "/many\0"));
    });
}
