//! toolstack: being written.
