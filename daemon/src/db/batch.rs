//! What a room hands to the store: puts and deletes over any spaces, kept together or not at all.
//!
//! Rooms' `store.rs` files fill batches. The limits stand here because sled writes a large leaf page to a file of
//! its own that nobody ever syncs: these sizes, and those of `migrations::config`, keep pages inside the log.

use std::collections::BTreeMap;

use migrations::layout;
use proto::error::{Error, Result};

/// The largest value, in bytes (8 KiB). Longer texts go to `objects/`.
pub const MAX_VALUE: usize = 8 * 1024;
/// The largest key within a space, in bytes. Keys made of paths or names use a digest when they may be longer.
pub const MAX_KEY: usize = 512;
/// The largest batch, in bytes of keys and values: larger work is several commits.
pub const MAX_BATCH: usize = 16 * 1024 * 1024;

/// A key space of one room: its name is the first part of every key in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Space(&'static str);

impl Space {
    /// The space called `name`, which is the word of its room.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        Self(name)
    }

    /// The room's word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.0
    }

    pub(super) fn key(self, key: &[u8]) -> Vec<u8> {
        layout::full_key(self.0, key)
    }
}

/// Puts and deletes that become true together.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// By full key: the last word on a key counts.
    pub(super) writes: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
    bytes: usize,
    refused: Option<Error>,
}

impl Batch {
    /// A batch that changes nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts `value` at `key`. A value or key over its limit makes the whole commit fail.
    pub fn put(&mut self, space: Space, key: &[u8], value: impl Into<Vec<u8>>) -> &mut Self {
        let value = value.into();
        if value.len() > MAX_VALUE {
            let what = format!(
                "a record of `{}` has {} bytes, more than {MAX_VALUE}",
                space.name(),
                value.len()
            );
            self.refuse(Error::too_large(what).next("keep long texts in `objects`"));
        }
        self.write(space, key, Some(value))
    }

    /// Removes `key`; no matter when it is not there.
    pub fn delete(&mut self, space: Space, key: &[u8]) -> &mut Self {
        self.write(space, key, None)
    }

    /// True when it changes nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.writes.is_empty()
    }

    fn write(&mut self, space: Space, key: &[u8], value: Option<Vec<u8>>) -> &mut Self {
        if key.len() > MAX_KEY {
            let what = format!(
                "a key of `{}` has {} bytes, more than {MAX_KEY}",
                space.name(),
                key.len()
            );
            self.refuse(Error::bug(what));
        }
        self.bytes += key.len() + value.as_ref().map_or(0, Vec::len);
        if self.bytes > MAX_BATCH {
            let what = format!("one commit has {} bytes, more than {MAX_BATCH}", self.bytes);
            self.refuse(Error::too_large(what).next("do it in several steps"));
        }
        self.writes.insert(space.key(key), value);
        self
    }

    fn refuse(&mut self, error: Error) {
        self.refused.get_or_insert(error);
    }

    /// The batch, unless something in it is over a limit.
    pub(super) fn checked(self) -> Result<Self> {
        match self.refused {
            Some(error) => Err(error),
            None => Ok(self),
        }
    }
}
