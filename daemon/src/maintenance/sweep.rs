//! The sweep of objects: files that no record of any room names, above all those of workspaces that were erased.
//!
//! Asked once an hour, done once a day. What must stay true: an object goes only after it was found unnamed on every day
//! of a month, longer than any backup of the records is kept, so that no record of the database or of a backup is left
//! without its bytes.

#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::time::Duration;

use proto::error::Result;
use serde::{Deserialize, Serialize};

use super::{exchange, legacy};
use crate::ctx::Ctx;
use crate::db::{Batch, Db, Record, Space};
use crate::objects::Digest;
use crate::{artifact, decision, task};

/// Nanoseconds of a day.
const DAY: i64 = 24 * 3600 * 1_000_000_000;
/// How long an object stays that nobody names.
pub const GRACE: i64 = 30 * DAY;
/// A draft that nobody has written to for so long, and that no upload knows, was left by a crash.
const OLD_DRAFT: Duration = Duration::from_secs(24 * 3600);
/// How many notes go into one batch.
const AT_ONCE: usize = 1000;

/// When the last sweep was, at the empty key; since when an object has no name, at its digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Noted {
    at: i64,
}

impl Record for Noted {
    const SPACE: Space = Space::new("object_unnamed");
    const VERSION: u8 = 1;
}

/// What a sweep came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Objects that are named.
    pub named: usize,
    /// Objects that wait.
    pub waiting: usize,
    /// Objects that are gone.
    pub removed: usize,
    /// Drafts that are gone.
    pub drafts: usize,
}

/// Once a day; none when it is not due.
///
/// # Errors
/// What the database and the disk say.
pub fn daily(ctx: &Ctx, now: i64) -> Result<Option<Swept>> {
    let last = ctx.db.record::<Noted>(b"")?.map(|noted| noted.at);
    match last {
        Some(last) if (last..last + DAY).contains(&now) => Ok(None),
        _ => sweep(ctx, now).map(Some),
    }
}

fn named(db: &Db) -> Result<HashSet<Digest>> {
    let mut named = HashSet::new();
    named.extend(task::store::named_objects(db)?);
    named.extend(artifact::store::named_objects(db)?);
    named.extend(decision::store::named_objects(db)?);
    named.extend(legacy::store::named_objects(db)?);
    named.extend(exchange::store::named_objects(db)?);
    named.extend(db.named_answers()?);
    Ok(named)
}

/// Notes what has no name, and removes what has had none for a month.
///
/// # Errors
/// What the database and the disk say.
pub fn sweep(ctx: &Ctx, now: i64) -> Result<Swept> {
    let objects = ctx.db.objects();
    objects.turn();
    let stored = objects.stored()?;
    let named = named(&ctx.db)?;
    let mut swept = Swept::default();
    let mut batch = Batch::new();
    let mut noted = 0;
    let mut known: HashSet<Digest> = HashSet::new();
    for digest in stored {
        known.insert(digest);
        if named.contains(&digest) {
            swept.named += 1;
            // It is named again: its time begins anew.
            if ctx.db.get(Noted::SPACE, digest.as_bytes())?.is_some() {
                batch.delete(Noted::SPACE, digest.as_bytes());
                noted += 1;
            }
        } else {
            let since = ctx.db.record::<Noted>(digest.as_bytes())?.map(|noted| noted.at);
            let due = since.is_some_and(|since| now.saturating_sub(since) >= GRACE);
            if due && objects.remove_unnamed(&digest)? {
                swept.removed += 1;
                batch.delete(Noted::SPACE, digest.as_bytes());
                noted += 1;
            } else {
                swept.waiting += 1;
                if since.is_none_or(|since| since > now) {
                    batch.put(Noted::SPACE, digest.as_bytes(), Noted { at: now }.encode()?);
                    noted += 1;
                }
            }
        }
        if noted >= AT_ONCE {
            noted = 0;
            ctx.db.commit(std::mem::take(&mut batch))?;
        }
    }
    for item in ctx.db.scan(Noted::SPACE, &[]) {
        let (key, _) = item?;
        let gone =
            <[u8; 32]>::try_from(key.as_slice()).is_ok_and(|digest| !known.contains(&Digest::from(digest)));
        if gone {
            batch.delete(Noted::SPACE, &key);
        }
    }
    let drafts: HashSet<String> = artifact::store::named_drafts(&ctx.db)?.into_iter().collect();
    swept.drafts = objects.drop_drafts(OLD_DRAFT, |name| drafts.contains(name))?;
    batch.put(Noted::SPACE, b"", Noted { at: now }.encode()?);
    ctx.db.commit(batch)?;
    Ok(swept)
}
