//! First answers to requests, kept so that a repeated request changes nothing and hears the same again.
//!
//! Asked by `dispatch` around every mutation. What must stay true: the answer is part of the same batch as what the
//! request changed; a repeated request is answered only after that batch is durable; the same id with other contents is
//! never answered with somebody else's answer.

use std::sync::Arc;

use proto::error::Result;
use serde::{Deserialize, Serialize};

use super::batch::{Batch, MAX_VALUE, Space};
use super::envelope::Record;
use super::trouble::unknown;
use super::{Db, Inner};
use crate::objects::{Digest, Objects};

/// How long an answer is kept, in nanoseconds (30 days).
pub const KEPT: i64 = 30 * 24 * 3600 * 1_000_000_000;
/// Longer answers live in `objects/`: the record around an answer needs some bytes too.
const INLINE: usize = MAX_VALUE - 128;
/// How many old answers are removed by one commit.
const PRUNE_BATCH: usize = 512;

/// Names a request: who asked, by which id, and what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestKey<'a> {
    /// Whose ids these are: actor and workspace. At most 200 bytes.
    pub scope: &'a [u8],
    /// The id the client gave. At most 200 bytes.
    pub id: &'a [u8],
    /// The BLAKE3 digest of the request's contents.
    pub digest: [u8; 32],
}

/// What is known of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Replay {
    /// It is new.
    New,
    /// It was done: this is the answer it had.
    Answered(Vec<u8>),
    /// Its id was used for another request.
    Conflict,
}

#[derive(Serialize, Deserialize)]
enum Answer {
    Inline(Vec<u8>),
    Object([u8; 32]),
}

#[derive(Serialize, Deserialize)]
struct Remembered {
    digest: [u8; 32],
    at: i64,
    answer: Answer,
}

impl Record for Remembered {
    const SPACE: Space = Space::new(migrations::layout::REQUESTS);
    const VERSION: u8 = 2;
}

impl RequestKey<'_> {
    /// Scope and id are of any bytes: a digest keeps keys short and no two of them the same.
    fn key(&self) -> [u8; 32] {
        let mut digest = blake3::Hasher::new();
        digest.update(&(self.scope.len() as u64).to_le_bytes());
        digest.update(self.scope);
        digest.update(self.id);
        *digest.finalize().as_bytes()
    }
}

impl Db {
    /// Adds to `batch` that `request` was answered with `answer` at `now` (nanoseconds since 1970 UTC). A long answer is
    /// put into `objects` first.
    ///
    /// # Errors
    /// What [`Objects::put`] says.
    pub fn remember(
        &self,
        batch: &mut Batch,
        request: RequestKey<'_>,
        now: i64,
        answer: &[u8],
    ) -> Result<()> {
        let answer = match answer.len() {
            0..=INLINE => Answer::Inline(answer.to_vec()),
            _ => Answer::Object(*self.objects().put(answer)?.as_bytes()),
        };
        let record = Remembered {
            digest: request.digest,
            at: now,
            answer,
        };
        batch.put(Remembered::SPACE, &request.key(), record.encode()?);
        Ok(())
    }

    /// What is known of `request`. An answer is given only when what it speaks of is durable.
    ///
    /// # Errors
    /// `Unavailable` when the database cannot be read, or when the flush failed that the answer waits for.
    pub fn replay(&self, request: RequestKey<'_>) -> Result<Replay> {
        let Some(remembered) = self.record::<Remembered>(&request.key())? else {
            return Ok(Replay::New);
        };
        // Whoever repeats a request after a failed flush may be the only one who asks: nobody else would mend it.
        if self.is_doubtful() {
            self.heal()?;
        }
        if remembered.digest != request.digest {
            return Ok(Replay::Conflict);
        }
        if self.is_doubtful() {
            return Err(unknown(
                "a flush failed, and the records were not written anew yet",
            ));
        }
        self.wait(self.inner.group.so_far())?;
        match remembered.answer {
            Answer::Inline(answer) => Ok(Replay::Answered(answer)),
            Answer::Object(digest) => Ok(Replay::Answered(self.objects().get(&Digest::from(digest))?)),
        }
    }

    /// Forgets answers older than [`KEPT`] and returns how many.
    ///
    /// # Errors
    /// As [`Db::commit`].
    pub fn prune_answers(&self, now: i64) -> Result<usize> {
        let mut pruned = 0;
        let mut batch = Batch::new();
        let mut waiting = 0;
        for item in self.scan(Remembered::SPACE, &[]) {
            let (key, value) = item?;
            if now.saturating_sub(Remembered::decode(&key, &value)?.at) > KEPT {
                batch.delete(Remembered::SPACE, &key);
                waiting += 1;
            }
            if waiting == PRUNE_BATCH {
                self.commit(std::mem::take(&mut batch))?;
                pruned += std::mem::take(&mut waiting);
            }
        }
        self.commit(batch)?;
        Ok(pruned + waiting)
    }

    /// The store of texts over 8 KB beside this database.
    #[must_use]
    pub fn objects(&self) -> Objects {
        let Inner {
            places,
            options,
            pins,
            ..
        } = &*self.inner;
        Objects::on(&places.state, options.disk.clone(), Arc::clone(pins)).beside(options.min_free)
    }

    /// The objects that answers are kept in, for whoever sweeps those that nobody names.
    ///
    /// # Errors
    /// `Unavailable` when the database cannot be read.
    pub fn named_answers(&self) -> Result<Vec<Digest>> {
        let mut found = Vec::new();
        for item in self.scan(Remembered::SPACE, &[]) {
            let (key, value) = item?;
            if let Answer::Object(digest) = Remembered::decode(&key, &value)?.answer {
                found.push(Digest::from(digest));
            }
        }
        Ok(found)
    }
}
