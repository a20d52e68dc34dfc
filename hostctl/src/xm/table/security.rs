//! Commands on security policies and labels.

use super::{Command, absent};

/// In the order of the long help.
pub(super) static ROWS: &[Command] = &[
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
];
