//! Large pieces of bytes in messages, and the memory they lie in, used again.
//!
//! A piece of half a mebibyte that is allocated anew each time costs as much for its fresh pages as for its copy. What
//! must stay true: the bytes on the wire are those of a plain byte string; no more than [`MOST`] buffers are kept, and
//! none after a call of [`rest`] that found them unused.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use serde::de::{Error, Visitor};
use serde::{Deserializer, Serializer};

/// Buffers that are kept for the next piece.
const MOST: usize = 8;
/// Smaller ones are not worth it.
const LEAST: usize = 64 << 10;
/// Larger ones are not kept.
const LARGEST: usize = 1 << 20;

static KEPT: Mutex<Vec<Vec<u8>>> = Mutex::new(Vec::new());
static USED: AtomicBool = AtomicBool::new(false);

/// An empty buffer with room for `room` bytes.
#[must_use]
pub fn take(room: usize) -> Vec<u8> {
    if room >= LEAST
        && let Ok(mut kept) = KEPT.lock()
        && let Some(at) = kept.iter().rposition(|buffer| buffer.capacity() >= room)
    {
        USED.store(true, Ordering::Relaxed);
        return kept.swap_remove(at);
    }
    Vec::with_capacity(room)
}

/// Gives a buffer back that is not needed any more.
pub fn give(mut buffer: Vec<u8>) {
    if !(LEAST..=LARGEST).contains(&buffer.capacity()) {
        return;
    }
    buffer.clear();
    if let Ok(mut kept) = KEPT.lock()
        && kept.len() < MOST
    {
        kept.push(buffer);
    }
}

/// Lets go of what nobody has used since the last call.
pub fn rest() {
    if !USED.swap(false, Ordering::Relaxed)
        && let Ok(mut kept) = KEPT.lock()
    {
        *kept = Vec::new();
    }
}

/// Writes a piece as the byte string it is: for `#[serde(with = "crate::piece")]`.
pub(crate) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_bytes(bytes)
}

/// Reads a byte string into a buffer that may have been used before.
pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    struct Into;
    impl Visitor<'_> for Into {
        type Value = Vec<u8>;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("bytes")
        }

        fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
            let mut buffer = take(bytes.len());
            buffer.extend_from_slice(bytes);
            Ok(buffer)
        }

        fn visit_byte_buf<E: Error>(self, bytes: Vec<u8>) -> Result<Vec<u8>, E> {
            Ok(bytes)
        }
    }
    deserializer.deserialize_byte_buf(Into)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_comes_back_empty_and_no_more_are_kept_than_a_few() {
        for _ in 0..2 * MOST {
            give(vec![7; LEAST]);
        }
        assert!(KEPT.lock().is_ok_and(|kept| kept.len() <= MOST));
        let buffer = take(LEAST);
        assert!(buffer.is_empty() && buffer.capacity() >= LEAST);
        give(Vec::with_capacity(LARGEST + 1));
        let large = KEPT
            .lock()
            .map(|kept| kept.iter().any(|one| one.capacity() > LARGEST));
        assert!(large.is_ok_and(|large| !large));
    }
}
