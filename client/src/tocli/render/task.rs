//! Tasks: tables, trees and reports for eyes, whole objects for scripts.

use std::io;

use proto::task::{Answer, Detail, Entry, Finding, Planned, Stats, Synthesis, Task, Template, TreeLine};
use serde::Serialize;
use serde_json::{Map, Value};

use super::{time, word};
use crate::out::{Form, Out};
use crate::quote::cell;
use crate::voice::Voice;

/// A task with what its change led to.
#[derive(Serialize)]
struct Changed<'a> {
    #[serde(flatten)]
    task: &'a Task,
    unblocked: &'a [String],
    along: &'a [String],
    warnings: &'a [String],
}

/// A task with its texts, in one object.
#[derive(Serialize)]
struct Whole<'a> {
    #[serde(flatten)]
    task: &'a Task,
    description: &'a str,
    context: &'a str,
    summary: &'a str,
    links: &'a [proto::task::Link],
    tree: &'a Option<proto::RawPath>,
    notes: &'a [proto::task::Note],
    older_notes: u32,
    children_ids: &'a [String],
    blocks: &'a [String],
}

impl<'a> From<&'a Detail> for Whole<'a> {
    fn from(detail: &'a Detail) -> Self {
        Self {
            task: &detail.task,
            description: &detail.description,
            context: &detail.context,
            summary: &detail.summary,
            links: &detail.links,
            tree: &detail.tree,
            notes: &detail.notes,
            older_notes: detail.older_notes,
            children_ids: &detail.children,
            blocks: &detail.blocks,
        }
    }
}

/// Shows an answer; `fields` are those of a list.
pub(crate) fn answer(out: &mut Out, voice: &Voice, answer: &Answer, fields: &[String]) -> io::Result<()> {
    if out.form() == Form::Json {
        return json(out, answer, fields);
    }
    match answer {
        Answer::Task {
            task,
            unblocked,
            along,
            warnings,
        } => {
            warnings.iter().for_each(|warning| voice.warn(warning));
            changed(out, voice, task, (unblocked, along))
        }
        Answer::Planned {
            task_id,
            tasks,
            warnings,
        } => {
            warnings.iter().for_each(|warning| voice.warn(warning));
            planned(out, Some(task_id), tasks)
        }
        Answer::Imported { made, known, skipped } => {
            skipped
                .iter()
                .for_each(|skipped| voice.note(&format!("left out: {skipped}")));
            voice.note(&format!(
                "{} made, {known} known, {} left out",
                made.len(),
                skipped.len()
            ));
            planned(out, None, made)
        }
        Answer::Tasks { tasks, next_cursor } => list(out, voice, tasks, next_cursor.as_deref(), fields),
        Answer::Detail(found) => detail(out, found),
        Answer::Tree { lines, left_out } => tree(out, voice, lines, *left_out),
        Answer::Noted { task_id, .. } => out.line(&format!("noted on {task_id}")),
        Answer::Purged { tasks } => tasks.iter().try_for_each(|id| out.line(id)),
        Answer::Moved { tasks, workspace } => {
            voice.note(&format!("{} tasks are in `{workspace}` now", tasks.len()));
            tasks.iter().try_for_each(|id| out.line(id))
        }
        Answer::Rehomed {
            tasks,
            workspace,
            artifacts,
        } => {
            let (count, kept) = (tasks.len(), artifacts.len());
            voice.note(&format!(
                "{count} tasks and {kept} artifacts are in `{workspace}` now"
            ));
            tasks.iter().try_for_each(|id| out.line(id))?;
            artifacts.iter().try_for_each(|one| {
                let row = [&one.artifact_id, &one.task_id, &one.name].map(|text| cell(text));
                out.cell_line(&row.join(&b'\t'))
            })
        }
        Answer::History(entries) => history(out, entries),
        Answer::Stats(figures) => stats(out, figures),
        Answer::Synthesis(report) => synthesis(out, voice, report),
        Answer::Prompt {
            prompt, shortened, ..
        } => {
            shortened.iter().for_each(|shortened| voice.warn(shortened));
            out.line(prompt.trim_end())
        }
        Answer::Next { task, others } => {
            if *others > 0 {
                voice.note(&format!("{others} more are ready"));
            }
            detail(out, task)
        }
        Answer::Templates(found) => templates(out, found),
        Answer::Template { text, .. } => out.line(text.trim_end()),
    }
}

fn json(out: &mut Out, answer: &Answer, fields: &[String]) -> io::Result<()> {
    #[derive(Serialize)]
    struct Next<'a> {
        task: Whole<'a>,
        others: u64,
    }
    match answer {
        Answer::Task {
            task,
            unblocked,
            along,
            warnings,
        } => out.json(&Changed {
            task,
            unblocked,
            along,
            warnings,
        }),
        Answer::Detail(detail) => out.json(&Whole::from(detail.as_ref())),
        Answer::Next { task, others } => out.json(&Next {
            task: task.as_ref().into(),
            others: *others,
        }),
        Answer::Tasks { tasks, next_cursor } if !fields.is_empty() => {
            let tasks: Vec<Value> = tasks
                .iter()
                .map(|task| Value::Object(chosen(task, fields)))
                .collect();
            out.json(&serde_json::json!({ "tasks": tasks, "next_cursor": next_cursor }))
        }
        Answer::History(history) => out.json(&serde_json::json!({ "history": history })),
        Answer::Templates(templates) => out.json(&serde_json::json!({ "templates": templates })),
        Answer::Stats(stats) => out.json(stats),
        Answer::Synthesis(report) => out.json(report),
        // The rest are structs within one variant: their fields are the object.
        other => match serde_json::to_value(other)? {
            Value::Object(outer) => out.json(&outer.into_iter().next().map(|(_, inner)| inner)),
            value => out.json(&value),
        },
    }
}

/// Some fields of a task; `null` for what it has not.
fn chosen(task: &Task, fields: &[String]) -> Map<String, Value> {
    let all = serde_json::to_value(task).unwrap_or_default();
    let value = |name: &String| all.get(name).cloned().unwrap_or_default();
    fields.iter().map(|name| (name.clone(), value(name))).collect()
}

/// Where a task stands, in one word.
fn standing(task: &Task) -> String {
    match (&task.claim, task.ready, task.waiting_for.is_empty()) {
        (Some(claim), ..) => format!("{} by {}", task.status.word(), claim.actor),
        (None, true, _) => "ready".to_owned(),
        (None, false, false) => format!("{}, waits for {}", task.status.word(), task.waiting_for.len()),
        (None, false, true) if task.children > 0 && task.open_children == 0 && task.status.is_open() => {
            format!("{}, nothing open below", task.status.word())
        }
        (None, false, true) => task.status.word().to_owned(),
    }
}

fn changed(
    out: &mut Out,
    voice: &Voice,
    task: &Task,
    (unblocked, along): (&[String], &[String]),
) -> io::Result<()> {
    if !unblocked.is_empty() {
        voice.note(&format!("ready now: {}", unblocked.join(", ")));
    }
    if !along.is_empty() {
        voice.note(&format!("changed with it: {}", along.join(", ")));
    }
    let row = [cell(&task.id), cell(&standing(task)), cell(&task.title)];
    out.cell_line(&row.join(&b'\t'))
}

fn planned(out: &mut Out, top: Option<&str>, tasks: &[Planned]) -> io::Result<()> {
    if let Some(top) = top {
        out.line(top)?;
    }
    let rows: Vec<[Vec<u8>; 2]> = tasks
        .iter()
        .map(|task| [cell(&task.task_id), cell(&task.local)])
        .collect();
    out.table(["TASK", "NAME"], &rows)
}

fn list(
    out: &mut Out,
    voice: &Voice,
    tasks: &[Task],
    next: Option<&str>,
    fields: &[String],
) -> io::Result<()> {
    if !fields.is_empty() {
        for task in tasks {
            let values = chosen(task, fields);
            let cells: Vec<Vec<u8>> = values.values().map(plain).collect();
            out.cell_line(&cells.join(&b'\t'))?;
        }
    } else {
        let rows: Vec<[Vec<u8>; 5]> = tasks
            .iter()
            .map(|task| {
                [
                    cell(&task.id),
                    cell(&standing(task)),
                    task.priority.word().into(),
                    cell(&task.specialist),
                    out.prose(&task.title, 80),
                ]
            })
            .collect();
        out.table_of(
            (["TASK", "STATUS", "PRIORITY", "SPECIALIST", "TITLE"], &["TITLE"]),
            &rows,
        )?;
    }
    if tasks.is_empty() {
        voice.note(
            "no tasks found: `--all` shows closed ones too, `tocli task add` and `tocli task plan` make some",
        );
    }
    if let Some(next) = next {
        voice.note(&format!("there are more: `--cursor {next}`"));
    }
    Ok(())
}

fn plain(value: &Value) -> Vec<u8> {
    match value {
        Value::Null => b"-".to_vec(),
        Value::String(text) => cell(text),
        Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join(&b','),
        other => cell(&other.to_string()),
    }
}

fn detail(out: &mut Out, detail: &Detail) -> io::Result<()> {
    let task = &detail.task;
    let mut pairs = vec![
        ("task", cell(&task.id)),
        ("title", cell(&task.title)),
        ("status", cell(&standing(task))),
        ("specialist", cell(&task.specialist)),
        ("priority", task.priority.word().into()),
        ("revision", task.revision.to_string().into_bytes()),
        (
            "created",
            [time(out, task.created), cell(&format!(" by {}", task.created_by))].concat(),
        ),
    ];
    let mut add = |name, text: Option<String>| pairs.extend(text.map(|text| (name, cell(&text))));
    add("reason", task.reason.clone());
    add("parent", task.parent.clone());
    add(
        "after",
        Some(task.after.join(", ")).filter(|text| !text.is_empty()),
    );
    add(
        "waits for",
        Some(task.waiting_for.join(", ")).filter(|text| !text.is_empty()),
    );
    add(
        "blocks",
        Some(detail.blocks.join(", ")).filter(|text| !text.is_empty()),
    );
    add(
        "labels",
        Some(task.labels.join(", ")).filter(|text| !text.is_empty()),
    );
    add(
        "complexity",
        task.complexity.map(|complexity| complexity.word().to_owned()),
    );
    add("effort", task.effort.clone());
    add("attempts", (task.attempts > 0).then(|| task.attempts.to_string()));
    add(
        "children",
        (task.children > 0).then(|| format!("{} open of {}", task.open_children, task.children)),
    );
    for link in &detail.links {
        add("link", Some(format!("{}: {}", link.kind, link.to)));
    }
    if let Some(claim) = &task.claim {
        pairs.push(("expires", time(out, claim.expires)));
    }
    out.pairs(&pairs)?;
    for (head, text) in [
        ("Description", &detail.description),
        ("Context", &detail.context),
        ("Summary", &detail.summary),
    ] {
        if !text.trim().is_empty() {
            out.line(&format!("\n{head}\n{}", text.trim_end()))?;
        }
    }
    notes(out, detail)
}

fn notes(out: &mut Out, detail: &Detail) -> io::Result<()> {
    if detail.notes.is_empty() {
        return Ok(());
    }
    out.line("\nNotes")?;
    for note in &detail.notes {
        let to = note
            .to
            .as_ref()
            .map_or_else(String::new, |to| format!(" to {to}"));
        let head = [time(out, note.time), cell(&format!(" {}{to}: ", note.actor))].concat();
        out.cell_line(&[head, cell(note.text.trim_end())].concat())?;
    }
    Ok(())
}

fn tree(out: &mut Out, voice: &Voice, lines: &[TreeLine], left_out: u32) -> io::Result<()> {
    if lines.is_empty() {
        voice.note(
            "no tasks found: `--all` shows closed ones too, `tocli task add` and `tocli task plan` make some",
        );
    }
    for line in lines {
        let state = match (&line.actor, line.ready) {
            (Some(actor), _) => format!("{} by {actor}", line.status.word()),
            (None, true) => "ready".to_owned(),
            (None, false) => line.status.word().to_owned(),
        };
        let indent = "  ".repeat(line.depth as usize);
        let shown = format!("{indent}{}  [{state}]  ", line.id);
        out.cell_line(&[cell(&shown), cell(&line.title)].concat())?;
    }
    if left_out > 0 {
        voice.warn(&format!(
            "{left_out} more did not fit; name a task to see what is below it"
        ));
    }
    Ok(())
}

fn history(out: &mut Out, entries: &[Entry]) -> io::Result<()> {
    let rows: Vec<[Vec<u8>; 6]> = entries
        .iter()
        .map(|entry| {
            [
                entry.revision.to_string().into_bytes(),
                time(out, entry.time),
                cell(&entry.actor),
                cell(&entry.op),
                word(&entry.to).into_bytes(),
                cell(&entry.fields.join(", ")),
            ]
        })
        .collect();
    out.table_of(
        (
            ["REVISION", "TIME", "ACTOR", "CHANGE", "STATUS", "FIELDS"],
            &["FIELDS"],
        ),
        &rows,
    )
}

fn stats(out: &mut Out, stats: &Stats) -> io::Result<()> {
    let mut pairs = vec![
        ("total", stats.total),
        ("ready", stats.ready),
        ("waiting", stats.waiting),
        ("claimed", stats.claimed),
    ];
    pairs.extend(stats.median_seconds.map(|seconds| ("median seconds", seconds)));
    let of = |list: &[(String, u64)]| {
        list.iter()
            .map(|(name, count)| format!("{count} {name}"))
            .collect::<Vec<_>>()
    };
    let mut shown: Vec<(&str, Vec<u8>)> = pairs
        .into_iter()
        .map(|(name, count)| (name, count.to_string().into_bytes()))
        .collect();
    shown.push(("by status", cell(&of(&stats.by_status).join(", "))));
    shown.push(("open by specialist", cell(&of(&stats.by_specialist).join(", "))));
    out.pairs(&shown)
}

fn synthesis(out: &mut Out, voice: &Voice, report: &Synthesis) -> io::Result<()> {
    let (done, open) = (report.done.len(), report.open.len());
    let head = if report.finished {
        "all is done"
    } else {
        "not finished"
    };
    out.line(&format!(
        "{}: {head} ({done} done, {open} not)",
        report.task.title
    ))?;
    let row = |finding: &Finding| {
        [
            cell(&finding.id),
            finding.status.word().into(),
            out.prose(&finding.title, 40),
            out.prose(&finding.text, 80),
        ]
    };
    let rows: Vec<[Vec<u8>; 4]> = report.done.iter().chain(&report.open).map(row).collect();
    out.table_of(
        (
            ["TASK", "STATUS", "TITLE", "RESULT, OR WHY NOT"],
            &["TITLE", "RESULT, OR WHY NOT"],
        ),
        &rows,
    )?;
    if report.left_out > 0 {
        voice.warn(&format!("{} more did not fit", report.left_out));
    }
    Ok(())
}

fn templates(out: &mut Out, templates: &[Template]) -> io::Result<()> {
    let rows: Vec<[Vec<u8>; 3]> = templates
        .iter()
        .map(|template| {
            [
                cell(&template.name),
                template.tasks.to_string().into_bytes(),
                cell(&template.description),
            ]
        })
        .collect();
    out.table_of((["NAME", "TASKS", "WHAT FOR"], &["WHAT FOR"]), &rows)
}
