//! The HVM and PVH parts of the public headers: public/hvm/.

pub mod hvm_op;
pub mod params;
pub mod start_info;
