//! `artifact`: named, immutable, versioned results of tasks, each a readable file in the project.
//!
//! Asked by `dispatch`. **Invariants**: object first, record second, file in the project third; a version's bytes never
//! change; identical bytes are kept once; what somebody changed by hand is never overwritten.
//!
//! For later rooms (a change of theirs may keep artifacts; the audit event stays theirs):
//!
//! 1. before the change, make the bytes an object: `ctx.db.objects().put(&bytes)` (in memory) or `.take_in(&mut reader,
//!    limit)` (any size) gives digest and size ([`crate::objects::Taken`]);
//! 2. within the change, under the workspace's lock: `let pen = Pen::open(ctx, &home, tree)?` once, with
//!    [`home_of`]`(registry, &scope)` and [`tree_of`]`(&scope)`, then [`Pen::store`]`(batch, &Given { .. }, taken)?` for each
//!    (ids kept and times given when [`Given`] says so), or [`Pen::put_back`] for one of an export;
//! 3. after the commit: `pen.committed()` puts the files in place and gives warnings; after a failure `pen.gave_up_for(&error)`.
//!
//! To read: [`newest_of`] a task, [`count`], [`wholes`] for an export, [`store::named_objects`] and
//! [`store::named_drafts`] for a sweep of objects, [`faults`] for health.

pub mod catalog;
pub mod complete;
pub mod copies;
pub mod due;
pub mod handed;
pub mod moving;
pub mod pen;
pub mod read;
pub mod rules;
pub mod search;
pub mod store;
mod strays;
#[cfg(test)]
mod tests;
pub mod upkeep;
pub mod upload;
pub mod vigil;
pub mod write;

use proto::RawPath;
use proto::artifact::{Artifact, Call, Copy, Request};
use proto::error::{Error, Result};

pub use catalog::Cabinet;
pub use copies::Home;
pub use pen::{Given, Pen, Whole};

use crate::ctx::Ctx;
use crate::db::Batch;
use crate::dispatch::{Desk, hold};
use crate::workspace::config::Settings;
use crate::workspace::{self, Registry, WorkspaceScope};

/// The workspace that a request speaks of, and what counts there.
pub struct Place<'a> {
    /// Where its files are.
    pub home: Home,
    /// The caller's checkout.
    pub tree: &'a std::path::Path,
    /// The most bytes of an artifact.
    pub limit: u64,
    /// After so many days what nobody has used may be put away.
    pub archive_after_days: u64,
    /// Makes the workspace ready for a write.
    pub enter: &'a dyn Fn(&mut Batch) -> Result<()>,
    /// What the caller should know of the workspace.
    pub warnings: &'a [String],
}

impl Place<'_> {
    /// The caller's checkout, when that is not the workspace's root.
    #[must_use]
    pub fn other_tree(&self) -> Option<RawPath> {
        (self.tree != self.home.root).then(|| RawPath::from(self.tree))
    }
}

/// Where the files of a workspace are.
#[must_use]
pub fn home_of(registry: &Registry<'_>, scope: &WorkspaceScope) -> Home {
    Home {
        workspace: scope.id().to_owned(),
        root: scope.root().to_path_buf(),
        storage: registry.storage(),
        places: registry.places.clone(),
    }
}

/// The caller's checkout, when that is not the workspace's root.
#[must_use]
pub fn tree_of(scope: &WorkspaceScope) -> Option<RawPath> {
    (scope.tree() != scope.root()).then(|| RawPath::from(scope.tree()))
}

/// The door: finds the workspace, and what counts there.
///
/// # Errors
/// What detection, the registry, the rules and the store say.
pub fn answer(desk: &Desk<'_>, call: Call) -> Result<proto::Answer> {
    // A piece of an upload is large, and nobody replays it: it is not kept beside its work.
    let (at, what) = (call.at, call.what);
    let whole = match &what {
        Request::Append { .. } => proto::Request::Artifact(Box::new(Call {
            at: at.clone(),
            what: Request::Partials,
        })),
        _ => proto::Request::Artifact(Box::new(Call {
            at: at.clone(),
            what: what.clone(),
        })),
    };
    workspace::with_registry(desk, &whole, |registry| {
        let scope = workspace::scope(registry, &at)?;
        // The settings are looked at on the disk each time: not for those who only read what is in memory.
        let weighs = what.takes_time() || matches!(what, Request::Optimize { .. });
        let settings = if weighs {
            registry.settings(&scope)
        } else {
            Settings::default()
        };
        let place = Place {
            home: home_of(registry, &scope),
            tree: scope.tree(),
            limit: settings.max_artifact_size_mb().saturating_mul(upload::MB),
            archive_after_days: settings.archive_after_days(),
            enter: &|batch: &mut Batch| registry.claim(batch, &scope).map(drop),
            warnings: scope.warnings(),
        };
        if let Request::Complete { .. } = what {
            return complete::answer(desk, (registry, &scope), &place, &whole);
        }
        answer_in(desk, &place, &whole, what)
    })
}

/// The same, for a workspace that has been found.
///
/// # Errors
/// What the rules and the store say.
pub fn answer_in(
    desk: &Desk<'_>,
    place: &Place<'_>,
    whole: &proto::Request,
    what: Request,
) -> Result<proto::Answer> {
    let actor = crate::task::who::actor(desk.ask.caller.actor.as_deref())?;
    // Any call is a sign of life: whoever uploads holds their task on.
    desk.ctx.boards.heard(&actor, desk.ctx.world.monotonic());
    let slot = desk.ctx.artifacts.slot(&place.home.workspace);
    slot.set_home(&place.home);
    let scene = write::Scene {
        desk,
        place,
        whole,
        slot: &slot,
        actor,
    };
    match what {
        Request::Append { draft, offset, bytes } => scene
            .dock()
            .append(&draft, offset, bytes)
            .map(proto::Answer::Artifact),
        what if what.changes() => scene.change(what),
        what => read::answer(&scene, &what).map(proto::Answer::Artifact),
    }
}

/// Loads a workspace's catalogue, or finds it as the records are.
///
/// # Errors
/// `Unavailable` when the records cannot be read.
pub(crate) fn ready(ctx: &Ctx, home: &Home) -> Result<std::sync::Arc<catalog::Slot>> {
    let slot = ctx.artifacts.slot(&home.workspace);
    slot.set_home(home);
    if !slot.is_current(&ctx.db, &home.workspace)? {
        let lock = ctx.locks.of(&home.workspace);
        let _held = hold(&lock);
        drop(Pen::open(ctx, home, None)?);
    }
    Ok(slot)
}

/// The artifacts of a task, the youngest first, at most `limit`.
///
/// # Errors
/// `Unavailable` when the records cannot be read.
pub fn newest_of(ctx: &Ctx, home: &Home, task: &str, limit: usize) -> Result<Vec<Artifact>> {
    let slot = ready(ctx, home)?;
    slot.with(|catalog| {
        let of = catalog
            .down_from(None)
            .filter(|entry| entry.card.task.as_deref() == Some(task) && entry.card.archived.is_none());
        Ok(of.take(limit).map(|entry| read::shown(home, entry)).collect())
    })
}

/// How many artifacts a workspace has, and the bytes of their newest versions; those put away left out.
///
/// # Errors
/// `Unavailable` when the records cannot be read.
pub fn count(ctx: &Ctx, home: &Home) -> Result<(u64, u64)> {
    let slot = ready(ctx, home)?;
    slot.with(|catalog| {
        let live = catalog.all().filter(|entry| entry.card.archived.is_none());
        Ok(live.fold((0, 0), |(count, bytes), entry| {
            (count + 1, bytes + entry.card.size)
        }))
    })
}

/// Every artifact of a workspace with all its versions, oldest first, for an export; the bytes are the objects of their
/// digests.
///
/// # Errors
/// `Unavailable` when the records cannot be read.
pub fn wholes(ctx: &Ctx, workspace: &str) -> Result<Vec<Whole>> {
    let records = store::Artifacts::new(&ctx.db, workspace);
    let mut cards = records.cards()?;
    cards.sort_by_key(|card| card.born);
    cards
        .into_iter()
        .map(|card| {
            let editions = records.editions(&card.id)?;
            Ok(Whole { card, editions })
        })
        .collect()
}

/// The artifacts whose file was changed or removed by hand, as far as has been noticed.
///
/// # Errors
/// `Unavailable` when the records cannot be read.
pub fn faults(ctx: &Ctx, home: &Home) -> Result<Vec<Artifact>> {
    let slot = ready(ctx, home)?;
    slot.with(|catalog| {
        let altered = catalog
            .all()
            .filter(|entry| matches!(entry.copy, Copy::Modified | Copy::Missing));
        Ok(altered.map(|entry| read::shown(home, entry)).collect())
    })
}

/// Looks after the files in the projects and closes uploads that rest, in every workspace in use. Once a second.
pub fn tick(ctx: &Ctx) {
    proto::piece::rest();
    due::bring(ctx);
    for (_, slot) in ctx.artifacts.slots() {
        slot.uploads.rest(ctx.world.monotonic());
        if let Some(home) = slot.home() {
            slot.vigil.look_after(ctx, &slot, &home);
        }
    }
}

/// A request of another kind came here.
fn stray() -> Error {
    Error::bug("a request came to a door that it does not belong to")
}
