//! The door of notes: remember, recall, forget, bring back, and the sweep of what was forgotten long ago.
//!
//! What must stay true: a note that was forgotten can be brought back for as long as the answer said; a search changes
//! nothing.

use std::collections::HashMap;

use proto::context::{Answer, NewNote, Note, Wanted};
use proto::error::{Error, Result};

use super::rules::{self, Cursor};
use super::session;
use super::store::{Memory, Notes};
use super::{Place, changed};
use crate::ctx::Ctx;
use crate::db::Batch;
use crate::dispatch::hold;
use crate::workspace;

/// The most bytes of the notes of one answer, so that it fits into a frame.
const MAX_BYTES: usize = 700 << 10;

/// What is done to one note.
#[derive(Clone, Copy, Debug)]
pub(super) enum Verb {
    Forget,
    Restore,
}

/// Keeps a note.
pub(super) fn remember(place: &Place<'_>, whole: &proto::Request, new: &NewNote) -> Result<proto::Answer> {
    rules::note(new)?;
    let paths = new.paths.iter().map(|path| rules::beneath(place.tree, path));
    let mut paths = paths.collect::<Result<Vec<_>>>()?;
    paths.sort();
    paths.dedup();
    if paths.iter().map(|path| path.as_bytes().len()).sum::<usize>() > rules::MAX_PATH_BYTES {
        return Err(Error::too_large("very long paths")
            .why(format!(
                "those of one note may have {} bytes together",
                rules::MAX_PATH_BYTES
            ))
            .next("name fewer or shorter ones"));
    }
    let mut tags = new.tags.clone();
    tags.sort();
    tags.dedup();
    changed(place, whole, "remember", |batch, notes| {
        if let Some(task) = &new.task {
            place.tasks().card(task)?;
        }
        if notes.all().count() >= rules::MAX_NOTES {
            return Err(Error::refused(format!("there are {} notes", rules::MAX_NOTES))
                .why("a workspace keeps no more, those forgotten of late included")
                .next("forget some with `tocli forget`, or keep longer things as artifacts"));
        }
        let note = Memory {
            number: notes.newest()? + 1,
            text: new.text.trim().to_owned(),
            actor: place.actor.clone(),
            time: place.now,
            task: new.task.clone(),
            tags,
            paths,
            expires: rules::expiry(place.now, new.expires_in),
            forgotten: None,
        };
        notes.put(batch, &note)?;
        Ok(note)
    })
}

/// Forgets a note or brings it back. What is so already stays so.
pub(super) fn change(
    place: &Place<'_>,
    whole: &proto::Request,
    (verb, id): (Verb, &str),
) -> Result<proto::Answer> {
    let number = rules::number(id)?;
    let word = match verb {
        Verb::Forget => "forget",
        Verb::Restore => "restore",
    };
    changed(place, whole, word, |batch, notes| {
        let mut note = notes.one(number)?;
        match verb {
            Verb::Forget => note.forgotten = note.forgotten.or(Some(place.now)),
            Verb::Restore => {
                note.forgotten = None;
                note.expires = note.expires.filter(|expires| place.now < *expires);
            }
        }
        notes.put(batch, &note)?;
        Ok(note)
    })
}

/// A page of notes.
pub(super) fn recall(
    place: &Place<'_>,
    wanted: &Wanted,
    (limit, cursor): (u32, Option<&str>),
) -> Result<Answer> {
    let limit = rules::limit(limit)?;
    let notes = Notes::new(&place.ctx.db, place.workspace);
    let cursor = match Cursor::read(cursor)? {
        Some(cursor) => cursor,
        None => Cursor {
            highest: notes.newest()?,
            shown: 0,
        },
    };
    let mut found = Vec::new();
    let path = wanted.path.as_ref().map(|path| rules::beneath(place.tree, path));
    let path = path.transpose()?;
    for note in notes.all() {
        let note = note?;
        let fits = note.number <= cursor.highest
            && rules::in_force(&note, place.now) != wanted.gone
            && wanted.tag.as_ref().is_none_or(|tag| note.tags.contains(tag))
            && wanted
                .task
                .as_ref()
                .is_none_or(|task| note.task.as_ref() == Some(task))
            && path
                .as_ref()
                .is_none_or(|path| note.paths.iter().any(|noted| rules::touches(noted, path)));
        if fits {
            found.push(note);
        }
    }
    if !wanted.words.trim().is_empty() {
        let order = rules::ranked(&found, &wanted.words);
        let mut by_number: HashMap<u64, Memory> = found.into_iter().map(|note| (note.number, note)).collect();
        found = order
            .iter()
            .filter_map(|number| by_number.remove(number))
            .collect();
    }
    Ok(page(found, cursor, limit))
}

/// As many of the notes after the cursor as fit.
fn page(found: Vec<Memory>, cursor: Cursor, limit: usize) -> Answer {
    let total = found.len();
    let mut bytes = 0;
    let mut notes: Vec<Note> = Vec::new();
    for note in found.into_iter().skip(cursor.shown).take(limit) {
        bytes += note.text.len() + rules::MAX_PATH_BYTES;
        if bytes > MAX_BYTES && !notes.is_empty() {
            break;
        }
        notes.push(note.shown());
    }
    let shown = cursor.shown.saturating_add(notes.len());
    Answer::Notes {
        next_cursor: (shown < total && !notes.is_empty()).then(|| Cursor { shown, ..cursor }.text()),
        notes,
    }
}

/// Removes for good what was forgotten or expired long ago, in every workspace. Once an hour.
///
/// # Errors
/// What the store says.
pub(super) fn sweep(ctx: &Ctx) -> Result<()> {
    let now = ctx.world.now();
    for row in workspace::store::rows(&ctx.db)? {
        let workspace = row.id;
        let lock = ctx.locks.of(&workspace);
        let held = hold(&lock);
        let notes = Notes::new(&ctx.db, &workspace);
        let mut batch = Batch::new();
        session::sweep(&ctx.db, &mut batch, &workspace, now)?;
        for note in notes.all() {
            let note = note?;
            if rules::over(&note, now) {
                notes.remove(&mut batch, note.number);
            }
        }
        if batch.is_empty() {
            continue;
        }
        let staged = ctx.db.stage(batch)?;
        drop(held);
        staged.durable()?;
    }
    Ok(())
}
