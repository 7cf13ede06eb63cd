//! `artifact`: named, immutable, versioned results of tasks.
//!
//! Asked by `dispatch`.

use proto::artifact::Call;
use proto::error::Result;

use crate::dispatch::Desk;

/// The door.
///
/// # Errors
/// None yet: nothing can be asked.
pub fn answer(_desk: &Desk<'_>, call: Call) -> Result<proto::Answer> {
    match call.what {}
}
