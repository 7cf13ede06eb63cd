//! Bytes too long for a record, each in a file named by its digest: `<state>/objects/<2 hex>/<62 hex>`.
//!
//! Asked by rooms for texts and artifact bodies over 8 KB, and by the store for long answers. What must stay true: an
//! object is whole and on the disk before `put` returns, so that a record may name it; what `get` returns has the digest
//! that was asked for; an object is never changed.

#![allow(
    clippy::disallowed_methods,
    reason = "objects are the store's own files, synced where records rely on it"
)]

use std::fmt;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use proto::error::{Error, Result};

/// The largest object that is held in memory at once, in bytes (64 MiB).
pub const MAX_IN_MEMORY: u64 = 64 * 1024 * 1024;

/// The BLAKE3 digest of an object's bytes: its name.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(*blake3::hash(bytes).as_bytes())
    }

    /// The 32 bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl From<[u8; 32]> for Digest {
    fn from(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The objects of one state folder.
#[derive(Clone, Debug)]
pub struct Objects {
    folder: PathBuf,
}

/// Makes drafts of one process different from each other.
static DRAFTS: AtomicU64 = AtomicU64::new(0);

impl Objects {
    /// The objects within the state folder `state`; nothing is made before the first `put`.
    #[must_use]
    pub fn new(state: &Path) -> Self {
        Self {
            folder: state.join("objects"),
        }
    }

    /// Where the object with this digest is, or would be.
    #[must_use]
    pub fn path(&self, digest: &Digest) -> PathBuf {
        let name = digest.to_string();
        self.folder.join(&name[..2]).join(&name[2..])
    }

    /// Keeps `bytes`; when they are there already, nothing is written.
    ///
    /// # Errors
    /// `Unavailable` when the disk does not take them.
    pub fn put(&self, bytes: &[u8]) -> Result<Digest> {
        let digest = Digest::of(bytes);
        let path = self.path(&digest);
        let length = bytes.len() as u64;
        // One of the right length was synced before it got its name: only `get` reads it through.
        if fs::symlink_metadata(&path).is_ok_and(|meta| meta.is_file() && meta.len() == length) {
            return Ok(digest);
        }
        self.write(&path, bytes).map_err(|error| {
            Error::unavailable(format!("an object of {length} bytes cannot be stored")).why(error)
        })?;
        Ok(digest)
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let shelf = path.parent().unwrap_or(&self.folder);
        if !shelf.is_dir() {
            DirBuilder::new().recursive(true).mode(0o700).create(shelf)?;
            sync_folder(&self.folder)?;
            self.folder.parent().map_or(Ok(()), sync_folder)?;
        }
        let number = DRAFTS.fetch_add(1, Ordering::Relaxed);
        let draft = shelf.join(format!("draft-{}-{number}", std::process::id()));
        let outcome = write_synced(&draft, bytes).and_then(|()| fs::rename(&draft, path));
        if outcome.is_err() {
            // The failure itself is the news.
            drop(fs::remove_file(&draft));
        }
        outcome.and_then(|()| sync_folder(shelf))
    }

    /// The bytes with this digest.
    ///
    /// # Errors
    /// `NotFound` when there is no such object, `TooLarge` over [`MAX_IN_MEMORY`], `Unavailable` when it cannot be read
    /// or its bytes are no longer those that were stored.
    pub fn get(&self, digest: &Digest) -> Result<Vec<u8>> {
        let unreadable = |error: io::Error| match error.kind() {
            io::ErrorKind::NotFound => {
                Error::not_found(format!("no object `{digest}`")).next("run `tocli doctor`")
            }
            _ => Error::unavailable(format!("the object `{digest}` cannot be read")).why(error),
        };
        let file = File::open(self.path(digest)).map_err(unreadable)?;
        let mut bytes = Vec::new();
        file.take(MAX_IN_MEMORY + 1)
            .read_to_end(&mut bytes)
            .map_err(unreadable)?;
        if bytes.len() as u64 > MAX_IN_MEMORY {
            return Err(Error::too_large(format!(
                "the object `{digest}` is over {} MiB",
                MAX_IN_MEMORY >> 20
            )));
        }
        if Digest::of(&bytes) != *digest {
            let what = format!("the object `{digest}` is damaged");
            return Err(Error::unavailable(what).next("run `tocli doctor`"));
        }
        Ok(bytes)
    }
}

fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn an_object_is_kept_once_and_read_back() {
        let state = tempfile::tempdir().unwrap();
        let objects = Objects::new(state.path());
        let digest = objects.put(b"some bytes").unwrap();
        let path = objects.path(&digest);
        let made = fs::metadata(&path).unwrap();
        assert_eq!(made.permissions().mode() & 0o777, 0o600);
        assert_eq!(objects.put(b"some bytes").unwrap(), digest);
        assert_eq!(
            fs::metadata(&path).unwrap().modified().unwrap(),
            made.modified().unwrap()
        );
        assert_eq!(objects.get(&digest).unwrap(), b"some bytes");
        assert_eq!(
            fs::read_dir(path.parent().unwrap()).unwrap().count(),
            1,
            "no draft stays"
        );
    }

    #[test]
    fn an_object_that_is_missing_or_damaged_is_said_to_be() {
        let state = tempfile::tempdir().unwrap();
        let objects = Objects::new(state.path());
        let digest = Digest::of(b"never put");
        assert_eq!(objects.get(&digest).unwrap_err().kind, proto::Kind::NotFound);
        let digest = objects.put(b"some bytes").unwrap();
        fs::write(objects.path(&digest), &b"same length"[..10]).unwrap();
        let error = objects.get(&digest).unwrap_err();
        assert!(error.what.contains("damaged"), "{error}");
        fs::write(objects.path(&digest), b"cut").unwrap();
        assert_eq!(
            objects.put(b"some bytes").unwrap(),
            digest,
            "put mends what was cut"
        );
        assert_eq!(objects.get(&digest).unwrap(), b"some bytes");
    }

    #[test]
    fn a_put_that_fails_leaves_nothing() {
        let state = tempfile::tempdir().unwrap();
        fs::write(state.path().join("objects"), "a file in the way").unwrap();
        let error = Objects::new(state.path()).put(b"some bytes").unwrap_err();
        assert_eq!(error.kind, proto::Kind::Unavailable);
    }
}
