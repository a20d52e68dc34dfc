//! Which lab a command without a name means.

use anyhow::{Result, bail};

use super::dir::{LabDir, LabName};
use crate::connect::{ConnectError, Line, Options};

/// The name that `lab up` gives by itself.
pub const DEFAULT: &str = "default";

/// Finds the lab that is meant: the one that is named, else the one that `--connect` or `HOSTCTL_CONNECT` names, else the
/// only one that is up, else the only dead one, else the one that `lab up` would start.
///
/// Never guesses: the lab that is found may be taken down. Labs of `lab run` belong to those commands.
///
/// # Errors
/// Several labs could be meant, or the link that is set names no lab.
pub fn which(name: Option<&LabName>, options: &Options) -> Result<LabName> {
    if let Some(name) = name {
        return Ok(name.clone());
    }
    if let Some(text) = options.connect.as_deref().filter(|text| !text.is_empty()) {
        return match Line::parse(text)? {
            Line::Lab(name) => Ok(name),
            line => bail!("{line} is no lab; say which lab is meant"),
        };
    }
    let (up, dead): (Vec<LabDir>, Vec<LabDir>) =
        LabDir::all().into_iter().filter(|dir| !dir.name().is_temporary()).partition(LabDir::is_running);
    let candidates = if up.is_empty() { &dead } else { &up };
    let mut names: Vec<LabName> = candidates.iter().map(|dir| dir.name().clone()).collect();
    match names.len() {
        0 => Ok(LabName::parse(DEFAULT)?),
        1 => Ok(names.remove(0)),
        _ => {
            let names: Vec<String> = names.iter().map(LabName::to_string).collect();
            if up.is_empty() {
                bail!("several labs are there ({}); say which one is meant", names.join(", "));
            }
            bail!(ConnectError::Several(names))
        }
    }
}
