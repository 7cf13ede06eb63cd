//! How the audit trail looks as a file. Pure.
//!
//! The mirror is a function of the trail and of nothing else: file number `n` holds the events from `n * PER_FILE + 1` on,
//! one line each; the newest file is `audit.jsonl`, an older one is named after its first event. So any of them can be
//! made again from the database, and whether one is right is a comparison of bytes.

use jiff::Timestamp;
use proto::error::{Error, Result};
use serde::Serialize;

use crate::audit::Event;

/// How many events one file holds: about a megabyte. Few in unit tests, which cross from one file into the next.
pub const PER_FILE: u64 = if cfg!(test) { 16 } else { 4096 };
/// How many files are kept, the newest counted. What is older stands in the database alone.
pub const FILES: u64 = 8;
/// The folder of the mirror, within the project's.
pub const FOLDER: &str = "logs";
/// The newest file.
pub const NEWEST: &str = "audit.jsonl";

/// One line. The names are documented in ARCHITECTURE.md, so that a file can be verified alone.
#[derive(Serialize)]
struct Line<'a> {
    seq: u64,
    time: String,
    actor: &'a str,
    op: &'a str,
    target: &'a str,
    count: u32,
    previous: String,
    digest: String,
}

/// Lower-case hexadecimal digits.
#[must_use]
pub fn hex(bytes: &[u8; 32]) -> String {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits
        .filter_map(|digit| char::from_digit(digit.into(), 16))
        .collect()
}

/// An event as a line, its end included.
///
/// # Errors
/// `Bug` when it cannot be encoded.
pub fn line(event: &Event) -> Result<Vec<u8>> {
    let time = Timestamp::from_nanosecond(event.time.into());
    let line = Line {
        seq: event.seq,
        time: time.map_or_else(|_| event.time.to_string(), |time| format!("{time:.9}")),
        actor: &event.actor,
        op: &event.op,
        target: &event.target,
        count: event.count,
        previous: hex(&event.previous),
        digest: hex(&event.digest()?),
    };
    let mut bytes = serde_json::to_vec(&line)
        .map_err(|error| Error::bug("an audit event could not be written as JSON").why(error))?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// The number of the file in which an event stands.
#[must_use]
pub fn file_of(seq: u64) -> u64 {
    seq.saturating_sub(1) / PER_FILE
}

/// The number of the first event of a file.
#[must_use]
pub fn first_of(file: u64) -> u64 {
    file * PER_FILE + 1
}

/// The name of an older file.
#[must_use]
pub fn older(file: u64) -> String {
    format!("audit-{:010}.jsonl", first_of(file))
}

/// The number of the older file with this name.
#[must_use]
pub fn number(name: &str) -> Option<u64> {
    let first: u64 = name
        .strip_prefix("audit-")?
        .strip_suffix(".jsonl")?
        .parse()
        .ok()?;
    let file = file_of(first);
    (older(file) == name).then_some(file)
}

/// The older files that are kept beside the newest one.
pub fn kept(newest: u64) -> std::ops::Range<u64> {
    newest.saturating_sub(FILES - 1)..newest
}

/// How a file stands to what it should say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// Byte for byte.
    Same,
    /// Whole lines are missing at the end, or a part of one.
    Shorter,
    /// It says something else from this line on, from 1.
    Other(u64),
}

/// Compares a file with what it should say.
#[must_use]
pub fn compared(found: &[u8], wanted: &[u8]) -> Found {
    if found == wanted {
        return Found::Same;
    }
    if wanted.starts_with(found) {
        return Found::Shorter;
    }
    let same = found.iter().zip(wanted).take_while(|(one, other)| one == other);
    let lines = same.filter(|(one, _)| **one == b'\n').count();
    Found::Other(lines as u64 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(seq: u64) -> Event {
        Event {
            seq,
            time: 1_500_000_000,
            actor: "a \"b\"\n".to_owned(),
            op: "task.add".to_owned(),
            target: "x".to_owned(),
            count: 2,
            previous: [7; 32],
        }
    }

    #[test]
    fn an_event_is_one_line_with_its_digest() {
        let bytes = line(&event(3)).expect("a line");
        assert_eq!(bytes.iter().filter(|byte| **byte == b'\n').count(), 1);
        let json: serde_json::Value = serde_json::from_slice(&bytes).expect("JSON");
        assert_eq!(json["time"], "1970-01-01T00:00:01.500000000Z");
        assert_eq!(json["actor"], "a \"b\"\n");
        assert_eq!(json["previous"], "07".repeat(32));
        assert_eq!(json["digest"], hex(&event(3).digest().expect("a digest")));
    }

    #[test]
    fn every_event_has_its_file_and_every_file_its_name() {
        assert_eq!((file_of(1), file_of(PER_FILE), file_of(PER_FILE + 1)), (0, 0, 1));
        assert_eq!((first_of(0), first_of(2)), (1, 2 * PER_FILE + 1));
        for file in [0, 1, 77] {
            assert_eq!(number(&older(file)), Some(file));
        }
        for name in [
            "audit.jsonl",
            "audit-1.jsonl",
            "audit-0000000002.jsonl",
            "audit-x.jsonl",
        ] {
            assert_eq!(number(name), None, "{name}");
        }
        assert_eq!(kept(0).count(), 0);
        assert_eq!(kept(3), 0..3);
        assert_eq!(kept(20), 13..20);
    }

    #[test]
    fn a_file_is_the_same_or_shorter_or_differs_from_a_line_on() {
        assert_eq!(compared(b"a\nb\n", b"a\nb\n"), Found::Same);
        for cut in [&b""[..], b"a", b"a\n", b"a\nb"] {
            assert_eq!(compared(cut, b"a\nb\n"), Found::Shorter);
        }
        assert_eq!(compared(b"x\nb\n", b"a\nb\n"), Found::Other(1));
        assert_eq!(compared(b"a\nx\n", b"a\nb\n"), Found::Other(2));
        assert_eq!(compared(b"a\nb\nc\n", b"a\nb\n"), Found::Other(3));
    }
}
