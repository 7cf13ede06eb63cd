//! `maintenance`: the audit trail, export and import, and what keeps a workspace well.
//!
//! Asked by `dispatch`, and by the daemon's own ticks. **Invariant**: the mirror of an audit trail is a function of the
//! trail: it is brought up after commits, outside of any request, and never by looking.

pub mod exchange;
pub mod legacy;
pub mod mirror;
pub mod rules;
pub mod sweep;
pub mod trail;

use proto::error::{Error, Result};
use proto::maintenance::{Call, Request};

use std::sync::Arc;

use crate::ctx::Ctx;
use crate::dispatch::{Ask, Desk, compute};
use crate::server::Sink;
use crate::workspace;
pub use mirror::{Care, Mirrors};

/// The door.
///
/// # Errors
/// What detection, the registry and the store say.
pub fn answer(desk: &Desk<'_>, call: Call) -> Result<proto::Answer> {
    let whole = proto::Request::Maintenance(Box::new(call));
    workspace::with_registry(desk, &whole, |registry| {
        let proto::Request::Maintenance(call) = &whole else {
            return Err(Error::bug("a request came to a room that it does not belong to"));
        };
        let scope = workspace::scope(registry, &call.at)?;
        let answer = match &call.what {
            Request::Audit {
                filter,
                limit,
                cursor,
            } => trail::page(desk.ctx, &scope, filter, (*limit, cursor.as_deref())),
            Request::AuditVerify => trail::verified(registry, &scope),
            Request::Legacy { .. } | Request::Export | Request::Import { .. } => {
                Err(Error::bug("what takes long came to the door of those who look"))
            }
        };
        answer.map(proto::Answer::Maintenance)
    })
}

/// The door of what takes long and says how far it is.
///
/// # Errors
/// What detection, the registry, the store and the old database say.
pub async fn long(ctx: Arc<Ctx>, ask: Ask, call: Call, sink: Sink) -> Result<proto::Answer> {
    let runtime = tokio::runtime::Handle::current();
    compute(move || {
        let desk = Desk { ctx: &ctx, ask: &ask };
        let lines = |bytes: Vec<u8>| runtime.block_on(sink.item(proto::Item::Lines(bytes)));
        imported(
            &desk,
            call,
            (&lines, &|what, done, total| sink.progress(what, done, total)),
        )
    })
    .await
}

/// The same, on a thread that may block.
fn imported(
    desk: &Desk<'_>,
    call: Call,
    (lines, progress): (exchange::out::Reader<'_>, legacy::Progress<'_>),
) -> Result<proto::Answer> {
    let whole = proto::Request::Maintenance(Box::new(call));
    workspace::with_registry(desk, &whole, |registry| match &whole {
        proto::Request::Maintenance(call) => match &call.what {
            Request::Legacy { path, dry_run } => {
                let scope = workspace::scope(registry, &call.at)?;
                legacy::answer((desk, registry), &scope, (&whole, path, *dry_run), progress)
            }
            Request::Import { path, dry_run } => {
                let scope = workspace::scope(registry, &call.at)?;
                exchange::import((desk, registry), &scope, (&whole, path, *dry_run), progress)
            }
            Request::Export => {
                let scope = workspace::scope(registry, &call.at)?;
                let exported = exchange::out::export(desk.ctx, &scope, lines, progress)?;
                Ok(proto::Answer::Maintenance(proto::maintenance::Answer::Exported(
                    Box::new(exported),
                )))
            }
            _ => Err(Error::bug("a short request came to the door of the long ones")),
        },
        _ => Err(Error::bug("a request came to a room that it does not belong to")),
    })
}

/// Brings the mirrors up where there was a change. Once a second.
pub fn tick(ctx: &Ctx) {
    exchange::go_on(ctx);
    exchange::owed::bring(ctx);
    mirror::bring_up(ctx, Care::New);
}

/// Looks through all mirrors, and once a day through all objects. Once an hour.
pub fn hourly(ctx: &Ctx) {
    match sweep::daily(ctx, ctx.world.now()) {
        Ok(Some(swept)) => tracing::info!(?swept, "objects were looked through"),
        Ok(None) => {}
        Err(error) => tracing::warn!(%error, "objects without a name were not removed"),
    }
    mirror::bring_up(ctx, Care::All);
}
