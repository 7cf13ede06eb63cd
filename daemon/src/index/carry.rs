//! What one image of the daemon gives the next of its trees: the watcher's descriptor with its queue, and each index.
//!
//! Asked by `lifecycle` when it hands over. What must stay true: nothing is read from the queue between the moment at
//! which the indexes are written and the one at which they have been read and every watch is known again; a tree that
//! cannot be carried has no watch left in the descriptor.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use proto::Error;
use proto::index::TreeStatus;

use super::Settings;
use super::disk::LocalDisk;
use super::engine::Engine;
use super::mail::Ending;
use super::saved::bytes::{Eye, Pen};
use super::saved::{Saved, Watches};
use super::trees::{Awake, Held, Trees};
use super::verify::Begin;
use crate::watch::Hub;

/// How long the trees may take to come to rest. One that is still being read is read again by the next image.
const REST: Duration = Duration::from_millis(500);

const MAGIC: &[u8; 8] = b"TODTREES";

impl Trees {
    /// Ends all trees and the reading of events, and gives their indexes. The watches stay. Blocks.
    ///
    /// # Errors
    /// When the descriptor cannot be duplicated.
    pub fn carry(&self) -> std::io::Result<(OwnedFd, Vec<u8>)> {
        self.stop_reading();
        self.hub.freeze();
        let descriptor = self.hub.as_fd().try_clone_to_owned()?;
        let asleep = postcard::to_stdvec(&self.asleep()).unwrap_or_default();
        let all = self.take_all();
        let until = Instant::now() + REST;
        let waited: Vec<(Awake, bool)> = all
            .into_iter()
            .map(|awake| {
                let is_ready = awake.tree.progress().ready;
                awake.tree.end(Ending::Carry);
                (awake, is_ready)
            })
            .collect();
        let mut pen = Pen::default();
        pen.raw(MAGIC);
        pen.text(&asleep);
        for (Awake { tree, ended }, is_ready) in waited {
            let left = until.saturating_duration_since(Instant::now());
            let index = match is_ready {
                true => ended.recv_timeout(left).ok().flatten(),
                false => None,
            };
            match index {
                Some(index) => pen.text(&index),
                None => {
                    tracing::info!(root = %tree.root().display(), "an index is not carried: its files will be read anew");
                    self.hub.forget(tree.key());
                }
            }
        }
        Ok((descriptor, pen.bytes))
    }

    /// Trees that will go on with the watcher of an earlier image. Nothing is read from it until [`Trees::go_on`].
    ///
    /// # Errors
    /// When the watcher cannot be taken over.
    pub fn adopt(settings: Settings, descriptor: OwnedFd) -> Result<Arc<Self>, Error> {
        let refuse = |error| Error::unavailable("the watcher could not be taken over").why(error);
        let hub = Hub::adopt(descriptor, settings.max_watches).map_err(refuse)?;
        Ok(Self::with(settings, hub))
    }

    /// Goes on where the trees of the earlier image ended, with what [`Trees::carry`] gave. What cannot be read is left
    /// out: whoever asks for it next has it read anew. Blocks for the reading of the indexes.
    ///
    /// # Errors
    /// When events cannot be read.
    pub fn go_on(&self, indexes: &[u8]) -> Result<(), Error> {
        let (asleep, indexes) = read(indexes);
        for status in asleep {
            let root = status.root.to_path_buf();
            self.put(root, Held::Asleep(status));
        }
        for saved in indexes {
            self.wake_with(saved);
        }
        self.hub.thaw();
        self.read_events()
    }

    fn wake_with(&self, saved: Saved) {
        use std::os::unix::ffi::OsStringExt;
        let root = std::path::PathBuf::from(std::ffi::OsString::from_vec(saved.head.root.clone()));
        let key = self.new_key();
        let incarnation = saved.head.incarnation;
        self.hub.own(key, saved.watches());
        let disk = LocalDisk::new(self.hub.clone(), key);
        let start = self.start_of(&root, &saved.head.manner);
        let engine = match Engine::resume(disk, start, saved, Watches::Kept) {
            Ok(Some(engine)) => engine,
            other => {
                tracing::warn!(root = %root.display(), error = ?other.err(), "a root is not what it was");
                return self.hub.forget(key);
            }
        };
        match self.start((&root, key), engine, (Begin::GoOn, incarnation)) {
            Ok(awake) => self.put(root, Held::Awake(awake)),
            Err(error) => tracing::error!(%error, "a tree could not go on"),
        }
    }
}

/// The trees that sleep and the indexes of the others, without those that cannot be read.
fn read(bytes: &[u8]) -> (Vec<TreeStatus>, Vec<Saved>) {
    let mut eye = Eye::new(bytes);
    let (mut asleep, mut indexes) = (Vec::new(), Vec::new());
    if eye.raw(MAGIC.len()).is_some_and(|magic| magic == MAGIC) {
        let known = eye
            .text()
            .and_then(|asleep| postcard::take_from_bytes(asleep).ok());
        asleep = known.map(|(asleep, _)| asleep).unwrap_or_default();
        indexes.extend(std::iter::from_fn(|| eye.text()));
    }
    if !eye.is_at_the_end() {
        tracing::warn!("what the image before has carried is not whole; files are read anew");
    }
    let indexes = std::thread::scope(|scope| {
        let readers: Vec<_> = indexes
            .into_iter()
            .map(|index| scope.spawn(|| Saved::read(index)))
            .collect();
        let read = readers.into_iter().filter_map(|reader| reader.join().ok());
        let known = read.inspect(|saved| {
            if saved.is_none() {
                tracing::warn!("an index of the image before cannot be read; its files are read anew");
            }
        });
        known.flatten().collect()
    });
    (asleep, indexes)
}
