//! The records of decisions: their keys, and one batch for one change.
//!
//! Asked by the doors of the room and by rooms that take decisions in or out. Every key begins with the workspace's id
//! and a `/`. What must stay true: a decision, the workspace's head, what its file is to hold and the audit event become
//! true together.

use proto::error::Result;
use serde::{Deserialize, Serialize};

use super::card::Card;
use crate::db::{Batch, Db, LongRecord, Record, Space};
use crate::objects::Digest;

const CARD: Space = Space::new("decision");
const HEAD: Space = Space::new("decision_head");
const WRITTEN: Space = Space::new("decision_file");
const DUE: Space = Space::new("decision_due");

/// The spaces of the room, all with keys that begin with the workspace's id.
pub const SPACES: [Space; 4] = [CARD, HEAD, WRITTEN, DUE];

/// How many earlier states of a file are known again.
const KEPT: usize = 100;

impl LongRecord for Card {
    const SPACE: Space = CARD;
    const VERSION: u8 = 1;
}

/// What a workspace's decisions have seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// How many changes.
    pub changes: u64,
    /// The number of the newest decision.
    pub last: u64,
}

impl Record for Head {
    const SPACE: Space = HEAD;
    const VERSION: u8 = 1;
}

/// What we have written, or are about to write, into the file of a decision: digests, the newest last.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Written {
    digests: Vec<[u8; 32]>,
}

impl Record for Written {
    const SPACE: Space = WRITTEN;
    const VERSION: u8 = 1;
}

impl Written {
    /// Whether the file of this digest is one of ours.
    #[must_use]
    pub fn knows(&self, digest: &[u8; 32]) -> bool {
        self.digests.contains(digest)
    }

    /// Whether it is the newest of ours.
    #[must_use]
    pub fn is_newest(&self, digest: &[u8; 32]) -> bool {
        self.digests.last() == Some(digest)
    }

    fn add(&mut self, digest: [u8; 32]) {
        self.digests.retain(|old| *old != digest);
        self.digests.push(digest);
        let over = self.digests.len().saturating_sub(KEPT);
        self.digests.drain(..over);
    }
}

/// The decisions of one workspace in the database.
#[derive(Clone, Copy)]
pub struct Decisions<'a> {
    db: &'a Db,
    workspace: &'a str,
}

impl<'a> Decisions<'a> {
    /// Those of the workspace with this id.
    #[must_use]
    pub fn new(db: &'a Db, workspace: &'a str) -> Self {
        Self { db, workspace }
    }

    fn prefix(&self) -> Vec<u8> {
        format!("{}/", self.workspace).into_bytes()
    }

    fn key(&self, number: u64) -> Vec<u8> {
        let mut key = self.prefix();
        key.extend_from_slice(&number.to_be_bytes());
        key
    }

    /// What they have seen.
    ///
    /// # Errors
    /// `Unavailable` when the database cannot be read.
    pub fn head(&self) -> Result<Head> {
        Ok(self.db.record(&self.prefix())?.unwrap_or_default())
    }

    /// One of them.
    ///
    /// # Errors
    /// `Unavailable` when the database or an object cannot be read.
    pub fn card(&self, number: u64) -> Result<Option<Card>> {
        self.db.long(&self.key(number))
    }

    /// All of them, oldest first, a page at a time.
    pub fn all(&self) -> impl Iterator<Item = Result<Card>> + use<> {
        let db = self.db.clone();
        self.db.scan(CARD, &self.prefix()).map(move |item| {
            let (key, bytes) = item?;
            db.long_in(&key, &bytes)
        })
    }

    /// What was written into the file of one.
    ///
    /// # Errors
    /// `Unavailable` when the database cannot be read.
    pub fn written(&self, number: u64) -> Result<Written> {
        Ok(self.db.record(&self.key(number))?.unwrap_or_default())
    }

    /// Adds decisions as they are now to `batch`, with what their files are to hold. At most once in a batch.
    ///
    /// # Errors
    /// `Unavailable` when a text cannot be kept or the database cannot be read.
    pub fn put(
        &self,
        batch: &mut Batch,
        cards: &[Card],
        text: impl Fn(&Card) -> Result<String>,
    ) -> Result<()> {
        let mut head = self.head()?;
        head.changes += 1;
        for card in cards {
            self.db.put_long(batch, &self.key(card.number), card)?;
            self.will_write(batch, card.number, text(card)?.as_bytes())?;
            batch.put(DUE, &self.key(card.number), vec![1]);
            head.last = head.last.max(card.number);
        }
        batch.put(HEAD, &self.prefix(), head.encode()?);
        Ok(())
    }

    /// Adds to `batch` that a file is going to hold `bytes`.
    ///
    /// # Errors
    /// `Unavailable` when the database cannot be read.
    pub fn will_write(&self, batch: &mut Batch, number: u64, bytes: &[u8]) -> Result<()> {
        let mut written = self.written(number)?;
        written.add(*Digest::of(bytes).as_bytes());
        batch.put(WRITTEN, &self.key(number), written.encode()?);
        Ok(())
    }

    /// Those whose file is still to be written.
    ///
    /// # Errors
    /// `Unavailable` when the database cannot be read.
    pub fn due(&self) -> Result<Vec<u64>> {
        let prefix = self.prefix();
        let number = |key: Vec<u8>| key.get(prefix.len()..)?.try_into().ok().map(u64::from_be_bytes);
        let keys = self
            .db
            .scan(DUE, &prefix)
            .map(|item| item.map(|(key, _)| number(key)));
        keys.filter_map(Result::transpose).collect()
    }

    /// Adds to `batch` that the file of one has been written, or is left as it is.
    pub fn settled(&self, batch: &mut Batch, number: u64) {
        batch.delete(DUE, &self.key(number));
    }
}

/// The objects that records of decisions name, for whoever sweeps those that nobody names.
///
/// # Errors
/// `Unavailable` when the database cannot be read.
pub fn named_objects(db: &Db) -> Result<Vec<Digest>> {
    db.named_by::<Card>()
}

/// The workspaces of which files are still to be written.
///
/// # Errors
/// `Unavailable` when the database cannot be read.
pub fn due(db: &Db) -> Result<Vec<String>> {
    let mut workspaces = Vec::new();
    for item in db.scan(DUE, &[]) {
        let key = item?.0;
        let id = key.split(|byte| *byte == b'/').next().unwrap_or_default();
        workspaces.push(String::from_utf8_lossy(id).into_owned());
    }
    workspaces.dedup();
    Ok(workspaces)
}
