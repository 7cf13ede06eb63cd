//! The room as a whole, on a real database and real files.

pub(super) mod bed;
mod faults;
mod room;
