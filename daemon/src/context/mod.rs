//! `context`: sessions, notes, and what an agent needs to get back into its work.
//!
//! Asked by `dispatch`.

use proto::context::Call;
use proto::error::Result;

use crate::dispatch::Desk;

/// The door.
///
/// # Errors
/// None yet: nothing can be asked.
pub fn answer(_desk: &Desk<'_>, call: Call) -> Result<proto::Answer> {
    match call.what {}
}
