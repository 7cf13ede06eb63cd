//! Uploads: pieces that come in any order near their place, written in order, hashed on the way, synced as they grow.
//!
//! Asked by the writing door. Each upload is a record and a draft among the objects; what is open of it in memory can be
//! made again from those two at any time. What must stay true: what is called synced survives a power cut; what is called
//! received is what a reader of the draft would find; memory does not grow with an upload.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use proto::artifact::Answer;
use proto::error::{Error, Result};

use super::catalog::Slot;
use super::rules;
use super::store::{Artifacts, Upload};
use crate::ctx::Ctx;
use crate::db::Batch;
use crate::dispatch::hold;
use crate::objects::{Digest, Draft, Taken};
use crate::world::process;

/// So many bytes (16 MiB) are written between two syncs: a caller that reads a pipe keeps as many.
const SYNC: u64 = 16 << 20;
/// So many bytes (8 MiB) may wait for those before them.
const AHEAD: usize = 8 << 20;
/// An upload that nobody has touched for so long is closed; it goes on when the next piece comes.
const IDLE: Duration = Duration::from_secs(30);

/// The uploads of a workspace that are open.
#[derive(Debug, Default)]
pub struct Uploads(Mutex<HashMap<String, Arc<Mutex<Open>>>>);

/// One upload.
#[derive(Debug)]
pub struct Open {
    draft: Draft,
    record: Upload,
    received: u64,
    synced: u64,
    syncing: bool,
    /// The digest of what was received; none when it has to be read again.
    hasher: Option<Box<blake3::Hasher>>,
    ahead: BTreeMap<u64, Vec<u8>>,
    touched: Duration,
}

impl Uploads {
    /// Closes what nobody has touched for a while.
    pub fn rest(&self, now: Duration) {
        hold(&self.0).retain(|_, open| {
            Arc::strong_count(open) > 1 || {
                let open = hold(open);
                open.syncing || now.saturating_sub(open.touched) < IDLE
            }
        });
    }

    /// Forgets one that has come to its end.
    pub fn forget(&self, id: &str) {
        hold(&self.0).remove(id);
    }
}

/// Where an upload happens.
#[derive(Clone, Copy)]
pub struct Dock<'a> {
    /// The daemon's belongings.
    pub ctx: &'a Ctx,
    /// The workspace's id.
    pub workspace: &'a str,
    /// Its catalogue and open uploads.
    pub slot: &'a Slot,
    /// The most bytes of an artifact.
    pub limit: u64,
}

impl Dock<'_> {
    fn records(&self) -> Artifacts<'_> {
        Artifacts::new(&self.ctx.db, self.workspace)
    }

    fn open(&self, id: &str) -> Result<Arc<Mutex<Open>>> {
        let mut all = hold(&self.slot.uploads.0);
        if let Some(open) = all.get(id) {
            return Ok(Arc::clone(open));
        }
        let record = self.records().upload(id)?;
        let open = Arc::new(Mutex::new(self.opened(record)?));
        all.insert(id.to_owned(), Arc::clone(&open));
        Ok(open)
    }

    fn opened(&self, record: Upload) -> Result<Open> {
        let touched = self.ctx.world.monotonic();
        let draft = self.ctx.db.objects().draft(&record.id)?;
        let length = draft.length()?;
        let received = match record.kept {
            Some((_, size)) => size,
            // What was written in this boot can be read; of an earlier one only what was synced is certain.
            None if process::is_this_boot(&record.boot) => length,
            None => length.min(record.synced),
        };
        if record.kept.is_none() && length > received {
            draft.cut(received)?;
        }
        Ok(Open {
            draft,
            synced: record.synced.min(received),
            hasher: (received == 0).then(Box::default),
            record,
            received,
            syncing: false,
            ahead: BTreeMap::new(),
            touched,
        })
    }

    /// Where an upload stands.
    ///
    /// # Errors
    /// `NotFound` for one that is none.
    pub fn stands(&self, id: &str) -> Result<Answer> {
        // One that was discarded elsewhere must not be answered from memory.
        self.records().upload(id)?;
        let open = self.open(id)?;
        let mut open = hold(&open);
        open.ahead.clear();
        Ok(open.answer())
    }

    /// What an upload has received and synced, for a list.
    #[must_use]
    pub fn progress(&self, record: &Upload) -> (u64, u64) {
        let known = hold(&self.slot.uploads.0).get(&record.id).cloned();
        if let Some(open) = known {
            let open = hold(&open);
            return (open.received, open.synced);
        }
        let length = self.ctx.db.objects().draft_length(&record.id).unwrap_or_default();
        let received = match record.kept {
            Some((_, size)) => size,
            None if process::is_this_boot(&record.boot) => length,
            None => length.min(record.synced),
        };
        (received, record.synced.min(received))
    }

    /// Takes a piece.
    ///
    /// # Errors
    /// `TooLarge` over the limit or the announced size; `conflict` for a piece too far ahead; what the disk says.
    pub fn append(&self, id: &str, offset: u64, bytes: Vec<u8>) -> Result<Answer> {
        rules::piece(bytes.len())?;
        let open = self.open(id)?;
        let mut held = hold(&open);
        held.touched = self.ctx.world.monotonic();
        self.within(&held.record, offset, bytes.len())?;
        if offset > held.received {
            return held.later(offset, bytes);
        }
        held.take(offset, &bytes)?;
        proto::piece::give(bytes);
        held.take_waiting()?;
        if held.syncing || held.received - held.synced < SYNC {
            return Ok(held.answer());
        }
        held.syncing = true;
        let (draft, target) = (held.draft.again(), held.received);
        drop(held);
        // Others write on meanwhile.
        let outcome = draft
            .and_then(|draft| self.ctx.db.objects().sync(&draft))
            .and_then(|()| self.mark(id, target));
        let mut held = hold(&open);
        held.syncing = false;
        outcome?;
        held.synced = held.synced.max(target);
        Ok(held.answer())
    }

    fn within(&self, record: &Upload, offset: u64, length: usize) -> Result<()> {
        let end = offset.saturating_add(length as u64);
        if record.kept.is_some() {
            return Err(Error::conflict("all of the upload has come already").next("store it"));
        }
        if let Some(size) = record.size
            && end > size
        {
            return Err(Error::too_large(format!(
                "the upload has {size} bytes, and this piece ends at {end}"
            )));
        }
        within(end, self.limit)
    }

    /// Records how much was synced. An upload that ended meanwhile has no record any more.
    fn mark(&self, id: &str, synced: u64) -> Result<()> {
        let lock = self.ctx.locks.of(self.workspace);
        let held = hold(&lock);
        let Ok(record) = self.records().upload(id) else {
            return Ok(());
        };
        let record = Upload {
            synced,
            boot: process::boot_id(),
            ..record
        };
        let mut batch = Batch::new();
        self.records().put_upload(&mut batch, &record)?;
        let staged = self.ctx.db.stage(batch)?;
        drop(held);
        staged.durable()
    }

    /// Makes an object of an upload that has come to its end. May be asked again.
    ///
    /// # Errors
    /// `NotFound` for one that is none; `conflict` when bytes are missing or are not those that were announced.
    pub fn finish(&self, id: &str) -> Result<(Upload, Taken)> {
        let record = self.records().upload(id)?;
        let open = self.open(id)?;
        let mut held = hold(&open);
        let objects = self.ctx.db.objects();
        if let Some((digest, size)) = record.kept {
            let taken = Taken {
                digest: Digest::from(digest),
                size,
            };
            if !objects.has(&taken.digest, size) {
                objects.keep(&held.draft, taken)?;
            }
            return Ok((record, taken));
        }
        held.take_waiting()?;
        let missing = !held.ahead.is_empty() || record.size.is_some_and(|size| size != held.received);
        if missing {
            return Err(
                Error::conflict(format!("bytes are missing from {} on", held.received))
                    .why("not all of the upload has come yet")
                    .next(format!("go on with `tocli artifact resume {id} FILE`")),
            );
        }
        let hasher = match held.hasher.take() {
            Some(hasher) => hasher,
            None => Box::new(held.draft.hashed(held.received)?),
        };
        let taken = Taken {
            digest: Digest::from(*hasher.finalize().as_bytes()),
            size: held.received,
        };
        held.hasher = Some(hasher);
        if let Some(expected) = record.digest
            && Digest::from(expected) != taken.digest
        {
            return Err(Error::conflict("the bytes are not those that were announced")
                .why(format!("their digest is `{}`", taken.digest))
                .next("give the upload up and begin again"));
        }
        objects.sync(&held.draft)?;
        held.record = self.ended(record, taken)?;
        objects.keep(&held.draft, taken)?;
        Ok((held.record.clone(), taken))
    }

    /// Records that all bytes are there: from now on they may be an object and no draft.
    fn ended(&self, record: Upload, taken: Taken) -> Result<Upload> {
        let lock = self.ctx.locks.of(self.workspace);
        let held = hold(&lock);
        self.records().upload(&record.id)?;
        let record = Upload {
            synced: taken.size,
            kept: Some((*taken.digest.as_bytes(), taken.size)),
            ..record
        };
        let mut batch = Batch::new();
        self.records().put_upload(&mut batch, &record)?;
        let staged = self.ctx.db.stage(batch)?;
        drop(held);
        staged.durable()?;
        Ok(record)
    }
}

/// Whether an artifact may be so large.
///
/// # Errors
/// `TooLarge` over the limit.
pub fn within(size: u64, limit: u64) -> Result<()> {
    if size <= limit {
        return Ok(());
    }
    Err(Error::too_large(format!("an artifact of {size} bytes or more"))
        .why(format!("`workspace.max_artifact_size_mb` is {}", limit / MB))
        .next("raise it with `tocli config set --user workspace.max_artifact_size_mb N`, or store less"))
}

/// Bytes of the unit of `workspace.max_artifact_size_mb`.
pub const MB: u64 = 1 << 20;

impl Open {
    fn answer(&self) -> Answer {
        Answer::Upload {
            draft: self.record.id.clone(),
            received: self.received,
            synced: self.synced,
        }
    }

    /// Keeps a piece until those before it have come.
    fn later(&mut self, offset: u64, bytes: Vec<u8>) -> Result<Answer> {
        let waiting: usize = self.ahead.values().map(Vec::len).sum();
        if waiting + bytes.len() > AHEAD {
            return Err(Error::conflict(format!("the piece at {offset} is too far ahead"))
                .why(format!("the next one begins at {}", self.received))
                .next("go on from there"));
        }
        self.ahead.insert(offset, bytes);
        Ok(self.answer())
    }

    /// Writes what is new of a piece that begins within what was received.
    fn take(&mut self, offset: u64, bytes: &[u8]) -> Result<()> {
        let known = usize::try_from(self.received - offset).unwrap_or(usize::MAX);
        let Some(new) = bytes.get(known..).filter(|new| !new.is_empty()) else {
            return Ok(());
        };
        self.draft.write(new, self.received)?;
        if let Some(hasher) = &mut self.hasher {
            hasher.update(new);
        }
        self.received += new.len() as u64;
        Ok(())
    }

    fn take_waiting(&mut self) -> Result<()> {
        while let Some((&offset, _)) = self.ahead.first_key_value() {
            if offset > self.received {
                return Ok(());
            }
            if let Some(bytes) = self.ahead.remove(&offset) {
                self.take(offset, &bytes)?;
                proto::piece::give(bytes);
            }
        }
        Ok(())
    }
}
