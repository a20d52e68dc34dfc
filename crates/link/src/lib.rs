//! link: being written.
