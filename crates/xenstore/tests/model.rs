//! Random histories of several domains that come and go, their transactions, watches and quotas, work that waits and restarts, against a
//! naive model.
//!
//! The model is a map from paths to values and permissions, copied for every transaction, with no sharing and no cleverness. For commits it has the
//! definition instead of an algorithm: when nothing else changed since the start, a commit succeeds; and whenever one
//! succeeds, asking everything once more at that moment would have given the same answers, and leaves what is there now.

mod common;

use std::collections::{BTreeMap, BTreeSet};

use common::{CONTROL, Reply, World, err, ok};
use proptest::prelude::*;
use xen_abi::DomId;
use xenstore::Store;
use xenstore::wire::MessageType as Type;

/// Nodes that a guest may own, its home included.
const NODES_MAX: usize = 12;
/// From here on numbers stand for domains that are gone.
const DEAD: u16 = 1000;

/// Owner and default access first.
type Perms = Vec<(u16, char)>;

#[derive(Clone, Debug, PartialEq)]
struct Node {
    value: String,
    perms: Perms,
}

type Tree = BTreeMap<String, Node>;

#[derive(Clone, Debug)]
enum Ask {
    Read(String),
    List(String),
    GetPerms(String),
    Write(String, String),
    Mkdir(String),
    Rm(String),
    SetPerms(String, Perms),
}

impl Ask {
    fn message(&self) -> (Type, Vec<u8>) {
        let (ty, text) = match self {
            Ask::Read(path) => (Type::READ, format!("{path}\0")),
            Ask::List(path) => (Type::DIRECTORY, format!("{path}\0")),
            Ask::GetPerms(path) => (Type::GET_PERMS, format!("{path}\0")),
            Ask::Write(path, value) => (Type::WRITE, format!("{path}\0{value}")),
            Ask::Mkdir(path) => (Type::MKDIR, format!("{path}\0")),
            Ask::Rm(path) => (Type::RM, format!("{path}\0")),
            Ask::SetPerms(path, perms) => (Type::SET_PERMS, format!("{path}\0{}", perm_text(perms))),
        };
        (ty, text.into_bytes())
    }
}

fn perm_text(perms: &Perms) -> String {
    let alive = perms.iter().filter(|(domid, _)| *domid < DEAD);
    alive.map(|(domid, letter)| format!("{letter}{domid}\0")).collect()
}

fn parent(path: &str) -> String {
    match path.rsplit_once('/') {
        Some(("", _)) | None => "/".into(),
        Some((parent, _)) => parent.into(),
    }
}

fn is_below(path: &str, top: &str) -> bool {
    path == top || top == "/" || path.starts_with(&format!("{top}/"))
}

fn allows(perms: &Perms, who: u16, needed: char) -> bool {
    if who == CONTROL || perms[0].0 == who {
        return true;
    }
    let named = perms[1..].iter().find(|(domid, _)| *domid == who);
    let access = named.map_or(perms[0].1, |(_, access)| *access);
    access == needed || access == 'b'
}

/// ENOENT or EACCES for what does not exist.
fn missing(tree: &Tree, who: u16, path: &str, needed: char) -> String {
    let mut above = parent(path);
    while !tree.contains_key(&above) {
        above = parent(&above);
    }
    if allows(&tree[&above].perms, who, needed) { "ENOENT".into() } else { "EACCES".into() }
}

fn see<'t>(tree: &'t Tree, who: u16, path: &str, needed: char) -> Result<&'t Node, String> {
    match tree.get(path) {
        Some(node) if allows(&node.perms, who, needed) => Ok(node),
        Some(_) => Err("EACCES".into()),
        None => Err(missing(tree, who, path, needed)),
    }
}

/// Nodes of a domain outside its home.
fn owned(tree: &Tree, who: u16) -> isize {
    tree.values().filter(|node| node.perms[0].0 == who).count() as isize
}

/// The nodes that are missing for the path to exist.
fn missing_count(tree: &Tree, path: &str) -> isize {
    if tree.contains_key(path) { 0 } else { 1 + missing_count(tree, &parent(path)) }
}

fn create(tree: &mut Tree, who: u16, path: &str) {
    if tree.contains_key(path) {
        return;
    }
    let above = parent(path);
    create(tree, who, &above);
    let mut perms = tree[&above].perms.clone();
    if who != CONTROL {
        perms[0].0 = who;
    }
    tree.insert(path.into(), Node { value: String::new(), perms });
}

/// What the request answers, and does. `elsewhere` nodes count besides those in the tree.
fn ask(tree: &mut Tree, who: u16, request: &Ask, elsewhere: isize) -> Reply {
    match request {
        Ask::Read(path) => see(tree, who, path, 'r').map(|node| node.value.clone()),
        Ask::GetPerms(path) => see(tree, who, path, 'r').map(|node| perm_text(&node.perms)),
        Ask::List(path) => {
            see(tree, who, path, 'r')?;
            let children = tree.keys().filter(|other| *other != "/" && parent(other) == *path);
            Ok(children.map(|child| format!("{}\0", child.rsplit_once('/').unwrap().1)).collect())
        }
        Ask::Write(path, _) | Ask::Mkdir(path) => {
            match see(tree, who, path, 'w') {
                Ok(_) => {}
                Err(error) if error == "ENOENT" => {
                    let wanted = owned(tree, who) + elsewhere + missing_count(tree, path);
                    if who != CONTROL && wanted > NODES_MAX as isize {
                        return err("ENOSPC");
                    }
                    create(tree, who, path);
                }
                Err(error) => return Err(error),
            }
            if let (Ask::Write(_, value), Some(node)) = (request, tree.get_mut(path)) {
                node.value = value.clone();
            }
            ok()
        }
        Ask::Rm(path) => {
            match see(tree, who, path, 'w') {
                Ok(_) => {}
                Err(error) if error == "ENOENT" && tree.contains_key(&parent(path)) => return ok(),
                Err(error) => return Err(error),
            }
            tree.retain(|other, _| !is_below(other, path));
            ok()
        }
        Ask::SetPerms(path, perms) => {
            let node = see(tree, who, path, 'w')?;
            if who != CONTROL && node.perms[0].0 != who {
                return err("EACCES");
            }
            if who != CONTROL && node.perms[0].0 != perms[0].0 {
                return err("EPERM");
            }
            if let Some(node) = tree.get_mut(path) {
                node.perms = perms.clone();
            }
            ok()
        }
    }
}

struct Transaction {
    id: u32,
    base: Tree,
    tree: Tree,
    history: Vec<(Ask, Reply)>,
    /// The store's version at its start.
    version: usize,
}

struct Model {
    tree: Tree,
    transactions: BTreeMap<u16, Transaction>,
    watches: BTreeSet<(u16, String)>,
    version: usize,
}

#[derive(Clone, Debug)]
enum Step {
    Ask(u16, bool, Ask),
    Start(u16),
    End(u16, bool),
    Watch(u16, String),
    Unwatch(u16, String),
    /// The domain goes, and another one with its number comes.
    Replace(u16),
    Work(usize),
    /// The store is saved and restored.
    Restart,
}

fn path() -> impl Strategy<Value = String> {
    let name = prop::sample::select(vec!["a", "b", "c"]);
    prop::collection::vec(name, 0..4)
        .prop_map(|names| format!("/d/{}", names.join("/")))
        .prop_map(|path| path.trim_end_matches('/').to_owned())
}

fn perms() -> impl Strategy<Value = Perms> {
    prop::collection::vec((0u16..4, prop::sample::select(vec!['n', 'r', 'w', 'b'])), 1..4)
}

fn step() -> impl Strategy<Value = Step> {
    let ask = prop_oneof![
        3 => path().prop_map(Ask::Read),
        2 => path().prop_map(Ask::List),
        1 => path().prop_map(Ask::GetPerms),
        5 => (path(), "[xyz]{0,2}").prop_map(|(path, value)| Ask::Write(path, value)),
        2 => path().prop_map(Ask::Mkdir),
        2 => path().prop_map(Ask::Rm),
        2 => (path(), perms()).prop_map(|(path, perms)| Ask::SetPerms(path, perms)),
    ];
    prop_oneof![
        12 => (0u16..4, any::<bool>(), ask).prop_map(|(who, inside, ask)| Step::Ask(who, inside, ask)),
        2 => (0u16..4).prop_map(Step::Start),
        2 => (0u16..4, prop::bool::weighted(0.8)).prop_map(|(who, commit)| Step::End(who, commit)),
        1 => (0u16..4, path()).prop_map(|(who, path)| Step::Watch(who, path)),
        1 => (0u16..4, path()).prop_map(|(who, path)| Step::Unwatch(who, path)),
        1 => (1u16..4).prop_map(Step::Replace),
        1 => (0usize..500).prop_map(Step::Work),
        1 => Just(Step::Restart),
    ]
}

/// The whole store as the control domain sees it.
fn dump(world: &mut World) -> Tree {
    let mut tree = Tree::new();
    let mut stack = vec!["/d".to_owned()];
    while let Some(path) = stack.pop() {
        let names = world.list(CONTROL, &path).unwrap();
        stack.extend(names.split_terminator('\0').map(|name| format!("{path}/{name}")));
        let perms = world.perms(CONTROL, &path).unwrap();
        let perms = perms
            .split_terminator('\0')
            .map(|perm| (perm[1..].parse().unwrap(), perm.chars().next().unwrap()))
            .collect();
        let value = world.read(CONTROL, &path).unwrap();
        tree.insert(path, Node { value, perms });
    }
    tree
}

/// The same of the model: the dead are not shown.
fn below_d(tree: &Tree) -> Tree {
    let mut tree = tree.clone();
    tree.retain(|path, _| is_below(path, "/d"));
    tree.values_mut().for_each(|node| node.perms.retain(|(domid, _)| *domid < DEAD));
    tree
}

/// Events are right if each watch whose tree changed in a way its owner may see got one, and nobody heard of what he may not know.
fn check_events(world: &mut World, model: &Model, before: &Tree) {
    for who in 0..4 {
        let events: BTreeSet<String> = world.events(who).into_iter().collect();
        for (_, watched) in model.watches.iter().filter(|(watcher, _)| *watcher == who) {
            let paths = before.keys().chain(model.tree.keys()).collect::<BTreeSet<_>>();
            let visible_change = paths.into_iter().any(|path| {
                let (old, new) = (before.get(path), model.tree.get(path));
                let may_see = [old, new].into_iter().flatten().any(|node| allows(&node.perms, who, 'r'));
                // What goes with its directory is told on the directory's path, to those who may know that one;
                // only a watch on the very node hears of the node itself.
                let went_along = new.is_none() && !model.tree.contains_key(&parent(path));
                let is_told = path == watched || (is_below(path, watched) && !went_along);
                is_told && old != new && may_see
            });
            if visible_change {
                let heard = events.iter().any(|event| {
                    event.strip_suffix(&format!(" {watched}")).is_some_and(|path| is_below(path, watched))
                });
                assert!(heard, "d{who} did not hear of a change below {watched}: {events:?}");
            }
        }
        for event in &events {
            let (path, _) = event.split_once(' ').unwrap();
            let above = parent(path);
            let nodes = [before.get(path), model.tree.get(path), before.get(&above), model.tree.get(&above)];
            let may_know = nodes.into_iter().flatten().any(|node| allows(&node.perms, who, 'r'));
            assert!(may_know, "d{who} was told of {path}");
        }
    }
}

/// A number in permissions means nobody any more.
fn forget(tree: &mut Tree, domid: u16) {
    let named = tree.values_mut().flat_map(|node| &mut node.perms).map(|(named, _)| named);
    named.filter(|named| **named == domid).for_each(|named| *named = DEAD);
}

/// A domain is gone: what it owned with all below, its watches, and what it may elsewhere.
fn bury(model: &mut Model, domid: u16) {
    let theirs = |node: &Node| node.perms[0].0 == domid;
    let tops: Vec<_> =
        model.tree.iter().filter(|(_, node)| theirs(node)).map(|(path, _)| path.clone()).collect();
    model.tree.retain(|path, _| !tops.iter().any(|top| is_below(path, top)));
    forget(&mut model.tree, domid);
    model.watches.retain(|(who, _)| *who != domid);
    model.version += 1;
}

/// More to remove than anybody does at once.
fn leave_work(world: &mut World) {
    let fill = |store: &mut xenstore::Control<'_>| {
        (0..2500).try_for_each(|n| store.write(&format!("/big/{}/{n}", n % 25), ""))?;
        Ok(())
    };
    world.store.control(fill).unwrap();
    world.rm(CONTROL, "/big").unwrap();
    assert!(world.store.has_work());
}

fn run(steps: Vec<Step>, has_work: bool) {
    let mut world = World::new();
    for domid in 1..4 {
        world.store.quota_mut(Some(DomId(domid))).unwrap().nodes = NODES_MAX as u32;
    }
    if has_work {
        leave_work(&mut world);
    }
    world.mkdir(CONTROL, "/d").unwrap();
    world.set_perms(CONTROL, "/d", "b0").unwrap();
    let private = |perms: Perms| Node { value: String::new(), perms };
    let tree =
        Tree::from([("/".to_owned(), private(vec![(0, 'n')])), ("/d".to_owned(), private(vec![(0, 'b')]))]);
    let mut model = Model { tree, transactions: BTreeMap::new(), watches: BTreeSet::new(), version: 0 };
    for step in steps {
        let mut before = model.tree.clone();
        match step {
            Step::Ask(who, inside, request) => {
                // The root of the game stays, whoever goes.
                match &request {
                    Ask::Rm(path) if path == "/d" => continue,
                    Ask::SetPerms(path, perms) if path == "/d" && perms[0].0 != CONTROL => continue,
                    _ => {}
                }
                let (ty, payload) = request.message();
                match model.transactions.get_mut(&who).filter(|_| inside) {
                    Some(transaction) => {
                        let elsewhere = 1 + owned(&model.tree, who) - owned(&transaction.base, who);
                        let expected = ask(&mut transaction.tree, who, &request, elsewhere);
                        assert_eq!(world.ask(who, transaction.id, ty, &payload), expected, "{request:?}");
                        transaction.history.push((request, expected));
                    }
                    None => {
                        let expected = ask(&mut model.tree, who, &request, 1);
                        assert_eq!(world.ask(who, 0, ty, &payload), expected, "d{who} {request:?}");
                        model.version += usize::from(model.tree != before || expected == ok());
                    }
                }
            }
            Step::Start(who) => {
                if !model.transactions.contains_key(&who) {
                    let (id, base, version) = (world.start(who), model.tree.clone(), model.version);
                    let (tree, history) = (base.clone(), Vec::new());
                    model.transactions.insert(who, Transaction { id, base, tree, history, version });
                }
            }
            Step::End(who, commit) => {
                let Some(transaction) = model.transactions.remove(&who) else { continue };
                let reply = world.end(who, transaction.id, commit);
                if !commit {
                    assert_eq!(reply, ok());
                } else if reply == ok() {
                    let mut tree = model.tree.clone();
                    for (request, answer) in &transaction.history {
                        assert_eq!(&ask(&mut tree, who, request, 1), answer, "not serialisable: {request:?}");
                    }
                    model.tree = tree;
                    model.version += 1;
                } else {
                    assert_eq!(reply, err("EAGAIN"));
                    assert_ne!(transaction.version, model.version, "nothing happened that could conflict");
                }
            }
            Step::Watch(who, path) => {
                let expected = if model.watches.insert((who, path.clone())) { ok() } else { err("EEXIST") };
                assert_eq!(world.watch(who, &path, &path), expected);
                if expected == ok() {
                    assert_eq!(world.events(who), [format!("{path} {path}")]);
                }
            }
            Step::Unwatch(who, path) => {
                let expected = if model.watches.remove(&(who, path.clone())) { ok() } else { err("ENOENT") };
                let reply = world.ask(who, 0, Type::UNWATCH, format!("{path}\0{path}\0").as_bytes());
                assert_eq!(reply, expected);
            }
            Step::Replace(domid) => {
                // What transactions saw of permissions has other words afterwards.
                for (who, transaction) in std::mem::take(&mut model.transactions) {
                    assert_eq!(world.end(who, transaction.id, false), ok());
                }
                world.store.release(DomId(domid));
                while world.store.work(100) {}
                world.add_domain(domid);
                world.store.quota_mut(Some(DomId(domid))).unwrap().nodes = NODES_MAX as u32;
                bury(&mut model, domid);
                // That alone is no change to tell of.
                forget(&mut before, domid);
            }
            Step::Work(budget) => {
                world.store.work(budget);
            }
            Step::Restart => world.store = Store::restore(&world.store.save()).unwrap(),
        }
        check_events(&mut world, &model, &before);
    }
    assert_eq!(dump(&mut world), below_d(&model.tree));
    for (who, transaction) in std::mem::take(&mut model.transactions) {
        assert_eq!(world.end(who, transaction.id, false), ok());
    }
    world.check();
    finish(world);
}

/// After everything is gone, nothing is charged to anybody.
fn finish(mut world: World) {
    for domid in 1..4 {
        assert_eq!(world.ask(domid, 0, Type::RESET_WATCHES, b"\0"), ok());
    }
    world.rm(CONTROL, "/d").unwrap();
    world.rm(CONTROL, "/local").unwrap();
    for domid in 1..4 {
        assert_eq!(world.store.usage(DomId(domid)), Some(xenstore::Usage::default()), "d{domid}");
    }
}

proptest! {
    #[test]
    fn the_store_agrees_with_a_naive_model(
        steps in prop::collection::vec(step(), 1..120),
        has_work in prop::bool::weighted(0.1),
    ) {
        run(steps, has_work);
    }
}

#[test]
fn the_model_knows_a_conflict_when_it_sees_one() {
    let write = |who, inside, path: &str, value: &str| {
        Step::Ask(who, inside, Ask::Write(path.to_owned(), value.to_owned()))
    };
    let read = |who, inside, path: &str| Step::Ask(who, inside, Ask::Read(path.to_owned()));
    run(
        vec![
            Step::Watch(2, "/d".into()),
            write(1, false, "/d/a", "x"),
            Step::Start(1),
            read(1, true, "/d/a"),
            write(1, true, "/d/b", "y"),
            write(0, false, "/d/a", "z"),
            Step::End(1, true),
        ],
        false,
    );
}

/// Found by chance: the directories that a transaction made for something, and left behind, are told of.
#[test]
fn what_a_transaction_leaves_behind_is_told() {
    run(
        vec![
            Step::Watch(0, "/d".into()),
            Step::Start(0),
            Step::Ask(0, true, Ask::Write("/d/c/b".into(), String::new())),
            Step::Ask(0, true, Ask::Rm("/d/c/b".into())),
            Step::End(0, true),
        ],
        false,
    );
}
