//! `maintenance`: the audit trail, export and import, and what keeps a workspace well.
//!
//! Asked by `dispatch`.

use proto::error::Result;
use proto::maintenance::Call;

use crate::dispatch::Desk;

/// The door.
///
/// # Errors
/// None yet: nothing can be asked.
pub fn answer(_desk: &Desk<'_>, call: Call) -> Result<proto::Answer> {
    match call.what {}
}
