//! How keys are laid out: the little that the store and the migrations must agree on for ever.
//!
//! Everything lives in one sled tree, so that one batch can span rooms (sled applies a batch atomically per tree) and
//! so that many small trees do not each claim segments of their own. A key is `<space>\0<key within the space>`; a
//! space's name holds no zero byte, so no space is a prefix of another.

/// Ends the name of a space inside a key.
pub const SEPARATOR: u8 = 0;

/// What the store keeps about itself.
pub const META: &str = "meta";
/// In [`META`]: which steps were applied.
pub const SCHEMA_KEY: &[u8] = b"schema";
/// In [`META`]: the [`Tally`], part of every batch.
pub const TALLY_KEY: &[u8] = b"tally";

/// The first answers to requests, by scope and request id.
pub const REQUESTS: &str = "request";

/// How this project opens sled in `folder`: with segments of 1 MiB, because sled writes a leaf of more than a quarter of
/// one to a file of its own that nobody ever syncs (17 records of the largest size are 147 KiB); and without a thread
/// that flushes, because every commit is flushed by whoever makes it.
#[must_use]
pub fn config(folder: &std::path::Path) -> sled::Config {
    sled::Config::new()
        .path(folder)
        .segment_size(1 << 20)
        .cache_capacity(16 << 20)
        .flush_every_ms(None)
}

/// The full key of `key` within `space`.
#[must_use]
pub fn full_key(space: &str, key: &[u8]) -> Vec<u8> {
    let mut full = Vec::with_capacity(space.len() + 1 + key.len());
    full.extend_from_slice(space.as_bytes());
    full.push(SEPARATOR);
    full.extend_from_slice(key);
    full
}

/// What the database says about itself, so that whatever it lost shows: sled drops damaged parts of its log without a
/// word. Written with every batch; the record that holds it is not counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// The number of the newest commit.
    pub sequence: u64,
    /// How many records there are.
    pub records: u64,
    /// The sum, modulo 2^128, of a digest of every record.
    pub sum: u128,
}

impl Tally {
    /// The tally that `tree` holds; all zeroes when it holds none.
    ///
    /// # Errors
    /// Whatever sled says about a damaged or unreadable database.
    pub fn stored(tree: &sled::Tree) -> sled::Result<Self> {
        Ok(tree
            .get(full_key(META, TALLY_KEY))?
            .and_then(|bytes| Self::decode(&bytes))
            .unwrap_or_default())
    }

    /// Reads every record of `tree`: what its tally should be, but for the number of the newest commit.
    ///
    /// # Errors
    /// Whatever sled says about a damaged or unreadable database.
    pub fn counted(tree: &sled::Tree) -> sled::Result<Self> {
        let own = full_key(META, TALLY_KEY);
        tree.iter().try_fold(Self::default(), |mut tally, item| {
            let (key, value) = item?;
            if key != own {
                tally.replace(&key, None, Some(&value));
            }
            Ok(tally)
        })
    }

    /// True when `counted` is what this says.
    #[must_use]
    pub fn agrees(&self, counted: &Self) -> bool {
        (self.records, self.sum) == (counted.records, counted.sum)
    }

    /// Notes that the value at the full key `key` was `old` and becomes `new`.
    pub fn replace(&mut self, key: &[u8], old: Option<&[u8]>, new: Option<&[u8]>) {
        if let Some(old) = old {
            self.records = self.records.wrapping_sub(1);
            self.sum = self.sum.wrapping_sub(record_sum(key, old));
        }
        if let Some(new) = new {
            self.records = self.records.wrapping_add(1);
            self.sum = self.sum.wrapping_add(record_sum(key, new));
        }
    }

    /// Adds itself to the batch that it counts.
    pub fn put(&self, batch: &mut sled::Batch) {
        let mut bytes = Vec::with_capacity(32);
        bytes.extend_from_slice(&self.sequence.to_be_bytes());
        bytes.extend_from_slice(&self.records.to_be_bytes());
        bytes.extend_from_slice(&self.sum.to_be_bytes());
        batch.insert(full_key(META, TALLY_KEY), bytes);
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        Some(Self {
            sequence: u64::from_be_bytes(bytes.get(..8)?.try_into().ok()?),
            records: u64::from_be_bytes(bytes.get(8..16)?.try_into().ok()?),
            sum: u128::from_be_bytes(bytes.get(16..)?.try_into().ok()?),
        })
    }
}

fn record_sum(key: &[u8], value: &[u8]) -> u128 {
    let mut digest = blake3::Hasher::new();
    digest.update(&(key.len() as u64).to_le_bytes());
    digest.update(key);
    digest.update(value);
    let mut sum = [0; 16];
    digest.finalize_xof().fill(&mut sum);
    u128::from_le_bytes(sum)
}
