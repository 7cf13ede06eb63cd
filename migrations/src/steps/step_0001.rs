//! The first schema: nothing to change, the database is stamped.

use crate::draft::Draft;
use crate::error::Result;

pub(super) fn apply(_: &mut Draft<'_>) -> Result<()> {
    Ok(())
}

pub(super) fn validate(_: &Draft<'_>) -> Result<()> {
    Ok(())
}
