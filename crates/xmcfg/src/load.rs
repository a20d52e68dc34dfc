//! From what was typed and what stands in a file to a form.

use thiserror::Error;

use crate::script::{self, ScriptError};
use crate::variables::Variables;
use crate::vm::{Around, Made, VmError, vm};
use crate::xml::{self, XmlError};

/// A file makes no configuration.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum LoadError {
    /// Its script is wrong.
    #[error(transparent)]
    Script(#[from] ScriptError),
    /// What it sets is wrong.
    #[error(transparent)]
    Vm(#[from] VmError),
    /// It begins as XML does, and is none, or not ours.
    #[error("{file}: {error}")]
    Xml {
        /// The file.
        file: String,
        /// What is wrong.
        error: XmlError,
    },
}

/// A configuration's file.
#[derive(Clone, Copy, Debug)]
pub struct File<'a> {
    /// Where it is, for scripts and errors.
    pub path: &'a str,
    /// What stands in it.
    pub bytes: &'a [u8],
}

/// Reads a file with the variables of the command line: XML if it begins with `<`, which takes no variables, else a script.
///
/// # Errors
/// [`LoadError`].
pub fn load(
    file: File<'_>,
    mut vars: Variables,
    skip_dtd: bool,
    around: Around<'_>,
) -> Result<Made, LoadError> {
    if file.bytes.first() == Some(&b'<') {
        let wrong = |error| LoadError::Xml { file: file.path.into(), error };
        return Ok(Made { form: xml::read(file.bytes, skip_dtd).map_err(wrong)?, warnings: Vec::new() });
    }
    let ran = script::run(file, vars.for_script(), around.host)?;
    vars.take(ran.names);
    let passed_over = ran.others.into_iter().filter(|(name, _)| vars.takes(name)).map(|(name, kind)| {
        format!("Warning: '{name}' has no effect: it is of the type {kind}; xm takes texts, whole numbers, floats and lists.")
    });
    let passed_over: Vec<String> = passed_over.collect();
    let mut made = vm(&vars, around)?;
    let source = String::from_utf8_lossy(file.bytes);
    let misspelt = vars
        .misspelt(&source)
        .into_iter()
        .map(|(name, meant)| format!("Warning: there is no variable '{name}'; did you mean '{meant}'?"));
    made.warnings = passed_over.into_iter().chain(misspelt).chain(made.warnings).collect();
    Ok(made)
}
