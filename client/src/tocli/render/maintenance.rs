//! The audit trail and the books of exports and imports, as a table or JSON.

use std::io;

use proto::RawPath;
use proto::maintenance::{Answer, Counts, Event, Exported, Imported, Legacy, Lines, MirrorState, Skipped};
use serde::Serialize;

use super::{time, word};
use crate::out::{Form, Out};
use crate::quote::cell;
use crate::voice::Voice;

#[derive(Serialize)]
struct Page<'a> {
    events: &'a [Event],
    next_cursor: Option<&'a str>,
}

#[derive(Serialize)]
struct Verified<'a> {
    whole: bool,
    events: u64,
    broken_at: Option<u64>,
    head: &'a str,
    mirror: Mirror<'a>,
}

#[derive(Serialize)]
struct Mirror<'a> {
    path: &'a RawPath,
    state: MirrorState,
    line: Option<u64>,
}

pub(super) fn answer(out: &mut Out, voice: &Voice, answer: &Answer) -> io::Result<()> {
    match answer {
        Answer::Audit { events, next_cursor } => {
            let next_cursor = next_cursor.as_deref();
            if out.form() == Form::Json {
                return out.json(&Page { events, next_cursor });
            }
            let rows: Vec<[Vec<u8>; 6]> = events.iter().map(|event| row(out, event)).collect();
            if events.is_empty() {
                voice.note("no events found: `tocli audit` shows all there are");
            }
            out.table(["SEQ", "TIME", "ACTOR", "OPERATION", "TARGET", "RECORDS"], &rows)?;
            if let Some(cursor) = next_cursor {
                voice.note(&format!("there are older ones: `--cursor {cursor}`"));
            }
            Ok(())
        }
        Answer::Legacy(found) => legacy(out, voice, found),
        Answer::Exported(found) => exported(out, voice, found),
        Answer::Imported(found) => imported(out, voice, found),
        Answer::AuditVerified {
            events,
            broken_at,
            head,
            mirror,
            mirror_state,
            mirror_line,
        } => {
            let mirror = Mirror {
                path: mirror,
                state: *mirror_state,
                line: *mirror_line,
            };
            verified(
                out,
                &Verified {
                    whole: broken_at.is_none(),
                    events: *events,
                    broken_at: *broken_at,
                    head,
                    mirror,
                },
            )
        }
    }
}

/// How many of one kind there are in an account of them.
type Of<C> = fn(&C) -> u64;

const KINDS: [(&str, Of<Counts>); 7] = [
    ("tasks", |counts| counts.tasks),
    ("dependencies", |counts| counts.dependencies),
    ("artifacts", |counts| counts.artifacts),
    ("decisions", |counts| counts.decisions),
    ("file operations", |counts| counts.file_operations),
    ("archives", |counts| counts.archives),
    ("unlisted files", |counts| counts.unlisted_files),
];

fn legacy(out: &mut Out, voice: &Voice, found: &Legacy) -> io::Result<()> {
    if out.form() == Form::Json {
        return out.json(found);
    }
    for database in &found.databases {
        voice.note(&format!("{}: {}", database.version, database.path.display()));
    }
    let accounts = [
        &found.found,
        &found.imported,
        &found.already_there,
        &found.skipped_counts,
    ];
    taken_in(out, &KINDS, accounts, found.dry_run)?;
    passed_over(voice, &found.skipped);
    for mapped in &found.mapped {
        voice.note(&format!(
            "{} {} is {} here: {}",
            mapped.what, mapped.id, mapped.to, mapped.why
        ));
    }
    found.warnings.iter().for_each(|warning| voice.warn(warning));
    if found.dry_run {
        voice.note(NOTHING_DONE);
    }
    Ok(())
}

/// What is said of a rehearsal.
const NOTHING_DONE: &str = "nothing was done: the same without `--dry-run` does it";

/// What became of each kind: found, imported, there already, skipped.
fn taken_in<C>(out: &mut Out, kinds: &[(&str, Of<C>)], accounts: [&C; 4], dry_run: bool) -> io::Result<()> {
    let rows: Vec<[Vec<u8>; 5]> = kinds
        .iter()
        .map(|(name, of)| {
            let [all, came, there, skipped] = accounts.map(|account| of(account).to_string().into_bytes());
            [cell(name), all, came, there, skipped]
        })
        .collect();
    let came = if dry_run { "WOULD COME" } else { "IMPORTED" };
    out.table(["WHAT", "FOUND", came, "ALREADY THERE", "SKIPPED"], &rows)
}

fn passed_over(voice: &Voice, skipped: &[Skipped]) {
    for skipped in skipped {
        voice.note(&format!(
            "skipped {} {}: {}",
            skipped.what, skipped.id, skipped.why
        ));
    }
}

const LINES: [(&str, Of<Lines>); 11] = [
    ("tasks", |lines| lines.tasks),
    ("texts, changes and notes of tasks", |lines| lines.task_records),
    ("artifacts", |lines| lines.artifacts),
    ("versions of artifacts", |lines| lines.versions),
    ("contents", |lines| lines.contents),
    ("decisions", |lines| lines.decisions),
    ("notes", |lines| lines.notes),
    ("sessions", |lines| lines.sessions),
    ("records of old databases", |lines| lines.legacy),
    ("events of the audit trail", |lines| lines.events),
    ("files of settings and roles", |lines| lines.files),
];

fn exported(out: &mut Out, voice: &Voice, found: &Exported) -> io::Result<()> {
    found.warnings.iter().for_each(|warning| voice.warn(warning));
    if out.form() == Form::Json {
        return out.json(found);
    }
    let rows: Vec<[Vec<u8>; 2]> = LINES
        .iter()
        .map(|(name, of)| [cell(name), of(&found.counts).to_string().into_bytes()])
        .collect();
    out.table(["WHAT", "WRITTEN"], &rows)?;
    voice.note(&format!(
        "{} lines, {} bytes, BLAKE3 {}",
        found.lines, found.bytes, found.digest
    ));
    Ok(())
}

fn imported(out: &mut Out, voice: &Voice, found: &Imported) -> io::Result<()> {
    if out.form() == Form::Json {
        return out.json(found);
    }
    let name = crate::quote::inert(&found.from_name);
    voice.note(&format!(
        "taken from `{}` (`{name}`) into `{}`",
        found.from, found.workspace
    ));
    let accounts = [
        &found.found,
        &found.imported,
        &found.already_there,
        &found.skipped_counts,
    ];
    taken_in(out, &LINES, accounts, found.dry_run)?;
    passed_over(voice, &found.skipped);
    found.warnings.iter().for_each(|warning| voice.warn(warning));
    if found.dry_run {
        voice.note(NOTHING_DONE);
    }
    Ok(())
}

fn row(out: &Out, event: &Event) -> [Vec<u8>; 6] {
    [
        event.seq.to_string().into_bytes(),
        time(out, event.time),
        cell(&event.actor),
        cell(&event.op),
        cell(&event.target),
        event.count.to_string().into_bytes(),
    ]
}

fn verified(out: &mut Out, found: &Verified<'_>) -> io::Result<()> {
    if out.form() == Form::Json {
        return out.json(found);
    }
    let trail = match found.broken_at {
        None => "whole".to_owned(),
        Some(seq) => format!("broken at event {seq}"),
    };
    let state = match found.mirror.line {
        None => word(&found.mirror.state),
        Some(line) => format!("{} from line {line} on", word(&found.mirror.state)),
    };
    let path = out.name(found.mirror.path);
    out.pairs(&[
        ("trail", cell(&trail)),
        ("events", found.events.to_string().into_bytes()),
        ("head", cell(found.head)),
        ("mirror", cell(&state)),
        ("file", path),
    ])
}
