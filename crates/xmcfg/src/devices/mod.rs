//! The devices of a configuration: what their texts say, checked as xm checked it, and their forms.

mod cpuid;
mod disk;
mod number;
mod pairs;
mod pci;
mod ports;
mod scsi;
mod tpm;
mod usb;
pub(crate) mod vfb;
mod vif;

use thiserror::Error;
use xmpy::Host;

pub use cpuid::cpuid;
pub use disk::Disk;
pub use number::{BadNumber, DeviceNumber};

use crate::sxp::Sxp;
use crate::variables::{VariableError, Variables};

/// A device's text is wrong: xm's words.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum DeviceError {
    /// A variable is no list.
    #[error(transparent)]
    Variable(#[from] VariableError),
    /// Not three to five fields.
    #[error("Invalid disk specifier: {0}")]
    Disk(String),
    /// A piece without `=`.
    #[error("{0} should be a pair, separated by an equals sign.")]
    NoPair(String),
    /// A key that network interfaces have not.
    #[error("Invalid {class} option: {key}")]
    Option {
        /// Of which device.
        class: &'static str,
        /// The key.
        key: String,
    },
    /// A key that displays have not.
    #[error("configuration option {0} unknown to vfbs")]
    Vfb(String),
    /// A key that TPMs have not.
    #[error("Invalid vtpm specifier: {0}")]
    Vtpm(String),
    /// TPM 0 is the machine's own.
    #[error("VM config error: vTPM instance must not be 0.")]
    VtpmZero,
    /// No number.
    #[error("Vm config error: could not parse instance number.")]
    VtpmNumber,
    /// A PCI device that is none.
    #[error("Failed to parse pci device: {0}")]
    Pci(String),
    /// An option of a PCI device.
    #[error("Invalid pci option {key}={value}: {text}")]
    PciOption {
        /// Its name.
        key: String,
        /// Its value.
        value: String,
        /// The whole text.
        text: String,
    },
    /// A function twice.
    #[error("Duplicate functions: {0}")]
    PciTwice(String),
    /// A device of several functions needs a first one.
    #[error("Virtual device does not include virtual function 0: {0}")]
    PciFirst(String),
    /// Ports that are none.
    #[error("Invalid i/o port range specifier: {0}")]
    Ports(String),
    /// An interrupt that is none.
    #[error("Invalid value: {0}")]
    Irq(String),
    /// A SCSI device.
    #[error("vscsi syntax error \"{0}\"")]
    Scsi(String),
    /// A register of CPUID.
    #[error("cpuid's syntax is (eax|ebx|ecx|edx)=value")]
    Cpuid,
    /// A register's bits.
    #[error("cpuid: We should specify all the bits of the register {register} for input {leaf}")]
    CpuidBits {
        /// Which.
        register: String,
        /// Of which leaf.
        leaf: String,
    },
}

/// Checks what xm checked before it looked at the kernel.
///
/// # Errors
/// [`DeviceError`].
pub fn check_first(vars: &Variables) -> Result<(), DeviceError> {
    vars.texts("disk")?.iter().try_for_each(|text| Disk::read(text).map(drop))?;
    pci::form(&vars.texts("pci")?)?;
    each(vars, "vscsi", scsi::form)?;
    each(vars, "vusb", usb::form)?;
    each(vars, "ioports", ports::form)?;
    vars.texts("vtpm")?.first().map(|text| tpm::form(text)).transpose()?;
    Ok(())
}

/// All devices, in xm's order.
///
/// # Errors
/// The first that is wrong, in the order in which xm looked at them.
pub fn devices(vars: &Variables, host: &dyn Host) -> Result<Vec<Sxp>, DeviceError> {
    let disks = vars
        .texts("disk")?
        .iter()
        .map(|text| Ok(Disk::read(text)?.form()))
        .collect::<Result<Vec<_>, DeviceError>>()?;
    let pci = pci::form(&vars.texts("pci")?)?;
    let scsi = each(vars, "vscsi", scsi::form)?;
    let ports = each(vars, "ioports", ports::form)?;
    let tpm = vars.texts("vtpm")?.first().map(|text| tpm::form(text)).transpose()?;
    let usb = each(vars, "vusb", usb::form)?;
    let irqs = each(vars, "irq", ports::irq)?;
    let vifs = each(vars, "vif", vif::form)?;
    let vif2s = each(vars, "vif2", vif::form2)?;
    let displays =
        vars.texts("vfb")?.iter().map(|text| vfb::forms(text, vars, host)).collect::<Result<Vec<_>, _>>()?;
    let all =
        [disks, pci.into_iter().collect(), scsi, usb, ports, irqs, vifs, vif2s, tpm.into_iter().collect()];
    let all = all.into_iter().flatten().chain(displays.into_iter().flatten());
    Ok(all.map(|form| Sxp::pair("device", form)).collect())
}

fn each(
    vars: &Variables,
    name: &'static str,
    form: fn(&str) -> Result<Sxp, DeviceError>,
) -> Result<Vec<Sxp>, DeviceError> {
    vars.texts(name)?.iter().map(|text| form(text)).collect()
}

/// `(class (key value) ...)`.
fn form(class: &str, pairs: impl IntoIterator<Item = (String, String)>) -> Sxp {
    let pairs = pairs.into_iter().map(|(key, value)| Sxp::pair(&key, value));
    Sxp::List(std::iter::once(class.into()).chain(pairs).collect())
}

#[cfg(test)]
#[path = "../devices_tests.rs"]
mod tests;
