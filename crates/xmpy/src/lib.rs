//! A bounded evaluator of the Python that xm configurations are written in.
//!
//! A configuration of xm is a program: it computes names, disks and addresses, and what it leaves in its variables is the
//! domain. [`run`] evaluates one and returns these. It takes Python 2, which xm ran, and Python 3 where the two agree or a
//! word tells which is meant; `docs/configurations.md` lists what is supported and what differs.
//!
//! A script is hostile until shown otherwise: it sees of the machine what a [`Host`] lends it (by default nothing), and
//! uses no more steps, memory, stack and nesting than [`Limits`] say, whatever it says. It cannot make this crate panic.
//!
//! Nothing here knows of Xen beyond the names that xm put before a script.

#![forbid(unsafe_code)]

mod access;
mod args;
mod ast;
mod builtins;
mod compare;
mod eval;
mod fault;
mod format;
mod host;
mod iterate;
mod limits;
mod machine;
mod methods;
mod modules;
mod number;
mod object;
mod parse;
mod percent;
mod python2;
mod run;
mod scan;
mod show;
mod source;
mod stop;
mod system;
mod text;
mod value;

pub use fault::{Fault, Kind};
pub use host::{Host, PathKind, Refusal, Sealed};
pub use limits::{Limit, Limits};
pub use num_bigint::BigInt;
pub use run::run;
pub use source::Script;
pub use system::System;
pub use value::{Namespace, Value};
