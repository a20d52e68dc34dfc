//! Domain configurations: from words and files to what the control domain is asked for.
//!
//! By tradition the file is a Python script. This release reads the simple ones: one `name = value` a line, where a value is
//! a text in quotes, a number or a list of those. Anything else is refused with its line, never guessed at. What variables say
//! becomes a form, the S-expression that xm sent to xend ([`sxp`]), and [`settings::Settings`] is what a form means.

#![forbid(unsafe_code)]

pub mod actions;
pub mod cpu_list;
pub mod cpus;
pub mod draft;
pub mod file;
pub mod settings;
pub mod sxp;
pub mod syntax;
pub mod uuid;
pub mod value;
pub mod variables;
