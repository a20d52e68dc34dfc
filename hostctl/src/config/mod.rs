//! Configurations as files of this machine: found, read within bounds, and handed to the crate `xmcfg`, which knows what they mean.

pub mod file;
pub mod machine;
pub mod page;
