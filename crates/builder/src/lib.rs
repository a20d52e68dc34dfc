//! builder: being written.
