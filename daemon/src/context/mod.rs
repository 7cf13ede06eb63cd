//! `context`: sessions, notes, and what an agent needs to get back into its work.
//!
//! Asked by `dispatch`. Other rooms go through [`store::Notes`] for the notes of a workspace: all of them for an export,
//! and [`store::Notes::put`] to put one back. **Invariant**: what was forgotten can be brought back for as long as the
//! answer said.

mod book;
pub mod budget;
pub mod gather;
mod lines;
mod notes;
pub mod repository;
pub mod rules;
pub mod session;
mod sessions;
pub mod store;
mod tell;

use std::path::Path;

use proto::context::{Answer, Call, Request};
use proto::error::{Error, Result};

use crate::artifact::{self, Home};
use crate::audit::{self, Said};
use crate::ctx::Ctx;
use crate::db::Batch;
use crate::dispatch::Desk;
use crate::task::{self, store::Tasks};
use crate::workspace::{self, Folder, Registry, WorkspaceScope};
pub use book::Book;
use store::{Memory, Notes};

/// The workspace that a request speaks of, who asks, and when.
struct Place<'a> {
    ctx: &'a Ctx,
    desk: &'a Desk<'a>,
    /// `ws_<12 hex>`.
    workspace: &'a str,
    /// The root of the caller's checkout.
    tree: &'a Path,
    /// Where that checkout keeps its things.
    folder: &'a Folder,
    /// Where the workspace keeps its artifacts.
    home: Home,
    /// Makes the workspace ready for its first record.
    enter: &'a dyn Fn(&mut Batch) -> Result<()>,
    /// What the caller should know of the workspace.
    warnings: &'a [String],
    actor: String,
    /// Nanoseconds since 1970 UTC.
    now: i64,
}

impl Place<'_> {
    fn tasks(&self) -> Tasks<'_> {
        Tasks::new(&self.ctx.db, self.workspace)
    }
}

/// The door: finds the workspace and who asks.
///
/// # Errors
/// What detection, the registry, the rules and the store say.
pub fn answer(desk: &Desk<'_>, call: Call) -> Result<proto::Answer> {
    let whole = proto::Request::Context(Box::new(call));
    workspace::with_registry(desk, &whole, |registry| {
        let proto::Request::Context(call) = &whole else {
            return Err(Error::bug("a request came to a room that it does not belong to"));
        };
        let scope = workspace::scope(registry, &call.at)?;
        placed(desk, registry, &scope, |place| door(place, &whole, &call.what))
    })
}

/// Does something for the workspace of a request.
fn placed<T>(
    desk: &Desk<'_>,
    registry: &Registry<'_>,
    scope: &WorkspaceScope,
    work: impl FnOnce(&Place<'_>) -> Result<T>,
) -> Result<T> {
    // Also of this very call, so that it begins no session after it has ended one.
    sessions::note_visits(desk.ctx);
    work(&Place {
        ctx: desk.ctx,
        desk,
        workspace: scope.id(),
        tree: scope.tree(),
        folder: scope.folder(),
        home: artifact::home_of(registry, scope),
        enter: &|batch: &mut Batch| registry.claim_once(batch, scope),
        warnings: scope.warnings(),
        actor: task::who::actor(desk.ask.caller.name())?,
        now: desk.ctx.world.now(),
    })
}

fn door(place: &Place<'_>, whole: &proto::Request, what: &Request) -> Result<proto::Answer> {
    let read = match what {
        Request::Remember(new) => return notes::remember(place, whole, new),
        Request::Forget { id } => return notes::change(place, whole, (notes::Verb::Forget, id)),
        Request::Restore { id } => return notes::change(place, whole, (notes::Verb::Restore, id)),
        Request::SessionStart { name, specialists } => {
            return sessions::start(place, whole, (name.as_deref(), specialists));
        }
        Request::SessionEnd { id } => return sessions::end(place, whole, id.as_deref()),
        Request::Recall {
            wanted,
            limit,
            cursor,
        } => notes::recall(place, wanted, (*limit, cursor.as_deref())),
        Request::SessionList { open, limit, cursor } => {
            sessions::list(place, *open, (*limit, cursor.as_deref()))
        }
        Request::Moment { of } => sessions::moment(place, of),
        Request::Prime { .. } | Request::Recover { .. } | Request::Handover { .. } => {
            return Err(Error::bug("a request came to a door that it does not belong to"));
        }
    };
    read.map(proto::Answer::Context)
}

/// Whether the answer is a text that is gathered from more than records: by [`gather::answer`].
#[must_use]
pub fn is_told(what: &Request) -> bool {
    matches!(
        what,
        Request::Prime { .. } | Request::Recover { .. } | Request::Handover { .. }
    )
}

/// Makes one change of a note: decided and recorded under the workspace's lock, with its audit event.
fn changed(
    place: &Place<'_>,
    whole: &proto::Request,
    op: &str,
    change: impl FnOnce(&mut Batch, Notes<'_>) -> Result<Memory>,
) -> Result<proto::Answer> {
    let ctx = place.ctx;
    place.desk.change(place.workspace, whole, |batch| {
        let note = change(batch, Notes::new(&ctx.db, place.workspace))?;
        (place.enter)(batch)?;
        let said = Said {
            time: place.now,
            actor: &place.actor,
            op: &format!("context.{op}"),
            target: &rules::name(note.number),
            count: 1,
        };
        audit::append(&ctx.db, batch, place.workspace, said)?;
        Ok(proto::Answer::Context(Answer::Note {
            restorable_until: rules::restorable_until(&note).filter(|_| note.forgotten.is_some()),
            note: Box::new(note.shown()),
            warnings: place.warnings.to_vec(),
        }))
    })
}

/// A name of the caller's, short enough for an error.
fn name_of(given: &str) -> String {
    given.chars().take(64).flat_map(char::escape_debug).collect()
}

/// The boards learn what the actors of open sessions take tasks for first.
pub fn declare(sessions: &Book, boards: &task::Boards) {
    for (workspace, session) in sessions.all() {
        boards.prefer(&workspace, &session.actor, session.specialists);
    }
}

/// What the daemon does on its own, once a second.
pub fn tick(ctx: &Ctx) {
    sessions::tick(ctx);
}

/// The last calls of all actors are written down, before the database is closed.
pub fn close(ctx: &Ctx) {
    sessions::note_visits(ctx);
    sessions::write(ctx, true);
}

/// What the daemon does on its own, once an hour.
///
/// # Errors
/// What the store says.
pub fn hourly(ctx: &Ctx) -> Result<()> {
    notes::sweep(ctx)
}
