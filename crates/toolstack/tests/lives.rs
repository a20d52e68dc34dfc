//! Lives one after the other leave nothing: not in Xen, not in the store, not on the heap, to the byte.

mod common;
#[path = "../../xenstore/tests/common/counting.rs"]
#[allow(unreachable_pub, dead_code, reason = "another crate's tests share it")]
mod counting;

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Waker};

use common::{World, domain, turns};
use counting::{Counting, NOW};
use proto::domain::{Action, CreateRequest, DomainConfig};
use proto::life::{End, EndRequest, Whom};
use xen_abi::sched::{SHUTDOWN_CRASH, SHUTDOWN_POWEROFF};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Lives after which everything that is remembered is full: ends, dead consoles, the journal.
const WARM: usize = 300;
/// Lives that are measured.
const LIVES: usize = 200;

/// Lives that end in all the ways that there are; the domain is asked to end, and listened to.
fn live(world: &World, request: &CreateRequest, lives: usize) {
    for n in 0..lives {
        let config = DomainConfig { on_crash: Action::RenameRestart, ..request.config.clone() };
        let domid = world.create(CreateRequest { config, ..request.clone() }).domid;
        let whom = Whom::One(domain("life"));
        world.stack.ask_to_end(&EndRequest { whom, end: End::Poweroff }).unwrap();
        assert_eq!(turns(world.stack.hear_guests(), 1), None);
        match n % 3 {
            0 => world.destroy("life"),
            1 => world.end(domid, SHUTDOWN_POWEROFF),
            _ => {
                world.end(domid, SHUTDOWN_CRASH);
                world.obey();
                world.destroy(&domid.to_string());
                world.destroy("life");
            }
        }
        world.obey();
        tidy(world);
    }
}

/// The store's task has had its turns.
fn tidy(world: &World) {
    let mut context = Context::from_waker(Waker::noop());
    let mut task = pin!(xenstore::tend(world.store));
    for _ in 0..100 {
        assert!(task.as_mut().poll(&mut context).is_pending());
    }
}

#[test]
fn two_hundred_lives_leave_memory_channels_nodes_and_heap_as_they_were() {
    let world = World::new();
    let request = world.smallest("life");
    let clean = world.before();
    live(&world, &request, WARM);
    let heap = NOW.get();
    live(&world, &request, LIVES);
    assert_eq!(NOW.get(), heap, "bytes of the heap");
    world.assert_clean(&clean);
}
