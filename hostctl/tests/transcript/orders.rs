//! Orders of a transcript: what happens to its machine.

use hypercall::Scheduler;
use proto::domain::{Action, DomainRef};
use sim_control::{Behaviour, Guest, Setup, World};
use xen_abi::sched::{
    SHUTDOWN_CRASH, SHUTDOWN_POWEROFF, SHUTDOWN_REBOOT, SHUTDOWN_SUSPEND, SHUTDOWN_WATCHDOG,
};
use xen_abi::{Errno, Pages};

use super::{Item, matches, run};
use crate::machine::Machine;

/// A transcript's machine, and what is about to happen to it.
pub struct Stage {
    machine: Machine,
    /// What is typed into the next command.
    typed: Vec<u8>,
    /// Refusals of Xen's that were ordered.
    refusals: u64,
}

impl Stage {
    /// The machine that a transcript wants: its first order says, if that is `machine`.
    pub fn set(items: &[Item]) -> Stage {
        let mut setup = Setup::default();
        let first = items.iter().find(|item| !matches!(item, Item::Comment(_)));
        if let Some(Item::Order(order)) = first
            && let Some(values) = order.strip_prefix("machine ")
        {
            for (key, value) in values.split(' ').map(pair) {
                match key {
                    "xen" => setup.xen.minor = number(value.strip_prefix("4.").expect("xen=4.N")) as u16,
                    "memory" => setup.xen.memory = Pages(number(value) << 8),
                    "cpus" => setup.xen.cpus = number(value) as u32,
                    "sched" => setup.xen.schedulers = value.split(',').map(scheduler).collect(),
                    other => panic!("a machine has no '{other}'"),
                }
            }
        }
        Stage { machine: Machine::start(setup), typed: Vec::new(), refusals: 0 }
    }

    /// Plays one piece; returns it with what came of it.
    pub fn play(&mut self, item: &Item) -> Item {
        match item {
            Item::Comment(_) => {}
            Item::Order(order) => self.obey(order),
            Item::Command { line, ran } => {
                let came = run(&self.machine, line, &std::mem::take(&mut self.typed));
                // What fits stays as it was written.
                let ran = if matches(ran, &came) { ran.clone() } else { came };
                return Item::Command { line: line.clone(), ran };
            }
        }
        item.clone()
    }

    /// What must be so at the end.
    pub fn check(&self) {
        let injected = self.machine.control.on(|world| world.sim.injected());
        assert_eq!(injected, self.refusals, "an order 'xen refuses' had no effect");
    }

    fn obey(&mut self, order: &str) {
        let words: Vec<&str> = order.split(' ').collect();
        match words[..] {
            // See `set`.
            ["machine", ..] => {}
            ["guest", name, ref rest @ ..] => {
                let guest = guest(name, rest);
                self.on(move |world| {
                    world.create(guest);
                });
            }
            ["domain", name, "behaves", word] => {
                let (name, behaviour) = (name.to_owned(), behaviour(word).expect(order));
                self.on(move |world| world.behave(&name, behaviour));
            }
            ["end", name, word] => {
                let (name, reason) = (DomainRef(name.to_owned()), reason(word));
                self.on(move |world| {
                    let domain = world.control.toolstack.find(&name).expect("the domain is there");
                    world.end(domain.domid, reason);
                });
            }
            ["time", "passes", span] => {
                let seconds = number(span.strip_suffix('s').expect("time passes in seconds: 5s"));
                self.on(move |world| world.pass(seconds * 1_000_000_000));
            }
            ["time", "jumps"] => self.on(|world| world.time_jumps.set(true)),
            ["time", "stands"] => self.on(|world| world.time_jumps.set(false)),
            ["xen", "prints", ..] => {
                let text = unescaped(order.strip_prefix("xen prints ").unwrap_or_default());
                self.on(move |world| world.sim.print(text.as_bytes()));
            }
            // The next call of this name, by an errno of public/errno.h.
            ["xen", "refuses", call, errno] => {
                let (call, errno) = (call.to_owned(), Errno(number(errno) as u16));
                self.refusals += 1;
                self.on(move |world| world.sim.fail_next(&call, errno));
            }
            ["types", ..] => {
                self.typed = unescaped(order.strip_prefix("types ").unwrap_or_default()).into_bytes();
            }
            ["kernel", name] => {
                self.machine.file(name, &sim_control::kernel());
            }
            ["file", name, ..] => {
                let content = order.splitn(3, ' ').nth(2).unwrap_or_default();
                self.machine.file(name, unescaped(content).as_bytes());
            }
            _ => panic!("nobody knows the order '{order}'"),
        }
    }

    fn on(&self, work: impl FnOnce(&World) + Send + 'static) {
        self.machine.control.on(work);
    }
}

fn guest(name: &str, words: &[&str]) -> Guest {
    let mut guest = Guest::new(name);
    let config = &mut guest.config;
    for word in words {
        if let Some(behaviour) = behaviour(word) {
            guest.behaviour = behaviour;
            continue;
        }
        if *word == "paused" {
            guest.paused = true;
            continue;
        }
        let (key, value) = pair(word);
        match key {
            "memory" => {
                config.memory_kib = number(value) << 10;
                config.max_memory_kib = config.max_memory_kib.max(config.memory_kib);
            }
            "maxmem" => config.max_memory_kib = number(value) << 10,
            "vcpus" => {
                config.vcpus = number(value) as u32;
                config.max_vcpus = config.max_vcpus.max(config.vcpus);
            }
            "maxvcpus" => config.max_vcpus = number(value) as u32,
            "on_poweroff" => config.on_poweroff = action(value),
            "on_reboot" => config.on_reboot = action(value),
            "on_crash" => config.on_crash = action(value),
            other => panic!("a guest has no '{other}'"),
        }
    }
    guest
}

fn behaviour(word: &str) -> Option<Behaviour> {
    Behaviour::ALL.iter().find(|(name, _)| *name == word).map(|(_, behaviour)| *behaviour)
}

fn scheduler(word: &str) -> Scheduler {
    match word {
        "credit" => Scheduler::CREDIT,
        "credit2" => Scheduler::CREDIT2,
        "rtds" => Scheduler::RTDS,
        "null" => Scheduler::NULL,
        other => panic!("Xen has no scheduler '{other}'"),
    }
}

fn action(word: &str) -> Action {
    match word {
        "destroy" => Action::Destroy,
        "restart" => Action::Restart,
        "preserve" => Action::Preserve,
        "rename-restart" => Action::RenameRestart,
        "coredump-destroy" => Action::CoredumpDestroy,
        "coredump-restart" => Action::CoredumpRestart,
        other => panic!("'{other}' is no rule"),
    }
}

fn reason(word: &str) -> u32 {
    match word {
        "poweroff" => SHUTDOWN_POWEROFF,
        "reboot" => SHUTDOWN_REBOOT,
        "suspend" => SHUTDOWN_SUSPEND,
        "crash" => SHUTDOWN_CRASH,
        "watchdog" => SHUTDOWN_WATCHDOG,
        other => panic!("no domain ends by '{other}'"),
    }
}

fn pair(word: &str) -> (&str, &str) {
    word.split_once('=').unwrap_or_else(|| panic!("'{word}' has no value"))
}

fn number(text: &str) -> u64 {
    text.parse().unwrap_or_else(|_| panic!("'{text}' is no number"))
}

/// With `\n`, `\e` and `\]` for a newline, an escape and Ctrl-].
fn unescaped(text: &str) -> String {
    text.replace("\\n", "\n").replace("\\e", "\u{1b}").replace("\\]", "\u{1d}")
}
