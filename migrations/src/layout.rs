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
/// In [`META`]: the number of the newest commit, eight bytes, big endian; part of every batch.
pub const SEQUENCE_KEY: &[u8] = b"seq";

/// The first answers to requests, by scope and request id.
pub const REQUESTS: &str = "request";

/// The full key of `key` within `space`.
#[must_use]
pub fn full_key(space: &str, key: &[u8]) -> Vec<u8> {
    let mut full = Vec::with_capacity(space.len() + 1 + key.len());
    full.extend_from_slice(space.as_bytes());
    full.push(SEPARATOR);
    full.extend_from_slice(key);
    full
}

/// The number of the newest commit in `tree`, 0 when there is none.
///
/// # Errors
/// Whatever sled says about a damaged or unreadable database.
pub fn sequence(tree: &sled::Tree) -> sled::Result<u64> {
    let bytes = tree.get(full_key(META, SEQUENCE_KEY))?;
    Ok(bytes
        .and_then(|bytes| <[u8; 8]>::try_from(&bytes[..]).ok())
        .map_or(0, u64::from_be_bytes))
}
