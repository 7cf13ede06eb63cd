//! Forgetting for good: 30 days after a workspace was forgotten, its records go, those of every room.
//!
//! Asked by `dispatch` once an hour. What must stay true: the registry's own record goes last, so that whoever dies in
//! between goes on at the next hour; nothing in a project's folder is touched.

use proto::error::Result;

use super::registry::REGISTRY;
use super::{rules, store};
use crate::ctx::Ctx;
use crate::db::{Batch, Db, Space};
use crate::dispatch::hold;

/// How many records go in one batch.
const AT_ONCE: usize = 1000;

/// Erases what was forgotten more than 30 days ago: the ids of those that are gone.
///
/// # Errors
/// When the database cannot be read or written.
pub fn erase_expired(ctx: &Ctx) -> Result<Vec<String>> {
    let now = ctx.world.now();
    let mut gone = Vec::new();
    for row in store::rows(&ctx.db)? {
        if !rules::expired(row.forgotten, now) {
            continue;
        }
        let locks = [ctx.locks.of(REGISTRY), ctx.locks.of(&row.id)];
        // Two locks in the order of their scopes, as every change takes them: `workspace` stands before `ws_…`.
        let _held = locks.each_ref().map(|lock| hold(lock));
        // It may have been restored while nobody held the lock.
        if rules::expired(store::row(&ctx.db, &row.id)?.forgotten, now) {
            erase(&ctx.db, &row.id)?;
            gone.push(row.id);
        }
    }
    Ok(gone)
}

/// Removes every record of a workspace.
pub(super) fn erase(db: &Db, id: &str) -> Result<()> {
    for (space, _) in store::BY_WORKSPACE {
        while erase_some(db, space, id)? == AT_ONCE {}
    }
    let mut batch = Batch::new();
    store::erase(db, &mut batch, id)?;
    db.commit(batch)
}

fn erase_some(db: &Db, space: Space, id: &str) -> Result<usize> {
    let found = db.page(space, format!("{id}/").as_bytes(), None, AT_ONCE)?;
    let mut batch = Batch::new();
    for (key, _) in &found {
        batch.delete(space, key);
    }
    db.commit(batch)?;
    Ok(found.len())
}
