//! Removing objects that no record names any more.
//!
//! Asked by `maintenance`, which knows who names what. What must stay true: an object that somebody was told to be there
//! is not removed before the record that will name it had a day to become true: whoever puts one pins it, and pins hold
//! for one turn at least.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use proto::error::{Error, Result};

use super::{Digest, Objects};

/// What was put of late.
#[derive(Debug, Default)]
pub struct Pins(Mutex<[HashSet<Digest>; 2]>);

impl Pins {
    fn lock(&self) -> MutexGuard<'_, [HashSet<Digest>; 2]> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn pin(&self, digest: &Digest) {
        self.lock()[0].insert(*digest);
    }
}

impl Objects {
    /// Pins that held for a whole turn are let go.
    pub fn turn(&self) {
        let mut pins = self.pins.lock();
        let [new, old] = &mut *pins;
        std::mem::swap(new, old);
        new.clear();
    }

    /// Every object on the disk, in either form, each once.
    ///
    /// # Errors
    /// `Unavailable` when the disk does not list them.
    pub fn stored(&self) -> Result<Vec<Digest>> {
        let failed = |error| Error::unavailable("the objects cannot be listed").why(error);
        let mut found = Vec::new();
        for shelf in listed(&self.folder).map_err(failed)? {
            if shelf.len() != 2 {
                continue;
            }
            for name in listed(&self.folder.join(&shelf)).map_err(failed)? {
                let rest = name.strip_suffix(".z").unwrap_or(&name);
                found.extend(Digest::parse(&format!("{shelf}{rest}")));
            }
        }
        found.sort_unstable();
        found.dedup();
        Ok(found)
    }

    /// Removes an object that no record names, unless somebody has put it of late: whether it is gone.
    ///
    /// # Errors
    /// `Unavailable` when the disk does not remove it.
    pub fn remove_unnamed(&self, digest: &Digest) -> Result<bool> {
        // Held, so that whoever puts it meanwhile either finds it pinned here or finds it gone.
        let pins = self.pins.lock();
        if pins.iter().any(|pins| pins.contains(digest)) {
            return Ok(false);
        }
        for path in [self.path(digest), self.path(digest).with_extension("z")] {
            match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(
                        Error::unavailable(format!("the object `{digest}` cannot be removed")).why(error),
                    );
                }
                _ => {}
            }
        }
        drop(pins);
        Ok(true)
    }

    /// Removes drafts that nobody has written to for `age` and that `wanted` does not know: how many.
    ///
    /// # Errors
    /// `Unavailable` when the disk does not remove one.
    pub fn drop_drafts(&self, age: Duration, wanted: impl Fn(&str) -> bool) -> Result<usize> {
        let mut dropped = 0;
        for name in self.draft_names().into_iter().filter(|name| !wanted(name)) {
            let written = fs::symlink_metadata(self.folder.join("drafts").join(&name))
                .and_then(|found| found.modified());
            let old = written.is_ok_and(|written| {
                SystemTime::now()
                    .duration_since(written)
                    .is_ok_and(|since| since > age)
            });
            if old {
                self.drop_draft(&name)?;
                dropped += 1;
            }
        }
        Ok(dropped)
    }
}

/// The names in a folder; none when it is not there.
fn listed(folder: &Path) -> io::Result<Vec<String>> {
    match fs::read_dir(folder) {
        Ok(entries) => Ok(entries
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .collect()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_put_of_late_is_not_removed() {
        let state = tempfile::tempdir().unwrap();
        let objects = Objects::new(state.path());
        let digest = objects.put(b"some bytes").unwrap();
        let again = objects.clone();
        assert_eq!(objects.stored().unwrap(), [digest]);
        assert!(!again.remove_unnamed(&digest).unwrap(), "it was put in this turn");
        objects.turn();
        assert!(!objects.remove_unnamed(&digest).unwrap(), "and in the one before");
        again.put(b"some bytes").unwrap();
        objects.turn();
        assert!(!objects.remove_unnamed(&digest).unwrap(), "it was put again");
        objects.turn();
        assert!(objects.remove_unnamed(&digest).unwrap());
        assert_eq!(objects.stored().unwrap(), []);
        assert_eq!(objects.put(b"some bytes").unwrap(), digest);
        assert_eq!(objects.get(&digest).unwrap(), b"some bytes", "it comes back");
    }
}
