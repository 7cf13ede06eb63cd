//! What the daemon does for its own database once a day: reading it through, a backup, and forgetting answers nobody will
//! ask for again.
//!
//! Asked once an hour by `dispatch`. What must stay true: the day is counted in the database, so that a daemon that
//! starts often does not back up often, and one that runs for months does; a database that is damaged takes no good backup's
//! place.

use proto::error::Result;
use serde::{Deserialize, Serialize};

use crate::ctx::Ctx;
use crate::db::{Batch, Record, Space};

/// Nanoseconds between two backups.
const DAY: i64 = 24 * 3600 * 1_000_000_000;

/// Regular backups that are kept.
const KEPT: usize = 7;

#[derive(Serialize, Deserialize)]
struct Cared {
    at: i64,
}

impl Record for Cared {
    const SPACE: Space = Space::new("care");
    const VERSION: u8 = 1;
}

/// Does what is due at `now`, nanoseconds since 1970 UTC; whether anything was. Blocks.
///
/// # Errors
/// What the store says; what was not done is due again at the next tick.
pub fn care(ctx: &Ctx) -> Result<bool> {
    let now = ctx.world.now();
    let last = ctx.db.record::<Cared>(b"")?.map(|cared| cared.at);
    if !due(last, now) {
        return Ok(false);
    }
    if let Err(error) = ctx.db.check() {
        ctx.life
            .warn(format!("the database is damaged and was not backed up: {error}"));
        return Err(error);
    }
    ctx.db.prune_answers(now)?;
    let backup = ctx.db.back_up(now, KEPT)?;
    let mut batch = Batch::new();
    batch.put(Cared::SPACE, b"", Cared { at: now }.encode()?);
    ctx.db.commit(batch)?;
    tracing::info!(backup = %backup.display(), "the database was backed up");
    Ok(true)
}

/// A clock that was set back must not put a backup off for long.
fn due(last: Option<i64>, now: i64) -> bool {
    last.is_none_or(|last| now < last || now - last >= DAY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_after_the_last_one_the_next_is_due() {
        assert!(due(None, 0));
        assert!(!due(Some(5), 5 + DAY - 1));
        assert!(due(Some(5), 5 + DAY));
        assert!(due(Some(5), 4), "the clock was set back");
    }

    #[test]
    fn care_backs_up_once_a_day() {
        let folder = tempfile::tempdir().expect("a folder");
        let places = proto::places::Places {
            socket: folder.path().join("s"),
            state_dir: folder.path().join("state"),
            config_dir: None,
            home: None,
        };
        crate::world::folder::make(&places.state_dir, crate::world::process::uid()).expect("made");
        let ctx = Ctx::open(places).expect("opened");
        assert!(care(&ctx).expect("done"));
        assert!(!care(&ctx).expect("nothing to do"));
        assert!(ctx.db.newest_backup().expect("listed").is_some());
        ctx.close().expect("closed");
    }
}
