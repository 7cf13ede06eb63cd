//! What a step works on: the database with the step's own changes laid over it.
//!
//! Nothing reaches sled before every step has been applied and validated here; then all changes go in as one batch, so
//! that a crash or a failure leaves the old schema or the new one and never something between.

use std::collections::BTreeMap;

use crate::error::{Error, Result};
use crate::layout::{self, Tally};

/// Reads see the changes of this step and of the steps before it.
pub struct Draft<'a> {
    tree: &'a sled::Tree,
    changes: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
}

impl<'a> Draft<'a> {
    pub(crate) fn new(tree: &'a sled::Tree) -> Self {
        Self {
            tree,
            changes: BTreeMap::new(),
        }
    }

    /// The value at `key` of `space`.
    ///
    /// # Errors
    /// `Db` when the database cannot be read.
    pub fn get(&self, space: &str, key: &[u8]) -> Result<Option<Vec<u8>>> {
        let full = layout::full_key(space, key);
        match self.changes.get(&full) {
            Some(changed) => Ok(changed.clone()),
            None => Ok(self.tree.get(full)?.map(|value| value.to_vec())),
        }
    }

    /// Puts `value` at `key` of `space`.
    pub fn put(&mut self, space: &str, key: &[u8], value: Vec<u8>) {
        self.changes.insert(layout::full_key(space, key), Some(value));
    }

    /// Removes `key` of `space`.
    pub fn delete(&mut self, space: &str, key: &[u8]) {
        self.changes.insert(layout::full_key(space, key), None);
    }

    /// Hands every record of `space`, in key order and as it is now, to `each`.
    ///
    /// # Errors
    /// `Db` when the database cannot be read, or what `each` says.
    pub fn each(&self, space: &str, mut each: impl FnMut(&[u8], &[u8]) -> Result<()>) -> Result<()> {
        let prefix = layout::full_key(space, &[]);
        let mut stored = self.tree.scan_prefix(&prefix).peekable();
        let mut changed = self
            .changes
            .range(prefix.clone()..)
            .take_while(|(key, _)| key.starts_with(&prefix))
            .peekable();
        loop {
            let next = match (stored.peek(), changed.peek()) {
                (None, None) => return Ok(()),
                (Some(Err(error)), _) => return Err(Error::Db(error.clone())),
                (Some(Ok((key, _))), Some((over, _))) if key.as_ref() < over.as_slice() => stored.next(),
                (Some(Ok(_)), None) => stored.next(),
                (Some(Ok((key, _))), Some((over, value))) => {
                    let same = key.as_ref() == over.as_slice();
                    if let Some(value) = value {
                        each(&over[prefix.len()..], value)?;
                    }
                    changed.next();
                    if same {
                        stored.next();
                    }
                    continue;
                }
                (None, Some((over, value))) => {
                    if let Some(value) = value {
                        each(&over[prefix.len()..], value)?;
                    }
                    changed.next();
                    continue;
                }
            };
            if let Some(Ok((key, value))) = next {
                each(&key[prefix.len()..], &value)?;
            }
        }
    }

    /// Replaces every record of `space` by what `change` makes of it.
    ///
    /// # Errors
    /// `Db` when the database cannot be read, or what `change` says.
    pub fn rewrite(
        &mut self,
        space: &str,
        mut change: impl FnMut(&[u8], &[u8]) -> Result<Vec<u8>>,
    ) -> Result<()> {
        let mut rewritten = Vec::new();
        self.each(space, |key, value| {
            rewritten.push((key.to_vec(), change(key, value)?));
            Ok(())
        })?;
        for (key, value) in rewritten {
            self.put(space, &key, value);
        }
        Ok(())
    }

    /// All changes as one batch, with the tally that counts them.
    pub(crate) fn into_batch(self) -> Result<sled::Batch> {
        let mut batch = sled::Batch::default();
        let mut tally = Tally::stored(self.tree)?;
        tally.sequence += 1;
        for (key, value) in self.changes {
            tally.replace(&key, self.tree.get(&key)?.as_deref(), value.as_deref());
            match value {
                Some(value) => batch.insert(key, value),
                None => batch.remove(key),
            }
        }
        tally.put(&mut batch);
        Ok(batch)
    }
}
