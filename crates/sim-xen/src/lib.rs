//! sim-xen: being written.
