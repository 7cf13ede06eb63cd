//! Bytes too long for a record, each in a file named by its digest: `<state>/objects/<2 hex>/<62 hex>`.
//!
//! Asked by rooms for texts and artifact bodies over 8 KB, and by the store for long answers. Bytes of any size come in
//! through a draft (`draft.rs`) and go out a piece at a time (`piece.rs`); what is read seldom may be compressed. What
//! must stay true: an object is whole and on the disk before `put` or `keep` returns, so that a record may name it; what
//! `get` returns has the digest that was asked for; an object's bytes never change.

#![allow(
    clippy::disallowed_methods,
    reason = "objects are the store's own files, synced where records rely on it"
)]

mod draft;
mod piece;
mod sweep;

use std::fmt;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use proto::error::{Error, Result};

use crate::db::{Disk, RealDisk};
pub use draft::{Draft, FromStart, Taken};
pub use piece::{Checked, Object, Reader, Squeezed};
pub use sweep::Pins;

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

    /// The digest with this text.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = blake3::Hash::from_hex(text).ok()?;
        Some(Self(*bytes.as_bytes()))
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

/// 32 bytes as 64 hexadecimal digits where people read, as they are in records.
pub mod hex {
    use serde::de::Error as _;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::Digest;

    /// Writes them.
    ///
    /// # Errors
    /// The serializer's.
    pub fn serialize<S: Serializer>(bytes: &[u8; 32], serializer: S) -> Result<S::Ok, S::Error> {
        match serializer.is_human_readable() {
            true => serializer.collect_str(&Digest(*bytes)),
            false => bytes.serialize(serializer),
        }
    }

    /// Reads them.
    ///
    /// # Errors
    /// The deserializer's, or for a text that is none.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<[u8; 32], D::Error> {
        if !deserializer.is_human_readable() {
            return <[u8; 32]>::deserialize(deserializer);
        }
        let text = String::deserialize(deserializer)?;
        let digest =
            Digest::parse(&text).ok_or_else(|| D::Error::custom("a digest has 64 digits of 0-9 a-f"))?;
        Ok(digest.0)
    }
}

/// The objects of one state folder.
#[derive(Clone, Debug)]
pub struct Objects {
    folder: PathBuf,
    disk: Arc<dyn Disk>,
    pins: Arc<Pins>,
    /// Bytes that contents of any size leave free.
    spare: u64,
}

/// What contents leave free beyond what records must find (8 MiB), so that a disk that they fill still takes records.
const BEYOND: u64 = 8 << 20;

/// Makes drafts of one process different from each other.
static DRAFTS: AtomicU64 = AtomicU64::new(0);

impl Objects {
    /// The objects within the state folder `state`; nothing is made before the first `put`.
    #[must_use]
    pub fn new(state: &Path) -> Self {
        Self::on(state, Arc::new(RealDisk), Arc::default())
    }

    /// The same on a disk of the caller's, with the pins that all who put objects there share.
    #[must_use]
    pub fn on(state: &Path, disk: Arc<dyn Disk>, pins: Arc<Pins>) -> Self {
        Self {
            folder: state.join("objects"),
            disk,
            pins,
            spare: 0,
        }
    }

    /// The same beside records that need so many bytes free.
    #[must_use]
    pub fn beside(self, records: u64) -> Self {
        Self {
            spare: if records == 0 { 0 } else { records + BEYOND },
            ..self
        }
    }

    /// Whether so many bytes can come without taking from the records what they need.
    ///
    /// # Errors
    /// `Unavailable` when they cannot.
    pub fn room_for(&self, bytes: u64) -> Result<()> {
        if self.spare == 0 {
            return Ok(());
        }
        // Who cannot be asked is not full: the write itself will say.
        let free = self.disk.free(self.folder.parent().unwrap_or(&self.folder));
        match free {
            Ok(free) if free < bytes.saturating_add(self.spare) => Err(Error::unavailable(format!(
                "the disk has no room for {bytes} bytes more: {} MiB are free, and {} must stay so",
                free >> 20,
                self.spare >> 20
            ))
            .next("make room and go on")),
            _ => Ok(()),
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
        self.pins.pin(&digest);
        let path = self.path(&digest);
        let length = bytes.len() as u64;
        // One of the right length was synced before it got its name: only `get` reads it through.
        if self.has(&digest, length) {
            return Ok(digest);
        }
        self.write(&path, bytes).map_err(|error| {
            let said = Error::unavailable(format!("an object of {length} bytes cannot be stored"));
            said.why(error)
                .next("see whether the disk is full, and repeat it")
        })?;
        Ok(digest)
    }

    /// Whether an object of this length is there, in either form.
    #[must_use]
    pub fn has(&self, digest: &Digest, length: u64) -> bool {
        let path = self.path(digest);
        fs::symlink_metadata(&path).is_ok_and(|meta| meta.is_file() && meta.len() == length)
            || self.open(digest).is_ok_and(|object| object.size() == length)
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let shelf = self.shelf(path)?;
        let draft = Self::scratch(shelf);
        let outcome = self
            .write_synced(&draft, bytes)
            .and_then(|()| fs::rename(&draft, path));
        if outcome.is_err() {
            // The failure itself is the news.
            drop(fs::remove_file(&draft));
        }
        outcome.and_then(|()| self.sync_folder(shelf))
    }

    /// The folder of an object, made where it is missing.
    fn shelf<'p>(&'p self, path: &'p Path) -> io::Result<&'p Path> {
        let shelf = path.parent().unwrap_or(&self.folder);
        if !shelf.is_dir() {
            DirBuilder::new().recursive(true).mode(0o700).create(shelf)?;
            self.sync_folder(&self.folder)?;
            self.folder
                .parent()
                .map_or(Ok(()), |above| self.sync_folder(above))?;
        }
        Ok(shelf)
    }

    /// A name in a shelf that nobody else uses.
    fn scratch(shelf: &Path) -> PathBuf {
        let number = DRAFTS.fetch_add(1, Ordering::Relaxed);
        shelf.join(format!("draft-{}-{number}", std::process::id()))
    }

    /// The bytes with this digest.
    ///
    /// # Errors
    /// `NotFound` when there is no such object, `TooLarge` over [`MAX_IN_MEMORY`], `Unavailable` when it cannot be read
    /// or its bytes are no longer those that were stored.
    pub fn get(&self, digest: &Digest) -> Result<Vec<u8>> {
        let object = self.open(digest)?;
        if object.size() > MAX_IN_MEMORY {
            return Err(Error::too_large(format!(
                "the object `{digest}` is over {} MiB",
                MAX_IN_MEMORY >> 20
            )));
        }
        let bytes = object.read(0, usize::try_from(MAX_IN_MEMORY).unwrap_or(usize::MAX))?;
        if Digest::of(&bytes) != *digest {
            let what = format!("the object `{digest}` is damaged");
            return Err(Error::unavailable(what).next("run `tocli doctor`"));
        }
        Ok(bytes)
    }

    fn write_synced(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)?;
        file.write_all(bytes)?;
        self.disk.sync(&file)
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        self.disk.sync(&File::open(folder)?)
    }
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
