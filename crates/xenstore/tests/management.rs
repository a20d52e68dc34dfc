//! One table for each rule of the protocol about domains, quotas, features and the server itself.

mod common;

use common::{CONTROL, Row, World, check, err, ok, value};
use xen_abi::DomId;
use xenstore::NoXen;
use xenstore::wire::MessageType as Type;

#[test]
fn guests_may_not_do_what_is_the_control_domains() {
    let mut world = World::new();
    let rows: &[Row<'_>] = &[
        (1, 0, Type::CONTROL, b"check\0", err("EACCES")),
        (1, 0, Type::INTRODUCE, b"4\x001\x002\0", err("EACCES")),
        (1, 0, Type::RELEASE, b"2\0", err("EACCES")),
        (1, 0, Type::RESUME, b"1\0", err("EACCES")),
        (1, 0, Type::SET_TARGET, b"1\x002\0", err("EACCES")),
        (1, 0, Type::IS_DOMAIN_INTRODUCED, b"1\0", err("EACCES")),
        (1, 0, Type::SET_FEATURE, b"1\x000\0", err("EACCES")),
        (1, 0, Type::GET_FEATURE, b"1\0", err("EACCES")),
        (1, 0, Type::GET_FEATURE, b"", value("15\0")),
        (1, 0, Type::GET_QUOTA, b"nodes\0", err("EACCES")),
        (1, 0, Type::SET_QUOTA, b"nodes\x000\0", err("EACCES")),
    ];
    check(&mut world, rows);
}

#[test]
fn the_control_domain_manages_domains() {
    let mut world = World::new();
    world.store.register(DomId(9));
    let rows: &[Row<'_>] = &[
        (1, 0, Type::GET_DOMAIN_PATH, b"007\0", value("/local/domain/7\0")),
        (CONTROL, 0, Type::IS_DOMAIN_INTRODUCED, b"1\0", value("T\0")),
        (CONTROL, 0, Type::IS_DOMAIN_INTRODUCED, b"9\0", value("F\0")),
        (CONTROL, 0, Type::IS_DOMAIN_INTRODUCED, b"32752\0", value("T\0")),
        (CONTROL, 0, Type::RESUME, b"1\0", ok()),
        (CONTROL, 0, Type::RESUME, b"9\0", err("ENOENT")),
        (CONTROL, 0, Type::RELEASE, b"0\0", err("EINVAL")),
        (CONTROL, 0, Type::GET_FEATURE, b"1\0", value("15\0")),
        (CONTROL, 0, Type::SET_FEATURE, b"1\x002\0", err("EBUSY")),
        (CONTROL, 0, Type::SET_FEATURE, b"9\x0099\0", err("EINVAL")),
        (CONTROL, 0, Type::SET_FEATURE, b"9\x002\0", ok()),
        (CONTROL, 0, Type::GET_FEATURE, b"9\0", value("2\0")),
        (CONTROL, 0, Type::SET_TARGET, b"2\x009\0", err("ENOENT")),
        (1, 0, Type::WRITE, b"a\0x", ok()),
        (2, 0, Type::READ, b"/local/domain/1/a\0", err("EACCES")),
        (CONTROL, 0, Type::SET_TARGET, b"2\x001\0", ok()),
        (2, 0, Type::READ, b"/local/domain/1/a\0", value("x")),
        (CONTROL, 0, Type::RELEASE, b"1\0", ok()),
        (CONTROL, 0, Type::RELEASE, b"1\0", err("ENOENT")),
        (CONTROL, 0, Type::READ, b"/local/domain/1\0", err("ENOENT")),
        (CONTROL, 0, Type::CONTROL, b"nonsense\0", err("EINVAL")),
    ];
    check(&mut world, rows);
}

#[test]
fn quotas_are_read_and_set_by_name() {
    let mut world = World::new();
    let rows: &[Row<'_>] = &[
        (CONTROL, 0, Type::GET_QUOTA, b"nodes\0", value("1000\0")),
        (CONTROL, 0, Type::GET_QUOTA, b"1\0watches\0", value("128\0")),
        (CONTROL, 0, Type::SET_QUOTA, b"1\0watches\x003\0", ok()),
        (CONTROL, 0, Type::GET_QUOTA, b"1\0watches\0", value("3\0")),
        (CONTROL, 0, Type::GET_QUOTA, b"2\0watches\0", value("128\0")),
        (CONTROL, 0, Type::GET_QUOTA, b"nonsense\0", err("EINVAL")),
        (CONTROL, 0, Type::GET_QUOTA, b"77\0nodes\0", err("ENOENT")),
        (CONTROL, 0, Type::SET_QUOTA, b"nodes\0many\0", err("EINVAL")),
    ];
    check(&mut world, rows);
    let names = world.ask(CONTROL, 0, Type::GET_QUOTA, b"").unwrap();
    assert!(names.trim_end_matches('\0').split(' ').any(|name| name == "transaction-nodes"));
}

/// `<domid>|<gfn>|<evtchn>|`, and the host of the store has the last word.
#[test]
fn introduce_asks_the_host() {
    let mut world = World::new();
    check(&mut world, &[(CONTROL, 0, Type::INTRODUCE, b"9\x00100\x003\0", err("ENOSYS"))]);
    world.store.set_host(Box::new(NoXen));
    let watch = (CONTROL, 0, Type::WATCH, &b"@introduceDomain\0t\x001\0"[..], ok());
    check(
        &mut world,
        &[
            watch,
            (CONTROL, 0, Type::INTRODUCE, b"9\x00100\0", err("EINVAL")),
            (CONTROL, 0, Type::INTRODUCE, b"9\x00100\x000\0", err("EINVAL")),
            (CONTROL, 0, Type::INTRODUCE, b"9\0x\x003\0", err("EINVAL")),
            (CONTROL, 0, Type::INTRODUCE, b"70000\x00100\x003\0", err("EINVAL")),
            (CONTROL, 0, Type::INTRODUCE, b"32752\x00100\x003\0", err("EINVAL")),
            (CONTROL, 0, Type::IS_DOMAIN_INTRODUCED, b"9\0", value("F\0")),
            (CONTROL, 0, Type::INTRODUCE, b"9\0-100\x003\0", ok()),
            (CONTROL, 0, Type::IS_DOMAIN_INTRODUCED, b"9\0", value("T\0")),
            (CONTROL, 0, Type::INTRODUCE, b"9\x00100\x004\0", ok()),
        ],
    );
    assert_eq!(world.events(CONTROL), ["@introduceDomain t", "@introduceDomain/9 t"], "told once");
}

/// A domain that is introduced once more has a fresh connection.
#[test]
fn introduce_again_resets_the_connection() {
    let mut world = World::new();
    world.store.set_host(Box::new(NoXen));
    world.watch(1, "a", "t").unwrap();
    let tx = world.start(1);
    assert_eq!(world.ask(CONTROL, 0, Type::INTRODUCE, b"1\x00100\x003\0"), ok());
    assert_eq!(world.events(1), Vec::<String>::new());
    assert_eq!(world.end(1, tx, true), err("ENOENT"));
    assert_eq!(world.store.usage(DomId(1)).unwrap().watches, 0);
}

#[test]
fn control_has_the_commands_that_mean_something_here() {
    let rows: &[Row<'_>] = &[
        (CONTROL, 0, Type::CONTROL, b"", err("EINVAL")),
        (CONTROL, 0, Type::CONTROL, b"check\0now\0", err("EINVAL")),
        (CONTROL, 0, Type::CONTROL, b"log\0", value("Log switch settings:\nio      : off\n\0")),
        (CONTROL, 0, Type::CONTROL, b"log\0+io\0", ok()),
        (CONTROL, 0, Type::CONTROL, b"log\0", value("Log switch settings:\nio      : on\n\0")),
        (CONTROL, 0, Type::CONTROL, b"log\0off\0", ok()),
        (CONTROL, 0, Type::CONTROL, b"log\0+tdb\0", err("EINVAL")),
        (CONTROL, 0, Type::CONTROL, b"logfile\0/tmp/x\0", err("ENOSYS")),
        (CONTROL, 0, Type::CONTROL, b"logfile\0", err("EINVAL")),
        (CONTROL, 0, Type::CONTROL, b"print\0hello\0", ok()),
        (CONTROL, 0, Type::CONTROL, b"print\0", err("EINVAL")),
        (CONTROL, 0, Type::CONTROL, b"live-update\0-s\0", value("live-update is not available\0")),
        (CONTROL, 0, Type::CONTROL, b"quota\0set\0nodes\x00500\0", ok()),
        (CONTROL, 0, Type::CONTROL, b"quota\0set\0nodes\x000\0", err("EINVAL")),
        (CONTROL, 0, Type::CONTROL, b"quota\0set\0nonsense\x001\0", err("EINVAL")),
        (CONTROL, 0, Type::CONTROL, b"quota\0set\0soft-memory\x001\0", err("EINVAL")),
        (CONTROL, 0, Type::GET_QUOTA, b"nodes\0", value("500\0")),
        (CONTROL, 0, Type::CONTROL, b"quota\x0077\0", err("ENOENT")),
        (CONTROL, 0, Type::CONTROL, b"quota-soft\0set\0memory\x004096\0", ok()),
        (CONTROL, 0, Type::GET_QUOTA, b"soft-memory\0", value("4096\0")),
        (CONTROL, 0, Type::CONTROL, b"quota-soft\0set\0nodes\x001\0", err("EINVAL")),
    ];
    let mut world = World::new();
    check(&mut world, rows);
    let mut told = |command: &[u8]| world.ask(CONTROL, 0, Type::CONTROL, command).unwrap();
    let help = told(b"help\0");
    for command in
        ["check", "log", "live-update", "logfile", "memreport", "print", "quota", "quota-soft", "help"]
    {
        assert!(help.lines().any(|line| line.split(' ').next() == Some(command)), "{command}: {help}");
    }
    assert!(told(b"quota\0").contains("nodes            :      500 Nodes per domain\n"));
    assert!(told(b"quota-soft\0").contains("memory           :     4096 "));
    assert!(told(b"quota\x001\0").starts_with("Domain 1:\nnodes            :        1 (max        1)\n"));
    assert!(told(b"memreport\0").contains("\ndomain 1 memory "));
}

#[test]
fn the_largest_values_are_remembered_until_they_are_reset() {
    let mut world = World::new();
    for name in ["a", "b", "c"] {
        world.write(1, name, &"x".repeat(100)).unwrap();
    }
    world.watch(1, "a", "t").unwrap();
    world.set_perms(1, "a", "n1 r2 r3").unwrap();
    world.rm(1, "a").unwrap();
    let domain = world.ask(CONTROL, 0, Type::CONTROL, b"quota\x001\0").unwrap();
    for line in [
        "nodes            :        3 (max        4)",
        "watches          :        1 (max        1)",
        "node-permissions :        0 (max        3)",
        "path-max         :        0 (max        1)",
        "node-size        :        0 (max      140)",
    ] {
        assert!(domain.lines().any(|found| found == line), "{line} in {domain}");
    }
    let all = world.ask(CONTROL, 0, Type::CONTROL, b"quota\0max\0").unwrap();
    assert!(all.contains("nodes            :        4\n"), "{all}");
    let all = world.ask(CONTROL, 0, Type::CONTROL, b"quota\0max\0-r\0").unwrap();
    assert!(all.contains("nodes            :        0\n"), "{all}");
}

#[test]
fn a_resumed_domain_can_shut_down_again() {
    let mut world = World::new();
    world.watch(CONTROL, "@releaseDomain", "t").unwrap();
    world.events(CONTROL);
    world.store.shut_down(DomId(1));
    world.store.shut_down(DomId(1));
    assert_eq!(world.events(CONTROL), ["@releaseDomain t"]);
    world.store.shut_down(DomId(1));
    assert_eq!(world.events(CONTROL), Vec::<String>::new());
    assert_eq!(world.ask(CONTROL, 0, Type::RESUME, b"1\0"), ok());
    world.store.shut_down(DomId(1));
    assert_eq!(world.events(CONTROL), ["@releaseDomain t"]);
}
