//! The methods of Python's own types.

pub(crate) mod dict;
pub(crate) mod file;
pub(crate) mod list;
pub(crate) mod set;
pub(crate) mod str;
