//! Domain configurations: from words and files to what the control domain is asked for.
//!
//! By tradition the file is a Python script. This release reads the simple ones: one `name = value` a line, where a value is
//! a text in quotes, a number or a list of those. Anything else is refused with its line, never guessed at.

pub mod cpus;
pub mod file;
pub mod settings;
pub mod syntax;
pub mod variables;
