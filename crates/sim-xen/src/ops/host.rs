//! What a release of Xen speaks.

use xen_abi::{domctl, sysctl};

use crate::state::State;

fn version(table: &[(u16, u32)], minor: u16) -> u32 {
    // A release that nobody knows speaks what nobody knows.
    table
        .iter()
        .find(|(release, _)| *release == minor)
        .map_or(0x100 + u32::from(minor), |(_, version)| *version)
}

impl State {
    /// The domctl interface of the release.
    pub(super) fn domctl_version(&self) -> u32 {
        version(domctl::VERSIONS, self.config.minor)
    }

    /// The sysctl interface of the release.
    pub(super) fn sysctl_version(&self) -> u32 {
        version(sysctl::VERSIONS, self.config.minor)
    }
}
