//! What one image of the daemon gives the next of its trees: the watcher's descriptor with its queue, and each index.
//!
//! Asked by `lifecycle` when it hands over. What must stay true: nothing is read from the queue between the moment at
//! which the indexes are written and the one at which they have been read and every watch is known again; a tree that
//! cannot be carried has no watch left in the descriptor.

use std::collections::VecDeque;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SendError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use proto::Error;
use proto::index::TreeStatus;

use super::Settings;
use super::disk::LocalDisk;
use super::engine::Engine;
use super::mail::Ending;
use super::saved::bytes::{Reader, Writer};
use super::saved::{Saved, Watches};
use super::trees::{Awake, Held, Slot, Trees};
use super::verify::Begin;
use crate::watch::{Hub, TreeKey};
use crate::world::calls;

/// How long the trees may take to come to rest. One that is still being read is read again by the next image.
const REST: Duration = Duration::from_millis(500);

/// How long the next image waits for the root of one tree. Clients wait meanwhile.
const OPENING: Duration = Duration::from_millis(500);
/// How often calls to disks are looked at whether they have returned.
const AGAIN: Duration = Duration::from_millis(2);

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
        let mut writer = Writer::default();
        writer.raw(MAGIC);
        writer.text(&asleep);
        for (Awake { tree, ended }, is_ready) in waited {
            let left = until.saturating_duration_since(Instant::now());
            let index = match is_ready {
                true => ended.recv_timeout(left).ok().flatten(),
                false => None,
            };
            match index {
                Some(index) => writer.text(&index),
                None => {
                    tracing::info!(root = %tree.root().display(), "an index is not carried: its files will be read anew");
                    self.hub.forget(tree.key());
                }
            }
        }
        Ok((descriptor, writer.bytes))
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

    /// Returns when each call to a disk that is under way now has returned.
    pub async fn calls_return(&self) {
        let under_way = calls::UnderWay::now();
        while !under_way.have_returned() {
            tokio::time::sleep(AGAIN).await;
        }
    }

    /// The roots for which a call to a disk is under way.
    #[must_use]
    pub fn inside(&self) -> Vec<PathBuf> {
        let inside = |slot: &Slot| match slot.look().as_deref() {
            Some(Held::Awake(awake)) => calls::is_inside(u64::from(awake.tree.key().0)),
            _ => false,
        };
        let all = self.all().into_iter();
        all.filter(|(_, slot)| inside(slot))
            .map(|(root, _)| root)
            .collect()
    }

    /// Goes on where the trees of the earlier image ended, with what [`Trees::carry`] gave. What cannot be read is left
    /// out, and what lies on a disk that does not answer: whoever asks for it next has it read anew. Blocks for the
    /// reading of the indexes.
    ///
    /// # Errors
    /// When events cannot be read.
    pub fn go_on(self: &Arc<Self>, indexes: &[u8]) -> Result<(), Error> {
        let (asleep, indexes) = read(indexes);
        for status in asleep {
            let root = status.root.to_path_buf();
            self.put(root, Held::Asleep(status, Instant::now()));
        }
        self.wake_all(indexes);
        self.hub.thaw();
        self.read_events()
    }

    fn wake_all(self: &Arc<Self>, all: Vec<Saved>) {
        let mut left = all.len();
        let waiting = Arc::new(Mutex::new(VecDeque::from(all)));
        let mut opened = self.opener(&waiting);
        while left > 0 {
            left -= 1;
            match opened.recv_timeout(OPENING) {
                Ok(opened) => self.run_on(opened),
                Err(RecvTimeoutError::Timeout) => {
                    tracing::warn!("the disk of a tree does not answer; it is left out");
                    opened = self.opener(&waiting);
                }
                // Its thread could not be started.
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// Opens one root after the other on a thread of its own, which may hang.
    fn opener(self: &Arc<Self>, waiting: &Arc<Mutex<VecDeque<Saved>>>) -> Receiver<Opened> {
        let (send, opened) = mpsc::channel();
        let (trees, waiting) = (self.clone(), waiting.clone());
        let next = move || waiting.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        let begun = std::thread::Builder::new().name("open".into()).spawn(move || {
            while let Some(saved) = next() {
                let opened = trees.open_saved(saved);
                if let Err(SendError(opened)) = send.send(opened) {
                    // Nobody has waited for that long.
                    return trees.hub.forget(opened.key);
                }
            }
        });
        if let Err(error) = begun {
            tracing::error!(%error, "no tree could go on");
        }
        opened
    }

    fn open_saved(&self, saved: Saved) -> Opened {
        use std::os::unix::ffi::OsStringExt;
        let root = PathBuf::from(std::ffi::OsString::from_vec(saved.head.root.clone()));
        let key = self.new_key();
        let incarnation = saved.head.incarnation;
        self.hub.own(key, saved.watches());
        let disk = LocalDisk::new(self.hub.clone(), key);
        let start = self.start_of(&root, &saved.head.manner);
        let engine = match Engine::resume(disk, start, saved, Watches::Kept) {
            Ok(Some(engine)) => Some(engine),
            other => {
                tracing::warn!(root = %root.display(), error = ?other.err(), "a root is not what it was");
                None
            }
        };
        Opened {
            root,
            key,
            incarnation,
            engine,
        }
    }

    fn run_on(&self, opened: Opened) {
        let Some(engine) = opened.engine else {
            return self.hub.forget(opened.key);
        };
        match self.start(
            (&opened.root, opened.key),
            engine,
            (Begin::GoOn, opened.incarnation),
        ) {
            Ok(awake) => self.put(opened.root, Held::Awake(awake)),
            Err(error) => tracing::error!(%error, "a tree could not go on"),
        }
    }
}

/// A tree that goes on, its root opened; without an engine when that is not what it was.
struct Opened {
    root: PathBuf,
    key: TreeKey,
    incarnation: u64,
    engine: Option<Engine<LocalDisk>>,
}

/// The trees that sleep, and the indexes of the others as they were saved.
fn split(bytes: &[u8]) -> (Vec<TreeStatus>, Vec<&[u8]>) {
    let mut reader = Reader::new(bytes);
    let (mut asleep, mut indexes) = (Vec::new(), Vec::new());
    if reader.raw(MAGIC.len()).is_some_and(|magic| magic == MAGIC) {
        let known = reader
            .text()
            .and_then(|asleep| postcard::take_from_bytes(asleep).ok());
        asleep = known.map(|(asleep, _)| asleep).unwrap_or_default();
        indexes.extend(std::iter::from_fn(|| reader.text()));
    }
    if !reader.is_at_the_end() {
        tracing::warn!("what the image before has carried is not whole; files are read anew");
    }
    (asleep, indexes)
}

/// The indexes that were carried.
#[cfg(test)]
pub(super) fn indexes(bytes: &[u8]) -> Vec<&[u8]> {
    split(bytes).1
}

/// The trees that sleep and the indexes of the others, without those that cannot be read.
fn read(bytes: &[u8]) -> (Vec<TreeStatus>, Vec<Saved>) {
    let (asleep, indexes) = split(bytes);
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
