//! Our side of the benchmark.
use super::Plan;
use super::report::Row;
use crate::build::Built;
use anyhow::Result;

pub(super) fn measure(_built: &Built, _plan: &Plan, _rows: &mut [Row]) -> Result<()> {
    Ok(())
}
