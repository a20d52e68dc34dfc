//! Commands on the machine and its schedulers, and those that stand alone.

use super::{Command, JSON, Words, simple};
use crate::xm::{debug_keys, dmesg, info, log, sched, why_not};

/// In the order of the long help.
pub(super) static ROWS: &[Command] = &[
    simple("debug-keys", "<Keys>", "Send debug keys to the hypervisor.", Words::Exactly(1), debug_keys::run),
    Command {
        name: "dmesg",
        synopsis: "[-c|--clear]",
        about: "Print the hypervisor's messages.",
        options: &[("-c, --clear", "Clear them afterwards."), JSON],
        words: Words::Between(0, 1),
        run: Some(dmesg::run),
    },
    Command {
        name: "info",
        synopsis: "[-c|--config] [-n|--numa]",
        about: "Print what the machine and its hypervisor are.",
        options: &[
            ("-c, --config", "Print how hostctl reaches the machine instead."),
            ("-n, --numa", "Add the topology of processors and memory."),
            JSON,
        ],
        words: Words::Between(0, 1),
        run: Some(info::run),
    },
    Command {
        name: "log",
        synopsis: "[-f|--follow]",
        about: "Print what was done, for whom, and where the time went.",
        options: log::OPTIONS,
        words: Words::Between(0, 1),
        run: Some(log::run),
    },
    simple("serve", "", "Say why there is nothing to pass calls on to.", Words::Exactly(0), why_not::serve),
    Command {
        name: "sched-credit2",
        synopsis: "[-d <Domain> [-w[=WEIGHT]]]",
        about: "Get or set parameters of the credit2 scheduler.",
        options: sched::CREDIT2_OPTIONS,
        words: Words::Any,
        run: Some(sched::credit2),
    },
    Command {
        name: "sched-credit",
        synopsis: "[-d <Domain> [-w[=WEIGHT]|-c[=CAP]]]",
        about: "Get or set parameters of the credit scheduler.",
        options: sched::CREDIT_OPTIONS,
        words: Words::Any,
        run: Some(sched::credit),
    },
    Command {
        name: "sched-sedf",
        synopsis: "<Domain> [options]",
        about: "Get or set parameters of the sedf scheduler, which rtds has succeeded.",
        options: sched::SEDF_OPTIONS,
        words: Words::Between(0, 11),
        run: Some(sched::sedf),
    },
    Command {
        name: "sched-rtds",
        synopsis: "[-d <Domain> [-v[=VCPUID/all]] [-p[=PERIOD]] [-b[=BUDGET]] [-e[=Extratime]]]",
        about: "Get or set parameters of the rtds scheduler.",
        options: sched::RTDS_OPTIONS,
        words: Words::Any,
        run: Some(sched::rtds),
    },
];
