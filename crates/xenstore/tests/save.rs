//! A store that is saved and restored at any moment goes on as if nothing had happened; bytes that lie are refused, or
//! make a store that works.

mod common;

use common::{CONTROL, World, err, ok, value};
use crc::{CRC_32_ISCSI, Crc};
use proptest::prelude::*;
use xen_abi::DomId;
use xenstore::wire::MessageType as Type;
use xenstore::{RestoreError, Store};

#[derive(Clone, Debug)]
enum Step {
    /// Domain, one of its transactions (or none), type, payload.
    Ask(u16, usize, Type, Vec<u8>),
    Start(u16),
    End(u16, usize, bool),
    Events(u16),
    /// The domain goes, and another one with its number comes.
    Replace(u16),
    /// A directory with so many nodes, some of them the domain's.
    Fill(u16, u16),
    Work(usize),
    Save,
}

fn path() -> impl Strategy<Value = String> {
    let name = prop::sample::select(vec!["a", "b", "big"]);
    prop::collection::vec(name, 1..4).prop_map(|names| format!("/d/{}", names.join("/")))
}

fn request() -> impl Strategy<Value = (Type, Vec<u8>)> {
    let perms = prop::sample::select(vec!["b0", "n1\0r2", "n2\0b1\0r3", "r3", "n0\0w32757"]);
    let of = |ty, text: String| (ty, text.into_bytes());
    prop_oneof![
        4 => path().prop_map(move |path| of(Type::READ, path + "\0")),
        2 => path().prop_map(move |path| of(Type::DIRECTORY, path + "\0")),
        1 => path().prop_map(move |path| of(Type::DIRECTORY_PART, path + "\x005\0")),
        1 => path().prop_map(move |path| of(Type::GET_PERMS, path + "\0")),
        6 => (path(), "[xyz]{0,3}").prop_map(move |(path, value)| of(Type::WRITE, format!("{path}\0{value}"))),
        2 => path().prop_map(move |path| of(Type::MKDIR, path + "\0")),
        3 => path().prop_map(move |path| of(Type::RM, path + "\0")),
        2 => (path(), perms).prop_map(move |(path, perms)| of(Type::SET_PERMS, format!("{path}\0{perms}\0"))),
        3 => (path(), "[st]").prop_map(move |(path, token)| of(Type::WATCH, format!("{path}\0{token}\0"))),
        1 => (path(), "[st]").prop_map(move |(path, token)| of(Type::WATCH, format!("{path}\0{token}\x001\0"))),
        1 => (path(), "[st]").prop_map(move |(path, token)| of(Type::UNWATCH, format!("{path}\0{token}\0"))),
        1 => Just(of(Type::WATCH, "@releaseDomain\0t\x001\0".into())),
        1 => Just(of(Type::WATCH, "x\0relative\0".into())),
        1 => Just(of(Type::RESET_WATCHES, "\0".into())),
        1 => Just(of(Type::CONTROL, "quota\x001\0".into())),
        1 => Just(of(Type::SET_QUOTA, "2\0nodes\x005\0".into())),
        1 => Just(of(Type::SET_TARGET, "1\x002\0".into())),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        30 => (0u16..4, 0usize..4, request()).prop_map(|(who, tx, (ty, payload))| Step::Ask(who, tx, ty, payload)),
        4 => (0u16..4).prop_map(Step::Start),
        4 => (0u16..4, 0usize..4, prop::bool::weighted(0.8)).prop_map(|(who, tx, commit)| Step::End(who, tx, commit)),
        4 => (0u16..4).prop_map(Step::Events),
        1 => (1u16..4).prop_map(Step::Replace),
        1 => (0u16..4, 0u16..5000).prop_map(|(who, count)| Step::Fill(who, count)),
        4 => (0usize..300).prop_map(Step::Work),
        10 => Just(Step::Save),
    ]
}

/// What can be told of a world by using it.
struct Told {
    world: World,
    transactions: Vec<(u16, u32)>,
}

impl Told {
    fn new() -> Self {
        let mut world = World::new();
        world.mkdir(CONTROL, "/d").unwrap();
        world.set_perms(CONTROL, "/d", "b0").unwrap();
        Told { world, transactions: Vec::new() }
    }

    fn transaction(&self, who: u16, nth: usize) -> u32 {
        let theirs: Vec<_> = self.transactions.iter().filter(|(domid, _)| *domid == who).collect();
        nth.checked_sub(1).and_then(|nth| theirs.get(nth)).map_or(0, |(_, id)| *id)
    }

    /// Does a step, and says what came of it.
    fn step(&mut self, step: &Step) -> String {
        match step {
            Step::Ask(who, nth, ty, payload) => {
                let tx = self.transaction(*who, *nth);
                format!("{:?}", self.world.ask(*who, tx, *ty, payload))
            }
            Step::Start(who) => {
                let reply = self.world.ask(*who, 0, Type::TRANSACTION_START, b"\0");
                if let Ok(id) = &reply {
                    self.transactions.push((*who, id.trim_end_matches('\0').parse().unwrap()));
                }
                format!("{reply:?}")
            }
            Step::End(who, nth, commit) => {
                let tx = self.transaction(*who, *nth);
                self.transactions.retain(|open| *open != (*who, tx));
                format!("{:?}", self.world.end(*who, tx, *commit))
            }
            Step::Events(who) => format!("{:?}", self.world.events(*who)),
            Step::Replace(domid) => {
                self.transactions.retain(|(who, _)| who != domid);
                self.world.store.release(DomId(*domid));
                self.world.add_domain(*domid);
                String::new()
            }
            Step::Fill(who, count) => {
                let done = self.world.store.control(|store| {
                    for index in 0..*count {
                        store.write(&format!("/d/big/{}/{index}", index % 7), "v")?;
                    }
                    store.mkdir_with(
                        "/d/big/3/own",
                        &[xenstore::Perm::new(DomId(*who), xenstore::Access::Both)],
                    )
                });
                format!("{done:?}")
            }
            Step::Work(budget) => format!("{}", self.world.store.work(*budget)),
            Step::Save => {
                format!("{:?}", (0..4).map(|who| self.world.store.usage(DomId(who))).collect::<Vec<_>>())
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn nobody_can_tell_that_the_store_was_saved_and_restored(steps in prop::collection::vec(step(), 1..120)) {
        let (mut plain, mut saved) = (Told::new(), Told::new());
        for step in steps {
            if let Step::Save = step {
                let bytes = saved.world.store.save();
                saved.world.store = Store::restore(&bytes).unwrap();
                prop_assert_eq!(saved.world.store.save().len(), bytes.len());
            }
            prop_assert_eq!(plain.step(&step), saved.step(&step), "{:?}", step);
        }
        for who in 0..4 {
            prop_assert_eq!(plain.world.events(who), saved.world.events(who));
        }
        plain.world.check();
        saved.world.check();
    }

    #[test]
    fn bytes_that_lie_make_no_store_or_one_that_works(
        steps in prop::collection::vec(step(), 1..40),
        lies in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in prop::option::weighted(0.1, any::<prop::sample::Index>()),
    ) {
        let mut told = Told::new();
        for step in steps.iter().filter(|step| !matches!(step, Step::Fill(..))) {
            told.step(step);
        }
        let mut bytes = told.world.store.save();
        bytes.truncate(bytes.len() - 4);
        for (at, lie) in lies {
            let at = 7 + at.index(bytes.len() - 7);
            bytes[at] = lie;
        }
        if let Some(cut) = cut {
            bytes.truncate(7 + cut.index(bytes.len() - 7));
        }
        if let Ok(store) = Store::restore(&signed(bytes)) {
            told.world.store = store;
            for step in &steps {
                if !told.world.store.connections().any(|(id, _)| id == told.world.conn(CONTROL)) {
                    break;
                }
                // A lie may have closed connections, or left a domain out: then not even the harness knows what to expect.
                let sound = (1..4).all(|domid| told.world.store.is_introduced(DomId(domid)));
                if sound && !matches!(step, Step::Fill(..) | Step::Replace(..)) {
                    told.step(step);
                }
            }
            while told.world.store.work(1000) {}
        }
    }
}

/// With the right checksum behind it.
fn signed(mut bytes: Vec<u8>) -> Vec<u8> {
    let sum = Crc::<u32>::new(&CRC_32_ISCSI).checksum(&bytes);
    bytes.extend(sum.to_le_bytes());
    bytes
}

#[test]
fn damage_is_told_by_its_kind() {
    let bytes = World::new().store.save();
    let refused = |bytes: &[u8]| Store::restore(bytes).err();
    assert_eq!(refused(&bytes), None);
    assert_eq!(refused(b""), Some(RestoreError::Foreign));
    assert_eq!(refused(b"XSTORE"), Some(RestoreError::Short));
    assert_eq!(refused(b"XSTORE\x63...."), Some(RestoreError::Version(0x63)));
    let mut damaged = bytes.clone();
    damaged[20] ^= 1;
    assert_eq!(refused(&damaged), Some(RestoreError::Checksum));
    assert_eq!(refused(&bytes[..bytes.len() - 1]), Some(RestoreError::Checksum));
    assert_eq!(refused(&signed(bytes[..7].to_vec())), Some(RestoreError::Short));
    let mut long = bytes[..bytes.len() - 4].to_vec();
    long.push(0);
    assert_eq!(refused(&signed(long)), Some(RestoreError::Malformed));
}

/// A number of things that are not there makes no room for them.
#[test]
fn counts_larger_than_the_bytes_are_refused() {
    let mut bytes = World::new().store.save()[..7].to_vec();
    bytes.extend([0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]);
    assert_eq!(Store::restore(&signed(bytes)).err(), Some(RestoreError::Short));
}

#[test]
fn what_snapshots_share_is_saved_once() {
    let mut world = World::new();
    world
        .store
        .control(|store| (0..5000).try_for_each(|n| store.write(&format!("/d/{}/{n}", n % 50), "value")))
        .unwrap();
    let one = world.store.save().len();
    for round in 0..50 {
        let tx = world.start(CONTROL);
        world.ask(CONTROL, tx, Type::WRITE, format!("/d/7/7\0{round}").as_bytes()).unwrap();
    }
    let bytes = world.store.save();
    assert!(bytes.len() < one + 100_000, "{one} bytes became {}", bytes.len());
    let again = Store::restore(&bytes).unwrap();
    assert_eq!(again.save().len(), bytes.len(), "and still shared afterwards");
}

#[test]
fn an_open_transaction_goes_on_after_the_restart() {
    let mut world = World::new();
    world.write(1, "a", "old").unwrap();
    let (good, bad) = (world.start(1), world.start(1));
    world.ask(1, good, Type::WRITE, b"b\0new").unwrap();
    world.ask(1, bad, Type::READ, b"a\0").unwrap();
    world.watch(2, "@releaseDomain", "t").unwrap();
    world.store = Store::restore(&world.store.save()).unwrap();
    world.write(1, "a", "newer").unwrap();
    assert_eq!(world.ask(1, good, Type::READ, b"a\0"), value("old"));
    assert_eq!(world.ask(1, bad, Type::WRITE, b"c\0x"), ok());
    assert_eq!(world.end(1, bad, true), err("EAGAIN"));
    assert_eq!(world.end(1, good, true), err("EAGAIN"));
    assert_eq!(world.events(2), ["@releaseDomain t"]);
    assert_eq!(world.store.connections().count(), 4);
}
