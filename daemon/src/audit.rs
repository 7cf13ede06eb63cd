//! The audit trail: one event for every change, chained by digest, part of the change's own transaction.
//!
//! Asked by every room that changes something of a workspace, under that workspace's lock. What must stay true: an
//! event is recorded with the change it speaks of or not at all; events of a workspace are numbered without a gap; each
//! names the digest of the one before, so that one taken out, changed or put in between is noticed, and the head, kept
//! apart from the events, notices a cut at the end. No texts stand in events, so no secret of a text does.

use proto::error::{Error, Result};
use serde::{Deserialize, Serialize};

use crate::db::{Batch, Db, Record, Space};

const EVENT: u8 = b'e';
const HEAD: u8 = b'h';

/// What happened. Version 1, frozen once released.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// From 1, without a gap within its workspace.
    pub seq: u64,
    /// Nanoseconds since 1970 UTC.
    pub time: i64,
    /// Who.
    pub actor: String,
    /// Room and word: `task.complete`.
    pub op: String,
    /// The id of what was changed; for several the one that was asked for.
    pub target: String,
    /// How many records were changed.
    pub count: u32,
    /// The digest of the event before; zeros for the first.
    #[serde(with = "crate::objects::hex")]
    pub previous: [u8; 32],
}

/// The end of a workspace's chain.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// The number of the last event; 0 when there is none.
    pub seq: u64,
    /// Its digest.
    pub digest: [u8; 32],
}

impl Record for Event {
    const SPACE: Space = Space::new("audit");
    const VERSION: u8 = 1;
}

impl Record for Head {
    const SPACE: Space = Space::new("audit");
    const VERSION: u8 = 1;
}

/// What a room says of its change.
#[derive(Clone, Copy, Debug)]
pub struct Said<'a> {
    /// Nanoseconds since 1970 UTC.
    pub time: i64,
    /// Who.
    pub actor: &'a str,
    /// Room and word: `task.complete`.
    pub op: &'a str,
    /// The id of what is changed.
    pub target: &'a str,
    /// How many records are changed.
    pub count: usize,
}

/// `<workspace>/`, a letter for the kind, the rest.
fn key(kind: u8, workspace: &str, rest: &[u8]) -> Vec<u8> {
    let mut key = format!("{workspace}/").into_bytes();
    key.push(kind);
    key.extend_from_slice(rest);
    key
}

/// The end of a workspace's chain.
///
/// # Errors
/// `Unavailable` when the database cannot be read.
pub fn head(db: &Db, workspace: &str) -> Result<Head> {
    Ok(db.record(&key(HEAD, workspace, &[]))?.unwrap_or_default())
}

/// Adds an event to `batch`. At most once in a batch, under the workspace's lock.
///
/// # Errors
/// `Unavailable` when the database cannot be read.
pub fn append(db: &Db, batch: &mut Batch, workspace: &str, said: Said<'_>) -> Result<()> {
    follow(batch, workspace, &head(db, workspace)?, said)
}

/// As [`append`], after `head`, the end of a chain whose last events are in this batch or were put before it.
///
/// # Errors
/// `Bug` when it cannot be encoded.
pub fn follow(batch: &mut Batch, workspace: &str, head: &Head, said: Said<'_>) -> Result<()> {
    let event = Event {
        seq: head.seq + 1,
        time: said.time,
        actor: said.actor.to_owned(),
        op: said.op.to_owned(),
        target: said.target.to_owned(),
        count: u32::try_from(said.count).unwrap_or(u32::MAX),
        previous: head.digest,
    };
    let bytes = event.encode()?;
    let head = Head {
        seq: event.seq,
        digest: *blake3::hash(&bytes).as_bytes(),
    };
    batch.put(
        Event::SPACE,
        &key(EVENT, workspace, &event.seq.to_be_bytes()),
        bytes,
    );
    batch.put(Head::SPACE, &key(HEAD, workspace, &[]), head.encode()?);
    Ok(())
}

/// Adds an event from elsewhere to `batch`, as it is; [`follow`] makes it part of the chain.
///
/// # Errors
/// `Bug` when it cannot be encoded.
pub fn put(batch: &mut Batch, workspace: &str, event: &Event) -> Result<()> {
    let key = key(EVENT, workspace, &event.seq.to_be_bytes());
    batch.put(Event::SPACE, &key, event.encode()?);
    Ok(())
}

/// One event.
///
/// # Errors
/// `Unavailable` when the database cannot be read.
pub fn event(db: &Db, workspace: &str, seq: u64) -> Result<Option<Event>> {
    db.record(&key(EVENT, workspace, &seq.to_be_bytes()))
}

/// At most `limit` events of a workspace after number `after`, oldest first.
///
/// # Errors
/// `Unavailable` when the database cannot be read.
pub fn events(db: &Db, workspace: &str, after: u64, limit: usize) -> Result<Vec<Event>> {
    let prefix = key(EVENT, workspace, &[]);
    let from = key(EVENT, workspace, &after.to_be_bytes());
    db.page(Event::SPACE, &prefix, Some(&from), limit)?
        .iter()
        .map(|(key, value)| Event::decode(key, value))
        .collect()
}

/// The events of a workspace with numbers below `before`, newest first, that `wanted` lets through: at most `limit` of
/// them, among at most `looked` that are looked at; and the number up to which it has looked, for the next page.
///
/// # Errors
/// `Unavailable` when the database cannot be read.
pub fn newest(
    db: &Db,
    workspace: &str,
    before: u64,
    (limit, looked): (usize, u64),
    wanted: impl Fn(&Event) -> bool,
) -> Result<(Vec<Event>, u64)> {
    const STEP: u64 = 256;
    let mut found = Vec::new();
    let mut end = before;
    let stop = before.saturating_sub(looked).max(1);
    while end > stop {
        let start = end.saturating_sub(STEP).max(stop);
        let count = usize::try_from(end - start).unwrap_or(usize::MAX);
        let page = events(db, workspace, start - 1, count)?;
        for event in page.into_iter().rev().filter(|event| event.seq < end) {
            if found.len() == limit {
                return Ok((found, event.seq + 1));
            }
            if wanted(&event) {
                found.push(event);
            }
        }
        end = start;
    }
    Ok((found, end))
}

impl Event {
    /// Its digest, which the next event names.
    ///
    /// # Errors
    /// `Bug` when it cannot be encoded.
    pub fn digest(&self) -> Result<[u8; 32]> {
        Ok(*blake3::hash(&self.encode()?).as_bytes())
    }
}

/// What a look along a chain found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Chain {
    /// This many events, each where it belongs.
    Whole(u64),
    /// The event with this number is missing, changed, or not the one that was there.
    BrokenAt(u64),
}

/// Looks along the whole chain of a workspace.
///
/// # Errors
/// `Unavailable` when the database cannot be read.
pub fn verify(db: &Db, workspace: &str) -> Result<Chain> {
    let mut at = Head::default();
    for item in db.scan(Event::SPACE, &key(EVENT, workspace, &[])) {
        let (key, bytes) = item?;
        let broken = Ok(Chain::BrokenAt(at.seq + 1));
        let Ok(event) = Event::decode(&key, &bytes) else {
            return broken;
        };
        if event.seq != at.seq + 1 || event.previous != at.digest || !key.ends_with(&event.seq.to_be_bytes())
        {
            return broken;
        }
        at = Head {
            seq: event.seq,
            digest: *blake3::hash(&bytes).as_bytes(),
        };
    }
    match head(db, workspace) {
        Ok(head) if head == at => Ok(Chain::Whole(at.seq)),
        Ok(head) => Ok(Chain::BrokenAt(head.seq.min(at.seq + 1).max(1))),
        Err(error) => Err(Error::unavailable("the head of the audit chain cannot be read").why(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::Options;

    fn three(db: &Db) {
        for target in ["a", "b", "c"] {
            let mut batch = Batch::new();
            let said = Said {
                time: 1,
                actor: "me",
                op: "task.add",
                target,
                count: 1,
            };
            append(db, &mut batch, "ws_1", said).expect("appends");
            db.commit(batch).expect("commits");
        }
    }

    fn open(folder: &std::path::Path) -> Db {
        Db::open(folder, Options::new(1)).expect("opens").db
    }

    fn tamper(db: &Db, change: impl FnOnce(&mut Batch)) -> Chain {
        let mut batch = Batch::new();
        change(&mut batch);
        db.commit(batch).expect("commits");
        verify(db, "ws_1").expect("reads")
    }

    #[test]
    fn events_are_numbered_and_chained_within_their_workspace() {
        let folder = tempfile::tempdir().expect("a folder");
        let db = open(folder.path());
        three(&db);
        assert_eq!(verify(&db, "ws_1"), Ok(Chain::Whole(3)));
        assert_eq!(verify(&db, "ws_2"), Ok(Chain::Whole(0)));
        let targets: Vec<String> = events(&db, "ws_1", 1, 10)
            .expect("reads")
            .into_iter()
            .map(|event| event.target)
            .collect();
        assert_eq!(targets, ["b", "c"]);
    }

    #[test]
    fn the_newest_come_first_and_pages_meet_without_a_gap() {
        let folder = tempfile::tempdir().expect("a folder");
        let db = open(folder.path());
        three(&db);
        let page = |before, limit, looked| {
            let (found, next) =
                newest(&db, "ws_1", before, (limit, looked), |event| event.target != "b").expect("reads");
            let targets: String = found.into_iter().map(|event| event.target).collect();
            (targets, next)
        };
        assert_eq!(page(4, 10, 100), ("ca".to_owned(), 1));
        assert_eq!(page(4, 1, 100), ("c".to_owned(), 3), "it stops where `b` stands");
        assert_eq!(page(3, 1, 100), ("a".to_owned(), 1));
        assert_eq!(
            page(4, 10, 2),
            ("c".to_owned(), 2),
            "no more are looked at than allowed"
        );
        assert_eq!(page(1, 10, 100), (String::new(), 1));
    }

    #[test]
    fn an_event_that_was_changed_taken_out_or_cut_off_is_noticed() {
        let folder = tempfile::tempdir().expect("a folder");
        let db = open(folder.path());
        three(&db);
        let second = key(EVENT, "ws_1", &2_u64.to_be_bytes());
        let third = key(EVENT, "ws_1", &3_u64.to_be_bytes());
        let kept = db.get(Event::SPACE, &second).expect("reads").expect("is there");
        let mut forged = Event::decode(&second, &kept).expect("decodes");
        forged.actor = "someone".to_owned();
        let forged = forged.encode().expect("encodes");
        let put = |bytes: Vec<u8>| {
            let second = second.clone();
            move |batch: &mut Batch| {
                batch.put(Event::SPACE, &second, bytes);
            }
        };
        assert_eq!(
            tamper(&db, put(forged)),
            Chain::BrokenAt(3),
            "the next one names another"
        );
        assert_eq!(
            tamper(&db, |batch| {
                batch.delete(Event::SPACE, &second);
            }),
            Chain::BrokenAt(2)
        );
        assert_eq!(tamper(&db, put(kept)), Chain::Whole(3));
        assert_eq!(
            tamper(&db, |batch| {
                batch.delete(Event::SPACE, &third);
            }),
            Chain::BrokenAt(3)
        );
    }
}
