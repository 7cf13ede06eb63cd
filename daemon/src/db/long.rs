//! Records of any length: within the database where they are short, else in `objects`, named by their digest.
//!
//! Asked by the `store.rs` files of rooms with long texts. What must stay true: a long text is on the disk before the
//! record that names it; what is read back is what was put, or an error.

use proto::error::{Error, Result};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::Db;
use super::batch::{Batch, MAX_VALUE, Space};
use crate::objects::Digest;

/// What is longer goes to `objects`; the rest is for the version byte and the digest around it.
const INLINE: usize = MAX_VALUE - 64;

/// The bytes of a postcard here, or in `objects`.
#[derive(Serialize, Deserialize)]
enum Long {
    Here(#[serde(with = "serde_bytes")] Vec<u8>),
    There([u8; 32]),
}

/// A shape that is kept in [`Long`]: its version stands in the record, its space is the room's.
pub trait LongRecord: Serialize + DeserializeOwned {
    /// The space its records live in.
    const SPACE: Space;
    /// The version byte.
    const VERSION: u8;
}

fn refuse(space: Space, key: &[u8], why: impl ToString) -> Error {
    let what = format!(
        "the record `{}` of `{}` cannot be read",
        key.escape_ascii(),
        space.name()
    );
    Error::unavailable(what).why(why).next("run `tocli doctor`")
}

fn opened<T: LongRecord>(key: &[u8], bytes: &[u8]) -> Result<Long> {
    let (version, body) = bytes
        .split_first()
        .ok_or_else(|| refuse(T::SPACE, key, "it is empty"))?;
    if *version != T::VERSION {
        let why = format!("it has version {version} where {} is known", T::VERSION);
        return Err(refuse(T::SPACE, key, why));
    }
    match postcard::take_from_bytes(body) {
        Ok((long, [])) => Ok(long),
        _ => Err(refuse(T::SPACE, key, "its bytes do not fit")),
    }
}

impl Db {
    /// The record at `key`.
    ///
    /// # Errors
    /// `Unavailable` when the database or the object cannot be read.
    pub fn long<T: LongRecord>(&self, key: &[u8]) -> Result<Option<T>> {
        let found = self.get(T::SPACE, key)?;
        found.map(|bytes| self.long_in(key, &bytes)).transpose()
    }

    /// The record whose stored bytes these are.
    ///
    /// # Errors
    /// As [`Db::long`].
    pub fn long_in<T: LongRecord>(&self, key: &[u8], bytes: &[u8]) -> Result<T> {
        let bytes = match opened::<T>(key, bytes)? {
            Long::Here(bytes) => bytes,
            Long::There(digest) => self.objects().get(&Digest::from(digest))?,
        };
        match postcard::take_from_bytes(&bytes) {
            Ok((found, [])) => Ok(found),
            _ => Err(refuse(T::SPACE, key, "its text does not fit")),
        }
    }

    /// Puts a record into `batch`; a long one is on the disk when this returns.
    ///
    /// # Errors
    /// `Unavailable` when the disk does not take it.
    pub fn put_long<T: LongRecord>(&self, batch: &mut Batch, key: &[u8], value: &T) -> Result<()> {
        let unwritable =
            |error| Error::bug(format!("a record of `{}` cannot be written", T::SPACE.name())).why(error);
        let bytes = postcard::to_stdvec(value).map_err(unwritable)?;
        let long = match bytes.len() {
            0..=INLINE => Long::Here(bytes),
            _ => Long::There(*self.objects().put(&bytes)?.as_bytes()),
        };
        let bytes = postcard::to_extend(&long, vec![T::VERSION]).map_err(unwritable)?;
        batch.put(T::SPACE, key, bytes);
        Ok(())
    }

    /// The objects that records of a shape name, for whoever sweeps those that nobody names.
    ///
    /// # Errors
    /// `Unavailable` when the database cannot be read.
    pub fn named_by<T: LongRecord>(&self) -> Result<Vec<Digest>> {
        let mut found = Vec::new();
        for item in self.scan(T::SPACE, &[]) {
            let (key, bytes) = item?;
            if let Long::There(digest) = opened::<T>(&key, &bytes)? {
                found.push(Digest::from(digest));
            }
        }
        Ok(found)
    }
}
