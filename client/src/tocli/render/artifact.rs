//! Artifacts: tables for eyes, whole objects for scripts.

use std::io;

use proto::artifact::{Answer, Artifact, Detail, Match, Removed, Squeezed, Stored};
use serde::Serialize;
use serde_json::Value;

use super::{bytes, time};
use crate::out::{Form, Out};
use crate::quote::cell;
use crate::voice::Voice;

/// An artifact with its versions, in one object.
#[derive(Serialize)]
struct Whole<'a> {
    #[serde(flatten)]
    artifact: &'a Artifact,
    versions: &'a [proto::artifact::Version],
    older: u32,
}

/// A completed task with its results, in one object.
#[derive(Serialize)]
struct Completed<'a> {
    #[serde(flatten)]
    task: &'a proto::task::Task,
    unblocked: &'a [String],
    along: &'a [String],
    warnings: &'a [String],
    artifacts: &'a [Stored],
}

/// Shows an answer.
pub(crate) fn answer(out: &mut Out, voice: &Voice, answer: &Answer) -> io::Result<()> {
    if out.form() == Form::Json {
        return json(out, answer);
    }
    match answer {
        Answer::Stored(one) => {
            one.warnings.iter().for_each(|warning| voice.warn(warning));
            if one.already_there {
                voice.note("it was there already: no new version was made");
            }
            stored(out, one)
        }
        Answer::Upload {
            draft,
            received,
            synced,
        } => {
            let row = [
                cell(draft),
                cell(&received.to_string()),
                cell(&synced.to_string()),
            ];
            out.table(["DRAFT", "RECEIVED", "SYNCED"], &[row])
        }
        Answer::Partials { partials } => {
            let rows: Vec<[Vec<u8>; 5]> = partials
                .iter()
                .map(|one| {
                    let size = one.size.map_or_else(|| b"?".to_vec(), |size| bytes(out, size));
                    [
                        cell(&one.draft),
                        cell(&one.task),
                        cell(&one.name),
                        bytes(out, one.received),
                        size,
                    ]
                })
                .collect();
            if rows.is_empty() {
                voice.note("no uploads are under way");
            }
            out.table_of((["DRAFT", "TASK", "NAME", "RECEIVED", "OF"], &["NAME"]), &rows)
        }
        Answer::Discarded { draft } => out.line(draft),
        Answer::Piece { bytes, .. } => out.foreign(bytes),
        Answer::Artifacts {
            artifacts,
            total,
            next_cursor,
        } => {
            if artifacts.is_empty() {
                voice.note("no artifacts found: `tocli artifact store TASK FILE` keeps one");
            }
            list(out, artifacts)?;
            if let Some(cursor) = next_cursor {
                voice.note(&format!("of {total}; more with `--cursor {cursor}`"));
            }
            Ok(())
        }
        Answer::Detail(found) => detail(out, found),
        Answer::Found {
            matches,
            left_out,
            next_cursor,
            ..
        } => {
            for name in left_out {
                voice.note(&format!(
                    "not looked into whole (no text, too large, or lines over 64 KiB): {name}"
                ));
            }
            if matches.is_empty() && next_cursor.is_none() {
                voice.note("no line matches");
            }
            found(out, matches)?;
            if let Some(cursor) = next_cursor {
                voice.note(&format!("there may be more: `--cursor {cursor}`"));
            }
            Ok(())
        }
        Answer::Verified {
            versions,
            bytes: read,
            faults,
            ..
        } => {
            let rows: Vec<[Vec<u8>; 5]> = faults
                .iter()
                .map(|one| {
                    [
                        cell(if one.id.is_empty() { "-" } else { &one.id }),
                        cell(&one.version.to_string()),
                        cell(&one.fault),
                        cell(&one.name),
                        cell(&one.detail),
                    ]
                })
                .collect();
            out.table_of(
                (["ARTIFACT", "V", "FAULT", "NAME", "DETAIL"], &["NAME", "DETAIL"]),
                &rows,
            )?;
            let read = String::from_utf8_lossy(&bytes(out, *read)).into_owned();
            voice.note(&format!(
                "{} looked at, {read} read, {} found",
                counted(*versions, "version"),
                counted(faults.len() as u64, "fault")
            ));
            Ok(())
        }
        Answer::Cleaned {
            done,
            artifacts,
            more,
            ..
        } => cleaned(out, voice, artifacts, (*done, *more)),
        Answer::Optimized { done, figures } => optimized(out, voice, figures, *done),
        Answer::Restored { restored, more } => {
            if restored.is_empty() {
                voice.note("nothing was missing");
            }
            for one in restored {
                match &one.left_because {
                    Some(why) => voice.note(&format!("{} stays: {why}", one.id)),
                    None => {
                        let row = [cell(&one.id), cell(&one.version.to_string()), out.name(&one.path)];
                        out.cell_line(&row.join(&b'\t'))?;
                    }
                }
            }
            if *more > 0 {
                voice.note(&format!("{more} more: ask again"));
            }
            Ok(())
        }
        Answer::Completed {
            task,
            unblocked,
            warnings,
            artifacts,
            ..
        } => {
            warnings.iter().for_each(|warning| voice.warn(warning));
            if !unblocked.is_empty() {
                voice.note(&format!("ready now: {}", unblocked.join(", ")));
            }
            let row = [cell(&task.id), cell(task.status.word()), cell(&task.title)];
            out.cell_line(&row.join(&b'\t'))?;
            artifacts.iter().try_for_each(|one| stored(out, one))
        }
    }
}

fn json(out: &mut Out, answer: &Answer) -> io::Result<()> {
    match answer {
        Answer::Stored(stored) => out.json(stored),
        Answer::Detail(detail) => {
            let Detail {
                artifact,
                versions,
                older,
            } = detail.as_ref();
            out.json(&Whole {
                artifact,
                versions,
                older: *older,
            })
        }
        Answer::Completed {
            task,
            unblocked,
            along,
            warnings,
            artifacts,
        } => out.json(&Completed {
            task,
            unblocked,
            along,
            warnings,
            artifacts,
        }),
        Answer::Optimized { done, figures } => {
            let mut whole = serde_json::to_value(figures)?;
            if let Value::Object(fields) = &mut whole {
                fields.insert("done".to_owned(), Value::Bool(*done));
            }
            out.json(&whole)
        }
        // The rest are structs within one variant: their fields are the object.
        other => match serde_json::to_value(other)? {
            Value::Object(outer) => out.json(&outer.into_iter().next().map(|(_, inner)| inner)),
            value => out.json(&value),
        },
    }
}

fn stored(out: &mut Out, one: &Stored) -> io::Result<()> {
    let row = [cell(&one.id), cell(&one.version.to_string()), out.name(&one.path)];
    out.cell_line(&row.join(&b'\t'))
}

fn list(out: &mut Out, artifacts: &[Artifact]) -> io::Result<()> {
    let rows: Vec<[Vec<u8>; 7]> = artifacts
        .iter()
        .map(|one| {
            [
                cell(&one.id),
                cell(one.task.as_deref().unwrap_or("-")),
                out.prose(&one.name, 40),
                cell(one.kind.word()),
                cell(&one.version.to_string()),
                bytes(out, one.size),
                cell(&standing(one)),
            ]
        })
        .collect();
    out.table_of(
        (
            ["ARTIFACT", "TASK", "NAME", "TYPE", "V", "SIZE", "FILE"],
            &["NAME"],
        ),
        &rows,
    )
}

fn counted(count: u64, what: &str) -> String {
    match count {
        1 => format!("1 {what}"),
        many => format!("{many} {what}s"),
    }
}

fn standing(one: &Artifact) -> String {
    match (one.archived, one.copy) {
        (Some(_), _) => "put away".to_owned(),
        (None, copy) => copy.word().to_owned(),
    }
}

fn detail(out: &mut Out, detail: &Detail) -> io::Result<()> {
    let one = &detail.artifact;
    let mut pairs = vec![
        ("artifact", cell(&one.id)),
        ("task", cell(one.task.as_deref().unwrap_or("-"))),
        ("name", cell(&one.name)),
        ("type", cell(one.kind.word())),
        ("version", cell(&one.version.to_string())),
        ("size", bytes(out, one.size)),
        ("digest", cell(&one.digest)),
        ("file", out.name(&one.path)),
        ("stands", cell(&standing(one))),
        ("stored by", cell(&one.actor)),
        ("stored", time(out, one.updated)),
    ];
    if !one.summary.is_empty() {
        pairs.push(("summary", cell(&one.summary)));
    }
    if let Some(source) = &one.source {
        pairs.push(("snapshot of", out.name(source)));
    }
    out.pairs(&pairs)?;
    if out.form() == Form::Terminal {
        out.line("")?;
    }
    let rows: Vec<[Vec<u8>; 5]> = detail
        .versions
        .iter()
        .map(|version| {
            let kept = version
                .kept
                .map_or_else(|| b"lost".to_vec(), |kept| bytes(out, kept));
            [
                cell(&version.version.to_string()),
                bytes(out, version.size),
                kept,
                time(out, version.time),
                cell(&version.actor),
            ]
        })
        .collect();
    out.table(["V", "SIZE", "ON DISK", "STORED", "BY"], &rows)
}

fn found(out: &mut Out, matches: &[Match]) -> io::Result<()> {
    for one in matches {
        let around = |line: u64, sign: char, text: &str| {
            let mut row = cell(&format!("{}:{}{sign}{line}{sign}", one.id, one.name));
            row.extend_from_slice(&cell(text));
            row
        };
        let first = one.line - one.before.len() as u64;
        for (line, text) in (first..).zip(&one.before) {
            out.cell_line(&around(line, '-', text))?;
        }
        out.cell_line(&around(one.line, ':', &one.text))?;
        for (line, text) in (one.line + 1..).zip(&one.after) {
            out.cell_line(&around(line, '-', text))?;
        }
    }
    Ok(())
}

fn cleaned(out: &mut Out, voice: &Voice, artifacts: &[Removed], (done, more): (bool, u64)) -> io::Result<()> {
    let going = artifacts.iter().filter(|one| one.kept_because.is_none());
    let rows: Vec<[Vec<u8>; 4]> = going
        .map(|one| {
            [
                cell(&one.id),
                cell(&one.name),
                bytes(out, one.size),
                time(out, one.updated),
            ]
        })
        .collect();
    out.table_of((["ARTIFACT", "NAME", "SIZE", "STORED"], &["NAME"]), &rows)?;
    for one in artifacts {
        if let Some(why) = &one.kept_because {
            voice.note(&format!("{} stays: {why}", one.id));
        }
    }
    let what = match done {
        true => format!(
            "{} put away; `tocli artifact restore ID` brings one back",
            rows.len()
        ),
        false => format!("{} would be put away: do it with `--yes`", rows.len()),
    };
    voice.note(&what);
    if more > 0 {
        voice.note(&format!("{more} more: ask again"));
    }
    Ok(())
}

fn optimized(out: &mut Out, voice: &Voice, figures: &Squeezed, done: bool) -> io::Result<()> {
    let to = figures
        .compressed_to
        .map_or_else(|| b"?".to_vec(), |to| bytes(out, to));
    let pairs = [
        ("versions", cell(&figures.versions.to_string())),
        ("bytes", bytes(out, figures.bytes)),
        ("shared", bytes(out, figures.shared)),
        ("compressed", cell(&figures.compressed.to_string())),
        ("from", bytes(out, figures.compressed_from)),
        ("to", to),
        ("put away", cell(&figures.archived.len().to_string())),
    ];
    out.pairs(&pairs)?;
    if !done {
        voice.note("nothing was done: do it with `--yes`");
    }
    Ok(())
}
