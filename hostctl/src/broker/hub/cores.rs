//! Crashed domains whose dumps are to be kept: the broker asks for them, and whoever drives it has them fetched.

use proto::Endpoint;
use proto::dump::{CoreId, WaitingCore};
use proto::endpoints::CoreWait;
use proto::wire::{Request, RequestId, Response};

use super::{Call, Hub};

/// What the hub knows of cores.
#[derive(Debug, Default)]
pub(super) struct Cores {
    /// The question that is under way.
    asked: Option<RequestId>,
    /// One that waits to be fetched, and then is.
    found: Option<WaitingCore>,
    is_being_fetched: bool,
    /// Those that could not be kept. Whoever repairs what was wrong starts another broker, or dumps them by hand.
    failed: Vec<CoreId>,
}

impl Hub {
    /// A core that is to be fetched now; the answer is [`Hub::core_done`].
    pub fn take_core(&mut self) -> Option<WaitingCore> {
        let cores = &mut self.cores;
        let core = cores.found.clone().filter(|_| !cores.is_being_fetched)?;
        cores.is_being_fetched = true;
        Some(core)
    }

    /// What became of the core that was to be fetched.
    pub fn core_done(&mut self, is_kept: bool, now: link::Micros) {
        self.cores.is_being_fetched = false;
        if let Some(core) = self.cores.found.take()
            && !is_kept
        {
            self.note(&format!("the core of {} (domain {}) is not kept; it waits", core.name, core.domid));
            self.cores.failed.push(core.id);
        }
        self.ask_for_cores();
        self.settle(now);
    }

    /// Asks the control domain, unless that was done.
    pub(super) fn ask_for_cores(&mut self) {
        let is_asked = self.cores.asked.is_some_and(|id| self.calls.contains_key(&id));
        if is_asked || self.cores.found.is_some() || self.greeting.is_none() {
            return;
        }
        let id = self.fresh_id();
        let body = postcard::to_allocvec(&self.cores.failed).expect("numbers are encodable");
        self.calls.insert(
            id,
            Call { client: None, request: Request { id, key: CoreWait::KEY, body }, sent: false },
        );
        self.cores.asked = Some(id);
        self.send_calls();
    }

    /// Says whether a call is the hub's own question for cores, which is answered whenever a domain crashes.
    pub(super) fn is_about_cores(&self, id: RequestId) -> bool {
        self.cores.asked == Some(id)
    }

    /// The answer. Where the control domain does not know the question, or has no room for it, the next session asks again.
    pub(super) fn on_core(&mut self, response: &Response) {
        self.cores.asked = None;
        if let Ok(body) = &response.result
            && let Ok(core) = postcard::from_bytes::<WaitingCore>(body)
        {
            self.note(&format!("{} (domain {}) crashed; its core is fetched", core.name, core.domid));
            self.cores.found = Some(core);
        }
    }

    /// Another start of the control domain knows none of those that failed.
    pub(super) fn forget_cores(&mut self) {
        self.cores.failed.clear();
        if !self.cores.is_being_fetched {
            self.cores.found = None;
        }
    }
}
