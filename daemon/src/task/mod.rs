//! `task` and `next`: units of work per workspace, who holds them, what is ready.
//!
//! Asked by `dispatch`. Later rooms ask for the board of a workspace and for [`Boards::heard`]. **Invariants**: two actors
//! never hold one task; what was acknowledged is in the records; the board is derived from the records; no
//! request of one workspace reads a record of another.

pub mod board;
pub mod boards;
pub mod bring;
pub mod card;
pub mod change;
pub mod document;
pub mod edit;
pub mod graph;
pub mod import;
pub mod lease;
pub mod moves;
pub mod nothing;
mod pen;
pub mod plan;
pub mod prompt;
pub mod query;
pub mod read;
pub mod rehome;
pub mod rules;
pub mod shown;
pub mod step;
pub mod store;
pub mod template;
#[cfg(test)]
mod tests;
pub mod view;
pub mod who;
pub mod write;

use std::time::Duration;

use proto::RawPath;
use proto::error::{Error, Result};
use proto::role::Role;
use proto::task::{Call, Request};

use crate::ctx::Ctx;
use crate::db::Batch;
use crate::dispatch::Desk;
use crate::workspace::config::Settings;
use crate::workspace::{self, Registry, WorkspaceScope, role};
pub use boards::{Boards, Terms};

/// The workspace that a request speaks of, and what counts there.
#[derive(Clone, Copy)]
pub struct Place<'a> {
    /// `ws_<12 hex>`.
    pub workspace: &'a str,
    /// Where a task is moved to.
    pub to: Option<&'a str>,
    /// The caller's checkout, when the workspace has several.
    pub tree: Option<&'a RawPath>,
    /// How long leases last.
    pub terms: Terms,
    /// Finds a role in force there.
    pub roles: &'a dyn Fn(&str) -> Option<Role>,
    /// Makes the workspace ready for its first record.
    pub enter: &'a dyn Fn(&mut Batch) -> Result<()>,
    /// What the caller should know of the workspace.
    pub warnings: &'a [String],
}

impl Place<'_> {
    /// The role of a specialist; the generic one for a specialist that no file describes.
    #[must_use]
    pub fn role(&self, specialist: &str) -> Option<Role> {
        (self.roles)(specialist).or_else(|| (self.roles)(rules::GENERIC))
    }
}

/// The door: finds the workspace, and what counts there.
///
/// # Errors
/// What detection, the registry, the rules and the store say.
pub fn answer(desk: &Desk<'_>, call: Call) -> Result<proto::Answer> {
    let whole = proto::Request::Task(Box::new(call));
    workspace::with_registry(desk, &whole, |registry| {
        let call = of(&whole)?;
        let scope = workspace::scope(registry, &call.at)?;
        placed_for(desk, (registry, &scope), Some(&call.what), |place| {
            answer_in(desk, place, &whole)
        })
    })
}

/// Hands what counts for the tasks of a workspace to a later room that changes one of them.
///
/// # Errors
/// What `work` says.
pub fn placed<T>(
    desk: &Desk<'_>,
    found: (&Registry<'_>, &WorkspaceScope),
    work: impl FnOnce(&Place<'_>) -> Result<T>,
) -> Result<T> {
    placed_for(desk, found, None, work)
}

fn placed_for<T>(
    desk: &Desk<'_>,
    (registry, scope): (&Registry<'_>, &WorkspaceScope),
    what: Option<&Request>,
    work: impl FnOnce(&Place<'_>) -> Result<T>,
) -> Result<T> {
    let slot = desk.ctx.boards.slot(scope.id());
    // The settings are looked at on the disk each time: not for those who only read a board that is there.
    let terms = match what.is_none_or(Request::changes) || !slot.is_ready() {
        true => terms(&registry.settings(scope)),
        false => slot.terms(),
    };
    let tree = (scope.tree() != scope.root()).then(|| RawPath::from(scope.tree()));
    let found = |name: &str| {
        let own = registry.places.config_dir.as_deref();
        role::in_force(registry.world, own, Some(scope.folder()))
            .roles
            .remove(name)
    };
    work(&Place {
        workspace: scope.id(),
        to: None,
        tree: tree.as_ref(),
        terms,
        roles: &found,
        enter: &|batch: &mut Batch| registry.claim_once(batch, scope),
        warnings: scope.warnings(),
    })
}

fn terms(settings: &Settings) -> Terms {
    Terms {
        lease: Duration::from_secs(settings.lease_minutes().saturating_mul(60)),
        max_attempts: u32::try_from(settings.max_attempts()).unwrap_or(u32::MAX),
        require_validation: settings.require_validation(),
    }
}

fn of(whole: &proto::Request) -> Result<&Call> {
    match whole {
        proto::Request::Task(call) => Ok(call),
        _ => Err(Error::bug("a request came to a room that it does not belong to")),
    }
}

/// The same, for a workspace that has been found.
///
/// # Errors
/// What the rules and the store say.
pub fn answer_in(desk: &Desk<'_>, place: &Place<'_>, whole: &proto::Request) -> Result<proto::Answer> {
    let call = of(whole)?;
    if let (Request::Move { .. }, Some(to)) = (&call.what, place.to) {
        // By a room that comes before those that take something along.
        return rehome::answer(desk, (place, to), whole, &|_, _| Ok(Vec::new()));
    }
    if call.what.changes() {
        return write::answer(desk, place, (whole, &call.what));
    }
    read::answer(desk, place, &call.what).map(proto::Answer::Task)
}

/// How many tasks of each status a workspace has: from its board where that is at hand, else from the records.
///
/// # Errors
/// `Unavailable` when the records cannot be read.
pub fn by_status(ctx: &Ctx, workspace: &str) -> Result<Vec<(String, u64)>> {
    let mut slots = ctx.boards.slots().into_iter();
    match slots.find(|(id, slot)| id == workspace && slot.is_ready()) {
        Some((_, slot)) => slot.with(|board| Ok(query::by_status(board.all(0).map(AsRef::as_ref)))),
        None => Ok(query::by_status(
            store::Tasks::new(&ctx.db, workspace).cards()?.iter(),
        )),
    }
}

/// Gives back what is held by leases that have ended, in every workspace in use. Once a second.
pub fn tick(ctx: &Ctx) {
    for (workspace, slot) in ctx.boards.slots() {
        if let Err(error) = pen::sweep(ctx, &workspace, &slot) {
            tracing::warn!(%workspace, %error, "expired claims could not be given back");
        }
    }
    // Also with no board in use: the clock counts only what it was read for.
    ctx.boards.running(ctx.world.monotonic());
}
