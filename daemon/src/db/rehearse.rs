//! Trying this build's steps on a copy of the database, while the database is in use.
//!
//! Asked by `migrate --check` and before a hand-over. What must stay true: the database itself is only read, by an export;
//! the scratch folder is gone afterwards, whatever happened.

use std::path::PathBuf;

use migrations::Report;
use proto::error::{Error, Result};

use super::disk::Scratch;
use super::trouble::Trouble;
use super::{Db, open};

/// What a rehearsal found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rehearsal {
    /// The steps that would be applied.
    pub report: Report,
    /// How many records were read back from the copy.
    pub records: u64,
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
        let scratch = Scratch::make(folder).map_err(no_room)?;
        let copy = scratch.path().join("copy.todexp");
        let summary = self.export(&copy, now)?;
        let report = migrations::rehearse(&copy, &scratch.path().join("db"), self.inner.options.steps, now)
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

    /// The newest export in the folder of backups that is whole. Reads them all.
    ///
    /// # Errors
    /// `Unavailable` when the folder cannot be read.
    pub fn newest_backup(&self) -> Result<Option<PathBuf>> {
        let newest = open::newest_first(&self.inner.places).map_err(Trouble::into_error)?;
        Ok(newest.into_iter().next().map(|candidate| candidate.path))
    }
}
