//! The history of reboots: one record each, by time.

use proto::daemon::{Outcome, Reboot};
use proto::error::Result;
use serde::{Deserialize, Serialize};

use crate::db::{Batch, Db, Record, Space};

/// The newest that are kept.
const KEPT: usize = 100;

/// A reboot as it is stored: the message of today, frozen.
#[derive(Serialize, Deserialize)]
struct Stored {
    at: i64,
    outcome: Outcome,
    why: Option<String>,
    reason: Option<String>,
    binary: proto::RawPath,
    from_version: String,
    to_version: String,
    from_schema: u32,
    to_schema: u32,
    pid: u32,
    generation: u32,
    connections: u32,
    pause_us: u64,
    took_ms: u64,
}

impl Record for Stored {
    const SPACE: Space = Space::new("reboot");
    const VERSION: u8 = 1;
}

/// Adds one, and lets go of the oldest beyond [`KEPT`].
pub(super) fn remember(db: &Db, reboot: &Reboot) -> Result<()> {
    let reboot = reboot.clone();
    let stored = Stored {
        at: reboot.at,
        outcome: reboot.outcome,
        why: reboot.why.map(|why| cut(why, 2000)),
        reason: reboot.reason.map(|reason| cut(reason, 500)),
        binary: reboot.binary,
        from_version: reboot.from_version,
        to_version: reboot.to_version,
        from_schema: reboot.from_schema,
        to_schema: reboot.to_schema,
        pid: reboot.pid,
        generation: reboot.generation,
        connections: reboot.connections,
        pause_us: reboot.pause_us,
        took_ms: reboot.took_ms,
    };
    let mut batch = Batch::new();
    let mut keys = Vec::new();
    for pair in db.scan(Stored::SPACE, b"") {
        keys.push(pair?.0);
    }
    for key in keys.iter().take(keys.len().saturating_sub(KEPT - 1)) {
        batch.delete(Stored::SPACE, key);
    }
    batch.put(Stored::SPACE, &stored.at.to_be_bytes(), stored.encode()?);
    db.commit(batch)
}

/// All that are kept, the newest first.
pub(super) fn history(db: &Db) -> Result<Vec<Reboot>> {
    let mut history = Vec::new();
    for pair in db.scan(Stored::SPACE, b"") {
        let (key, bytes) = pair?;
        let stored = Stored::decode(&key, &bytes)?;
        history.push(Reboot {
            at: stored.at,
            outcome: stored.outcome,
            why: stored.why,
            reason: stored.reason,
            binary: stored.binary,
            from_version: stored.from_version,
            to_version: stored.to_version,
            from_schema: stored.from_schema,
            to_schema: stored.to_schema,
            pid: stored.pid,
            generation: stored.generation,
            connections: stored.connections,
            pause_us: stored.pause_us,
            took_ms: stored.took_ms,
        });
    }
    history.reverse();
    Ok(history)
}

fn cut(mut text: String, limit: usize) -> String {
    let at = (0..=limit.min(text.len()))
        .rev()
        .find(|at| text.is_char_boundary(*at))
        .unwrap_or_default();
    text.truncate(at);
    text
}
