//! Trying this build's steps on a copy of the database, while the database is in use.
//!
//! Asked by `migrate --check` and before a hand-over. What must stay true: the database itself is only read, by an export;
//! the scratch folder is gone afterwards, whatever happened.

use std::path::{Path, PathBuf};

use migrations::Report;
use proto::error::{Error, Result};

use super::Db;

/// What a rehearsal found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rehearsal {
    /// The steps that would be applied.
    pub report: Report,
    /// How many records were read back from the copy.
    pub records: u64,
}

struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            tracing::warn!(folder = %self.0.display(), %error, "a scratch folder stays behind");
        }
    }
}

impl Db {
    /// Applies and validates all steps of this build on a copy. `now` dates the copy, in nanoseconds since 1970 UTC.
    ///
    /// # Errors
    /// `Unavailable` when there is no room for the copy or the database cannot be read; `Refused` when a step fails.
    pub fn rehearse(&self, now: i64) -> Result<Rehearsal> {
        let no_room =
            |error: std::io::Error| Error::unavailable("a copy of the database cannot be made").why(error);
        let folder = self
            .inner
            .places
            .state
            .join(format!("rehearsal-{}-{now}", std::process::id()));
        std::fs::create_dir(&folder).map_err(no_room)?;
        let scratch = Scratch(folder);
        let copy = scratch.0.join("copy.todexp");
        let summary = self.export(&copy, now)?;
        let report = migrations::rehearse(&copy, &scratch.0.join("db"), self.inner.options.steps, now)
            .map_err(|error| {
                Error::refused("the steps of this build do not apply to a copy of the database")
                    .why(error)
                    .next("keep the release that is running, and report this")
            })?;
        Ok(Rehearsal {
            report,
            records: summary.records,
        })
    }

    /// The newest export in the folder of backups.
    ///
    /// # Errors
    /// `Unavailable` when the folder cannot be read.
    pub fn newest_backup(&self) -> Result<Option<PathBuf>> {
        let exports = self.inner.places.exports();
        let exports =
            exports.map_err(|error| Error::unavailable("the backups cannot be listed").why(error))?;
        Ok(exports.into_iter().max_by_key(|path| taken(path)))
    }
}

/// When a file was last written; the oldest time when that cannot be told.
fn taken(path: &Path) -> std::time::SystemTime {
    std::fs::metadata(path)
        .and_then(|found| found.modified())
        .unwrap_or(std::time::SystemTime::UNIX_EPOCH)
}
