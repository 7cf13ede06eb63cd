//! Sessions: one stretch of an actor's work in a workspace, when it begins and when it is over. Pure, but for its keys.
//!
//! Asked by the book and the doors. Open sessions and ended ones are kept apart, so that a start of the daemon reads the
//! open ones only. What must stay true: an actor has at most one open session in a workspace.

use proto::RawPath;
use proto::context::{Begun, Ended, Session as Shown};
use proto::error::Result;
use serde::{Deserialize, Serialize};

use crate::db::{Batch, Db, Record, Space};

const OPEN: Space = Space::new("context_open");
const OVER: Space = Space::new("context_over");

/// An actor that has not called for so long, in nanoseconds, has ended its session.
pub const SILENCE: i64 = 30 * 60 * 1_000_000_000;
/// How far a record may be behind what is known of an actor's last call, in nanoseconds.
pub const BEHIND: i64 = 60 * 1_000_000_000;
/// The ended sessions that are kept in one workspace.
pub const KEPT: usize = 1_000;
/// How long an ended session is kept, in nanoseconds.
pub const KEPT_FOR: i64 = 90 * 24 * 3600 * 1_000_000_000;

/// A session. Version 1, frozen once released.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// `session_<8 hex>`.
    pub id: String,
    /// Whose.
    pub actor: String,
    /// What it was called.
    pub name: Option<String>,
    /// What its actor takes tasks for first.
    pub specialists: Vec<String>,
    /// By a word or by itself.
    pub begun: Begun,
    /// Nanoseconds since 1970 UTC.
    pub started: i64,
    /// Of the last call, nanoseconds since 1970 UTC.
    pub seen: i64,
    /// When and how it ended.
    pub ended: Option<(i64, Ended)>,
    /// The checkout of its first call.
    pub tree: Option<RawPath>,
}

impl Record for Session {
    const SPACE: Space = OPEN;
    const VERSION: u8 = 1;
}

impl Session {
    /// One that begins now.
    #[must_use]
    pub fn new((id, actor): (String, &str), begun: Begun, now: i64, tree: Option<RawPath>) -> Self {
        Self {
            id,
            actor: actor.to_owned(),
            name: None,
            specialists: Vec::new(),
            begun,
            started: now,
            seen: now,
            ended: None,
            tree,
        }
    }

    /// Whether its actor has been silent for so long that it is over.
    #[must_use]
    pub fn silent(&self, now: i64) -> bool {
        now.saturating_sub(self.seen) >= SILENCE
    }

    /// As it crosses the wire.
    #[must_use]
    pub fn shown(&self) -> Shown {
        Shown {
            id: self.id.clone(),
            actor: self.actor.clone(),
            name: self.name.clone(),
            specialists: self.specialists.clone(),
            begun: self.begun,
            started: self.started,
            seen: self.seen,
            ended: self.ended.map(|(when, _)| when),
            by: self.ended.map(|(_, how)| how),
            tree: self.tree.clone(),
        }
    }

    /// `<workspace>/`, the start counted down so that the newest come first, the id.
    /// Where it is kept: the newest come first.
    #[must_use]
    pub fn key(&self, workspace: &str) -> Vec<u8> {
        let mut key = format!("{workspace}/").into_bytes();
        let started = u64::try_from(self.started).unwrap_or_default();
        key.extend_from_slice(&(u64::MAX - started).to_be_bytes());
        key.extend_from_slice(self.id.as_bytes());
        key
    }

    /// Adds it as it is now to `batch`.
    ///
    /// # Errors
    /// When it cannot be written as a record.
    pub fn put(&self, batch: &mut Batch, workspace: &str) -> Result<()> {
        let key = self.key(workspace);
        if self.ended.is_some() {
            batch.delete(OPEN, &key);
            batch.put(OVER, &key, self.encode()?);
        } else {
            batch.put(OPEN, &key, self.encode()?);
        }
        Ok(())
    }
}

/// All open sessions on record, with their workspaces.
///
/// # Errors
/// When the database cannot be read.
pub fn open(db: &Db) -> Result<Vec<(String, Session)>> {
    db.scan(OPEN, &[])
        .map(|item| {
            let (key, value) = item?;
            let end = key.iter().position(|byte| *byte == b'/').unwrap_or(key.len());
            let workspace = String::from_utf8_lossy(&key[..end]).into_owned();
            Ok((workspace, Session::decode(&key, &value)?))
        })
        .collect()
}

/// The ended sessions of a workspace, the newest first.
pub fn ended(db: &Db, workspace: &str) -> impl Iterator<Item = Result<Session>> + use<> {
    db.scan(OVER, format!("{workspace}/").as_bytes())
        .map(|item| item.and_then(|(key, value)| Session::decode(&key, &value)))
}

/// The ended session that is kept where this one would be.
///
/// # Errors
/// When the database cannot be read.
pub fn ended_like(db: &Db, workspace: &str, session: &Session) -> Result<Option<Session>> {
    let key = session.key(workspace);
    let found = db.get(OVER, &key)?;
    found.map(|value| Session::decode(&key, &value)).transpose()
}

/// Adds to `batch` that the sessions of a workspace that nobody needs any more are gone. At most so many at a time that
/// they fit into one batch.
///
/// # Errors
/// When the database cannot be read.
pub fn sweep(db: &Db, batch: &mut Batch, workspace: &str, now: i64) -> Result<()> {
    const AT_ONCE: usize = 10_000;
    for (number, session) in ended(db, workspace).take(KEPT + AT_ONCE).enumerate() {
        let session = session?;
        let old = session
            .ended
            .is_some_and(|(when, _)| now.saturating_sub(when) > KEPT_FOR);
        if old || number >= KEPT {
            batch.delete(OVER, &session.key(workspace));
        }
    }
    Ok(())
}
