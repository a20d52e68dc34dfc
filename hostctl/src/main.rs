//! being written.
fn main() {}
