//! Commands on pools: of processors, and of what was transcendent memory.

use super::{Command, Words, absent, simple};
use crate::xm::{cpupool, why_not};

/// In the order of the long help.
pub(super) static ROWS: &[Command] = &[
    absent("tmem-list", "[-l|--long] [<Domain>|-a|--all]", "List pools of transcendent memory."),
    absent("tmem-thaw", "[<Domain>|-a|--all]", "Thaw pools of transcendent memory."),
    absent("tmem-freeze", "[<Domain>|-a|--all]", "Freeze pools of transcendent memory."),
    absent("tmem-destroy", "[<Domain>|-a|--all]", "Destroy pools of transcendent memory."),
    absent(
        "tmem-set",
        "[<Domain>|-a|--all] [weight=<weight>] [cap=<cap>] [compress=<compress>]",
        "Set up transcendent memory.",
    ),
    absent("tmem-freeable", "", "Print how much transcendent memory could be freed."),
    absent(
        "tmem-shared-auth",
        "[<Domain>|-a|--all] [--uuid=<uuid>] [--auth=<0|1>]",
        "Permit a shared pool of transcendent memory.",
    ),
    Command {
        name: "cpupool-create",
        synopsis: "<ConfigFile> [vars]",
        about: "Create a pool of processors.",
        options: cpupool::CREATE_OPTIONS,
        words: Words::Any,
        run: Some(cpupool::create),
    },
    simple(
        "cpupool-new",
        "<ConfigFile> [vars]",
        "Say why there are no managed pools.",
        Words::Any,
        why_not::managed_pool,
    ),
    simple(
        "cpupool-start",
        "<CPU Pool>",
        "Say why there are no managed pools.",
        Words::Any,
        why_not::managed_pool,
    ),
    Command {
        name: "cpupool-list",
        synopsis: "[<CPU Pool>] [-l|--long] [-c|--cpus]",
        about: "List pools of processors.",
        options: cpupool::LIST_OPTIONS,
        words: Words::Any,
        run: Some(cpupool::list),
    },
    simple("cpupool-destroy", "<CPU Pool>", "End a pool of processors.", Words::Exactly(1), cpupool::destroy),
    simple(
        "cpupool-delete",
        "<CPU Pool>",
        "Say why there are no managed pools.",
        Words::Any,
        why_not::managed_pool,
    ),
    simple(
        "cpupool-cpu-add",
        "<CPU Pool> <CPU nr>|node:<node nr>",
        "Add a processor to a pool.",
        Words::Exactly(2),
        cpupool::cpu_add,
    ),
    simple(
        "cpupool-cpu-remove",
        "<CPU Pool> <CPU nr>|node:<node nr>",
        "Take a processor from a pool.",
        Words::Exactly(2),
        cpupool::cpu_remove,
    ),
    simple(
        "cpupool-migrate",
        "<Domain> <CPU Pool>",
        "Move a domain into a pool.",
        Words::Exactly(2),
        cpupool::migrate,
    ),
    simple(
        "cpupool-rename",
        "<CPU Pool> <new name>",
        "Give a pool another name.",
        Words::Exactly(2),
        cpupool::rename,
    ),
    simple(
        "cpupool-numa-split",
        "",
        "Make a pool for each NUMA node.",
        Words::Exactly(0),
        cpupool::numa_split,
    ),
];
