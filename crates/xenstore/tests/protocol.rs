//! One table for each rule of the protocol about nodes: who, in which transaction, asks what, and what comes back.

mod common;

use common::{CONTROL, Row, World, check, err, ok, value};
use xen_abi::DomId;
use xenstore::wire::MessageType as Type;

#[test]
fn values_are_octets_and_parents_are_made() {
    check(
        &mut World::new(),
        &[
            (1, 0, Type::WRITE, b"a/b/c\0one\0two", ok()),
            (1, 0, Type::READ, b"a/b/c\0", value("one\0two")),
            (1, 0, Type::READ, b"/local/domain/1/a/b/c\0", value("one\0two")),
            (1, 0, Type::READ, b"a/b\0", value("")),
            (1, 0, Type::WRITE, b"a/b/c\0", ok()),
            (1, 0, Type::READ, b"a/b/c\0", value("")),
            (1, 0, Type::READ, b"a/x\0", err("ENOENT")),
        ],
    );
}

#[test]
fn requests_with_the_wrong_strings_are_einval() {
    check(
        &mut World::new(),
        &[
            (1, 0, Type::READ, b"", err("EINVAL")),
            (1, 0, Type::READ, b"a", err("EINVAL")),
            (1, 0, Type::READ, b"a\0b\0", err("EINVAL")),
            (1, 0, Type::READ, b"\0", err("EINVAL")),
            (1, 0, Type::READ, b"@releaseDomain\0", err("EINVAL")),
            (1, 0, Type::WRITE, b"a", err("EINVAL")),
            (1, 0, Type::WRITE, b"\0x", err("EINVAL")),
            (1, 0, Type::WRITE, b"a//b\0x", err("EINVAL")),
            (1, 0, Type::WRITE, b"a/\0x", err("EINVAL")),
            (1, 0, Type::WRITE, b"a.b\0x", err("EINVAL")),
            (1, 0, Type::MKDIR, b"a\0b", err("EINVAL")),
            (1, 0, Type::RM, b"", err("EINVAL")),
            (1, 0, Type::DIRECTORY_PART, b"a\0", err("EINVAL")),
            (1, 0, Type::DIRECTORY_PART, b"/local/domain/1\0x\0", err("EINVAL")),
            (1, 0, Type::SET_PERMS, b"a\0", err("EINVAL")),
            (1, 0, Type::SET_PERMS, b"a\0q1\0", err("EINVAL")),
            (1, 0, Type::WATCH, b"a\0", err("EINVAL")),
            (1, 0, Type::WATCH, b"a\0t\0x\0", err("EINVAL")),
            (1, 0, Type::WATCH, b"a\0t\x001\x002\0", err("EINVAL")),
            (1, 0, Type::UNWATCH, b"a\0", err("EINVAL")),
            (1, 0, Type::TRANSACTION_END, b"X\0", err("EINVAL")),
            (1, 0, Type::GET_DOMAIN_PATH, b"x\0", err("EINVAL")),
            (1, 0, Type::GET_DOMAIN_PATH, b"65536\0", err("EINVAL")),
        ],
    );
}

#[test]
fn every_type_is_answered_whatever_it_is() {
    let mut world = World::new();
    let unknown = [15, 16, 20, 27, 28, 0xffff, u32::MAX];
    for ty in unknown {
        assert_eq!(world.ask(1, 0, Type(ty), b"a\0"), err("ENOSYS"), "type {ty}");
    }
    for ty in 0..30 {
        for payload in [&b""[..], b"\0", b"\0\0\0\0", &[0xff; 4096], &[b'a'; 4096], &[0; 4096]] {
            for tx in [0, 77, u32::MAX] {
                let _ = world.ask(1, tx, Type(ty), payload);
                let _ = world.ask(CONTROL, tx, Type(ty), payload);
            }
        }
    }
}

#[test]
fn directories_list_their_children() {
    check(
        &mut World::new(),
        &[
            (1, 0, Type::MKDIR, b"d\0", ok()),
            (1, 0, Type::DIRECTORY, b"d\0", value("")),
            (1, 0, Type::WRITE, b"d/b\0x", ok()),
            (1, 0, Type::MKDIR, b"d/a/z\0", ok()),
            (1, 0, Type::DIRECTORY, b"d\0", value("a\0b\0")),
            (1, 0, Type::MKDIR, b"d/b\0", ok()),
            (1, 0, Type::READ, b"d/b\0", value("x")),
            (1, 0, Type::DIRECTORY, b"d/none\0", err("ENOENT")),
        ],
    );
}

#[test]
fn rm_removes_the_subtree_and_needs_the_parent() {
    check(
        &mut World::new(),
        &[
            (1, 0, Type::WRITE, b"d/a/b\0x", ok()),
            (1, 0, Type::RM, b"d/a\0", ok()),
            (1, 0, Type::READ, b"d/a/b\0", err("ENOENT")),
            (1, 0, Type::RM, b"d/a\0", ok()),
            (1, 0, Type::RM, b"d/a/b\0", err("ENOENT")),
            (1, 0, Type::RM, b"/\0", err("EACCES")),
            (CONTROL, 0, Type::RM, b"/\0", err("EINVAL")),
        ],
    );
}

#[test]
fn long_directories_come_in_parts() {
    let mut world = World::new();
    let mut names = Vec::new();
    for index in 0..900 {
        let name = format!("child-{index:05}");
        world.write(CONTROL, &format!("/big/{name}"), "").unwrap();
        names.push(name);
    }
    assert_eq!(world.list(CONTROL, "/big"), err("E2BIG"));
    let (mut listed, mut generation, mut offset) = (Vec::new(), None, 0);
    loop {
        let part =
            world.ask(CONTROL, 0, Type::DIRECTORY_PART, format!("/big\0{offset}\0").as_bytes()).unwrap();
        let (number, names) = part.split_once('\0').unwrap();
        assert_eq!(*generation.get_or_insert(number.to_owned()), number);
        // Every name ends in a nul; the last part in one more.
        let is_last = names.ends_with("\0\0");
        let names = if is_last { &names[..names.len() - 1] } else { names };
        offset += names.len();
        listed.extend(names.split_terminator('\0').map(str::to_owned));
        if is_last {
            break;
        }
    }
    assert_eq!(listed, names);
    world.write(CONTROL, "/big/new", "").unwrap();
    let part = world.ask(CONTROL, 0, Type::DIRECTORY_PART, b"/big\x00999999\0").unwrap();
    let (number, rest) = part.split_once('\0').unwrap();
    assert_ne!(Some(number.to_owned()), generation);
    assert_eq!(rest, "\0");
}

#[test]
fn permissions_are_the_owners_to_give() {
    check(
        &mut World::new(),
        &[
            (1, 0, Type::WRITE, b"a\0x", ok()),
            (1, 0, Type::GET_PERMS, b"a\0", value("n1\0")),
            (2, 0, Type::READ, b"/local/domain/1/a\0", err("EACCES")),
            (1, 0, Type::SET_PERMS, b"a\0n1\0r2\0w3\0", ok()),
            (1, 0, Type::GET_PERMS, b"a\0", value("n1\0r2\0w3\0")),
            (2, 0, Type::READ, b"/local/domain/1/a\0", value("x")),
            (2, 0, Type::WRITE, b"/local/domain/1/a\0y", err("EACCES")),
            (3, 0, Type::READ, b"/local/domain/1/a\0", err("EACCES")),
            (3, 0, Type::WRITE, b"/local/domain/1/a\0y", ok()),
            (2, 0, Type::SET_PERMS, b"/local/domain/1/a\0n2\0", err("EACCES")),
            (3, 0, Type::SET_PERMS, b"/local/domain/1/a\0n1\0b3\0", err("EACCES")),
            (CONTROL, 0, Type::READ, b"/local/domain/1/a\0", value("y")),
            (CONTROL, 0, Type::SET_PERMS, b"/local/domain/1/a\0b2\0", ok()),
            (1, 0, Type::READ, b"a\0", value("y")),
            (1, 0, Type::SET_PERMS, b"a\0n1\0", err("EACCES")),
        ],
    );
}

#[test]
fn children_inherit_permissions_and_belong_to_their_maker() {
    check(
        &mut World::new(),
        &[
            (1, 0, Type::MKDIR, b"d\0", ok()),
            (1, 0, Type::SET_PERMS, b"d\0n1\0b2\0", ok()),
            (1, 0, Type::WRITE, b"d/own\0", ok()),
            (1, 0, Type::GET_PERMS, b"d/own\0", value("n1\0b2\0")),
            (2, 0, Type::WRITE, b"/local/domain/1/d/x/y\0", ok()),
            (2, 0, Type::GET_PERMS, b"/local/domain/1/d/x/y\0", value("n2\0b2\0")),
            (1, 0, Type::READ, b"d/x/y\0", err("EACCES")),
            (CONTROL, 0, Type::WRITE, b"/local/domain/1/d/c\0", ok()),
            (CONTROL, 0, Type::GET_PERMS, b"/local/domain/1/d/c\0", value("n1\0b2\0")),
            (2, 0, Type::WRITE, b"/new\0", err("EACCES")),
            (2, 0, Type::MKDIR, b"/local/domain/1/e\0", err("EACCES")),
        ],
    );
}

/// What does not exist is told only to those who may see where it would be.
#[test]
fn existence_is_told_to_those_who_may_know() {
    check(
        &mut World::new(),
        &[
            (1, 0, Type::READ, b"none\0", err("ENOENT")),
            (2, 0, Type::READ, b"/local/domain/1/none\0", err("EACCES")),
            (2, 0, Type::READ, b"/none/at/all\0", err("EACCES")),
            (2, 0, Type::RM, b"/local/domain/1/none\0", err("EACCES")),
            (CONTROL, 0, Type::READ, b"/none/at/all\0", err("ENOENT")),
        ],
    );
}

/// Permissions may name DOMID_ANY, where the writer was offered that.
#[test]
fn everybody_can_be_named_in_permissions() {
    let mut world = World::new();
    world.store.register(DomId(8));
    let rows: &[Row<'_>] = &[
        (CONTROL, 0, Type::SET_FEATURE, b"8\x000\0", ok()),
        (1, 0, Type::WRITE, b"a\0x", ok()),
        (2, 0, Type::READ, b"/local/domain/1/a\0", err("EACCES")),
        (1, 0, Type::SET_PERMS, b"a\0n1\0n3\0r32757\0", ok()),
        (1, 0, Type::GET_PERMS, b"a\0", value("n1\0n3\0r32757\0")),
        (2, 0, Type::READ, b"/local/domain/1/a\0", value("x")),
        (2, 0, Type::WRITE, b"/local/domain/1/a\0y", err("EACCES")),
        (3, 0, Type::READ, b"/local/domain/1/a\0", err("EACCES")),
        (2, 0, Type::SET_PERMS, b"/local/domain/1/a\0n2\0", err("EACCES")),
    ];
    check(&mut world, rows);
    world.add_domain(8);
    let rows: &[Row<'_>] = &[
        (8, 0, Type::WRITE, b"a\0x", ok()),
        (8, 0, Type::SET_PERMS, b"a\0n8\0r32757\0", ok()),
        (8, 0, Type::GET_PERMS, b"a\0", value("n8\0")),
        (2, 0, Type::READ, b"/local/domain/8/a\0", err("EACCES")),
        (8, 0, Type::WATCH, b"a\0t\x001\0", err("EINVAL")),
        (8, 0, Type::WATCH, b"a\0t\0", ok()),
        (8, 0, Type::GET_FEATURE, b"", value("0\0")),
    ];
    check(&mut world, rows);
}

#[test]
fn paths_are_relative_to_the_callers_home() {
    check(
        &mut World::new(),
        &[
            (1, 0, Type::WRITE, b"a\0one", ok()),
            (2, 0, Type::WRITE, b"a\0two", ok()),
            (1, 0, Type::READ, b"a\0", value("one")),
            (2, 0, Type::READ, b"a\0", value("two")),
            (CONTROL, 0, Type::READ, b"/local/domain/2/a\0", value("two")),
            (CONTROL, 0, Type::WRITE, b"a\0zero", ok()),
            (CONTROL, 0, Type::READ, b"/local/domain/0/a\0", value("zero")),
        ],
    );
}

/// Which error wins where several would do.
#[test]
fn errors_have_an_order() {
    let mut world = World::new();
    let rows: &[Row<'_>] = &[
        (1, 99, Type(77), b"", err("ENOSYS")),
        (1, 99, Type::CONTROL, b"", err("EACCES")),
        (1, 99, Type::READ, b"//", err("ENOENT")),
        (1, 99, Type::TRANSACTION_END, b"X\0", err("ENOENT")),
        (1, 0, Type::TRANSACTION_END, b"X\0", err("EINVAL")),
        (1, 0, Type::TRANSACTION_END, b"T\0", err("ENOENT")),
        (1, 0, Type::SET_PERMS, b"//\0n1\0n1\0n1\0n1\0n1\0n1\0", err("ENOSPC")),
        (1, 0, Type::SET_PERMS, b"//\0x\0", err("EINVAL")),
        (1, 0, Type::SET_PERMS, b"//\0n77\0", err("ENOENT")),
        (1, 0, Type::SET_PERMS, b"none\0n77\0", err("ENOENT")),
        (1, 0, Type::SET_PERMS, b"/local\0n2\0", err("EACCES")),
    ];
    check(&mut world, rows);
}
