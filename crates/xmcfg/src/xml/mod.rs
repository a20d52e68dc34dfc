//! The XML form of a configuration, as Xen-API had it: printed, read, and checked against `docs/create.dtd`.

mod dtd;
mod from_form;
mod to_form;
mod tree;

use thiserror::Error;

use crate::sxp::Sxp;

pub use from_form::{Printed, print};
pub use tree::{Element, MOST_BYTES};

/// XML is no configuration.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum XmlError {
    /// There are more bytes than a configuration has.
    #[error("more than {MOST_BYTES} bytes are no configuration")]
    TooLong,
    /// It is not well-formed.
    #[error("line {line}: {why}")]
    NotWellFormed {
        /// Where, counted from 1.
        line: usize,
        /// What is wrong.
        why: String,
    },
    /// It is well-formed, and not what `docs/create.dtd` describes.
    #[error("{0}; --skipdtd reads it as it is, as far as it goes")]
    Invalid(String),
    /// There is no domain in it.
    #[error("there is no <vm> in <xm>")]
    NoVm,
    /// A value that cannot be.
    #[error("Invalid value: {value}; {attribute} of <{element}> takes {takes}")]
    Value {
        /// As it was written.
        value: String,
        /// Of which attribute.
        attribute: &'static str,
        /// Of which element.
        element: &'static str,
        /// What it could be.
        takes: &'static str,
    },
}

/// Reads the first domain of an XML file as a form.
///
/// # Errors
/// [`XmlError`]; with `skip_dtd` only what cannot be read at all.
pub fn read(source: &[u8], skip_dtd: bool) -> Result<Sxp, XmlError> {
    let root = tree::parse(source)?;
    if !skip_dtd {
        dtd::check(&root).map_err(XmlError::Invalid)?;
    }
    to_form::form(&root)
}

#[cfg(test)]
#[path = "../xml_tests.rs"]
mod tests;
