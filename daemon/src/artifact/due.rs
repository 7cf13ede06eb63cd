//! Files that are due: what a daemon that ended between a commit and its files has left to the next one.
//!
//! Asked by the tick: at once when the daemon begins, then about once a minute where something is noted. A copy that was
//! being made lies among the copies of its project, and is finished by whoever loads the catalogue; an import makes none,
//! so it notes with its last records that files are due. What must stay true: a note goes only when nothing is missing
//! any more.

use std::path::Path;
use std::time::Duration;

use proto::error::Result;

use super::store::{self, Artifacts};
use super::{Home, Pen, ready, rules};
use crate::ctx::Ctx;
use crate::db::Batch;
use crate::dispatch::hold;
use crate::workspace;

/// How long a project that did not take its files is left alone.
const PAUSE: Duration = Duration::from_secs(60);

/// Puts files in place that are due, in every workspace that stands.
pub(super) fn bring(ctx: &Ctx) {
    let now = ctx.world.monotonic();
    let Some(begins) = ctx.artifacts.looks_for_due(now, PAUSE) else {
        return;
    };
    if let Err(error) = all(ctx, begins) {
        tracing::warn!(%error, "files of artifacts that are due could not be put into their projects");
    }
}

/// Whether the daemon begins, or goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// Copies of a daemon before may lie about.
    First,
    /// Only what is noted.
    Again,
}

fn all(ctx: &Ctx, look: Look) -> Result<()> {
    let owed = store::due(&ctx.db)?;
    if owed.is_empty() && look == Look::Again {
        return Ok(());
    }
    let world = &*ctx.world;
    let storage = ctx.config.settings(world, None, &[]).storage();
    for standing in workspace::standing(world, &ctx.places, &ctx.db, &ctx.config)? {
        let noted = owed.iter().any(|id| id == standing.id());
        let drafts = standing
            .folder
            .within(Path::new(rules::FOLDER).join(rules::DRAFTS));
        let lies = || {
            let found = world.list_beneath(&standing.folder.base, &drafts, 1);
            found.is_ok_and(|found| !found.is_empty())
        };
        let due = noted || (look == Look::First && lies());
        if !due {
            continue;
        }
        let home = Home {
            workspace: standing.id().to_owned(),
            root: standing.root().to_path_buf(),
            storage,
            places: ctx.places.clone(),
        };
        if let Err(error) = bring_to(ctx, &home, noted) {
            tracing::warn!(workspace = standing.id(), %error, "files of artifacts stay due");
        }
    }
    Ok(())
}

fn bring_to(ctx: &Ctx, home: &Home, noted: bool) -> Result<()> {
    // Loading finishes what lies about.
    ready(ctx, home)?;
    if !noted {
        return Ok(());
    }
    let lock = ctx.locks.of(&home.workspace);
    let held = hold(&lock);
    let pen = Pen::open(ctx, home, None)?;
    drop(held);
    let (count, warnings) = pen.place_missing();
    warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
    if count > 0 {
        tracing::info!(
            workspace = home.workspace,
            count,
            "files that were due are put into their project"
        );
        return Ok(());
    }
    let mut batch = Batch::new();
    Artifacts::new(&ctx.db, &home.workspace).not_due(&mut batch);
    ctx.db.commit(batch)
}
