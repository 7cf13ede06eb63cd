//! All records of tasks, one at a time, for whoever takes a workspace out or in.
//!
//! Asked by `maintenance::exchange`, which holds the workspace's lock while it puts. What must stay true: what was put
//! is what is read; a note that is for somebody comes with its address.

use proto::error::Result;
use serde::de::DeserializeOwned;

use super::{Card, HEAD, Head, Mail, PAST, PAST_TEXTS, Past, REMARK, Remark, TEXTS, Tasks, Texts};
use crate::db::{Batch, Record, Space};

/// The id of a task, the number of the record, the record.
pub(super) type Numbered<T> = (String, u64, T);

impl Tasks<'_> {
    /// `(id, number)` of a key.
    fn parted(&self, key: &[u8]) -> (String, u64) {
        let rest = key.get(self.workspace.len() + 1..).unwrap_or_default();
        let mut parts = rest.splitn(2, |byte| *byte == 0);
        let id = String::from_utf8_lossy(parts.next().unwrap_or_default()).into_owned();
        let number = parts.next().and_then(|number| number.try_into().ok());
        (id, number.map(u64::from_be_bytes).unwrap_or_default())
    }

    fn each_long<'s, T: DeserializeOwned>(
        &'s self,
        space: Space,
    ) -> impl Iterator<Item = Result<Numbered<T>>> + 's {
        let keys = self.db.scan(space, &self.under(""));
        keys.filter_map(move |item| {
            let found = item.and_then(|(key, _)| {
                let (id, number) = self.parted(&key);
                Ok(self.long::<T>(space, &key)?.map(|found| (id, number, found)))
            });
            found.transpose()
        })
    }

    /// The texts of all tasks that have any.
    pub fn all_texts(&self) -> impl Iterator<Item = Result<Numbered<Texts>>> + '_ {
        self.each_long(TEXTS)
    }

    /// All texts as they were before a revision.
    pub fn all_past_texts(&self) -> impl Iterator<Item = Result<Numbered<Texts>>> + '_ {
        self.each_long(PAST_TEXTS)
    }

    /// All notes.
    pub fn all_remarks(&self) -> impl Iterator<Item = Result<Numbered<Remark>>> + '_ {
        self.each_long(REMARK)
    }

    /// All changes of all tasks.
    pub fn all_past(&self) -> impl Iterator<Item = Result<Numbered<Past>>> + '_ {
        let all = self.db.scan(PAST, &self.under(""));
        all.map(|item| {
            let (key, value) = item?;
            let (id, number) = self.parted(&key);
            Ok((id, number, Past::decode(&key, &value)?))
        })
    }

    /// The texts of a task, if it has any.
    ///
    /// # Errors
    /// `Unavailable` when the database or an object cannot be read.
    pub fn texts_of(&self, id: &str) -> Result<Option<Texts>> {
        self.long(TEXTS, &self.under(id))
    }

    /// The texts before a revision, if they are kept.
    ///
    /// # Errors
    /// `Unavailable` when the database or an object cannot be read.
    pub fn past_texts_of(&self, id: &str, revision: u64) -> Result<Option<Texts>> {
        self.long(PAST_TEXTS, &self.key(id, &revision.to_be_bytes()))
    }

    /// One note.
    ///
    /// # Errors
    /// `Unavailable` when the database or an object cannot be read.
    pub fn remark_of(&self, id: &str, number: u64) -> Result<Option<Remark>> {
        self.long(REMARK, &self.key(id, &number.to_be_bytes()))
    }

    /// Adds a card as it is.
    ///
    /// # Errors
    /// `Bug` when it cannot be written as a record.
    pub fn put_card(&self, batch: &mut Batch, card: &Card) -> Result<()> {
        batch.put(Card::SPACE, &self.under(&card.id), card.encode()?);
        Ok(())
    }

    /// Adds a change as it is.
    ///
    /// # Errors
    /// `Bug` when it cannot be written as a record.
    pub fn put_past(&self, batch: &mut Batch, (id, revision): (&str, u64), past: &Past) -> Result<()> {
        batch.put(PAST, &self.key(id, &revision.to_be_bytes()), past.encode()?);
        Ok(())
    }

    /// Adds texts as they are: those of now, or those before a revision.
    ///
    /// # Errors
    /// `Unavailable` when a long one cannot be kept.
    pub fn put_texts(
        &self,
        batch: &mut Batch,
        (id, before): (&str, Option<u64>),
        texts: &Texts,
    ) -> Result<()> {
        match before {
            None => self.put_long(batch, (TEXTS, &self.under(id)), texts),
            Some(revision) => {
                self.put_long(batch, (PAST_TEXTS, &self.key(id, &revision.to_be_bytes())), texts)
            }
        }
    }

    /// Adds a note as it is.
    ///
    /// # Errors
    /// `Unavailable` when a long one cannot be kept.
    pub fn put_remark(&self, batch: &mut Batch, (id, number): (&str, u64), remark: &Remark) -> Result<()> {
        self.put_long(batch, (REMARK, &self.key(id, &number.to_be_bytes())), remark)?;
        if let Some(to) = &remark.to {
            let mail = Mail {
                task: id.to_owned(),
                number,
            };
            batch.put(Mail::SPACE, &self.mail(to, Some(number)), mail.encode()?);
        }
        Ok(())
    }

    /// Adds how many changes the tasks have seen.
    ///
    /// # Errors
    /// `Bug` when it cannot be written as a record.
    pub fn put_changes(&self, batch: &mut Batch, changes: u64) -> Result<()> {
        batch.put(HEAD, &self.under(""), Head { changes }.encode()?);
        Ok(())
    }
}
