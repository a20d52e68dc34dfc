//! Logs, readers, input, and what is kept of the dead.

use alloc::format;
use alloc::vec::Vec;

use super::*;

fn limits() -> Limits {
    Limits { log: 8192, total: 20_000, input: 10, dead: 3 }
}

fn open(consoles: &mut Consoles, domid: u16) -> ConsoleId {
    consoles.open(DomId(domid), &format!("guest{domid}"), [domid as u8; 16])
}

fn read_all(consoles: &Consoles, reader: &mut Reader) -> (Vec<u8>, u64) {
    let (mut all, mut lost, mut buf) = (Vec::new(), 0, [0; 100]);
    while let Ok(read) = consoles.read(reader, &mut buf) {
        all.extend(&buf[..read.len]);
        lost += read.lost;
        if read.len == 0 {
            break;
        }
    }
    (all, lost)
}

#[test]
fn readers_follow_at_their_own_pace() {
    let mut consoles = Consoles::new(limits());
    let id = open(&mut consoles, 1);
    consoles.print(id, b"boot\n");
    let mut early = consoles.reader(id, Start::Oldest).unwrap();
    let mut late = consoles.reader(id, Start::Now).unwrap();
    consoles.print(id, b"login: ");
    assert_eq!(read_all(&consoles, &mut early), (b"boot\nlogin: ".to_vec(), 0));
    assert_eq!(read_all(&consoles, &mut late), (b"login: ".to_vec(), 0));
    assert_eq!(consoles.read(&mut late, &mut [0; 4]), Ok(Read { len: 0, lost: 0 }));
}

#[test]
fn a_reader_that_is_overtaken_learns_how_much_it_lost() {
    let mut consoles = Consoles::new(limits());
    let id = open(&mut consoles, 1);
    let mut reader = consoles.reader(id, Start::Oldest).unwrap();
    consoles.print(id, &[b'a'; 8000]);
    consoles.print(id, &[b'b'; 1000]);
    let (bytes, lost) = read_all(&consoles, &mut reader);
    assert_eq!((bytes.len(), lost), (8192, 9000 - 8192));
    assert_eq!(consoles.info(id).unwrap().lost, 9000 - 8192);
}

#[test]
fn a_dead_domains_log_is_read_to_its_end() {
    let mut consoles = Consoles::new(limits());
    let id = open(&mut consoles, 1);
    let mut reader = consoles.reader(id, Start::Oldest).unwrap();
    consoles.print(id, b"panic");
    consoles.close(id);
    assert_eq!(read_all(&consoles, &mut reader), (b"panic".to_vec(), 0));
    assert_eq!(consoles.read(&mut reader, &mut [0; 4]), Err(Gone));
    assert_eq!(consoles.write(id, b"x"), Err(Gone));
    assert!(!consoles.info(id).unwrap().is_live);
}

#[test]
fn the_living_are_found_before_the_dead_and_newer_dead_before_older() {
    let mut consoles = Consoles::new(limits());
    let named = |info: &Info| info.name == "guest1";
    let first = open(&mut consoles, 1);
    let second = open(&mut consoles, 1);
    consoles.close(second);
    assert_eq!(consoles.find(named), Some(first));
    consoles.close(first);
    assert_eq!(consoles.find(named), Some(second));
    consoles.rename(second, "other");
    assert_eq!(consoles.find(named), Some(first));
    assert_eq!(consoles.find(|info| info.domid == DomId(2)), None);
    assert_eq!(consoles.list().map(|info| info.id).collect::<Vec<_>>(), [second, first]);
}

#[test]
fn only_the_last_dead_are_kept() {
    let mut consoles = Consoles::new(limits());
    let ids: Vec<_> = (0..5).map(|domid| open(&mut consoles, domid)).collect();
    let mut reader = consoles.reader(ids[0], Start::Oldest).unwrap();
    for id in &ids {
        consoles.print(*id, b"x");
        consoles.close(*id);
    }
    assert_eq!(consoles.list().map(|info| info.id).collect::<Vec<_>>(), [ids[4], ids[3], ids[2]]);
    assert_eq!(consoles.read(&mut reader, &mut [0; 4]), Err(Gone));
    assert!(consoles.reader(ids[1], Start::Now).is_err());
    assert_eq!(consoles.total, 3);
}

#[test]
fn all_logs_together_stay_within_their_budget() {
    let mut consoles = Consoles::new(limits());
    let dead = open(&mut consoles, 0);
    consoles.print(dead, &[0; 8192]);
    consoles.close(dead);
    let ids: Vec<_> = (1..4).map(|domid| open(&mut consoles, domid)).collect();
    for _ in 0..100 {
        for id in &ids {
            consoles.print(*id, &[1; 512]);
        }
        assert!(consoles.total <= 20_000 + LOG_MIN);
    }
    assert!(consoles.info(dead).is_none(), "the dead make room for the living");
    for id in ids {
        let info = consoles.info(id).unwrap();
        assert_eq!(info.printed, 51_200);
        assert!(info.printed - info.lost >= LOG_MIN as u64);
    }
}

#[test]
fn input_is_bounded_and_its_writers_wait() {
    let mut consoles = Consoles::new(limits());
    let id = open(&mut consoles, 1);
    let mut cx = Context::from_waker(Waker::noop());
    assert_eq!(consoles.poll_write(id, b"0123456", &mut cx), Poll::Ready(Ok(7)));
    assert_eq!(consoles.poll_write(id, b"789abc", &mut cx), Poll::Ready(Ok(3)));
    assert_eq!(consoles.poll_write(id, b"abc", &mut cx), Poll::Pending);
    consoles.input(id).unwrap().drain(..4);
    assert_eq!(consoles.poll_write(id, b"abc", &mut cx), Poll::Ready(Ok(3)));
}

#[test]
fn an_empty_buffer_is_not_the_end() {
    let mut consoles = Consoles::new(limits());
    let id = open(&mut consoles, 1);
    consoles.close(id);
    let mut reader = consoles.reader(id, Start::Oldest).unwrap();
    assert_eq!(consoles.read(&mut reader, &mut []), Ok(Read { len: 0, lost: 0 }));
    assert_eq!(consoles.read(&mut reader, &mut [0]), Err(Gone));
}
