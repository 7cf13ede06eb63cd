//! Imports that are decided and not finished: the lines of each, kept as an object.
//!
//! One a workspace, at `<workspace>/`. What must stay true: the lines are on the disk before the record that names them;
//! the record goes with the last of what they bring.

use proto::error::Result;
use serde::{Deserialize, Serialize};

use crate::db::{Batch, Db, Record, Space};
use crate::objects::Digest;

/// Where they are kept.
pub const SPACE: Space = Space::new("exchange");

/// One. Version 1, frozen once released.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Begun {
    /// Its lines.
    pub lines: [u8; 32],
    /// The workspace they were taken from.
    pub from: String,
    /// Who imports.
    pub actor: String,
    /// When, nanoseconds since 1970 UTC.
    pub time: i64,
}

impl Record for Begun {
    const SPACE: Space = SPACE;
    const VERSION: u8 = 1;
}

fn key(workspace: &str) -> Vec<u8> {
    format!("{workspace}/").into_bytes()
}

impl Begun {
    /// The one of a workspace.
    ///
    /// # Errors
    /// `Unavailable` when the database cannot be read.
    pub fn of(db: &Db, workspace: &str) -> Result<Option<Self>> {
        db.record(&key(workspace))
    }

    /// All, each with its workspace.
    ///
    /// # Errors
    /// `Unavailable` when the database cannot be read.
    pub fn all(db: &Db) -> Result<Vec<(String, Self)>> {
        db.scan(SPACE, &[])
            .map(|item| {
                let (key, value) = item?;
                let workspace = String::from_utf8_lossy(&key).trim_end_matches('/').to_owned();
                Ok((workspace, Self::decode(&key, &value)?))
            })
            .collect()
    }

    /// Notes it in `batch`.
    ///
    /// # Errors
    /// `Bug` when it cannot be written as a record.
    pub fn put(&self, batch: &mut Batch, workspace: &str) -> Result<()> {
        batch.put(SPACE, &key(workspace), self.encode()?);
        Ok(())
    }
}

/// Notes in `batch` that the one of a workspace is finished.
pub fn finished(batch: &mut Batch, workspace: &str) {
    batch.delete(SPACE, &key(workspace));
}

/// The objects that these records name, for whoever sweeps those that nobody names.
///
/// # Errors
/// `Unavailable` when the database cannot be read.
pub fn named_objects(db: &Db) -> Result<Vec<Digest>> {
    let all = Begun::all(db)?;
    Ok(all
        .into_iter()
        .map(|(_, begun)| Digest::from(begun.lines))
        .collect())
}
