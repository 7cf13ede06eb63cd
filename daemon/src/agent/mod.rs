//! `agent`: agents at work: their worktrees and the processes that run for them.
//!
//! Asked by `dispatch`.

use proto::agent::Call;
use proto::error::Result;

use crate::dispatch::Desk;

/// The door.
///
/// # Errors
/// None yet: nothing can be asked.
pub fn answer(_desk: &Desk<'_>, call: Call) -> Result<proto::Answer> {
    match call.what {}
}
