//! Event channels: from bits in the shared page to tasks that wake up.
//!
//! The executor calls [`Events::dispatch`] after every halt. It takes Xen's pending bits (2-level ABI: a word
//! says which words have bits) and wakes whoever waits for those ports. A port is latched: an event that comes
//! before its task waits is found by the next wait. No port is ever masked: taking its bit is enough.
//!
//! Source: public/event_channel.h, public/xen.h (`struct shared_info`).

use alloc::collections::BTreeMap;
use alloc::rc::Rc;
use core::cell::RefCell;
use core::sync::atomic::Ordering;

use hypercall::{Xen, calls};
use ring::EventChannel;
use xen_abi::EvtchnPort;

use crate::executor::Wake;
use crate::interrupts;
use crate::machine::Machine;
use crate::shared_info::SharedInfo;

/// All of our ports.
pub struct Events {
    shared: SharedInfo,
    ports: RefCell<BTreeMap<EvtchnPort, Rc<Wake>>>,
}

impl Events {
    /// Takes over event delivery.
    pub fn new(shared: SharedInfo) -> Self {
        // SAFETY: the shared page stays mapped for good.
        unsafe { interrupts::set_upcall_flag(shared.upcall_pending().as_ptr()) };
        Self { shared, ports: RefCell::default() }
    }

    /// Takes every pending event and wakes who waits for it.
    pub fn dispatch(&self) {
        self.shared.upcall_pending().store(0, Ordering::SeqCst);
        let mut words = self.shared.pending_words().swap(0, Ordering::SeqCst);
        while words != 0 {
            let word = words.trailing_zeros();
            words &= words - 1;
            let mut bits = self.shared.pending(word).swap(0, Ordering::SeqCst);
            while bits != 0 {
                let bit = bits.trailing_zeros();
                bits &= bits - 1;
                if let Some(wake) = self.ports.borrow().get(&EvtchnPort(word * u64::BITS + bit)) {
                    wake.signal(());
                }
            }
        }
    }

    /// Listens to a port that Xen gave us, until the result is dropped. Whoever bound the port closes it.
    pub fn listen(self: &Rc<Self>, xen: &'static Xen<Machine>, port: EvtchnPort) -> Port {
        let wake = Rc::new(Wake::new());
        self.ports.borrow_mut().insert(port, wake.clone());
        Port { xen, events: self.clone(), port, wake }
    }
}

/// A port of ours that a task listens to.
pub struct Port {
    xen: &'static Xen<Machine>,
    events: Rc<Events>,
    port: EvtchnPort,
    wake: Rc<Wake>,
}

impl Port {
    /// Whether an event came since this was last asked, or waited for.
    pub fn take(&self) -> bool {
        self.wake.try_take().is_some()
    }
}

impl EventChannel for Port {
    async fn wait(&self) {
        self.wake.wait().await;
    }

    fn notify(&self) {
        if let Err(error) = self.xen.run(calls::evtchn::send(self.port)) {
            log::debug!("{:?}: {error}", self.port);
        }
    }
}

impl Drop for Port {
    fn drop(&mut self) {
        // A port that was closed and given out again meanwhile is not ours to forget.
        let mut ports = self.events.ports.borrow_mut();
        if ports.get(&self.port).is_some_and(|wake| Rc::ptr_eq(wake, &self.wake)) {
            ports.remove(&self.port);
        }
    }
}
