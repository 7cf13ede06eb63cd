//! Files that an import still owes: settings and roles, and what decisions say, which a daemon that ended between the last
//! records and the files has left to the next one.
//!
//! Asked by the tick: at once when the daemon begins, then about once a minute where something is noted. What must stay
//! true: no file comes before all records of its import; a file that is there stays as it is; a note goes only when its
//! file is there. What was imported from a linked checkout comes into the folder of the workspace's root.

use std::io::ErrorKind;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, TryLockError};
use std::time::Duration;

use proto::error::Result;

use super::store::{self, Begun, Owed};
use crate::ctx::Ctx;
use crate::db::Batch;
use crate::decision;
use crate::workspace::{self, Folder, Standing};
use crate::world::World;

/// How long a project that did not take its files is left alone.
const PAUSE: Duration = Duration::from_secs(60);

/// When somebody looks next; at once when nobody has looked yet.
#[derive(Debug, Default)]
pub struct Debts(Mutex<Option<Duration>>);

#[cfg(test)]
impl Debts {
    /// As a daemon that begins.
    pub(super) fn forget(&self) {
        *self.0.lock().expect("whole") = None;
    }
}

/// A lock, without waiting for it: none while somebody holds it. Who panicked with it holds it no more.
pub(super) fn hold_at_once<T>(lock: &Mutex<T>) -> Option<MutexGuard<'_, T>> {
    match lock.try_lock() {
        Ok(held) => Some(held),
        Err(TryLockError::Poisoned(broken)) => Some(broken.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    }
}

/// Puts a file where there is none.
///
/// # Errors
/// What the disk says.
pub(super) fn put(world: &dyn World, folder: &Folder, (name, bytes): (&str, &[u8])) -> Result<()> {
    match is_missing(world, folder, name) {
        true => folder.write(world, Path::new(name), bytes),
        false => Ok(()),
    }
}

/// Whether nothing is there under that name.
pub(super) fn is_missing(world: &dyn World, folder: &Folder, name: &str) -> bool {
    let path = folder.base.join(folder.within(name));
    world
        .stat(&path)
        .is_err_and(|error| error.kind() == ErrorKind::NotFound)
}

/// Puts into the projects what they are owed. One at a time: who finds another at it leaves it to them, because a mount
/// may hang.
pub fn bring(ctx: &Ctx) {
    let Some(mut next) = hold_at_once(&ctx.debts.0) else {
        return;
    };
    let now = ctx.world.monotonic();
    if next.is_some_and(|next| now < next) {
        return;
    }
    // Every change of a decision writes its files: only who ended before could not.
    let begins = next.is_none();
    *next = Some(now + PAUSE);
    let outcome = due(ctx, begins).and_then(|due| match due.is_empty() {
        true => Ok(None),
        false => all(ctx, &due),
    });
    ctx.life
        .ail("owed", outcome.unwrap_or_else(|error| Some(error.to_string())));
}

/// What is due, by workspace.
struct Due {
    files: Vec<Owed>,
    decisions: Vec<String>,
}

impl Due {
    fn is_empty(&self) -> bool {
        self.files.is_empty() && self.decisions.is_empty()
    }
}

fn due(ctx: &Ctx, begins: bool) -> Result<Due> {
    let mut due = Due {
        files: store::owed(&ctx.db)?,
        decisions: match begins {
            true => decision::due(&ctx.db)?,
            false => Vec::new(),
        },
    };
    if !due.is_empty() {
        let begun = Begun::all(&ctx.db)?;
        let whole = |workspace: &str| begun.iter().all(|(one, _)| one != workspace);
        due.files.retain(|file| whole(&file.workspace));
        due.decisions.retain(|workspace| whole(workspace));
    }
    Ok(due)
}

/// What could not be put, a sentence.
fn all(ctx: &Ctx, due: &Due) -> Result<Option<String>> {
    let mut left = None;
    for standing in workspace::standing(&*ctx.world, &ctx.places, &ctx.db, &ctx.config)? {
        let files: Vec<&Owed> = due
            .files
            .iter()
            .filter(|file| file.workspace == standing.id())
            .collect();
        if let Err(error) = files_of(ctx, &standing, &files) {
            left = Some(format!(
                "files that were imported into `{}` are not there yet: {error}",
                standing.id()
            ));
        }
        if due.decisions.iter().any(|workspace| workspace == standing.id()) {
            let place = decision::Place {
                workspace: standing.id(),
                tree: standing.root(),
                folder: &standing.folder,
                enter: &|_: &mut Batch| standing.make(&*ctx.world),
                warnings: &[],
            };
            let warnings = decision::write_files(ctx, &place);
            warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
        }
    }
    Ok(left)
}

fn files_of(ctx: &Ctx, standing: &Standing, files: &[&Owed]) -> Result<()> {
    if files.is_empty() {
        return Ok(());
    }
    standing.make(&*ctx.world)?;
    let mut batch = Batch::new();
    for file in files {
        let bytes = ctx.db.objects().get(&file.digest)?;
        put(&*ctx.world, &standing.folder, (&file.name, &bytes))?;
        store::paid(&mut batch, standing.id(), &file.name);
    }
    ctx.db.commit(batch)?;
    tracing::info!(
        workspace = standing.id(),
        count = files.len(),
        "files that an import owed are put into their project"
    );
    Ok(())
}
