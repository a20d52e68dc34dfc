//! Commands that stand alone, behind all others.

use super::{Command, Words, simple};
use crate::xm::{shell, why_not};

/// In the order of the long help.
pub(super) static ROWS: &[Command] = &[
    simple("shell", "", "Read commands and run them.", Words::Exactly(0), shell::run),
    // The last ones have no line in the help, as in xm: no description.
    simple("event-monitor", "", "", Words::Any, why_not::event_monitor),
    simple("network-new", "", "", Words::Any, why_not::xen_api),
    simple("network-del", "", "", Words::Any, why_not::xen_api),
    simple("network-show", "", "", Words::Any, why_not::xen_api),
];
