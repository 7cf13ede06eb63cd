//! Trying this build's steps on a copy of the database, while the database is in use.
//!
//! Asked by `migrate --check` and before a hand-over. What must stay true: the database itself is only read, by an export;
//! the scratch folder is gone afterwards, whatever happened.

use std::path::{Path, PathBuf};

use migrations::Report;
use proto::error::{Error, Result};

use super::disk::{Places, Scratch};
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

/// Puts an export in the place of the database in the state folder `state`; what was there is kept beside it. Nobody may
/// have the database open. `now` names what is kept, in nanoseconds since 1970 UTC.
///
/// # Errors
/// `Unavailable` when the export cannot be read or there is no room for it; the database is then as it was.
pub fn put_back(state: &Path, export: &Path, now: i64) -> Result<PathBuf> {
    let places = Places::new(state);
    let io = |error: std::io::Error| Trouble::from_io(&error);
    let put = || {
        places.sweep_drafts().map_err(io)?;
        let fresh = places.unused("db.restoring");
        open::import(export, &fresh, &super::Options::new(now))?;
        let aside = places.unused(&format!("db.before-{now}"));
        places.replace(&aside, Some(&fresh)).map_err(io)?;
        Ok(aside)
    };
    put().map_err(Trouble::into_error)
}
