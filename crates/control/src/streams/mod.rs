//! What a stream of hostctl's can be tied to.

pub(crate) mod console;
pub(crate) mod dump;
pub(crate) mod log;
pub(crate) mod store;
