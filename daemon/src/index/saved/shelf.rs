//! The folder of saved indexes: one file for each root, named after the root's digest.
//!
//! A file that was written when its tree ended is *closed*: no tick was given after it, so its incarnation may go on. To
//! go on with it, it is opened first, which gives it another name, and that is on disk before the first tick is. A file
//! that is open was written between, or belongs to a life that ended without a word: it saves reading, and nothing else.
//! What must stay true: at any moment, and after any power cut, no incarnation of a closed file has a later tick.

use std::path::{Path, PathBuf};

use crate::world::shelf;

/// The largest file that is read: some forty million files.
const LIMIT: usize = 4 << 30;
/// Files that are kept; the oldest go first.
pub(in crate::index) const FILES: usize = 200;

/// Whether ticks may have been given after an index was saved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::index) enum Ended {
    /// None were.
    Closed,
    /// Some may have been.
    Open,
}

impl Ended {
    fn suffix(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
        }
    }
}

/// The folder.
#[derive(Clone, Debug)]
pub(in crate::index) struct Shelf {
    folder: PathBuf,
}

impl Shelf {
    pub(in crate::index) fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    fn name(root: &Path, ended: Ended) -> String {
        use std::os::unix::ffi::OsStrExt;
        let digest = blake3::hash(root.as_os_str().as_bytes()).to_hex();
        format!("{}.{}", &digest[..24], ended.suffix())
    }

    /// Takes the index of a root out and has it read: what came of that, and whether its incarnation may go on. While it is
    /// read, its new name goes to the disk.
    pub(in crate::index) fn open<T>(&self, root: &Path, read: impl FnOnce(&[u8]) -> T) -> Option<(T, Ended)> {
        std::thread::scope(|scope| {
            let (bytes, ended) = self.take(root)?;
            let lasting = (ended == Ended::Closed).then(|| scope.spawn(|| shelf::sync(&self.folder)));
            let read = read(&bytes);
            let is_lasting = match lasting.map(|lasting| lasting.join()) {
                Some(Ok(Ok(()))) => true,
                Some(failed) => {
                    tracing::warn!(
                        ?failed,
                        "a saved index may be found again; clocks from before are no longer known"
                    );
                    false
                }
                None => false,
            };
            Some((read, if is_lasting { Ended::Closed } else { Ended::Open }))
        })
    }

    fn take(&self, root: &Path) -> Option<(Vec<u8>, Ended)> {
        let (closed, open) = (Self::name(root, Ended::Closed), Self::name(root, Ended::Open));
        let ended = match shelf::rename(&self.folder, &closed, &open) {
            Ok(()) => Ended::Closed,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ended::Open,
            Err(error) => {
                // It keeps its name and may be read: its ticks are never given again under another incarnation.
                tracing::warn!(%error, "a saved index cannot be opened; clocks from before are no longer known");
                let bytes = shelf::read(&self.folder, &closed, LIMIT).ok()?;
                return Some((bytes, Ended::Open));
            }
        };
        match shelf::read(&self.folder, &open, LIMIT) {
            Ok(bytes) => Some((bytes, ended)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => {
                tracing::warn!(%error, "a saved index cannot be read");
                None
            }
        }
    }

    /// Puts an index down.
    pub(in crate::index) fn keep(&self, root: &Path, bytes: &[u8], ended: Ended) {
        let name = Self::name(root, ended);
        if let Err(error) = shelf::write(&self.folder, &name, bytes) {
            tracing::warn!(%error, root = %root.display(), "an index could not be saved");
            return;
        }
        if ended == Ended::Closed {
            self.remove(&Self::name(root, Ended::Open));
            if let Err(error) = shelf::keep_newest(&self.folder, FILES) {
                tracing::warn!(%error, "old indexes could not be removed");
            }
        }
    }

    /// Forgets what is saved of a root.
    pub(in crate::index) fn forget(&self, root: &Path) {
        for ended in [Ended::Closed, Ended::Open] {
            self.remove(&Self::name(root, ended));
        }
    }

    fn remove(&self, name: &str) {
        match shelf::remove(&self.folder, name) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                tracing::warn!(%error, "a saved index could not be removed");
            }
            _ => {}
        }
    }
}
