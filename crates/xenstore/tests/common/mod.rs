//! A store with a few domains, spoken to in raw messages.
#![allow(dead_code, unreachable_pub)] // Each test file uses its part of this.

pub mod counting;

use std::collections::BTreeMap;

use xen_abi::DomId;
use xenstore::wire::{MessageType as Type, Request};
use xenstore::{Access, ConnId, Limits, Perm, Store};

/// The control domain.
pub const CONTROL: u16 = 0;

/// What came back: the payload, or the error's name.
pub type Reply = Result<String, String>;

pub struct World {
    pub store: Store,
    conns: BTreeMap<u16, ConnId>,
    next_req: u32,
}

impl World {
    /// The control domain, and domains 1 to 3 with a directory each that they own.
    pub fn new() -> Self {
        Self::with_limits(Limits::small())
    }

    pub fn with_limits(limits: Limits) -> Self {
        let store = Store::with_limits(DomId(CONTROL), limits);
        let mut world = World { store, conns: BTreeMap::new(), next_req: 100 };
        let control = world.store.connect_control();
        world.conns.insert(CONTROL, control);
        for domid in 1..=3 {
            world.add_domain(domid);
        }
        world
    }

    pub fn add_domain(&mut self, domid: u16) {
        self.store.register(DomId(domid));
        let perms = [Perm::new(DomId(domid), Access::None)];
        let home = xenstore::home(DomId(domid));
        self.store.control(|store| store.mkdir_with(&home, &perms)).unwrap();
        self.store.introduce(DomId(domid));
        self.connect(domid);
    }

    pub fn connect(&mut self, domid: u16) {
        let conn = self.store.connect(DomId(domid)).unwrap();
        self.conns.insert(domid, conn);
    }

    pub fn conn(&self, domid: u16) -> ConnId {
        self.conns[&domid]
    }

    /// Sends raw bytes and checks that the reply carries the request's ids.
    pub fn ask(&mut self, domid: u16, tx: u32, ty: Type, payload: &[u8]) -> Reply {
        self.next_req += 1;
        let request = Request { ty, req_id: self.next_req, tx_id: tx, payload: payload.to_vec() };
        let reply = self.store.handle(self.conns[&domid], &request);
        let word = |index: usize| u32::from_le_bytes(reply[index * 4..index * 4 + 4].try_into().unwrap());
        assert_eq!((word(1), word(2)), (self.next_req, tx), "the reply has its request's ids");
        assert_eq!(word(3) as usize, reply.len() - 16);
        assert!(reply.len() <= 16 + 4096);
        let text = String::from_utf8_lossy(&reply[16..]).into_owned();
        match word(0) {
            16 => Err(text.trim_end_matches('\0').to_owned()),
            got => {
                assert_eq!(got, ty.0, "the reply has its request's type");
                Ok(text)
            }
        }
    }

    pub fn read(&mut self, domid: u16, path: &str) -> Reply {
        self.ask(domid, 0, Type::READ, format!("{path}\0").as_bytes())
    }

    pub fn write(&mut self, domid: u16, path: &str, value: &str) -> Reply {
        self.ask(domid, 0, Type::WRITE, format!("{path}\0{value}").as_bytes())
    }

    pub fn mkdir(&mut self, domid: u16, path: &str) -> Reply {
        self.ask(domid, 0, Type::MKDIR, format!("{path}\0").as_bytes())
    }

    pub fn rm(&mut self, domid: u16, path: &str) -> Reply {
        self.ask(domid, 0, Type::RM, format!("{path}\0").as_bytes())
    }

    pub fn list(&mut self, domid: u16, path: &str) -> Reply {
        self.ask(domid, 0, Type::DIRECTORY, format!("{path}\0").as_bytes())
    }

    pub fn perms(&mut self, domid: u16, path: &str) -> Reply {
        self.ask(domid, 0, Type::GET_PERMS, format!("{path}\0").as_bytes())
    }

    /// `perms` as in `"n1 r2"`.
    pub fn set_perms(&mut self, domid: u16, path: &str, perms: &str) -> Reply {
        let perms = perms.replace(' ', "\0");
        self.ask(domid, 0, Type::SET_PERMS, format!("{path}\0{perms}\0").as_bytes())
    }

    pub fn watch(&mut self, domid: u16, path: &str, token: &str) -> Reply {
        self.ask(domid, 0, Type::WATCH, format!("{path}\0{token}\0").as_bytes())
    }

    pub fn start(&mut self, domid: u16) -> u32 {
        let id = self.ask(domid, 0, Type::TRANSACTION_START, b"\0").unwrap();
        id.trim_end_matches('\0').parse().unwrap()
    }

    pub fn end(&mut self, domid: u16, tx: u32, commit: bool) -> Reply {
        self.ask(domid, tx, Type::TRANSACTION_END, if commit { b"T\0" } else { b"F\0" })
    }

    /// All events that wait, as `path token`.
    pub fn events(&mut self, domid: u16) -> Vec<String> {
        let mut events = Vec::new();
        while let Some(event) = self.store.next_event(self.conns[&domid]) {
            events.push(format!("{} {}", event.path, String::from_utf8_lossy(&event.token)));
        }
        events
    }

    /// The accounts agree with the tree.
    pub fn check(&mut self) {
        assert_eq!(self.ask(CONTROL, 0, Type::CONTROL, b"check\0"), ok());
    }
}

pub fn ok() -> Reply {
    Ok("OK\0".into())
}

pub fn err(name: &str) -> Reply {
    Err(name.into())
}

pub fn value(text: &str) -> Reply {
    Ok(text.into())
}

/// A row: domain, transaction, type, payload, expected.
pub type Row<'a> = (u16, u32, Type, &'a [u8], Reply);

/// Asks each row, and compares.
pub fn check(world: &mut World, rows: &[Row<'_>]) {
    for (index, (domid, tx, ty, payload, expected)) in rows.iter().enumerate() {
        let reply = world.ask(*domid, *tx, *ty, payload);
        let asked = String::from_utf8_lossy(payload);
        assert_eq!(&reply, expected, "row {index}: d{domid} tx {tx} {ty:?} {asked:?}");
    }
    world.check();
}
