//! Workspaces as they stand on the disk, for what the daemon does on its own: no request, no caller, nothing detected.
//!
//! Asked by `maintenance`. What must stay true: only a directory that is still the one on record is touched.

use std::path::Path;

use proto::error::Result;
use proto::places::Places;

use super::config::Config;
use super::folder::Folder;
use super::registry::identity;
use super::rules::Identity;
use super::store::{self, Row};
use crate::db::Db;
use crate::world::World;

/// A workspace whose root is there.
#[derive(Clone, Debug)]
pub struct Standing {
    /// The folder of its root's own things.
    pub folder: Folder,
    row: Row,
    identity: Identity,
}

impl Standing {
    /// `ws_<12 hex>`.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.row.id
    }

    /// Its root.
    #[must_use]
    pub fn root(&self) -> &Path {
        self.row.root.as_path()
    }

    /// Makes its folder where that is missing.
    ///
    /// # Errors
    /// As [`Folder::make`].
    pub fn make(&self, world: &dyn World) -> Result<()> {
        self.folder.make(world, &self.row, self.identity)
    }
}

/// The workspaces that hold something and whose roots are where they were. Looks at the disk: may hang where a mount
/// does.
///
/// # Errors
/// When the database cannot be read.
pub fn standing(world: &dyn World, places: &Places, db: &Db, config: &Config) -> Result<Vec<Standing>> {
    let storage = config.settings(world, None, &[]).storage();
    let used = store::used(db)?;
    let mut rows = store::rows(db)?;
    rows.retain(|row| row.forgotten.is_none() && used.contains(&row.id));
    let stands = |row: Row| {
        let identity = identity(world, row.root.as_path()).ok()?;
        identity.is(&row.identity).then(|| Standing {
            folder: Folder::of(storage, row.root.as_path(), &row.id, places),
            row,
            identity,
        })
    };
    Ok(rows.into_iter().filter_map(stands).collect())
}
