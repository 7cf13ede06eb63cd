//! Bytes on their way in: a file that grows from its beginning, is synced, and becomes an object.
//!
//! Asked by the artifact room for uploads and for files of any size. What must stay true: a draft becomes an object only
//! after its bytes are on the disk; memory does not grow with it.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::PathBuf;

use proto::error::{Error, Result};

use super::{Digest, Object, Objects, Reader};

/// How much is read, hashed and written at a time.
const STEP: usize = 256 << 10;

/// A draft that is open.
#[derive(Debug)]
pub struct Draft {
    file: File,
    path: PathBuf,
    objects: Objects,
}

/// Bytes that were taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    /// Their digest.
    pub digest: Digest,
    /// How many.
    pub size: u64,
}

impl Objects {
    fn drafts(&self) -> PathBuf {
        self.folder.join("drafts")
    }

    /// Opens the draft of this name, made where it is not there. The name is one of ours.
    ///
    /// # Errors
    /// `Unavailable` when the disk does not give it.
    pub fn draft(&self, name: &str) -> Result<Draft> {
        let path = self.drafts().join(name);
        let open = || -> io::Result<File> {
            let folder = self.drafts();
            if !folder.is_dir() {
                DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
            }
            OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .mode(0o600)
                .custom_flags(rustix::fs::OFlags::NOFOLLOW.bits().cast_signed())
                .open(&path)
        };
        let file = open().map_err(|error| refused("begun", &error))?;
        let objects = self.clone();
        Ok(Draft { file, path, objects })
    }

    /// How long the draft of this name is; none when there is none.
    #[must_use]
    pub fn draft_length(&self, name: &str) -> Option<u64> {
        let found = fs::symlink_metadata(self.drafts().join(name)).ok()?;
        found.is_file().then_some(found.len())
    }

    /// Removes the draft of this name; no matter when there is none.
    ///
    /// # Errors
    /// `Unavailable` when it cannot be removed.
    pub fn drop_draft(&self, name: &str) -> Result<()> {
        match fs::remove_file(self.drafts().join(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(refused("removed", &error)),
            _ => Ok(()),
        }
    }

    /// The names of all drafts.
    #[must_use]
    pub fn draft_names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.drafts()).into_iter().flatten();
        entries
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .collect()
    }

    /// Makes an object of a draft whose bytes have this digest.
    ///
    /// # Errors
    /// `Unavailable` when the disk does not keep it.
    pub fn keep(&self, draft: &Draft, taken: Taken) -> Result<()> {
        self.pins.pin(&taken.digest);
        let keep = || -> io::Result<()> {
            if self.has(&taken.digest, taken.size) {
                return fs::remove_file(&draft.path);
            }
            self.disk.sync(&draft.file)?;
            let path = self.path(&taken.digest);
            let shelf = self.shelf(&path)?;
            fs::rename(&draft.path, &path)?;
            self.sync_folder(shelf)
        };
        keep().map_err(|error| refused("kept", &error))
    }

    /// Keeps all that `from` gives, at most `limit` bytes.
    ///
    /// # Errors
    /// `TooLarge` for more; `Unavailable` when `from` cannot be read or the disk does not keep it.
    pub fn take_in(&self, from: &mut dyn Read, limit: u64) -> Result<Taken> {
        let name = Self::scratch(std::path::Path::new(""));
        let name = format!("in-{}", name.display());
        let draft = self.draft(&name)?;
        let outcome = draft
            .fill(from, limit)
            .and_then(|taken| self.keep(&draft, taken).map(|()| taken));
        if outcome.is_err() {
            // The failure itself is the news.
            drop(fs::remove_file(&draft.path));
        }
        outcome
    }

    /// Puts an object that is damaged or gone back from `from`; false when that does not hold its bytes.
    ///
    /// # Errors
    /// `Unavailable` when `from` cannot be read or the disk does not keep it.
    pub fn mend(&self, from: &mut dyn Read, taken: &Taken) -> Result<bool> {
        let name = format!("mend-{}", Self::scratch(std::path::Path::new("")).display());
        let draft = self.draft(&name)?;
        let whole = draft.fill(from, taken.size).is_ok_and(|found| found == *taken);
        let mend = || -> io::Result<()> {
            self.disk.sync(&draft.file)?;
            let path = self.path(&taken.digest);
            let shelf = self.shelf(&path)?;
            fs::rename(&draft.path, &path)?;
            self.sync_folder(shelf)
        };
        match whole {
            true => mend().map(|()| true).map_err(|error| refused("kept", &error)),
            false => self.drop_draft(&name).map(|()| false),
        }
    }

    /// The bytes of an object as they are, in a file without a name.
    ///
    /// # Errors
    /// `Unavailable` when they cannot be read or there is no room for them.
    pub fn unpacked(&self, object: Object) -> Result<File> {
        let name = format!("out-{}", Self::scratch(std::path::Path::new("")).display());
        let draft = self.draft(&name)?;
        fs::remove_file(&draft.path).map_err(|error| refused("unpacked", &error))?;
        draft.fill(&mut Reader::from(object), u64::MAX)?;
        Ok(draft.file)
    }

    /// A draft that nobody can find again: it is gone when it is closed.
    ///
    /// # Errors
    /// `Unavailable` when the disk does not give it.
    pub fn nameless(&self) -> Result<Draft> {
        let name = format!("own-{}", Self::scratch(std::path::Path::new("")).display());
        let draft = self.draft(&name)?;
        fs::remove_file(&draft.path).map_err(|error| refused("begun", &error))?;
        Ok(draft)
    }

    /// Makes the bytes of a draft survive a power cut.
    ///
    /// # Errors
    /// `Unavailable` when the disk does not.
    pub fn sync(&self, draft: &Draft) -> Result<()> {
        self.disk
            .sync(&draft.file)
            .map_err(|error| refused("synced", &error))
    }
}

impl Draft {
    /// The same draft for another thread.
    ///
    /// # Errors
    /// `Unavailable` when the system has no descriptor left.
    pub fn again(&self) -> Result<Self> {
        let file = self.file.try_clone().map_err(|error| refused("opened", &error))?;
        Ok(Self {
            file,
            path: self.path.clone(),
            objects: self.objects.clone(),
        })
    }

    /// Reads it from its beginning, whoever else reads it.
    #[must_use]
    pub fn reader(&self) -> FromStart<'_> {
        FromStart { draft: self, at: 0 }
    }

    /// Its length in bytes.
    ///
    /// # Errors
    /// `Unavailable` when the disk does not say.
    pub fn length(&self) -> Result<u64> {
        let found = self.file.metadata();
        found
            .map(|found| found.len())
            .map_err(|error| refused("looked at", &error))
    }

    /// Writes at a place.
    ///
    /// # Errors
    /// `Unavailable` when the disk does not take it; nobody knows then how much of it stands there. The same when it would
    /// leave too little for records, and then nothing was written.
    pub fn write(&self, bytes: &[u8], offset: u64) -> Result<()> {
        self.objects.room_for(bytes.len() as u64)?;
        self.file
            .write_all_at(bytes, offset)
            .map_err(|error| refused("written", &error))
    }

    /// Cuts it to a length.
    ///
    /// # Errors
    /// `Unavailable` when the disk does not.
    pub fn cut(&self, length: u64) -> Result<()> {
        self.file.set_len(length).map_err(|error| refused("cut", &error))
    }

    /// The digest of its first bytes, so far.
    ///
    /// # Errors
    /// `Unavailable` when it cannot be read, or is shorter.
    pub fn hashed(&self, length: u64) -> Result<blake3::Hasher> {
        let mut hasher = blake3::Hasher::new();
        let mut bytes = vec![0; STEP];
        let mut offset = 0;
        while offset < length {
            let most = usize::try_from(length - offset).map_or(STEP, |left| left.min(STEP));
            self.file
                .read_exact_at(&mut bytes[..most], offset)
                .map_err(|error| refused("read", &error))?;
            hasher.update(&bytes[..most]);
            offset += most as u64;
        }
        Ok(hasher)
    }

    /// Writes all that `from` gives.
    fn fill(&self, from: &mut dyn Read, limit: u64) -> Result<Taken> {
        let mut hasher = blake3::Hasher::new();
        let mut bytes = vec![0; STEP];
        let mut size = 0;
        loop {
            let count = match from.read(&mut bytes) {
                Ok(0) => break,
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    return Err(Error::unavailable("a file could not be read completely").why(error));
                }
            };
            if size + count as u64 > limit {
                return Err(too_large(limit));
            }
            self.write(&bytes[..count], size)?;
            hasher.update(&bytes[..count]);
            size += count as u64;
        }
        Ok(Taken {
            digest: Digest::from(*hasher.finalize().as_bytes()),
            size,
        })
    }
}

/// A draft, read from its beginning.
#[derive(Debug)]
pub struct FromStart<'d> {
    draft: &'d Draft,
    at: u64,
}

impl Read for FromStart<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let count = self.draft.file.read_at(bytes, self.at)?;
        self.at += count as u64;
        Ok(count)
    }
}

fn too_large(limit: u64) -> Error {
    Error::too_large(format!("it has more than {limit} bytes"))
        .next("raise `workspace.max_artifact_size_mb` in your own settings, or store less")
}

fn refused(what: &str, error: &io::Error) -> Error {
    let said = Error::unavailable(format!("a draft could not be {what}")).why(error);
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => said.next("make room and go on"),
        _ => said,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_in_pieces_becomes_one_object() {
        let state = tempfile::tempdir().unwrap();
        let objects = Objects::new(state.path());
        let bytes: Vec<u8> = (0..600_000_u32).map(|n| u8::try_from(n % 251).unwrap()).collect();
        let draft = objects.draft("one").unwrap();
        for (number, piece) in bytes.chunks(70_000).enumerate() {
            draft.write(piece, number as u64 * 70_000).unwrap();
        }
        assert_eq!(objects.draft_length("one"), Some(600_000));
        let hasher = draft.hashed(600_000).unwrap();
        let digest = Digest::from(*hasher.finalize().as_bytes());
        assert_eq!(digest, Digest::of(&bytes));
        objects
            .keep(
                &draft,
                Taken {
                    digest,
                    size: 600_000,
                },
            )
            .unwrap();
        assert_eq!(objects.get(&digest).unwrap(), bytes);
        assert!(objects.draft_names().is_empty());
    }

    #[test]
    fn what_is_over_the_limit_leaves_nothing() {
        let state = tempfile::tempdir().unwrap();
        let objects = Objects::new(state.path());
        let error = objects.take_in(&mut &[1_u8; 1000][..], 999).unwrap_err();
        assert_eq!(error.kind, proto::Kind::TooLarge);
        assert!(objects.draft_names().is_empty());
        let taken = objects.take_in(&mut &[1_u8; 1000][..], 1000).unwrap();
        assert_eq!(taken.size, 1000);
        assert_eq!(objects.get(&taken.digest).unwrap().len(), 1000);
    }
}
