//! hypercall: being written.
