//! The records of this room: notes.
//!
//! Asked by the doors of the room. Every key begins with the workspace's id and a `/`. Notes are kept by their number
//! counted down from the highest, so that the newest come first. What must stay true: a number is never given twice in
//! one workspace.

use proto::RawPath;
use proto::context::Note;
use proto::error::Result;
use serde::{Deserialize, Serialize};

use super::rules;
use crate::db::{Batch, Db, Record, Space};

const NOTE: Space = Space::new("context_note");
const HEAD: Space = Space::new("context_head");

/// A note. Version 1, frozen once released.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
    /// From 1 within its workspace.
    pub number: u64,
    /// What.
    pub text: String,
    /// Who said so.
    pub actor: String,
    /// When, nanoseconds since 1970 UTC.
    pub time: i64,
    /// The task it belongs to.
    pub task: Option<String>,
    /// Free words, sorted.
    pub tags: Vec<String>,
    /// Relative to the root of the checkout.
    pub paths: Vec<RawPath>,
    /// When it is not shown any more, nanoseconds since 1970 UTC.
    pub expires: Option<i64>,
    /// When it was forgotten, nanoseconds since 1970 UTC.
    pub forgotten: Option<i64>,
}

impl Record for Memory {
    const SPACE: Space = NOTE;
    const VERSION: u8 = 1;
}

impl Memory {
    /// As it crosses the wire.
    #[must_use]
    pub fn shown(self) -> Note {
        Note {
            id: rules::name(self.number),
            text: self.text,
            actor: self.actor,
            time: self.time,
            task: self.task,
            tags: self.tags,
            paths: self.paths,
            expires: self.expires,
            forgotten: self.forgotten,
        }
    }
}

/// What a workspace has given out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Head {
    /// The number of the newest note.
    notes: u64,
}

impl Record for Head {
    const SPACE: Space = HEAD;
    const VERSION: u8 = 1;
}

/// The notes of one workspace in the database.
#[derive(Clone, Copy)]
pub struct Notes<'a> {
    db: &'a Db,
    workspace: &'a str,
}

impl<'a> Notes<'a> {
    /// Those of the workspace with this id.
    #[must_use]
    pub fn new(db: &'a Db, workspace: &'a str) -> Self {
        Self { db, workspace }
    }

    fn under(&self) -> Vec<u8> {
        format!("{}/", self.workspace).into_bytes()
    }

    fn key(&self, number: u64) -> Vec<u8> {
        let mut key = self.under();
        key.extend_from_slice(&(u64::MAX - number).to_be_bytes());
        key
    }

    /// Every note, the newest first: for reading, and for whoever exports a workspace.
    pub fn all(&self) -> impl Iterator<Item = Result<Memory>> + use<> {
        let scan = self.db.scan(NOTE, &self.under());
        scan.map(|item| item.and_then(|(key, value)| Memory::decode(&key, &value)))
    }

    /// The note with a number.
    ///
    /// # Errors
    /// `NotFound`, or when the database cannot be read.
    pub fn one(&self, number: u64) -> Result<Memory> {
        self.db
            .record(&self.key(number))?
            .ok_or_else(|| rules::no_note(&rules::name(number)))
    }

    /// The note with a number, if there is one.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn find(&self, number: u64) -> Result<Option<Memory>> {
        self.db.record(&self.key(number))
    }

    /// Puts the number of the newest note there ever was.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn put_newest(&self, batch: &mut Batch, notes: u64) -> Result<()> {
        batch.put(HEAD, &self.under(), Head { notes }.encode()?);
        Ok(())
    }

    /// The number of the newest note there ever was.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn newest(&self) -> Result<u64> {
        let head: Option<Head> = self.db.record(&self.under())?;
        Ok(head.unwrap_or_default().notes)
    }

    /// Adds a note with a number of its own to `batch`, as a new one, or as one that an import puts back where it was.
    /// The caller holds the workspace's lock.
    ///
    /// # Errors
    /// When the database cannot be read, or the note cannot be written.
    pub fn put(&self, batch: &mut Batch, note: &Memory) -> Result<()> {
        let notes = self.newest()?.max(note.number);
        batch.put(HEAD, &self.under(), Head { notes }.encode()?);
        batch.put(NOTE, &self.key(note.number), note.encode()?);
        Ok(())
    }

    /// Adds to `batch` that a note is gone for good.
    pub fn remove(&self, batch: &mut Batch, number: u64) {
        batch.delete(NOTE, &self.key(number));
    }
}
