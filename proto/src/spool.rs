//! Asking through files, for clients in a sandbox that forbids sockets: `<root>/.task_orchestrator/spool/`.
//!
//! The daemon makes the folder (0700) and a file `nonce` in it. A client writes `<name>.ask`: the nonce, its header, one
//! frame. The daemon calls it `<name>.taken` and writes `<name>.answer`: its header, then every frame of the answer. A name is 32 hex digits of the
//! client's choice. Pure: bytes in, bytes out; both sides share it. What must stay true: whoever cannot read the nonce,
//! such as the author of a repository that ships files of these names, asks nothing.

use crate::error::{Error, Result};
use crate::{frame, hello};

/// The folder within the project's own.
pub const FOLDER: &str = "spool";
/// The file whose text every question begins with.
pub const NONCE: &str = "nonce";
/// The bytes of that text: 16 random ones, in hex.
pub const NONCE_LENGTH: usize = 32;
/// How a question's file ends.
pub const ASK: &str = ".ask";
/// How a question's file ends once the daemon is about to carry it out.
pub const TAKEN: &str = ".taken";
/// How an answer's file ends.
pub const ANSWER: &str = ".answer";
/// The most bytes of a question.
pub const MAX_ASK: usize = NONCE_LENGTH + hello::LENGTH + frame::HEAD + frame::LIMIT;
/// The most bytes of an answer (16 MiB): a longer one is refused, never cut.
pub const MAX_ANSWER: usize = 16 << 20;

/// A question, taken apart.
#[derive(Debug, PartialEq, Eq)]
pub struct Asked<'a> {
    /// What the asker knows of the folder.
    pub nonce: &'a [u8],
    /// The header.
    pub hello: &'a [u8; hello::LENGTH],
    /// The payload of its one frame.
    pub payload: &'a [u8],
}

/// Whether a text can be the name of a question: 32 lower-case hex digits.
#[must_use]
pub fn is_name(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// A question's file.
#[must_use]
pub fn question(nonce: &str, hello: &[u8; hello::LENGTH], frame: &[u8]) -> Vec<u8> {
    [nonce.as_bytes(), hello, frame].concat()
}

/// Takes a question's file apart.
///
/// # Errors
/// `usage` when it is not one: cut, with bytes left over, or of a frame that cannot be.
pub fn asked(bytes: &[u8]) -> Result<Asked<'_>> {
    let wrong = || Error::usage("a file in the spool that is no question");
    let (nonce, rest) = bytes.split_at_checked(NONCE_LENGTH).ok_or_else(wrong)?;
    let (hello, rest) = rest.split_first_chunk().ok_or_else(wrong)?;
    let (head, payload) = rest.split_first_chunk().ok_or_else(wrong)?;
    if frame::length(*head)? != payload.len() {
        return Err(wrong().why("its frame does not end where the file does"));
    }
    Ok(Asked {
        nonce,
        hello,
        payload,
    })
}

/// The first frame's payload of an answer, and the rest; none at its end.
///
/// # Errors
/// `usage` when it is cut.
pub fn next_frame(bytes: &[u8]) -> Result<Option<(&[u8], &[u8])>> {
    if bytes.is_empty() {
        return Ok(None);
    }
    let wrong = || Error::usage("an answer in the spool that is cut");
    let (head, rest) = bytes.split_first_chunk().ok_or_else(wrong)?;
    rest.split_at_checked(frame::length(*head)?)
        .map(Some)
        .ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_is_taken_apart_as_it_was_put_together_and_nothing_else_is() {
        let nonce = "0123456789abcdef0123456789abcdef";
        let hello = [7; hello::LENGTH];
        let frame = [&3_u32.to_le_bytes()[..], b"abc"].concat();
        let bytes = question(nonce, &hello, &frame);
        let taken = asked(&bytes).expect("taken apart");
        assert_eq!((taken.nonce, taken.payload), (nonce.as_bytes(), &b"abc"[..]));
        assert_eq!(taken.hello, &hello);
        for end in 0..bytes.len() {
            assert!(asked(&bytes[..end]).is_err(), "{end}");
        }
        assert!(asked(&[&bytes[..], b"x"].concat()).is_err());
    }

    #[test]
    fn an_answer_is_read_frame_by_frame() {
        let bytes = [&1_u32.to_le_bytes()[..], b"a", &2_u32.to_le_bytes()[..], b"bc"].concat();
        let (first, rest) = next_frame(&bytes).expect("whole").expect("one");
        let (second, rest) = next_frame(rest).expect("whole").expect("two");
        assert_eq!((first, second), (&b"a"[..], &b"bc"[..]));
        assert_eq!(next_frame(rest), Ok(None));
        assert!(next_frame(&bytes[..bytes.len() - 1]).is_ok_and(|found| found.is_some()));
        assert!(next_frame(&bytes[5..bytes.len() - 1]).is_err());
    }

    #[test]
    fn a_name_that_could_be_a_path_is_none() {
        assert!(is_name("0123456789abcdef0123456789abcdef"));
        for wrong in [
            "",
            "../../../../../../../../etc/passw",
            "0123456789ABCDEF0123456789ABCDEF",
        ] {
            assert!(!is_name(wrong), "{wrong}");
        }
    }
}
