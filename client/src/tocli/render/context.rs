//! Notes and sessions: tables for eyes, whole objects for scripts.

use std::io;

use proto::context::{Answer, Ended, Note, Session};
use serde::Serialize;

use super::time;
use crate::out::{Form, Out};
use crate::quote::cell;
use crate::voice::Voice;

/// A note with what became of it.
#[derive(Serialize)]
struct Changed<'a> {
    #[serde(flatten)]
    note: &'a Note,
    restorable_until: &'a Option<i64>,
    warnings: &'a [String],
}

/// A session with what its owner should know.
#[derive(Serialize)]
struct Told<'a> {
    #[serde(flatten)]
    session: &'a Session,
    warnings: &'a [String],
}

/// Columns of a note's text in a table for eyes.
const COLUMNS: usize = 80;

/// Shows an answer.
pub(crate) fn answer(out: &mut Out, voice: &Voice, answer: &Answer) -> io::Result<()> {
    match answer {
        Answer::Note {
            note,
            restorable_until,
            warnings,
        } => {
            if out.form() == Form::Json {
                return out.json(&Changed {
                    note,
                    restorable_until,
                    warnings,
                });
            }
            warnings.iter().for_each(|warning| voice.warn(warning));
            if let Some(until) = restorable_until {
                let until = String::from_utf8_lossy(&time(out, *until)).into_owned();
                voice.note(&format!(
                    "forgotten; until {until} `tocli forget --undo {}` brings it back",
                    note.id
                ));
            }
            table(out, std::slice::from_ref(note))
        }
        Answer::Notes { notes, next_cursor } => {
            if out.form() == Form::Json {
                return out.json(&serde_json::json!({ "notes": notes, "next_cursor": next_cursor }));
            }
            if notes.is_empty() {
                voice.note("no notes found: `tocli recall` shows all there are, `tocli remember` keeps one");
            }
            table(out, notes)?;
            if let Some(next) = next_cursor {
                voice.note(&format!("there are more: `--cursor {next}`"));
            }
            Ok(())
        }
        Answer::Session { session, warnings } => {
            if out.form() == Form::Json {
                return out.json(&Told { session, warnings });
            }
            warnings.iter().for_each(|warning| voice.warn(warning));
            sessions(out, std::slice::from_ref(session))
        }
        Answer::Sessions {
            sessions: found,
            next_cursor,
        } => {
            if out.form() == Form::Json {
                return out.json(&serde_json::json!({ "sessions": found, "next_cursor": next_cursor }));
            }
            sessions(out, found)?;
            if let Some(next) = next_cursor {
                voice.note(&format!("there are more: `--cursor {next}`"));
            }
            Ok(())
        }
        Answer::Text {
            text,
            tokens_at_most,
            left_out,
            root,
        } => match out.form() {
            Form::Json => out.json(&serde_json::json!({
                "text": text,
                "tokens_at_most": tokens_at_most,
                "left_out": left_out.iter().map(|(section, lines)| serde_json::json!({ "section": section, "lines": lines })).collect::<Vec<_>>(),
                "root": root,
            })),
            // What others wrote stands in quotes, with its commands spelt out, since the daemon made the text.
            _ => out.raw(text.as_bytes()),
        },
        Answer::Moment { of, time: when } => match out.form() {
            Form::Json => out.json(&serde_json::json!({ "of": of, "time": when })),
            _ => {
                let shown = time(out, *when);
                out.cell_line(&shown)
            }
        },
    }
}

fn sessions(out: &mut Out, sessions: &[impl std::borrow::Borrow<Session>]) -> io::Result<()> {
    let rows: Vec<[Vec<u8>; 6]> = sessions
        .iter()
        .map(|session| {
            let session = session.borrow();
            let standing = match (session.ended, session.by) {
                (None, _) => b"open".to_vec(),
                (Some(when), Some(Ended::Silence)) => [b"silent since ".to_vec(), time(out, when)].concat(),
                (Some(when), _) => [b"ended ".to_vec(), time(out, when)].concat(),
            };
            [
                cell(&session.id),
                cell(&session.actor),
                time(out, session.started),
                standing,
                cell(&session.specialists.join(",")),
                cell(session.name.as_deref().unwrap_or_default()),
            ]
        })
        .collect();
    let heads = ["SESSION", "ACTOR", "STARTED", "STANDING", "SPECIALISTS", "NAME"];
    out.table_of((heads, &["NAME"]), &rows)
}

fn table(out: &mut Out, notes: &[impl std::borrow::Borrow<Note>]) -> io::Result<()> {
    let rows: Vec<[Vec<u8>; 5]> = notes
        .iter()
        .map(|note| {
            let note = note.borrow();
            let mut about: Vec<Vec<u8>> = note.tags.iter().map(|tag| cell(&format!("#{tag}"))).collect();
            about.extend(note.task.iter().map(|task| cell(task)));
            about.extend(note.paths.iter().map(|path| out.name(path)));
            [
                cell(&note.id),
                time(out, note.time),
                cell(&note.actor),
                about.join(&b' '),
                out.prose(&note.text, COLUMNS),
            ]
        })
        .collect();
    out.table_of((["NOTE", "TIME", "ACTOR", "ABOUT", "TEXT"], &["TEXT"]), &rows)
}
