//! Taking in: what is here already, what differs, what is new; then the new records, all of them or none.
//!
//! Asked by the door under the workspace's lock. Nothing that is here is ever changed: a record of the file is new, the
//! same as here, or a conflict that ends the import. What fits into one batch is one. What does not is first kept as a
//! whole (`store.rs`): from that moment on it is decided, and whoever comes next finishes it. What must stay true:
//! laying the same lines again changes nothing.

use std::collections::HashSet;
use std::io::{BufRead, BufReader, Read};

use proto::error::{Error, Result};
use proto::maintenance::{Lines, Skipped};

use super::input::Checked;
use super::line::{Counters, Line};
use super::{count, counters};
use crate::artifact::store::Artifacts;
use crate::audit;
use crate::context::{session, store::Notes};
use crate::ctx::Ctx;
use crate::db::Batch;
use crate::decision::store::Decisions;
use crate::decision::{self, Taken};
use crate::maintenance::legacy::report::Kind;
use crate::maintenance::legacy::store::Imports;
use crate::task::store::Tasks;

/// Bytes of lines that go into one batch.
const BATCH: usize = if cfg!(test) { 4 << 10 } else { 4 << 20 };
/// Decisions that go into one batch.
const DECISIONS: usize = 200;
/// The most conflicts that are named.
const NAMED: usize = 5;
/// What a line of any length takes in the database at most; the rest is an object.
const INLINE: usize = 10 << 10;

/// Reads the record lines from the beginning, as often as it is asked.
pub type Again<'a> = &'a dyn Fn() -> Box<dyn Read + 'a>;

/// A workspace that lines are laid into.
pub struct Laying<'a> {
    /// The daemon's belongings.
    pub ctx: &'a Ctx,
    /// The workspace.
    pub id: &'a str,
    /// The lines.
    pub again: Again<'a>,
    /// How the trail of the file stands to the one here.
    pub trail: Trail,
    /// What the file has counted up to.
    pub counters: Counters,
}

/// How two trails stand to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trail {
    /// The one here is the beginning of the other: the rest comes.
    Goes,
    /// The other is the beginning of the one here.
    There,
    /// They have nothing in common, or part somewhere.
    Forked,
}

/// What was found out.
#[derive(Default)]
pub struct Decided {
    /// New here.
    pub imported: Lines,
    /// The same here.
    pub already_there: Lines,
    /// Left out.
    pub skipped_counts: Lines,
    /// Why.
    pub skipped: Vec<Skipped>,
    /// How many new lines.
    pub fresh: u64,
    /// About how many bytes they take in the database.
    pub bytes: usize,
    pub(super) conflicts: u64,
    named: Vec<String>,
}

impl Decided {
    pub(super) fn conflict(&mut self, what: String) {
        self.conflicts += 1;
        if self.named.len() < NAMED {
            self.named.push(what);
        }
    }
}

fn unreadable(error: impl ToString) -> Error {
    Error::unavailable("the gathered lines cannot be read").why(error.to_string())
}

impl<'a> Laying<'a> {
    /// A laying of a file's lines, its trail compared with the one here.
    ///
    /// # Errors
    /// `Unavailable` when the database or the lines cannot be read.
    pub fn new(ctx: &'a Ctx, id: &'a str, again: Again<'a>) -> Result<Self> {
        let here = audit::head(&ctx.db, id)?.seq;
        let (mut counters, mut last, mut same) = (Counters::default(), 0, false);
        let wanted = |kind: &str| matches!(kind, "counters" | "event");
        each(again, wanted, |line, _| {
            match line {
                Line::Counters(found) => counters = found,
                Line::Event(event) => {
                    last = event.seq;
                    if event.seq <= here {
                        same = audit::event(&ctx.db, id, event.seq)?.as_ref() == Some(&event);
                    }
                }
                _ => {}
            }
            Ok(())
        })?;
        let trail = match (here, last) {
            (0, _) => Trail::Goes,
            (_, 0) => Trail::There,
            (here, last) if same && last > here => Trail::Goes,
            _ if same => Trail::There,
            _ => Trail::Forked,
        };
        Ok(Self {
            ctx,
            id,
            again,
            trail,
            counters,
        })
    }

    fn tasks(&self) -> Tasks<'_> {
        Tasks::new(&self.ctx.db, self.id)
    }

    pub(super) fn artifacts(&self) -> Artifacts<'_> {
        Artifacts::new(&self.ctx.db, self.id)
    }

    fn imports(&self) -> Imports<'_> {
        Imports {
            db: &self.ctx.db,
            workspace: self.id,
        }
    }

    /// What stands here in the place of a line.
    fn there(&self, line: &Line) -> Result<Option<Line>> {
        let db = &self.ctx.db;
        let found = match line {
            Line::Task(card) => self
                .tasks()
                .find(&card.id)?
                .map(|card| Line::Task(Box::new(card))),
            Line::TaskTexts { task, .. } => self.tasks().texts_of(task)?.map(|texts| Line::TaskTexts {
                task: task.clone(),
                texts: Box::new(texts),
            }),
            Line::TaskPast { task, revision, .. } => {
                self.tasks().past(task, *revision)?.map(|past| Line::TaskPast {
                    task: task.clone(),
                    revision: *revision,
                    past: Box::new(past),
                })
            }
            Line::TaskPastTexts { task, revision, .. } => {
                self.tasks()
                    .past_texts_of(task, *revision)?
                    .map(|texts| Line::TaskPastTexts {
                        task: task.clone(),
                        revision: *revision,
                        texts: Box::new(texts),
                    })
            }
            Line::TaskNote { task, number, .. } => {
                self.tasks().remark_of(task, *number)?.map(|note| Line::TaskNote {
                    task: task.clone(),
                    number: *number,
                    note,
                })
            }
            Line::Artifact(card) => self
                .artifacts()
                .find(&card.id)?
                .map(|card| Line::Artifact(Box::new(card))),
            Line::ArtifactVersion { artifact, edition } => self
                .artifacts()
                .find_edition(artifact, edition.version)?
                .map(|edition| Line::ArtifactVersion {
                    artifact: artifact.clone(),
                    edition: Box::new(edition),
                }),
            Line::Decision(card) => Decisions::new(db, self.id)
                .card(card.number)?
                .map(|card| Line::Decision(Box::new(card))),
            Line::Note(note) => Notes::new(db, self.id)
                .find(note.number)?
                .map(|note| Line::Note(Box::new(note))),
            Line::Session(one) => {
                session::ended_like(db, self.id, one)?.map(|session| Line::Session(Box::new(session)))
            }
            Line::Legacy { kind, import } => match Kind::parse(kind) {
                Some(of) => self.imports().get(of, &import.id)?.map(|import| Line::Legacy {
                    kind: kind.clone(),
                    import: Box::new(import),
                }),
                None => None,
            },
            Line::Event(event) => audit::event(db, self.id, event.seq)?.map(Line::Event),
            _ => None,
        };
        Ok(found.map(Line::plain))
    }

    /// Whether a line is new here: neither the same nor left out nor in conflict.
    fn is_fresh(&self, line: &Line) -> Result<bool> {
        match line {
            Line::Counters(_) | Line::File { .. } => Ok(false),
            Line::Event(_) if self.trail != Trail::Goes => Ok(false),
            line => Ok(self.there(line)?.is_none()),
        }
    }

    /// Compares every line with what is here.
    ///
    /// # Errors
    /// `Conflict` naming what is here and different; `Refused` for tasks that no board could hold; `Unavailable` when
    /// the database or the lines cannot be read.
    pub fn decided(&self, checked: &Checked) -> Result<Decided> {
        let mut decided = Decided::default();
        let mut new: HashSet<String> = HashSet::new();
        let book = self.ctx.decisions.book(&self.ctx.db, self.id)?;
        let (mut events, notes) = (0_u64, Notes::new(&self.ctx.db, self.id).all().count());
        let mut new_notes = 0;
        each(
            self.again,
            |_| true,
            |line, length| {
                match &line {
                    Line::Counters(_) | Line::File { .. } => return Ok(()),
                    Line::Event(_) if self.trail == Trail::Forked => {
                        events += 1;
                        count(&line, &mut decided.skipped_counts);
                        return Ok(());
                    }
                    _ => {}
                }
                match self.there(&line)? {
                    Some(there) if there == line => count(&line, &mut decided.already_there),
                    Some(_) => decided.conflict(format!("{} is another one here", line.shown())),
                    None => {
                        count(&line, &mut decided.imported);
                        decided.fresh += 1;
                        decided.bytes += length.min(INLINE);
                        match &line {
                            Line::Task(card) => drop(new.insert(card.id.clone())),
                            Line::Note(_) => new_notes += 1,
                            Line::Decision(card) => {
                                if let Some(number) = book.taken(&card.id) {
                                    decided.conflict(format!(
                                        "decision `{}` has the number {number} here",
                                        card.id
                                    ));
                                }
                            }
                            _ => {}
                        }
                    }
                }
                Ok(())
            },
        )?;
        if events > 0 {
            decided.skipped.push(Skipped {
                what: "events".to_owned(),
                id: format!("1 to {events}"),
                why: "this workspace has an audit trail of its own, and two cannot be joined; they stay in the file"
                    .to_owned(),
            });
        }
        if notes + new_notes > crate::context::rules::MAX_NOTES {
            return Err(
                Error::refused(format!("there would be {} notes", notes + new_notes))
                    .why(format!("a workspace keeps {}", crate::context::rules::MAX_NOTES))
                    .next("forget some here, or take it into another workspace"),
            );
        }
        self.tasks_fit(&checked.tasks, &new, &mut decided)?;
        self.artifacts_fit(checked, &mut decided)?;
        match decided.conflicts {
            0 => Ok(decided),
            count => Err(
                Error::conflict(format!("{count} things in the file stand against what is here"))
                    .why(decided.named.join("; "))
                    .next("nothing was changed; take it into an empty workspace"),
            ),
        }
    }

    /// Puts what is new into `last`, and before that into batches of its own when `commit` is given. `last` becomes
    /// whole with it: it holds the counters and the event.
    ///
    /// # Errors
    /// `Unavailable` when the database, the lines or an object cannot be read or written.
    pub fn lay(
        &self,
        last: &mut Batch,
        commit: Option<&dyn Fn(Batch) -> Result<()>>,
        said: audit::Said<'_>,
    ) -> Result<()> {
        let mut count = 0;
        let mut trail = audit::head(&self.ctx.db, self.id)?;
        // What nobody sees without its task or artifact comes first.
        for seen in [false, true] {
            let mut own = Batch::new();
            let mut bytes = 0;
            let mut decisions = Vec::new();
            let wanted = |kind: &str| Line::is_seen(kind) == seen;
            each(self.again, wanted, |line, length| {
                // Those of an attempt that was cut off are here, and the trail does not reach them yet.
                if let Line::Event(event) = &line
                    && self.trail == Trail::Goes
                    && event.seq > trail.seq
                {
                    trail = audit::Head {
                        seq: event.seq,
                        digest: event.digest()?,
                    };
                }
                if !self.is_fresh(&line)? {
                    return Ok(());
                }
                count += 1;
                let batch = match commit {
                    Some(_) => &mut own,
                    None => &mut *last,
                };
                match line {
                    Line::Decision(card) => decisions.push(*card),
                    line => self.put(batch, &line)?,
                }
                bytes += length.min(INLINE);
                if let Some(commit) = commit
                    && (bytes > BATCH || decisions.len() == DECISIONS)
                {
                    bytes = 0;
                    self.decisions(batch, std::mem::take(&mut decisions))?;
                    commit(std::mem::take(batch))?;
                }
                Ok(())
            })?;
            match commit {
                Some(commit) => {
                    self.decisions(&mut own, decisions)?;
                    commit(own)?;
                }
                None => self.decisions(last, decisions)?,
            }
        }
        self.heads(last)?;
        audit::follow(last, self.id, &trail, audit::Said { count, ..said })
    }

    fn put(&self, batch: &mut Batch, line: &Line) -> Result<()> {
        let tasks = self.tasks();
        match line {
            Line::Task(card) => tasks.put_card(batch, card),
            Line::TaskTexts { task, texts } => tasks.put_texts(batch, (task, None), texts),
            Line::TaskPast { task, revision, past } => tasks.put_past(batch, (task, *revision), past),
            Line::TaskPastTexts {
                task,
                revision,
                texts,
            } => tasks.put_texts(batch, (task, Some(*revision)), texts),
            Line::TaskNote { task, number, note } => tasks.put_remark(batch, (task, *number), note),
            Line::Artifact(card) => self.artifacts().put(batch, card),
            Line::ArtifactVersion { artifact, edition } => {
                self.artifacts().put_edition(batch, artifact, edition)
            }
            Line::Note(note) => Notes::new(&self.ctx.db, self.id).put(batch, note),
            Line::Session(session) => session.put(batch, self.id),
            Line::Legacy { kind, import } => match Kind::parse(kind) {
                Some(kind) => self.imports().put(batch, kind, import),
                None => Ok(()),
            },
            Line::Event(event) => audit::put(batch, self.id, event),
            _ => Ok(()),
        }
    }

    fn decisions(&self, batch: &mut Batch, cards: Vec<decision::Card>) -> Result<()> {
        if cards.is_empty() {
            return Ok(());
        }
        for taken in decision::take_in(self.ctx, batch, self.id, cards, &[])? {
            if let Taken::Refused(why) = taken {
                return Err(Error::conflict("a decision of the file cannot stand here").why(why));
            }
        }
        Ok(())
    }

    /// No number that was given out there or here is given again.
    fn heads(&self, batch: &mut Batch) -> Result<()> {
        let here = counters(&self.ctx.db, self.id)?;
        let there = self.counters;
        self.tasks()
            .put_changes(batch, here.task_changes.max(there.task_changes))?;
        let mut mark = [0; 8];
        self.ctx.world.random(&mut mark);
        let head = crate::artifact::store::Head {
            mark: u64::from_be_bytes(mark),
            born: here.artifacts.max(there.artifacts),
        };
        self.artifacts().put_head(batch, head)?;
        // Whoever asked may not live to see them put.
        self.artifacts().due(batch);
        Notes::new(&self.ctx.db, self.id).put_newest(batch, here.notes.max(there.notes))
    }
}

/// Hears every record line of the kinds that are wanted, with its length. They were judged before.
fn each(
    again: Again<'_>,
    wanted: impl Fn(&str) -> bool,
    mut hear: impl FnMut(Line, usize) -> Result<()>,
) -> Result<()> {
    let mut lines = BufReader::with_capacity(256 << 10, again());
    let mut text = Vec::new();
    while lines.read_until(b'\n', &mut text).map_err(unreadable)? > 0 {
        if wanted(Line::kind(&text)) {
            let line = Line::read(text.trim_ascii_end()).map_err(unreadable)?;
            hear(line, text.len())?;
        }
        text.clear();
    }
    Ok(())
}
