//! The door of sessions, and what the tick does for them.
//!
//! What must stay true: a session that was answered for is on record; a call that only reads writes nothing itself.

use proto::context::{Answer, Begun, Ended, Of};
use proto::error::{Error, Result};
use proto::{Kind, RawPath};

use super::rules::{self, Cursor};
use super::session::{self, Session};
use super::{Place, name_of};
use crate::audit::{self, Said};
use crate::ctx::Ctx;
use crate::db::Batch;
use crate::dispatch::hold;
use crate::task;
use crate::world::World;

/// The most specialists that an actor declares.
const MOST_SPECIALISTS: usize = 16;

/// A new name.
pub(super) fn id(world: &dyn World) -> String {
    let mut four = [0; 4];
    world.random(&mut four);
    format!("session_{:08x}", u32::from_be_bytes(four))
}

/// Begins a session by a word. One that had begun by itself becomes this one; another is ended.
pub(super) fn start(
    place: &Place<'_>,
    whole: &proto::Request,
    (name, specialists): (Option<&str>, &[String]),
) -> Result<proto::Answer> {
    if let Some(name) = name {
        task::rules::line("name", name, task::rules::MAX_ACTOR)?;
    }
    if specialists.len() > MOST_SPECIALISTS {
        return Err(Error::too_large(format!("{} specialists", specialists.len()))
            .why(format!("a session has at most {MOST_SPECIALISTS}"))
            .next("leave some of them out"));
    }
    specialists
        .iter()
        .try_for_each(|name| task::rules::specialist(name))?;
    if place.actor == task::who::UNKNOWN {
        return Err(
            Error::usage("nobody whose session it would be").next("say who you are with `--actor NAME`")
        );
    }
    changed(place, whole, "session_start", || {
        let open = place.ctx.sessions.of(place.workspace, &place.actor);
        let tree = || Some(RawPath::from(place.tree));
        let (mut session, ended) = match open {
            Some(open) if open.begun == Begun::Itself => (open, None),
            Some(mut open) => {
                open.ended = Some((place.now, Ended::Said));
                (place.begun(tree()), Some(open))
            }
            None => (place.begun(tree()), None),
        };
        session.begun = Begun::Said;
        session.seen = place.now;
        session.name = name.map(str::to_owned);
        session.specialists = specialists.to_vec();
        Ok((session, ended))
    })
}

impl Place<'_> {
    fn begun(&self, tree: Option<RawPath>) -> Session {
        let id = id(&*self.ctx.world);
        Session::new((id, &self.actor), Begun::Said, self.now, tree)
    }
}

/// Ends the caller's session, or a named one.
pub(super) fn end(place: &Place<'_>, whole: &proto::Request, id: Option<&str>) -> Result<proto::Answer> {
    changed(place, whole, "session_end", || {
        let book = &place.ctx.sessions;
        let open = match id {
            None => book.of(place.workspace, &place.actor),
            Some(id) => book
                .all_of(place.workspace)
                .into_iter()
                .find(|session| session.id == id),
        };
        let mut session = open.ok_or_else(|| {
            let what = match id {
                None => format!("`{}` has no open session here", place.actor.escape_debug()),
                Some(id) => format!("no open session `{}` in this workspace", name_of(id)),
            };
            Error::not_found(what).next("`tocli session list` shows them")
        })?;
        session.ended = Some((place.now, Ended::Said));
        Ok((session, None))
    })
}

fn changed(
    place: &Place<'_>,
    whole: &proto::Request,
    op: &str,
    change: impl FnOnce() -> Result<(Session, Option<Session>)>,
) -> Result<proto::Answer> {
    let ctx = place.ctx;
    let mut put = Vec::new();
    let outcome = place.desk.change(place.workspace, whole, |batch| {
        let (session, also) = change()?;
        for one in also.iter().chain([&session]) {
            one.put(batch, place.workspace)?;
            put.push(one.clone());
        }
        let said = Said {
            time: place.now,
            actor: &place.actor,
            op: &format!("context.{op}"),
            target: &session.id,
            count: put.len(),
        };
        audit::append(&ctx.db, batch, place.workspace, said)?;
        put.iter().for_each(|one| taken_over(ctx, place.workspace, one));
        Ok(proto::Answer::Context(Answer::Session {
            session: Box::new(session.shown()),
            warnings: place.warnings.to_vec(),
        }))
    });
    if outcome.is_err() {
        ctx.sessions.doubt(place.workspace);
    }
    outcome
}

/// The book and the boards learn of a session that was put into a batch.
fn taken_over(ctx: &Ctx, workspace: &str, session: &Session) {
    let prefers = match session.ended {
        Some(_) => Vec::new(),
        None => session.specialists.clone(),
    };
    ctx.boards.prefer(workspace, &session.actor, prefers);
    ctx.sessions.put(workspace, session.clone());
}

/// A page of sessions, the newest first.
pub(super) fn list(
    place: &Place<'_>,
    open_only: bool,
    (limit, cursor): (u32, Option<&str>),
) -> Result<Answer> {
    let limit = rules::limit(limit)?;
    let mut found = place.ctx.sessions.all_of(place.workspace);
    if !open_only {
        for session in session::ended(&place.ctx.db, place.workspace) {
            found.push(session?);
        }
    }
    found.sort_by(|one, other| {
        other
            .started
            .cmp(&one.started)
            .then_with(|| one.id.cmp(&other.id))
    });
    let newest = |session: &Session| u64::try_from(session.started).unwrap_or_default();
    let cursor = Cursor::read(cursor)?.unwrap_or(Cursor {
        highest: found.first().map_or(0, newest),
        shown: 0,
    });
    found.retain(|session| newest(session) <= cursor.highest);
    let total = found.len();
    let sessions: Vec<_> = found
        .iter()
        .skip(cursor.shown)
        .take(limit)
        .map(Session::shown)
        .collect();
    let shown = cursor.shown.saturating_add(sessions.len());
    Ok(Answer::Sessions {
        next_cursor: (shown < total && !sessions.is_empty()).then(|| Cursor { shown, ..cursor }.text()),
        sessions,
    })
}

/// When a session or a task began.
pub(super) fn moment(place: &Place<'_>, of: &str) -> Result<Answer> {
    let open = place.ctx.sessions.all_of(place.workspace).into_iter().map(Ok);
    for session in open.chain(session::ended(&place.ctx.db, place.workspace)) {
        let session = session?;
        if session.id == of {
            return Ok(Answer::Moment {
                of: Of::Session,
                time: session.started,
            });
        }
    }
    match place.tasks().card(of) {
        Ok(card) => Ok(Answer::Moment {
            of: Of::Task,
            time: card.started.unwrap_or(card.created),
        }),
        Err(error) if error.kind == Kind::NotFound => Err(Error::not_found(format!(
            "no session and no task `{}` in this workspace",
            name_of(of)
        ))
        .why("it is neither a clock (`c:…`) nor a time ago (`10m`) nor a time (`08:00`, `today`) either")
        .next("`tocli session list` and `tocli task list --all` show them")),
        Err(error) => Err(error),
    }
}

/// What the daemon does on its own, once a second: calls become sessions, silence ends them, and what is due is written.
pub(super) fn tick(ctx: &Ctx) {
    let now = ctx.world.now();
    note_visits(ctx);
    ctx.sessions.end_silent(now, |actor| {
        task::who::process(actor).is_some_and(|process| ctx.boards.alive(process))
    });
    write(ctx, false);
}

/// Calls that nobody has taken note of yet become sessions.
pub(super) fn note_visits(ctx: &Ctx) {
    for (workspace, actor, visit) in ctx.entered.take_visits() {
        if actor != task::who::UNKNOWN {
            ctx.sessions
                .visited((&workspace, &actor), &visit, || id(&*ctx.world));
        }
    }
}

/// Writes down what is due; with `all` every last call, for the close that follows and makes it durable.
pub(super) fn write(ctx: &Ctx, all: bool) {
    for workspace in ctx.sessions.due(all) {
        let lock = ctx.locks.of(&workspace);
        let held = hold(&lock);
        let sessions = ctx.sessions.take(&workspace, all);
        let mut batch = Batch::new();
        let put = sessions
            .iter()
            .try_for_each(|session| session.put(&mut batch, &workspace));
        let staged = put.and_then(|()| ctx.db.stage(batch));
        drop(held);
        let written = match all {
            true => staged.map(drop),
            false => staged.and_then(crate::db::Staged::durable),
        };
        for over in sessions.iter().filter(|session| session.ended.is_some()) {
            if ctx.sessions.of(&workspace, &over.actor).is_none() {
                ctx.boards.prefer(&workspace, &over.actor, Vec::new());
            }
        }
        if let Err(error) = written {
            tracing::warn!(%workspace, %error, "sessions could not be written down");
            ctx.sessions.give_back(&workspace, sessions);
        }
    }
}
