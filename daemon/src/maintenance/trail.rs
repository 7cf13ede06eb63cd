//! The audit trail as it is asked for: a page of it, and whether it is whole. Only looks.

use proto::RawPath;
use proto::error::{Error, Result};
use proto::maintenance::{Answer, Event, EventFilter, MAX_EVENTS};

use super::mirror::{self, Trail};
use super::rules;
use crate::audit::{self, Chain};
use crate::ctx::Ctx;
use crate::workspace::{Folder, Registry, WorkspaceScope};

/// How many events one page looks at: a filter that matches little ends a page early, and the cursor goes on.
const LOOKED: u64 = 50_000;

/// A page, the newest first.
///
/// # Errors
/// `Usage` for a limit or cursor that is none.
pub fn page(
    ctx: &Ctx,
    scope: &WorkspaceScope,
    filter: &EventFilter,
    (limit, cursor): (u32, Option<&str>),
) -> Result<Answer> {
    if !(1..=MAX_EVENTS).contains(&limit) {
        return Err(Error::usage(format!("a limit of {limit}")).why(format!("it is 1 to {MAX_EVENTS}")));
    }
    let end = audit::head(&ctx.db, scope.id())?.seq.saturating_add(1);
    let before = match cursor {
        None => end,
        Some(cursor) => cursor
            .parse::<u64>()
            .map_err(|_| {
                Error::usage("the cursor is none").next("give the `next_cursor` of the page before")
            })?
            .min(end),
    };
    let most = (usize::try_from(limit).unwrap_or(usize::MAX), LOOKED);
    let (found, next) = audit::newest(&ctx.db, scope.id(), before, most, |event| wanted(event, filter))?;
    Ok(Answer::Audit {
        events: found.into_iter().map(shown).collect(),
        next_cursor: (next > 1).then(|| next.to_string()),
    })
}

fn wanted(event: &audit::Event, filter: &EventFilter) -> bool {
    let is = |wish: &Option<String>, value: &str| wish.as_ref().is_none_or(|wish| wish == value);
    let of = |wish: &String| {
        event.op == *wish
            || event
                .op
                .strip_prefix(wish.as_str())
                .is_some_and(|rest| rest.starts_with('.'))
    };
    filter.since.is_none_or(|since| event.time >= since)
        && is(&filter.actor, &event.actor)
        && is(&filter.target, &event.target)
        && filter.op.as_ref().is_none_or(of)
}

fn shown(event: audit::Event) -> Event {
    Event {
        seq: event.seq,
        time: event.time,
        actor: event.actor,
        op: event.op,
        target: event.target,
        count: event.count,
    }
}

/// Whether the trail and its mirror are whole.
///
/// # Errors
/// When the database cannot be read.
pub fn verified(registry: &Registry<'_>, scope: &WorkspaceScope) -> Result<Answer> {
    let head = audit::head(registry.db, scope.id())?;
    let (events, broken_at) = match audit::verify(registry.db, scope.id())? {
        Chain::Whole(events) => (events, None),
        Chain::BrokenAt(seq) => (head.seq, Some(seq)),
    };
    // The mirror stands in the workspace's root, whichever of its trees is asked from.
    let folder = Folder::of(registry.storage(), scope.root(), scope.id(), registry.places);
    let trail = Trail {
        db: registry.db,
        workspace: scope.id(),
    };
    let (mirror_state, mirror_line) = trail.compare(registry.world, &folder)?;
    Ok(Answer::AuditVerified {
        events,
        broken_at,
        head: if head.seq == 0 {
            String::new()
        } else {
            rules::hex(&head.digest)
        },
        mirror: RawPath::from(mirror::path(&folder)),
        mirror_state,
        mirror_line,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_names_an_operation_or_its_room() {
        let event = audit::Event {
            seq: 1,
            time: 5,
            actor: "me".into(),
            op: "task.add".into(),
            target: "x".into(),
            count: 1,
            previous: [0; 32],
        };
        let by_op = |op: &str| EventFilter {
            op: Some(op.into()),
            ..EventFilter::default()
        };
        assert!(wanted(&event, &EventFilter::default()));
        assert!(wanted(&event, &by_op("task.add")) && wanted(&event, &by_op("task")));
        assert!(!wanted(&event, &by_op("tas")) && !wanted(&event, &by_op("task.a")));
        let since = |since| EventFilter {
            since: Some(since),
            ..EventFilter::default()
        };
        assert!(wanted(&event, &since(5)) && !wanted(&event, &since(6)));
    }
}
