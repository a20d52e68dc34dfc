//! Being written.

use anyhow::Result;

pub(crate) fn run(_words: &[&str]) -> Result<()> {
    Ok(())
}
