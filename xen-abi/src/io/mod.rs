//! The formats of shared rings: public/io/.

pub mod console;
pub mod libxenvchan;
pub mod xs_wire;
