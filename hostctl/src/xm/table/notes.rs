//! What help, manual pages and programs need beside a command's row: an example, and the schema of its JSON.

use super::Command;

/// A command's notes.
pub struct Notes {
    name: &'static str,
    /// A line to type, and what it does.
    pub example: (&'static str, &'static str),
    /// The name of the file under docs/schema/ that describes what it prints with `--json`, without `.json`.
    pub schema: Option<&'static str>,
}

const fn note(
    name: &'static str,
    line: &'static str,
    about: &'static str,
    schema: Option<&'static str>,
) -> Notes {
    Notes { name, example: (line, about), schema }
}

/// What commands print that only do something.
const DONE: Option<&str> = Some("done");

impl Command {
    /// The command's notes, where this release has the command.
    pub fn notes(&self) -> Option<&'static Notes> {
        NOTES.iter().find(|notes| notes.name == self.name)
    }
}

/// In the order of the table.
static NOTES: &[Notes] = &[
    note("console", "xm console web", "attach to web's console; Ctrl-] detaches", None),
    note("vncviewer", "xm vncviewer web", "say why web has no screen", None),
    note(
        "create",
        "xm create web.cfg memory=96 -c",
        "create a domain and attach to its console",
        Some("create"),
    ),
    note("destroy", "xm destroy web", "end web at once", DONE),
    note("domid", "xm domid web", "print web's id", Some("name")),
    note("domname", "xm domname 3", "print the name of domain 3", Some("name")),
    note("dump-core", "xm dump-core -L web web.core", "dump web's memory while it runs", Some("dump-core")),
    note("list", "xm list --state=paused", "list the domains that are paused", Some("list")),
    note("mem-max", "xm mem-max web 512", "let web have up to 512 MiB", Some("memory")),
    note(
        "mem-set",
        "xm mem-set web 256",
        "have web give back memory, or take more, until it has 256 MiB",
        Some("memory"),
    ),
    note("pause", "xm pause web", "stop web's processors", DONE),
    note("reboot", "xm reboot -w web", "reboot web, and wait until it has", Some("shutdown")),
    note("rename", "xm rename web www", "call web www", DONE),
    note("reset", "xm reset web", "destroy web and build it anew", Some("reset")),
    note("shutdown", "xm shutdown -a -w", "shut all domains down, and wait for their ends", Some("shutdown")),
    note("sysrq", "xm sysrq web s", "have web's kernel write its disks", DONE),
    note("trigger", "xm trigger web nmi 0", "send an NMI to web's first processor", DONE),
    note("top", "xm top -b -i 2 -d 1", "print two looks at all domains, a second apart", Some("top")),
    note("unpause", "xm unpause web", "let web run again", DONE),
    note("uptime", "xm uptime web", "print how long web has been running", Some("uptime")),
    note("domstate", "xm domstate web", "print web's state in a word", Some("domstate")),
    note("vcpu-list", "xm vcpu-list web", "list web's processors and where they run", Some("vcpu-list")),
    note("vcpu-pin", "xm vcpu-pin web all 0-2,^1", "run web on processors 0 and 2 only", Some("vcpu-pin")),
    note("vcpu-set", "xm vcpu-set web 2", "have web use two processors", Some("vcpu-set")),
    note("debug-keys", "xm debug-keys q", "have Xen tell of all domains on its console", Some("debug-keys")),
    note("dmesg", "xm dmesg -c", "print Xen's messages, and clear them", Some("dmesg")),
    note("info", "xm info -n", "print what the machine is, with its topology", Some("info")),
    note("log", "xm log -f", "print what the control domain did and does, and why", Some("log")),
    note("serve", "xm serve", "say why there is no server to speak to", None),
    note("shell", "xm shell", "type commands one after the other; exit leaves", None),
    note("event-monitor", "xm event-monitor", "say that there are no events", None),
    note("network-new", "xm network-new lan", "say why there are no networks", None),
    note("network-del", "xm network-del lan", "say why there are no networks", None),
    note("network-show", "xm network-show", "say why there are no networks", None),
    note("sched-credit2", "xm sched-credit2 -d web -w 512", "give web twice the usual weight", Some("sched")),
    note("sched-credit", "xm sched-credit -d web -c 50", "give web half a processor at most", Some("sched")),
    note("sched-sedf", "xm sched-sedf web -p 20 -s 5", "give web 5 of every 20 ms", Some("sched")),
    note(
        "sched-rtds",
        "xm sched-rtds -d web -v all -p 20000 -b 5000 -e 0",
        "give web 5 of every 20 ms",
        Some("sched"),
    ),
    note("cpupool-create", "xm cpupool-create pool.cfg", "create a pool of processors", Some("cpupool")),
    note("cpupool-new", "xm cpupool-new pool.cfg", "say why there are no managed pools", None),
    note("cpupool-start", "xm cpupool-start fast", "say why there are no managed pools", None),
    note("cpupool-list", "xm cpupool-list -c", "list the pools with their processors", Some("cpupool-list")),
    note("cpupool-destroy", "xm cpupool-destroy fast", "end the pool fast", Some("cpupool")),
    note("cpupool-delete", "xm cpupool-delete fast", "say why there are no managed pools", None),
    note("cpupool-cpu-add", "xm cpupool-cpu-add fast 3", "add processor 3 to the pool fast", Some("cpupool")),
    note("cpupool-cpu-remove", "xm cpupool-cpu-remove fast 3", "take processor 3 from it", Some("cpupool")),
    note("cpupool-migrate", "xm cpupool-migrate web fast", "move web into the pool fast", Some("cpupool")),
    note("cpupool-rename", "xm cpupool-rename fast slow", "call the pool fast slow", Some("cpupool")),
    note("cpupool-numa-split", "xm cpupool-numa-split", "make a pool of each node", Some("cpupool")),
];
