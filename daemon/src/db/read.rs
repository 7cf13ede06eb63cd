//! Reading: one record, a page of them, all of a prefix.
//!
//! Asked by rooms' `store.rs` files. What must stay true: nothing handed out holds the database open, so that it can be
//! closed and opened anew at any time; every answer is bounded by the caller or by a page.

use std::ops::Bound;

use proto::error::Result;

use super::Db;
use super::batch::Space;
use super::envelope::Record;

/// How many records a scan holds at a time.
const PAGE: usize = 256;

impl Db {
    /// The value at `key`.
    ///
    /// # Errors
    /// `Unavailable` when the database cannot be read.
    pub fn get(&self, space: Space, key: &[u8]) -> Result<Option<Vec<u8>>> {
        self.read(|sled| Ok(sled.get(space.key(key))?.map(|value| value.to_vec())))
    }

    /// The number of the newest batch that was applied: as long as it stays, no record has changed. Waits for nothing.
    #[must_use]
    pub fn sequence(&self) -> u64 {
        self.inner.sequence.load(std::sync::atomic::Ordering::Relaxed)
    }

    /// The record at `key`.
    ///
    /// # Errors
    /// As [`Db::get`], and what [`Record::decode`] says.
    pub fn record<R: Record>(&self, key: &[u8]) -> Result<Option<R>> {
        self.get(R::SPACE, key)?
            .map(|bytes| R::decode(key, &bytes))
            .transpose()
    }

    /// At most `limit` records whose keys begin with `prefix`, in key order, beginning after the key `after`. Keys are
    /// within the space. Pages read one after another may see commits made between them.
    ///
    /// # Errors
    /// As [`Db::get`].
    pub fn page(&self, space: Space, prefix: &[u8], after: Option<&[u8]>, limit: usize) -> Result<Vec<Pair>> {
        let (from, skip) = (space.key(prefix), space.key(&[]).len());
        let after = after.map(|key| space.key(key)).filter(|key| *key >= from);
        self.read(|sled| {
            let range = match &after {
                Some(after) => sled.range((Bound::Excluded(after.clone()), Bound::Unbounded)),
                None => sled.range(from.clone()..),
            };
            let within =
                range.take_while(|item| item.as_ref().map_or(true, |(key, _)| key.starts_with(&from)));
            within
                .take(limit)
                .map(|item| item.map(|(key, value)| (key[skip..].to_vec(), value.to_vec())))
                .collect()
        })
    }

    /// Every record whose key begins with `prefix`, in key order, a page at a time.
    pub fn scan(&self, space: Space, prefix: &[u8]) -> Scan {
        Scan {
            db: self.clone(),
            space,
            prefix: prefix.to_vec(),
            page: Vec::new().into_iter(),
            after: None,
            over: false,
        }
    }
}

/// A key within its space, and its value.
pub type Pair = (Vec<u8>, Vec<u8>);

/// The records of a prefix, a page at a time; see [`Db::scan`].
pub struct Scan {
    db: Db,
    space: Space,
    prefix: Vec<u8>,
    page: std::vec::IntoIter<Pair>,
    after: Option<Vec<u8>>,
    over: bool,
}

impl Iterator for Scan {
    type Item = Result<Pair>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.page.len() == 0 && !self.over {
            match self
                .db
                .page(self.space, &self.prefix, self.after.as_deref(), PAGE)
            {
                Ok(page) => {
                    self.over = page.len() < PAGE;
                    self.after = page.last().map(|(key, _)| key.clone());
                    self.page = page.into_iter();
                }
                Err(error) => {
                    self.over = true;
                    return Some(Err(error));
                }
            }
        }
        self.page.next().map(Ok)
    }
}
