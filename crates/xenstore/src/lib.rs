//! xenstore: being written.
