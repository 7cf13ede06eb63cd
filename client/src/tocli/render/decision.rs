//! Decisions: tables and texts for eyes, whole objects for scripts.

use std::io;

use proto::decision::{Answer, Decision, Detail, Hit, Mirror, MirrorState, Op};
use proto::{RawPath, decision};
use serde::Serialize;

use super::{time, word};
use crate::out::{Form, Out};
use crate::quote::cell;
use crate::voice::Voice;

/// A decision that was recorded or changed.
#[derive(Serialize)]
struct Changed<'a> {
    #[serde(flatten)]
    decision: &'a Decision,
    file: &'a RawPath,
    warnings: &'a [String],
}

/// A decision with its texts, in one object.
#[derive(Serialize)]
struct Whole<'a> {
    #[serde(flatten)]
    brief: &'a Decision,
    context: &'a str,
    decision: &'a str,
    rationale: &'a str,
    alternatives: &'a [decision::Alternative],
    consequences: &'a [String],
    risks: &'a [String],
    history: &'a [decision::Event],
    file: &'a RawPath,
    file_state: MirrorState,
}

/// A decision that a search found, in one object.
#[derive(Serialize)]
struct Found<'a> {
    #[serde(flatten)]
    decision: &'a Decision,
    score: u64,
    matched: &'a [String],
}

#[derive(Serialize)]
struct Page<'a, T> {
    decisions: &'a [T],
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<Option<u64>>,
}

#[derive(Serialize)]
struct Files<'a> {
    folder: &'a RawPath,
    files: &'a [Mirror],
    written: u64,
    warnings: &'a [String],
}

pub(super) fn answer(out: &mut Out, voice: &Voice, answer: &Answer) -> io::Result<()> {
    if out.form() == Form::Json {
        return json(out, answer);
    }
    match answer {
        Answer::Decision {
            decision, warnings, ..
        } => {
            warnings.iter().for_each(|warning| voice.warn(warning));
            let row = row(out, decision);
            out.cell_line(&row.join(&b'\t'))
        }
        Answer::Detail(found) => detail(out, voice, found),
        Answer::Decisions {
            decisions,
            next_cursor,
        } => {
            if decisions.is_empty() {
                voice.note("no decisions found: `tocli decision list` shows all there are, `tocli decision record` makes one");
            }
            let rows: Vec<_> = decisions.iter().map(|one| row(out, one)).collect();
            out.table_of(
                (["N", "STATUS", "IMPACT", "CATEGORY", "TITLE"], &["TITLE"]),
                &rows,
            )?;
            if let Some(next) = next_cursor {
                voice.note(&format!("there are more: `--cursor {next}`"));
            }
            Ok(())
        }
        Answer::Hits(hits) => {
            if hits.is_empty() {
                voice.note("no decision holds any of these words");
            }
            let rows: Vec<_> = hits.iter().map(|hit| row(out, &hit.decision)).collect();
            out.table_of(
                (["N", "STATUS", "IMPACT", "CATEGORY", "TITLE"], &["TITLE"]),
                &rows,
            )
        }
        Answer::Files {
            files,
            written,
            warnings,
            ..
        } => {
            warnings.iter().for_each(|warning| voice.warn(warning));
            if *written > 0 {
                voice.note(&format!("{written} written"));
            }
            let rows: Vec<[Vec<u8>; 2]> = files
                .iter()
                .map(|file| [word(&file.state).into_bytes(), out.name(&file.name)])
                .collect();
            out.table(["STATE", "FILE"], &rows)
        }
    }
}

fn json(out: &mut Out, answer: &Answer) -> io::Result<()> {
    match answer {
        Answer::Decision {
            decision,
            file,
            warnings,
        } => out.json(&Changed {
            decision,
            file,
            warnings,
        }),
        Answer::Detail(found) => out.json(&Whole {
            brief: &found.brief,
            context: &found.context,
            decision: &found.decision,
            rationale: &found.rationale,
            alternatives: &found.alternatives,
            consequences: &found.consequences,
            risks: &found.risks,
            history: &found.history,
            file: &found.file,
            file_state: found.file_state,
        }),
        Answer::Decisions {
            decisions,
            next_cursor,
        } => out.json(&Page {
            decisions,
            next_cursor: Some(*next_cursor),
        }),
        Answer::Hits(hits) => {
            let found: Vec<Found<'_>> = hits
                .iter()
                .map(
                    |Hit {
                         decision,
                         score,
                         matched,
                     }| Found {
                        decision,
                        score: *score,
                        matched,
                    },
                )
                .collect();
            out.json(&Page {
                decisions: &found,
                next_cursor: None,
            })
        }
        Answer::Files {
            folder,
            files,
            written,
            warnings,
        } => out.json(&Files {
            folder,
            files,
            written: *written,
            warnings,
        }),
    }
}

fn row(out: &Out, found: &Decision) -> [Vec<u8>; 5] {
    [
        found.number.to_string().into_bytes(),
        found.status.word().into(),
        found.impact.word().into(),
        found.category.word().into(),
        out.prose(&found.title, 80),
    ]
}

fn detail(out: &mut Out, voice: &Voice, found: &Detail) -> io::Result<()> {
    let brief = &found.brief;
    let list = |texts: &[String]| cell(&texts.join(", "));
    let mut pairs = vec![
        ("number", brief.number.to_string().into_bytes()),
        ("id", cell(&brief.id)),
        ("title", cell(&brief.title)),
        ("status", brief.status.word().into()),
        ("category", brief.category.word().into()),
        ("impact", brief.impact.word().into()),
        ("by", cell(&brief.actor)),
        ("recorded", time(out, brief.created)),
    ];
    for (name, texts) in [
        ("about", &brief.paths),
        ("components", &brief.components),
        ("tags", &brief.tags),
    ] {
        if !texts.is_empty() {
            pairs.push((name, list(texts)));
        }
    }
    pairs.extend(brief.task.iter().map(|task| ("task", cell(task))));
    for link in &brief.links {
        let text = format!("{} {}", link.relation.word().replace('_', " "), link.number);
        pairs.push(("link", cell(&text)));
    }
    pairs.push(("file", out.name(&found.file)));
    if found.file_state != MirrorState::AsWritten {
        pairs.push(("file is", word(&found.file_state).into_bytes()));
    }
    out.pairs(&pairs)?;
    for (head, text) in [
        ("Context", &found.context),
        ("Decision", &found.decision),
        ("Rationale", &found.rationale),
    ] {
        if !text.trim().is_empty() {
            out.line(&format!("\n{head}:"))?;
            out.line(text.trim_end())?;
        }
    }
    for (head, texts) in [("Consequences", &found.consequences), ("Risks", &found.risks)] {
        if !texts.is_empty() {
            out.line(&format!("\n{head}:"))?;
            texts.iter().try_for_each(|text| out.line(&format!("- {text}")))?;
        }
    }
    for other in &found.alternatives {
        out.line(&format!("\nInstead of: {}", other.name))?;
        other
            .pros
            .iter()
            .try_for_each(|text| out.line(&format!("+ {text}")))?;
        other
            .cons
            .iter()
            .try_for_each(|text| out.line(&format!("- {text}")))?;
    }
    for event in found.history.iter().filter(|event| event.op == Op::Outcome) {
        let when = String::from_utf8_lossy(&time(out, event.time)).into_owned();
        out.line(&format!("\nOutcome, {when}, {}:", event.actor))?;
        out.line(event.text.trim_end())?;
    }
    if found.file_state == MirrorState::Edited {
        voice.warn("its file was changed by hand; the decision is what stands here");
    }
    Ok(())
}
