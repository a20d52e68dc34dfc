//! Domain configurations: from words and files to what the control domain is asked for.
//!
//! What the command line sets and a script leaves are [`variables`]; [`vm`] makes of them the form that xm sent to xend, an
//! S-expression ([`sxp`]), and [`settings::Settings`] is what a form means to this release. A form can also come from a file, as
//! SXP or as [`xml`], and goes back into one: managed domains are kept so. [`refusal`] tells what of a form no domain can have
//! yet. Nothing here touches the machine but through [`xmpy::Host`].

#![forbid(unsafe_code)]

pub mod actions;
pub mod cpu_list;
pub mod cpus;
pub mod devices;
pub mod load;
pub mod pyhash;
pub mod refusal;
pub mod script;
pub mod settings;
pub mod sxp;
pub mod table;
pub mod uuid;
pub mod value;
pub mod variables;
pub mod vm;
pub mod xml;
