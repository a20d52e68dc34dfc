//! The simulated Xen through its door, where the typed calls do not reach: bytes that nobody should send.

use hypercall::{Door, Nr};
use sim_xen::SimXen;
use xen_abi::event_channel::{AllocUnbound, EVTCHNOP_ALLOC_UNBOUND};
use xen_abi::xen::{DOMID_SELF, MulticallEntry};
use xen_abi::{DomId, Errno, EvtchnPort};

fn call(sim: &SimXen, nr: Nr, args: [u64; 5]) -> Result<u64, Errno> {
    // SAFETY: the tests below pass null, or addresses of what they keep.
    Errno::from_answer(unsafe { sim.call(nr, args) })
}

fn address<T>(value: &mut T) -> u64 {
    std::ptr::from_mut(value).expose_provenance() as u64
}

#[test]
fn unknown_hypercalls_and_operations_do_not_exist() {
    let sim = SimXen::default();
    assert_eq!(call(&sim, Nr(55), [0; 5]), Err(Errno::ENOSYS));
    for nr in
        [Nr::MEMORY_OP, Nr::EVENT_CHANNEL_OP, Nr::SCHED_OP, Nr::HVM_OP, Nr::PHYSDEV_OP, Nr::GRANT_TABLE_OP]
    {
        assert_eq!(call(&sim, nr, [63, 0, 0, 0, 0]), Err(Errno::ENOSYS), "{nr:?}");
    }
}

#[test]
fn a_null_argument_is_a_bad_address() {
    let sim = SimXen::default();
    assert_eq!(call(&sim, Nr::DOMCTL, [0; 5]), Err(Errno::EFAULT));
    assert_eq!(call(&sim, Nr::SYSCTL, [0; 5]), Err(Errno::EFAULT));
    assert_eq!(call(&sim, Nr::EVENT_CHANNEL_OP, [6, 0, 0, 0, 0]), Err(Errno::EFAULT));
    assert_eq!(call(&sim, Nr::MULTICALL, [0, 1, 0, 0, 0]), Err(Errno::EFAULT));
}

#[test]
fn a_multicall_answers_in_its_entries_and_spoils_the_rest() {
    let sim = SimXen::default();
    let mut argument = AllocUnbound { dom: DOMID_SELF, remote_dom: DomId(5), port: EvtchnPort(0) };
    let alloc = [u64::from(EVTCHNOP_ALLOC_UNBOUND), address(&mut argument), 0, 0, 0, 0];
    let entry = |nr: Nr, args| MulticallEntry { op: nr.0, result: 0, args };
    let mut list = [entry(Nr::EVENT_CHANNEL_OP, alloc), entry(Nr(55), [0; 6]), entry(Nr::MULTICALL, [0; 6])];
    let count = list.len() as u64;
    assert_eq!(call(&sim, Nr::MULTICALL, [address(&mut list), count, 0, 0, 0]), Ok(0));
    assert_eq!(argument.port, EvtchnPort(1));
    assert!(list.iter().map(|entry| Errno::from_answer(entry.result as i64)).eq([
        Ok(0),
        Err(Errno::ENOSYS),
        // No multicall in a multicall.
        Err(Errno::EINVAL)
    ]));
    assert!(list.iter().all(|entry| entry.op == !0));
    assert_eq!((sim.exits(), sim.hypercalls()), (1, 2));
}

#[test]
fn leaks_are_told_by_name() {
    let sim = SimXen::default();
    let before = sim.snapshot();
    let mut argument = AllocUnbound { dom: DOMID_SELF, remote_dom: DomId(5), port: EvtchnPort(0) };
    let args = [u64::from(EVTCHNOP_ALLOC_UNBOUND), address(&mut argument), 0, 0, 0];
    call(&sim, Nr::EVENT_CHANNEL_OP, args).unwrap();
    assert_eq!(sim.leaks(&before), ["port 0x1 of domain 0"]);
}

#[test]
fn planned_failures_happen_once_and_are_counted() {
    let sim = SimXen::default();
    sim.fail_nth(1, Errno::ENOMEM);
    sim.fail_next("set_timer_op", Errno::EPERM);
    let set = |deadline| call(&sim, Nr::SET_TIMER_OP, [deadline, 0, 0, 0, 0]);
    assert_eq!([set(1), set(2), set(3)], [Err(Errno::EPERM), Err(Errno::ENOMEM), Ok(0)]);
    assert_eq!((sim.timer(), sim.injected(), sim.count("set_timer_op")), (Some(3), 2, 3));
}
