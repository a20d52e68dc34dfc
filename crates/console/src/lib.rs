//! console: being written.
