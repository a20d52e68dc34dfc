//! ring: being written.
