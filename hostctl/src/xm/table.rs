//! Every command that xm ever had: how many words it takes, how it is used, what it does, and whether it is here.
//!
//! The table is the one source for lookup, word counts, help and usage; a release that adds a command changes
//! its row from `None` to the function.

mod errors;
mod notes;

pub use errors::{GENERAL, Refusal};

use crate::xm::failure::Failure;
use crate::xm::{
    Context, console, cpupool, create, debug_keys, dmesg, dump_core, info, life, lifecycle, list, log,
    memory, names, pin, sched, shell, shutdown, top, uptime, vcpu, why_not,
};

/// How many words a command takes after its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Words {
    /// The command looks itself.
    Any,
    /// This many.
    Exactly(usize),
    /// From so many to so many.
    Between(usize, usize),
}

/// Runs a command on its words.
pub type Run = fn(&mut Context<'_>, &[String]) -> Result<(), Failure>;

/// A command's row.
pub struct Command {
    /// Its name.
    pub name: &'static str,
    /// What follows the name in the usage.
    pub synopsis: &'static str,
    /// What it does, in a sentence.
    pub about: &'static str,
    /// Its options, as usage shows them.
    pub options: &'static [(&'static str, &'static str)],
    /// How many words it takes.
    pub words: Words,
    /// The command itself, where this release has it.
    pub run: Option<Run>,
}

/// A command that is not in this release.
const fn absent(name: &'static str, synopsis: &'static str, about: &'static str) -> Command {
    Command { name, synopsis, about, options: &[], words: Words::Any, run: None }
}

const fn simple(
    name: &'static str,
    synopsis: &'static str,
    about: &'static str,
    words: Words,
    run: Run,
) -> Command {
    Command { name, synopsis, about, options: &[], words, run: Some(run) }
}

const JSON: (&str, &str) = ("--json", "Print JSON, for programs.");

/// All commands, in the order of the long help.
pub static COMMANDS: &[Command] = &[
    Command {
        name: "console",
        synopsis: "[-q|--quiet] <Domain>",
        about: "Attach to <Domain>'s console. Ctrl-] detaches.",
        options: &[("-q, --quiet", "Say nothing when the domain is not there or does not run.")],
        words: Words::Between(1, 3),
        run: Some(console::run),
    },
    simple(
        "vncviewer",
        "[--[vncviewer-]autopass] <Domain>",
        "Say why <Domain> has no VNC server.",
        Words::Any,
        why_not::vncviewer,
    ),
    Command {
        name: "create",
        synopsis: "<ConfigFile> [options] [vars]",
        about: "Create a domain from <ConfigFile> and start it.",
        options: create::OPTIONS,
        words: Words::Any,
        run: Some(create::run),
    },
    absent("new", "<ConfigFile> [options] [vars]", "Add a domain to the managed ones, without starting it."),
    absent("delete", "<DomainName>", "Remove a managed domain that does not run."),
    simple(
        "destroy",
        "<Domain>",
        "End a domain at once, without asking it.",
        Words::Exactly(1),
        lifecycle::destroy,
    ),
    simple("domid", "<DomainName>", "Print a domain's id.", Words::Exactly(1), names::domid),
    simple("domname", "<DomId>", "Print a domain's name.", Words::Exactly(1), names::domname),
    Command {
        name: "dump-core",
        synopsis: "[-L|--live] [-C|--crash] [-R|--reset] <Domain> [Filename]",
        about: "Dump a domain's memory.",
        options: dump_core::OPTIONS,
        words: Words::Any,
        run: Some(dump_core::run),
    },
    Command {
        name: "list",
        synopsis: "[options] [Domain, ...]",
        about: "List domains: all of them, or those named.",
        options: &[
            ("-l, --long", "Print all that is known, as SXP."),
            ("--label", "Print security labels too, in their order."),
            (
                "--state=<state>",
                "Only domains in this state: all, halted, paused, running, suspended, shutdown, crashed, unknown.",
            ),
            ("--pool=<pool>", "Only domains in this pool of processors."),
            JSON,
        ],
        words: Words::Any,
        run: Some(list::run),
    },
    simple(
        "mem-max",
        "<Domain> <Mem>",
        "Set the most memory that a domain may have, in MiB.",
        Words::Exactly(2),
        memory::max,
    ),
    simple(
        "mem-set",
        "<Domain> <Mem>",
        "Set the memory that a domain is to have, in MiB. Its balloon driver obeys, some time later; 'xm list' shows what it has.",
        Words::Exactly(2),
        memory::set,
    ),
    absent("migrate", "<Domain> <Host>", "Move a domain to another machine."),
    simple("pause", "<Domain>", "Stop a domain's processors.", Words::Exactly(1), lifecycle::pause),
    Command {
        name: "reboot",
        synopsis: "<Domain> [-wa]",
        about: "Ask a domain to reboot.",
        options: &[
            ("-a, --all", "All domains but domain 0."),
            ("-w, --wait", "Wait until they have rebooted."),
            JSON,
        ],
        words: Words::Between(1, 3),
        run: Some(shutdown::reboot),
    },
    simple(
        "rename",
        "<Domain> <NewDomainName>",
        "Give a domain another name.",
        Words::Exactly(2),
        life::rename,
    ),
    simple(
        "reset",
        "<Domain>",
        "Destroy a domain and build it anew at once.",
        Words::Exactly(1),
        life::reset,
    ),
    absent("restore", "<CheckpointFile> [-p]", "Bring back a domain from a file."),
    absent("resume", "<DomainName>", "Bring back a suspended managed domain."),
    absent("save", "[-c] <Domain> <CheckpointFile>", "Save a domain to a file, to be restored later."),
    Command {
        name: "shutdown",
        synopsis: "<Domain> [-waRH]",
        about: "Ask a domain to shut down.",
        options: &[
            ("-a, --all", "All domains but domain 0."),
            ("-w, --wait", "Wait until they have ended."),
            ("-H, --halt", "Halt instead of switching off."),
            ("-R, --reboot", "Reboot instead, as 'xm reboot' does."),
            JSON,
        ],
        words: Words::Between(1, 4),
        run: Some(shutdown::shutdown),
    },
    absent("start", "<DomainName>", "Start a managed domain."),
    absent("suspend", "<DomainName>", "Suspend a managed domain to its file."),
    simple(
        "sysrq",
        "<Domain> <letter>",
        "Send a system request to a domain.",
        Words::Exactly(2),
        life::sysrq,
    ),
    simple(
        "trigger",
        "<Domain> <nmi|reset|init|s3resume|power> [<VCPU>]",
        "Send a trigger to a domain.",
        Words::Between(2, 3),
        life::trigger,
    ),
    Command {
        name: "top",
        synopsis: "[options]",
        about: "Watch the host and its domains.",
        options: top::OPTIONS,
        words: Words::Any,
        run: Some(top::run),
    },
    simple("unpause", "<Domain>", "Let a paused domain run.", Words::Exactly(1), lifecycle::unpause),
    Command {
        name: "uptime",
        synopsis: "[-s] [Domain, ...]",
        about: "Print how long domains have been running: all of them, or those named.",
        options: &[("-s, --short", "Print it as uptime(1) does."), JSON],
        words: Words::Any,
        run: Some(uptime::run),
    },
    absent(
        "usb-add",
        "<domain> <[host:bus.addr] [host:vendor_id:product_id]>",
        "Give a USB device to a domain.",
    ),
    absent(
        "usb-del",
        "<domain> <[host:bus.addr] [host:vendor_id:product_id]>",
        "Take a USB device from a domain.",
    ),
    simple("domstate", "<domain> ", "Print a domain's state.", Words::Exactly(1), life::domstate),
    Command {
        name: "vcpu-list",
        synopsis: "[Domain, ...]",
        about: "List domains' virtual processors: of all, or of those named.",
        options: &[JSON],
        words: Words::Any,
        run: Some(vcpu::list),
    },
    Command {
        name: "vcpu-pin",
        synopsis: "<Domain> <VCPU|all> <CPUs|all>",
        about: "Set the processors that a virtual processor may run on: a list such as 0-3,^1.",
        options: pin::OPTIONS,
        words: Words::Any,
        run: Some(pin::run),
    },
    simple(
        "vcpu-set",
        "<Domain> <vCPUs>",
        "Set how many virtual processors a domain has online. Its kernel obeys; one that comes back may have to be brought up in it.",
        Words::Exactly(2),
        vcpu::set,
    ),
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
    absent(
        "block-attach",
        "<Domain> <BackDev> <FrontDev> <Mode> [BackDomain]",
        "Give a domain a new block device.",
    ),
    absent("block-detach", "<Domain> <DevId> [-f|--force]", "Take a block device from a domain."),
    absent("block-list", "<Domain> [--long]", "List a domain's block devices."),
    absent(
        "block-configure",
        "<Domain> <BackDev> <FrontDev> <Mode> [BackDomain]",
        "Change a domain's block device.",
    ),
    absent(
        "network-attach",
        "<Domain> [type=<type>] [mac=<mac>] [bridge=<bridge>] [ip=<ip>] [script=<script>] [backend=<BackDomain>] [vifname=<name>] [rate=<rate>] [model=<model>][accel=<accel>]",
        "Give a domain a new network interface.",
    ),
    absent("network-detach", "<Domain> <DevId|mac> [-f|--force]", "Take a network interface from a domain."),
    absent("network-list", "<Domain> [--long]", "List a domain's network interfaces."),
    absent("network2-attach", "<Domain> [vars]", "Give a domain a new netchannel2 interface."),
    absent("network2-detach", "<Domain> <DevId>", "Take a netchannel2 interface from a domain."),
    absent("network2-list", "<Domain>", "List a domain's netchannel2 interfaces."),
    absent("vtpm-list", "<Domain> [--long]", "List a domain's virtual TPMs."),
    absent(
        "pci-attach",
        "[-o|--options=<opt>] <Domain> <domain:bus:slot.func> [virtual slot]",
        "Give a PCI device to a domain.",
    ),
    absent("pci-detach", "<Domain> <domain:bus:slot.func>", "Take a PCI device from a domain."),
    absent("pci-list", "<Domain>", "List a domain's PCI devices."),
    absent("pci-list-assignable-devices", "", "List the PCI devices that can be given away."),
    absent(
        "scsi-attach",
        "<Domain> <PhysDevice> <VirtDevice> [BackDomain]",
        "Give a SCSI device to a domain.",
    ),
    absent("scsi-detach", "<Domain> <VirtDevice>", "Take a SCSI device from a domain."),
    absent("scsi-list", "<Domain> [--long]", "List a domain's SCSI devices."),
    absent("usb-attach", "<Domain> <DevId> <PortNumber> <BusId>", "Give a USB device to a domain."),
    absent("usb-detach", "<Domain> <DevId> <PortNumber>", "Take a USB device from a domain."),
    absent("usb-list", "<Domain>", "List a domain's USB devices."),
    absent("usb-list-assignable-devices", "", "List the USB devices that can be given away."),
    absent("usb-hc-create", "<Domain> <USBSpecVer> <NumberOfPorts>", "Give a domain a USB host controller."),
    absent("usb-hc-destroy", "<Domain> <DevId>", "Take a USB host controller from a domain."),
    absent("vnet-list", "[-l|--long]", "List virtual networks."),
    absent("vnet-create", "<ConfigFile>", "Create a virtual network."),
    absent("vnet-delete", "<VnetId>", "Delete a virtual network."),
    absent("setpolicy", "<policytype> <policyfile> [options]", "Set the security policy."),
    absent("labels", "[policy] [type=dom|res|any]", "List the labels of the security policy."),
    absent(
        "addlabel",
        "<label> {dom <ConfigFile>|res <resource>|mgt <managed domain>} [<policy>]",
        "Give a label.",
    ),
    absent("rmlabel", "{dom <ConfigFile>|res <Resource>|mgt<managed domain>}", "Remove a label."),
    absent("getlabel", "{dom <ConfigFile>|res <Resource>|mgt <managed domain>}", "Print a label."),
    absent("dry-run", "<ConfigFile>", "Try whether a domain may use its resources."),
    absent("resources", "", "List labelled resources."),
    absent("dumppolicy", "", "Print the hypervisor's security policy."),
    absent("resetpolicy", "", "Set the security policy back to the default."),
    absent("getpolicy", "[options]", "Print the security policy that is set."),
    absent("getenforce", "", "Print whether the security policy is enforced."),
    absent(
        "setenforce",
        "[ (Enforcing|1) | (Permissive|0) ]",
        "Set whether the security policy is enforced.",
    ),
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
    simple("shell", "", "Read commands and run them.", Words::Exactly(0), shell::run),
    // The last ones have no line in the help, as in xm: no description.
    simple("event-monitor", "", "", Words::Any, why_not::event_monitor),
    simple("network-new", "", "", Words::Any, why_not::xen_api),
    simple("network-del", "", "", Words::Any, why_not::xen_api),
    simple("network-show", "", "", Words::Any, why_not::xen_api),
];

/// The commands of the short help, in its order.
pub static COMMON: &[&str] = &[
    "console",
    "vncviewer",
    "create",
    "new",
    "delete",
    "destroy",
    "dump-core",
    "help",
    "list",
    "mem-set",
    "migrate",
    "pause",
    "reboot",
    "reset",
    "restore",
    "resume",
    "save",
    "shell",
    "shutdown",
    "start",
    "suspend",
    "top",
    "unpause",
    "uptime",
    "usb-add",
    "usb-del",
    "domstate",
    "vcpu-set",
];

/// What `help` does, for the lists of commands.
pub const HELP_ABOUT: &str = "Print all commands.";

/// Old names of commands, and their new ones.
static ALIASES: &[(&str, &str)] = &[
    ("balloon", "mem-set"),
    ("set-vcpus", "vcpu-set"),
    ("vif-list", "network-list"),
    ("vbd-create", "block-attach"),
    ("vbd-destroy", "block-detach"),
    ("vbd-list", "block-list"),
    ("pool-create", "cpupool-create"),
    ("pool-new", "cpupool-new"),
    ("pool-start", "cpupool-start"),
    ("pool-list", "cpupool-list"),
    ("pool-destroy", "cpupool-destroy"),
    ("pool-delete", "cpupool-delete"),
    ("pool-cpu-add", "cpupool-cpu-add"),
    ("pool-cpu-remove", "cpupool-cpu-remove"),
    ("pool-migrate", "cpupool-migrate"),
];

/// What a word means as a command.
pub enum Found {
    /// A command, by its name or a unique beginning.
    Command(&'static Command),
    /// A command by an old name.
    Deprecated(&'static Command),
    /// `help`.
    Help,
}

/// Looks a word up: exact name, old name, `help`, unique beginning of more than one letter.
pub fn find(word: &str) -> Option<Found> {
    if let Some(command) = by_name(word) {
        return Some(Found::Command(command));
    }
    if let Some((_, new)) = ALIASES.iter().find(|(old, _)| *old == word) {
        return by_name(new).map(Found::Deprecated);
    }
    if word == "help" {
        return Some(Found::Help);
    }
    let mut fitting = COMMANDS.iter().filter(|command| word.len() > 1 && command.name.starts_with(word));
    match (fitting.next(), fitting.next()) {
        (Some(one), None) => Some(Found::Command(one)),
        _ => None,
    }
}

/// The command of exactly this name.
pub fn by_name(name: &str) -> Option<&'static Command> {
    COMMANDS.iter().find(|command| command.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name_of(word: &str) -> Option<&'static str> {
        find(word).map(|found| match found {
            Found::Command(command) | Found::Deprecated(command) => command.name,
            Found::Help => "help",
        })
    }

    #[test]
    fn a_command_is_found_by_name_old_name_and_unique_beginning() {
        for (word, name) in [
            ("list", Some("list")),
            ("li", Some("list")),
            ("l", None),
            ("dom", None),
            ("domi", Some("domid")),
            ("cre", Some("create")),
            ("balloon", Some("mem-set")),
            ("pool-list", Some("cpupool-list")),
            ("help", Some("help")),
            ("ls", None),
            ("zap", None),
        ] {
            assert_eq!(name_of(word), name, "{word}");
        }
    }

    #[test]
    fn every_command_of_this_release_has_an_example_of_itself() {
        for command in COMMANDS.iter().filter(|command| command.run.is_some()) {
            let notes =
                command.notes().unwrap_or_else(|| panic!("xm {} has no notes (notes.rs)", command.name));
            let line = notes.example.0;
            assert_eq!(line.split(' ').nth(1), Some(command.name), "{line}");
        }
    }

    #[test]
    fn every_common_command_and_every_new_name_exists() {
        for name in COMMON.iter().filter(|name| **name != "help").chain(ALIASES.iter().map(|(_, new)| new)) {
            assert!(by_name(name).is_some(), "{name}");
        }
    }
}
