//! image: being written.
