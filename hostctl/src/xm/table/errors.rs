//! What each command refuses, in the words in which it does: for manual pages, and so that none goes untried.
//!
//! Every row has a transcript under hostctl/tests/cmd, and every error in those has a row here or in [`GENERAL`].

use super::Command;
use crate::exit;

/// An error.
pub struct Refusal {
    /// The exit code.
    pub code: u8,
    /// What is said behind `Error: `; `[..]` stands for what differs.
    pub text: &'static str,
}

const fn says(text: &'static str) -> Refusal {
    Refusal { code: exit::FAILED, text }
}

/// Said without an exit code.
const fn notes(text: &'static str) -> Refusal {
    Refusal { code: exit::OK, text }
}

/// What the parser of pools' configurations does not take; xm left that to its exit code.
const fn of_parser(text: &'static str) -> Refusal {
    Refusal { code: 255, text }
}

const NO_DOMAIN: Refusal = Refusal { code: exit::NO_DOMAIN, text: "Domain '[..]' does not exist." };
/// What sched-* say of the name behind `-d`, with another exit code, as in xm.
const NO_SUCH_D: Refusal = says("Domain '[..]' does not exist.");
const NOT_STARTED: Refusal = says("Domain '[..]' is not started");
const BAD_NUMBER: Refusal = says("Invalid argument.");
const NO_POOL: Refusal = says("Pool '[..]' does not exist.");
const NO_MEMORY: Refusal = says(
    "Not enough free memory and enable-dom0-ballooning is False, so I cannot release any more.  I need [..] KiB but only have [..].",
);
const DYNAMIC_ABOVE_STATIC: Refusal =
    says("Invalid Configuration: memory_dynamic_max must be less than or equal to memory_static_max");
const OWN_MEMORY: Refusal = says("the memory of the control domain is fixed at its start; [..]");
const OTHER_SCHEDULER: Refusal = says("Xen is running with the [..] scheduler");
const NO_D: Refusal = says("No domain given.");
const WEIGHT: Refusal = says("Cpu weight out of range, valid values are within range from 1 to 65535");
const CAP: Refusal =
    says("Cpu cap out of range, valid range is from 0 to [..] for specified number of vcpus");
const STRAY_WORD: Refusal = says("'[..]' is not understood; name a domain with -d");
const POOL_AND_DOMAIN: Refusal =
    says("Specifying a cpupool or schedparam is not allowed with domain options.");
const NO_SCHEDPARAM: Refusal = says("Must specify schedparam to set schedule parameter values.");
const STAYS_PAUSED: Refusal =
    says("Domain '[..]' has not taken the request to end within 10 s: it is paused; [..]");
const DEAF: Refusal = says(
    "Domain '[..]' has not taken the request to end within 10 s: its kernel has said that it obeys such requests, but does not; [..]",
);
const NEVER_ENDS: Refusal = says(
    "Domain '[..]' took the request 300 s ago and has not ended; 'xm destroy [..]' ends it without asking",
);
const NOT_OURS: Refusal = says("Domain 0 cannot be shutdown");
const ONE_DOMAIN: Refusal = says("No multiple domain parameters allowed");
const HALT_AND_REBOOT: Refusal = says("Can't specify halt and reboot");
const POOL_NAME: Refusal = says("'[..]' is no name for a pool; names have [..]");
const FIRST_POOL: Refusal = says("cpu 0 stays in the first pool, and that pool stays");
const NOT_FREE: Refusal = says("cpu [..] is not free; 'xm cpupool-list --cpus' shows the pools' CPUs, [..]");
const NO_NODE: Refusal = says("there is no node [..]");
const NO_PARAMETER: Refusal = says("No parameter required");
const NO_MANAGED_POOL: Refusal = says("pools are not kept beyond the machine's life, [..]");
const XEN_API: Refusal = says("This function is only supported by Xen-API");

/// What any command may refuse: words that it does not take, or what Xen does not do.
pub const GENERAL: &[&str] = &[
    "'xm [..]' requires [..] arguments.",
    "option [..] not recognized",
    "option [..] requires argument",
    "[..]: [..] (errno [..])",
    "'xm [..]' is not available in this release of nanodom",
    "gave up after [..] s (--timeout)",
];

impl Command {
    /// What the command refuses, besides what any command may.
    pub fn refusals(&self) -> &'static [Refusal] {
        ERRORS.iter().find(|(name, _)| *name == self.name).map_or(&[], |(_, refusals)| refusals)
    }
}

/// In the order of the table.
static ERRORS: &[(&str, &[Refusal])] = &[
    (
        "console",
        &[
            NO_DOMAIN,
            says("No domain given"),
            BAD_NUMBER,
            says("there is no console [..]: domains have console 0 only"),
        ],
    ),
    (
        "vncviewer",
        &[
            NO_DOMAIN,
            says("No domain given (or several parameters specified)"),
            says("domain '[..]' has no VNC server: [..]"),
        ],
    ),
    ("destroy", &[NO_DOMAIN, says("Cannot destroy privileged domain [..]")]),
    ("domid", &[NO_DOMAIN]),
    ("domname", &[NO_DOMAIN]),
    (
        "dump-core",
        &[
            NO_DOMAIN,
            NOT_STARTED,
            says("Cannot dump core for privileged domain [..]"),
            says("You may not specify more than one '-CR' option"),
            says("Expects 1 or 2 argument(s)"),
            says("Cannot dump core in a directory: [..]"),
            says("Failed to dump core: cannot write [..]; nothing of it is left"),
            says("Failed to dump core: [..] cannot be made: [..]; name a file, or set HOSTCTL_DUMP_DIR"),
        ],
    ),
    (
        "list",
        &[
            NO_DOMAIN,
            says("You may specify either a state or a particular VM, but not both"),
            says("You may specify either a pool or a particular VM, but not both"),
        ],
    ),
    (
        "mem-max",
        &[
            NO_DOMAIN,
            NOT_STARTED,
            BAD_NUMBER,
            OWN_MEMORY,
            DYNAMIC_ABOVE_STATIC,
            says("Invalid Configuration: memory_static_max must be greater than zero"),
            says("Invalid Configuration: memory_static_max must be less than or equal to [..] MiB"),
            NO_MEMORY,
        ],
    ),
    (
        "mem-set",
        &[
            NO_DOMAIN,
            NOT_STARTED,
            BAD_NUMBER,
            OWN_MEMORY,
            DYNAMIC_ABOVE_STATIC,
            says("Invalid Configuration: memory_dynamic_max must be greater than zero"),
            NO_MEMORY,
        ],
    ),
    ("pause", &[NO_DOMAIN, NOT_STARTED, says("Cannot pause privileged domain [..]")]),
    ("reboot", &[NO_DOMAIN, NOT_OURS, says("No domain parameter given"), ONE_DOMAIN, HALT_AND_REBOOT, DEAF]),
    (
        "rename",
        &[
            NO_DOMAIN,
            says("Cannot rename privileged domain [..]"),
            says("Missing VM Name"),
            says("Invalid VM Name"),
            says("VM name '[..]' already exists as domain [..]"),
        ],
    ),
    (
        "reset",
        &[
            NO_DOMAIN,
            says("Cannot reset privileged domain [..]"),
            says("Domain '[..]' was not reset, and goes on: [..]"),
            says("Domain '[..]' was destroyed, and not built again: [..]"),
        ],
    ),
    (
        "shutdown",
        &[
            NO_DOMAIN,
            NOT_OURS,
            says("Domain cannot be shutdown"),
            says("No domain parameter given"),
            ONE_DOMAIN,
            HALT_AND_REBOOT,
            DEAF,
            STAYS_PAUSED,
            NEVER_ENDS,
            says(
                "Domain '[..]' has not taken the request to end within 10 s: it has never spoken to xenstore, [..]",
            ),
        ],
    ),
    (
        "sysrq",
        &[
            NO_DOMAIN,
            says("Cannot send a system request to privileged domain [..]"),
            says("'[..]' is no system request: it takes one letter, such as h (help) or s (sync)"),
            says("Domain '[..]' has not taken the system request '[..]' within 10 s: [..]"),
            says(
                "system request '[..]' was not sent: Domain '[..]' has not taken the system request before it within 10 s: [..]",
            ),
        ],
    ),
    (
        "trigger",
        &[
            NO_DOMAIN,
            says("Cannot trigger privileged domain [..]"),
            says("Invalid trigger: [..]"),
            BAD_NUMBER,
            says("domain '[..]' has no vCPU [..]; it has 0 to [..]"),
            says(
                "domain '[..]' is a PVH guest: it has no ACPI buttons and no ACPI sleep, so '[..]' would do nothing; [..]",
            ),
            says("Xen does not know the trigger '[..]' on x86; 'xm reset [..]' begins the domain anew"),
        ],
    ),
    (
        "top",
        &[
            says("there is no terminal to draw on; use --batch or --json"),
            says("'[..]' is no delay; give a number of seconds from 0.1 to 86400"),
            says("'[..]' is no number of iterations; give 1 or more"),
            says("'[..]' is one word too many: top takes options only"),
        ],
    ),
    ("unpause", &[NO_DOMAIN, NOT_STARTED, says("Cannot unpause privileged domain [..]")]),
    ("uptime", &[NO_DOMAIN]),
    ("domstate", &[NO_DOMAIN]),
    ("vcpu-list", &[NO_DOMAIN]),
    (
        "vcpu-pin",
        &[
            NO_DOMAIN,
            NOT_STARTED,
            BAD_NUMBER,
            says("Cannot pin vcpu: [..] to cpu: [[..]] - the domain has no such vcpu; its last one is [..]"),
            says("Cannot pin vcpu: [..] to cpu: [[..]] - none of these is there; the machine has cpus [..]"),
        ],
    ),
    (
        "vcpu-set",
        &[
            NO_DOMAIN,
            NOT_STARTED,
            BAD_NUMBER,
            says("Zero or less VCPUs is invalid"),
            says("Cannot set vcpus greater than max vcpus on running domain"),
        ],
    ),
    ("dmesg", &[NO_PARAMETER]),
    ("log", &[NO_PARAMETER]),
    ("serve", &[says("there is no xend whose XML-RPC socket could be passed on; [..]")]),
    (
        "sched-credit2",
        &[
            NO_SUCH_D,
            NO_DOMAIN,
            OTHER_SCHEDULER,
            NO_D,
            BAD_NUMBER,
            WEIGHT,
            CAP,
            STRAY_WORD,
            POOL_AND_DOMAIN,
            NO_SCHEDPARAM,
            NO_POOL,
        ],
    ),
    (
        "sched-credit",
        &[
            NO_SUCH_D,
            NO_DOMAIN,
            OTHER_SCHEDULER,
            NO_D,
            BAD_NUMBER,
            WEIGHT,
            CAP,
            STRAY_WORD,
            POOL_AND_DOMAIN,
            NO_SCHEDPARAM,
            NO_POOL,
        ],
    ),
    (
        "sched-sedf",
        &[
            NO_SUCH_D,
            OTHER_SCHEDULER,
            NO_D,
            BAD_NUMBER,
            says(
                "[..] cannot be set: rtds, which took sedf's place, has no [..]; leave it out, or set it to 0",
            ),
            says("a [..] of [..] ns is not possible; rtds takes whole microseconds, [..] at most"),
            says("[..] us in each [..] us are not possible; rtds takes budgets of 10 us and more, [..]"),
            says("Failed to set sedf parameters (rv=-[..])."),
        ],
    ),
    (
        "sched-rtds",
        &[
            NO_SUCH_D,
            NO_DOMAIN,
            OTHER_SCHEDULER,
            BAD_NUMBER,
            STRAY_WORD,
            says("Specifying a cpupool is not allowed with other options."),
            says("Must specify VCPU."),
            says("Incorrect number of period, budget and extratime"),
            says("Missing parameters."),
            says("Incorrect VCPU IDs."),
            says("Invalid extratime."),
            says("Domain '[..]' has no vcpu [..]"),
            says("[..] us in each [..] us are not possible; rtds takes budgets of 10 us and more, [..]"),
        ],
    ),
    (
        "cpupool-create",
        &[
            says("No configuration file given."),
            of_parser("Unable to open config file: [..]"),
            of_parser("the pool has no name; add name = \"NAME\" to its configuration"),
            of_parser("Wrong illegal of parameter \"cpus\""),
            of_parser("sched = \"[..]\": Xen's schedulers are [..]"),
            of_parser("unknown variable '[..]'; a pool has name, sched, cpus and other_config"),
            says("Pool '[..]' already exists."),
            says("Xen has no scheduler '[..]'"),
            says("only [..] CPUs are in no pool; 'xm cpupool-cpu-remove Pool-0 <CPU nr>' frees one"),
            POOL_NAME,
            NOT_FREE,
        ],
    ),
    ("cpupool-new", &[NO_MANAGED_POOL]),
    ("cpupool-start", &[NO_MANAGED_POOL]),
    ("cpupool-list", &[NO_POOL, says("Only one cpupool name for selection allowed")]),
    (
        "cpupool-destroy",
        &[
            NO_POOL,
            FIRST_POOL,
            says("pool '[..]' has domains ([..]); move them with 'xm cpupool-migrate' first"),
        ],
    ),
    ("cpupool-delete", &[NO_MANAGED_POOL]),
    ("cpupool-cpu-add", &[NO_POOL, BAD_NUMBER, NOT_FREE, NO_NODE]),
    (
        "cpupool-cpu-remove",
        &[
            NO_POOL,
            BAD_NUMBER,
            FIRST_POOL,
            NO_NODE,
            says("cpu [..] is not in pool '[..]'"),
            says("the domains of pool '[..]' need cpu [..], its last one"),
        ],
    ),
    (
        "cpupool-migrate",
        &[
            NO_DOMAIN,
            NO_POOL,
            says("pool '[..]' has no CPU; add one with 'xm cpupool-cpu-add' first"),
            says("Cannot migrate privileged domain [..]"),
        ],
    ),
    ("cpupool-rename", &[NO_POOL, POOL_NAME, says("Pool '[..]' already exists.")]),
    ("cpupool-numa-split", &[says("there are pools beside the first one already; destroy them first")]),
    (
        "shell",
        &[
            notes("this is the shell"),
            notes("a quotation is not closed"),
            notes("the line ends behind a backslash"),
        ],
    ),
    ("event-monitor", &[notes("Event monitoring not supported unless using Xen-API.")]),
    ("network-new", &[XEN_API]),
    ("network-del", &[XEN_API]),
    ("network-show", &[XEN_API]),
];
