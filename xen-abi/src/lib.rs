//! xen-abi: being written.
