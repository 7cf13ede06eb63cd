//! Frames: four bytes of length, little-endian, then that many bytes of one postcard message.
//!
//! Pure: bytes in, bytes or an error out. The reading loops live in the client (blocking) and in the daemon (async).
//! What must stay true: nothing is allocated for a length before it has been checked, and a payload with left-over
//! bytes is refused (postcard itself ignores them).

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Error;

/// Bytes of the length in front of a payload.
pub const HEAD: usize = 4;

/// The most bytes a payload may have. Longer texts travel as chunks of a stream.
pub const LIMIT: usize = 1 << 20;

/// What a sender puts into one chunk of a stream: large enough that the frame around it costs nothing, small enough
/// that several streams share a connection fairly.
pub const CHUNK: usize = 64 << 10;

/// Room for most messages, so that one is not moved while it is written.
const USUAL: usize = 1000;

/// A message as one frame, ready to be written.
///
/// # Errors
/// `too_large` when the message does not fit in a frame.
pub fn encode<T: Serialize>(message: &T) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::with_capacity(USUAL);
    bytes.resize(HEAD, 0);
    encode_after(&mut bytes, message)?;
    Ok(bytes)
}

fn encode_after<T: Serialize>(bytes: &mut Vec<u8>, message: &T) -> Result<(), Error> {
    let grown = postcard::to_extend(message, std::mem::take(bytes))
        .map_err(|error| Error::bug("a message could not be written").why(error))?;
    *bytes = grown;
    set_head(bytes, 0)
}

/// Writes the length of a payload of which `more` bytes are still to come.
fn set_head(bytes: &mut [u8], more: usize) -> Result<(), Error> {
    let length = (bytes.len() - HEAD).saturating_add(more);
    let head = u32::try_from(length).ok().filter(|_| length <= LIMIT);
    let Some(head) = head else {
        return Err(
            Error::too_large(format!("a message of {length} bytes does not fit in a frame"))
                .why(format!("the limit is {LIMIT} bytes")),
        );
    };
    bytes[..HEAD].copy_from_slice(&head.to_le_bytes());
    Ok(())
}

/// The beginning of the frame of a message that ends with `tail` bytes, which the caller lays behind it. The message is
/// given with none of them. It takes the place of what `bytes` held.
///
/// # Errors
/// `too_large` when the whole does not fit in a frame; `bug` for a message that does not end with a byte string.
pub fn encode_open<T: Serialize>(message: &T, tail: usize, mut bytes: Vec<u8>) -> Result<Vec<u8>, Error> {
    bytes.clear();
    bytes.resize(HEAD, 0);
    encode_after(&mut bytes, message)?;
    // The length of a byte string stands before it: none as one zero.
    if bytes.pop() != Some(0) {
        return Err(Error::bug("a message that does not end with bytes was left open"));
    }
    let mut left = tail;
    while left >= 0x80 {
        bytes.push(u8::try_from(left & 0x7f).unwrap_or_default() | 0x80);
        left >>= 7;
    }
    bytes.push(u8::try_from(left).unwrap_or_default());
    set_head(&mut bytes, tail)?;
    Ok(bytes)
}

/// The length of the payload that follows a head.
///
/// # Errors
/// `too_large` over [`LIMIT`]; `usage` for an empty payload, which no message has.
pub fn length(head: [u8; HEAD]) -> Result<usize, Error> {
    let length = u32::from_le_bytes(head);
    match usize::try_from(length) {
        Ok(0) => Err(Error::usage("a frame of no bytes").why("every message has at least one")),
        Ok(length) if length <= LIMIT => Ok(length),
        _ => Err(Error::too_large(format!("a frame of {length} bytes"))
            .why(format!("the limit is {LIMIT} bytes"))
            .next("send long texts in chunks")),
    }
}

/// The message in a payload.
///
/// # Errors
/// `usage` for a variant this build does not know, a payload that is cut, or left-over bytes.
pub fn decode<T: DeserializeOwned>(payload: &[u8]) -> Result<T, Error> {
    let (message, rest) = postcard::take_from_bytes(payload).map_err(|error| {
        Error::usage("a frame that is not a message of this protocol")
            .why(error)
            .next("use a client and a daemon of the same release")
    })?;
    if rest.is_empty() {
        return Ok(message);
    }
    Err(
        Error::usage(format!("a frame with {} bytes left over", rest.len()))
            .why("the message in it ends before the frame does"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_comes_back_as_it_was() {
        let bytes = encode(&("words", 7_u64)).expect("encodes");
        let head = [bytes[0], bytes[1], bytes[2], bytes[3]];
        assert_eq!(length(head), Ok(bytes.len() - HEAD));
        assert_eq!(
            decode::<(String, u64)>(&bytes[HEAD..]),
            Ok(("words".to_owned(), 7))
        );
    }

    #[test]
    fn a_length_over_the_limit_is_refused_before_anything_is_allocated() {
        assert!(length(u32::MAX.to_le_bytes()).is_err());
        assert!(length([1, 0, 16, 0]).is_err());
        assert_eq!(length([0, 0, 16, 0]), Ok(LIMIT));
        assert!(length([0; 4]).is_err());
    }

    #[test]
    fn a_message_over_the_limit_is_refused_by_its_writer() {
        assert!(encode(&vec![1_u8; LIMIT + 1]).is_err());
    }

    #[test]
    fn a_frame_left_open_and_completed_is_the_frame_of_the_whole_message() {
        let message = |bytes: Vec<u8>| ("words", 7_u64, bytes);
        for length in [0, 1, 127, 128, 16_383, 16_384, 512 << 10] {
            let tail = vec![5; length];
            let mut open = encode_open(&message(Vec::new()), length, vec![9; 3]).expect("encodes");
            open.extend_from_slice(&tail);
            assert_eq!(open, encode(&message(tail)).expect("encodes"), "{length}");
        }
        assert!(encode_open(&message(Vec::new()), LIMIT, Vec::new()).is_err());
        assert!(encode_open(&message(Vec::new()), usize::MAX, Vec::new()).is_err());
        assert!(encode_open(&(1_u64, 7_u64), 1, Vec::new()).is_err());
    }

    #[test]
    fn left_over_bytes_are_refused() {
        let mut bytes = encode(&7_u64).expect("encodes");
        bytes.push(0);
        assert!(decode::<u64>(&bytes[HEAD..]).is_err());
    }

    #[test]
    fn every_cut_of_a_message_is_refused() {
        let bytes = encode(&("some words", vec![1_u32, 2, 3])).expect("encodes");
        for end in HEAD..bytes.len() {
            assert!(
                decode::<(String, Vec<u32>)>(&bytes[HEAD..end]).is_err(),
                "cut at {end}"
            );
        }
    }
}
