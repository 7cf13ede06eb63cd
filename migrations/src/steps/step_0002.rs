//! Answers kept for repeated requests may live in `objects/`: the record of a request says where its answer is.
//!
//! Version 1 held the answer itself. Version 2 holds one of: the answer, or the digest of the object that holds it.

use serde::{Deserialize, Serialize};

use crate::draft::Draft;
use crate::error::{Error, Result};

const SPACE: &str = "request";

#[derive(Deserialize)]
struct RequestV1 {
    digest: [u8; 32],
    at: i64,
    answer: Vec<u8>,
}

#[derive(Serialize, Deserialize)]
enum AnswerV2 {
    Inline(Vec<u8>),
    Object([u8; 32]),
}

#[derive(Serialize, Deserialize)]
struct RequestV2 {
    digest: [u8; 32],
    at: i64,
    answer: AnswerV2,
}

pub(super) fn apply(draft: &mut Draft<'_>) -> Result<()> {
    draft.rewrite(SPACE, |key, value| {
        let Some((1, body)) = value.split_first() else {
            return Err(refuse(key, "it is not of version 1"));
        };
        let old: RequestV1 = match postcard::take_from_bytes(body) {
            Ok((old, [])) => old,
            Ok(_) => return Err(refuse(key, "bytes are left over")),
            Err(error) => return Err(refuse(key, &error.to_string())),
        };
        let new = RequestV2 {
            digest: old.digest,
            at: old.at,
            answer: AnswerV2::Inline(old.answer),
        };
        postcard::to_extend(&new, vec![2]).map_err(|error| refuse(key, &error.to_string()))
    })
}

pub(super) fn validate(draft: &Draft<'_>) -> Result<()> {
    draft.each(SPACE, |key, value| match value.split_first() {
        Some((2, body)) => match postcard::take_from_bytes::<RequestV2>(body) {
            Ok((_, [])) => Ok(()),
            Ok(_) => Err(refuse(key, "bytes are left over")),
            Err(error) => Err(refuse(key, &error.to_string())),
        },
        _ => Err(refuse(key, "it is not of version 2")),
    })
}

fn refuse(key: &[u8], why: &str) -> Error {
    Error::Record {
        key: format!("{SPACE}/{}", key.escape_ascii()),
        why: why.to_owned(),
    }
}
