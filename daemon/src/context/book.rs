//! The open sessions of all workspaces, in memory.
//!
//! One per daemon, in `Ctx`. Calls are noted here without touching a record; the daemon's tick writes down what is new or
//! ended within a second, and the last calls of the others once a minute. What must stay true: what stands here is what
//! the records say, or is going to be written; an actor has one open session in a workspace.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use proto::context::{Begun, Ended};
use proto::error::Result;

use super::session::{self, BEHIND, Session};
use crate::db::Db;
use crate::workspace::Visit;

/// The sessions in memory, and what of them is still to be written.
#[derive(Debug, Default)]
pub struct Book(Mutex<Pages>);

#[derive(Debug, Default)]
struct Pages {
    open: HashMap<(String, String), Live>,
    /// Ended, and not on record yet: workspace and session.
    ended: Vec<(String, Session)>,
}

#[derive(Debug)]
struct Live {
    session: Session,
    /// The last call that is on record; none when the session is not, or says something else.
    recorded: Option<i64>,
}

impl Book {
    /// The open sessions on record. Of two of one actor, which a crash between two writes could leave, the newer counts.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn load(db: &Db) -> Result<Self> {
        let book = Self::default();
        let mut pages = book.held();
        let mut all = session::open(db)?;
        all.sort_by_key(|(_, session)| session.started);
        for (workspace, session) in all {
            let key = (workspace.clone(), session.actor.clone());
            let recorded = Some(session.seen);
            if let Some(older) = pages.open.insert(key, Live { session, recorded }) {
                let mut over = older.session;
                over.ended = Some((over.seen, Ended::Silence));
                pages.ended.push((workspace, over));
            }
        }
        drop(pages);
        Ok(book)
    }

    fn held(&self) -> MutexGuard<'_, Pages> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The open session of an actor.
    #[must_use]
    pub fn of(&self, workspace: &str, actor: &str) -> Option<Session> {
        let key = (workspace.to_owned(), actor.to_owned());
        self.held().open.get(&key).map(|live| live.session.clone())
    }

    /// All open sessions, with their workspaces.
    #[must_use]
    pub fn all(&self) -> Vec<(String, Session)> {
        let pages = self.held();
        let open = pages.open.iter();
        open.map(|((workspace, _), live)| (workspace.clone(), live.session.clone()))
            .collect()
    }

    /// The open sessions of a workspace.
    #[must_use]
    pub fn all_of(&self, workspace: &str) -> Vec<Session> {
        let pages = self.held();
        let of = pages.open.iter().filter(|((id, _), _)| id == workspace);
        of.map(|(_, live)| live.session.clone()).collect()
    }

    /// An actor has called: its session goes on, or one begins by itself, under a name that `id` makes.
    pub fn visited(&self, (workspace, actor): (&str, &str), visit: &Visit, id: impl FnOnce() -> String) {
        let mut pages = self.held();
        let key = (workspace.to_owned(), actor.to_owned());
        if let Some(live) = pages.open.get_mut(&key) {
            if !live.session.silent(visit.first) {
                live.session.seen = live.session.seen.max(visit.last);
                return;
            }
            let mut over = live.session.clone();
            over.ended = Some((over.seen, Ended::Silence));
            pages.ended.push((workspace.to_owned(), over));
        }
        let mut session = Session::new((id(), actor), Begun::Itself, visit.first, visit.tree.clone());
        session.seen = visit.last;
        pages.open.insert(
            key,
            Live {
                session,
                recorded: None,
            },
        );
    }

    /// Ends the sessions of actors that have been silent, unless `busy` says of the actor that it is still there.
    pub fn end_silent(&self, now: i64, busy: impl Fn(&str) -> bool) {
        let mut pages = self.held();
        let silent: Vec<(String, String)> = pages
            .open
            .iter()
            .filter(|((_, actor), live)| live.session.silent(now) && !busy(actor))
            .map(|(key, _)| key.clone())
            .collect();
        for key in silent {
            if let Some(live) = pages.open.remove(&key) {
                let mut over = live.session;
                over.ended = Some((over.seen, Ended::Silence));
                pages.ended.push((key.0, over));
            }
        }
    }

    /// Takes over what was just put into a batch: an open session, or the end of one.
    pub fn put(&self, workspace: &str, session: Session) {
        let mut pages = self.held();
        let key = (workspace.to_owned(), session.actor.clone());
        if session.ended.is_some() {
            if pages
                .open
                .get(&key)
                .is_some_and(|live| live.session.id == session.id)
            {
                pages.open.remove(&key);
            }
            return;
        }
        let recorded = Some(session.seen);
        pages.open.insert(key, Live { session, recorded });
    }

    /// A batch with sessions of a workspace failed: they are written again.
    pub fn doubt(&self, workspace: &str) {
        let mut pages = self.held();
        let of = pages.open.iter_mut().filter(|((id, _), _)| id == workspace);
        of.for_each(|(_, live)| live.recorded = None);
    }

    /// The workspaces of which something is to be written: what is new or ended at once, last calls when the record is a
    /// minute behind, or with `all` in any case.
    #[must_use]
    pub fn due(&self, all: bool) -> Vec<String> {
        let pages = self.held();
        let open = pages.open.iter().filter(|(_, live)| is_due(live, all));
        let open = open.map(|((workspace, _), _)| workspace.clone());
        let mut found: Vec<String> = open.chain(pages.ended.iter().map(|(id, _)| id.clone())).collect();
        found.sort();
        found.dedup();
        found
    }

    /// Takes what is to be written of a workspace, as written. The caller holds the workspace's lock.
    #[must_use]
    pub fn take(&self, workspace: &str, all: bool) -> Vec<Session> {
        let mut pages = self.held();
        let (mut taken, rest): (Vec<_>, Vec<_>) = std::mem::take(&mut pages.ended)
            .into_iter()
            .partition(|(id, _)| id == workspace);
        pages.ended = rest;
        let open = pages.open.iter_mut();
        for ((id, _), live) in open.filter(|((id, _), live)| id == workspace && is_due(live, all)) {
            live.recorded = Some(live.session.seen);
            taken.push((id.clone(), live.session.clone()));
        }
        taken.into_iter().map(|(_, session)| session).collect()
    }

    /// Gives back what could not be written.
    pub fn give_back(&self, workspace: &str, sessions: Vec<Session>) {
        self.doubt(workspace);
        let ended = sessions.into_iter().filter(|session| session.ended.is_some());
        let ended = ended.map(|session| (workspace.to_owned(), session));
        self.held().ended.extend(ended);
    }
}

fn is_due(live: &Live, all: bool) -> bool {
    match live.recorded {
        None => true,
        Some(recorded) => {
            let behind = live.session.seen.saturating_sub(recorded);
            behind >= BEHIND || all && behind > 0
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::session::SILENCE;

    fn visit(first: i64, last: i64) -> Visit {
        Visit {
            first,
            last,
            tree: None,
        }
    }

    #[test]
    fn a_session_begins_with_the_first_call_and_ends_after_silence() {
        let book = Book::default();
        let id = || "session_1".to_owned();
        book.visited(("w", "a"), &visit(1, 5), id);
        assert_eq!(book.due(false), ["w"]);
        assert_eq!(book.take("w", false).len(), 1);
        assert!(book.due(false).is_empty(), "it is written once");
        book.visited(("w", "a"), &visit(5 + SILENCE - 1, 5 + SILENCE - 1), id);
        assert_eq!(book.of("w", "a").map(|session| session.started), Some(1));
        let later = 5 + 2 * SILENCE;
        book.visited(("w", "a"), &visit(later, later), || "session_2".to_owned());
        let written = book.take("w", false);
        let ids: Vec<(&str, bool)> = written
            .iter()
            .map(|session| (session.id.as_str(), session.ended.is_some()))
            .collect();
        assert_eq!(ids, [("session_1", true), ("session_2", false)]);
        assert_eq!(written[0].ended, Some((5 + SILENCE - 1, Ended::Silence)));
        assert_eq!(book.of("w2", "a"), None, "of one workspace only");
    }

    #[test]
    fn last_calls_are_written_once_a_minute_and_at_the_end() {
        let book = Book::default();
        let id = || "s".to_owned();
        book.visited(("w", "a"), &visit(1, 1), id);
        assert_eq!(book.take("w", false).len(), 1);
        book.visited(("w", "a"), &visit(2, BEHIND), id);
        assert!(book.due(false).is_empty());
        assert_eq!(book.due(true), ["w"]);
        book.visited(("w", "a"), &visit(3, BEHIND + 1), id);
        assert_eq!(book.due(false), ["w"]);
    }

    #[test]
    fn an_actor_that_is_still_there_is_not_silent_and_what_could_not_be_written_is_tried_again() {
        let book = Book::default();
        book.visited(("w", "a"), &visit(1, 1), || "s".to_owned());
        book.end_silent(SILENCE + 1, |_| true);
        assert!(book.of("w", "a").is_some());
        book.end_silent(SILENCE + 1, |_| false);
        assert!(book.of("w", "a").is_none());
        let taken = book.take("w", false);
        assert_eq!(taken.len(), 1);
        assert!(book.due(true).is_empty());
        book.give_back("w", taken);
        assert_eq!(book.take("w", false).len(), 1);
    }
}
