//! Which release's ABI is spoken.

use core::fmt;

use xen_abi::{Errno, domctl, sysctl};

use crate::{Door, Xen, XenError, calls};

/// The ABI that a Xen speaks: its release and the versions of its toolstack interfaces.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Abi {
    /// The release's major number: 4.
    pub major: u16,
    /// The release's minor number.
    pub minor: u16,
    /// The version of the domctl interface.
    pub domctl: u32,
    /// The version of the sysctl interface.
    pub sysctl: u32,
}

/// This Xen cannot be spoken to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ProbeError {
    /// Xen did not even tell its version.
    #[error("no Xen here: {0}")]
    NoXen(XenError),
    /// Xen speaks no domctl or sysctl interface that we know.
    #[error("{0}")]
    Unknown(Unknown),
    /// Xen refuses us its toolstack interfaces: we are no control domain.
    #[error("Xen {major}.{minor} refuses us: {error}; is this domain privileged?")]
    Refused {
        /// Xen's release.
        major: u16,
        /// Xen's release.
        minor: u16,
        /// What it answered.
        error: XenError,
    },
}

/// What an unknown Xen told of itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Unknown {
    /// Xen's release.
    pub major: u16,
    /// Xen's release.
    pub minor: u16,
    /// The interface that has no version in common with us: `domctl` or `sysctl`.
    pub interface: &'static str,
    /// The oldest version of it that we speak.
    pub oldest: u32,
    /// The newest version of it that we speak.
    pub newest: u32,
}

impl fmt::Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Unknown { major, minor, interface, oldest, newest } = self;
        let (first, last) = supported();
        write!(
            f,
            "unsupported Xen {major}.{minor}: it speaks none of our {interface} interface versions {oldest:#x} to \
             {newest:#x} (this program supports Xen 4.{first} to 4.{last})"
        )
    }
}

/// The oldest and the newest release (4.x) that we know.
fn supported() -> (u16, u16) {
    (domctl::VERSIONS[0].0, domctl::VERSIONS[domctl::VERSIONS.len() - 1].0)
}

/// Finds out what `xen` speaks.
///
/// Xen does not tell the versions of its toolstack interfaces; it answers `EACCES` to a wrong one. So ask
/// harmless questions, first in the version that the release should have.
pub(crate) fn probe<M: Door>(xen: &Xen<M>) -> Result<Abi, ProbeError> {
    let (major, minor) = xen.run(calls::version::version()).map_err(ProbeError::NoXen)?;
    let search = |interface, versions: &[(u16, u32)], speaks: &dyn Fn(u32) -> Result<bool, XenError>| {
        let expected = versions.iter().find(|(release, _)| major == 4 && *release == minor);
        for &(_, version) in expected.into_iter().chain(versions.iter().rev()) {
            match speaks(version) {
                Ok(true) => return Ok(version),
                Ok(false) => {}
                Err(error) => return Err(ProbeError::Refused { major, minor, error }),
            }
        }
        let (oldest, newest) = (versions[0].1, versions[versions.len() - 1].1);
        Err(ProbeError::Unknown(Unknown { major, minor, interface, oldest, newest }))
    };
    let domctl = search("domctl", domctl::VERSIONS, &|version| speaks_domctl(xen, version))?;
    let sysctl = search("sysctl", sysctl::VERSIONS, &|version| speaks_sysctl(xen, version))?;
    Ok(Abi { major, minor, domctl, sysctl })
}

/// Finds out Xen's version, and asks nothing that a guest may not. The toolstack interfaces stay unknown: 0.
pub(crate) fn version_alone<M: Door>(xen: &Xen<M>) -> Result<Abi, ProbeError> {
    let (major, minor) = xen.run(calls::version::version()).map_err(ProbeError::NoXen)?;
    Ok(Abi { major, minor, ..Abi::default() })
}

fn speaks_domctl<M: Door>(xen: &Xen<M>, version: u32) -> Result<bool, XenError> {
    // Whether there is a domain 0 is of no interest here.
    match xen.run(calls::domctl::probe(version)) {
        Err(XenError { errno: Errno::EACCES, .. }) => Ok(false),
        Ok(()) | Err(XenError { errno: Errno::ESRCH, .. }) => Ok(true),
        Err(error) => Err(error),
    }
}

fn speaks_sysctl<M: Door>(xen: &Xen<M>, version: u32) -> Result<bool, XenError> {
    match xen.run(calls::sysctl::probe(version)) {
        Err(XenError { errno: Errno::EACCES, .. }) => Ok(false),
        Ok(()) => Ok(true),
        Err(error) => Err(error),
    }
}

impl Abi {
    /// The release (4.x) whose layouts this ABI has: that of the domctl interface, or, where several
    /// releases share it, Xen's own.
    ///
    /// A release that we do not know yet, with interfaces that we do, counts as the newest that has them.
    #[must_use]
    pub fn release(&self) -> u16 {
        let same = || domctl::VERSIONS.iter().filter(|(_, version)| *version == self.domctl).map(|(r, _)| *r);
        if same().any(|release| release == self.minor) {
            self.minor
        } else {
            same().max().unwrap_or(self.minor)
        }
    }
}
