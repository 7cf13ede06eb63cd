//! The database's schema: its steps, how they are applied, and the file form of a whole database.
//!
//! Asked by the daemon's store when it opens and by `tocli migrate`. Knows sled, serde, postcard and blake3, SQLite
//! for databases of an older program, and nothing of the daemon: a step holds frozen copies of the records it reads and writes, so that it means the same for ever.

#![allow(
    clippy::disallowed_methods,
    reason = "exports and rehearsals are files, and this crate has no world"
)]

pub mod draft;
pub mod error;
pub mod export;
pub mod layout;
pub mod legacy;
pub mod schema;
pub mod steps;

pub use draft::Draft;
pub use error::{Error, Result};
pub use layout::config;
pub use schema::{Applied, Report, migrate, pending, recorded, rehearse, validate};
pub use steps::{STEPS, Step, build_with, steps};
