//! Workspaces, their places and the check of their isolation.

use std::io;

use proto::RawPath;
use proto::workspace::{Answer, Finding, Totals, Workspace};
use serde::Serialize;

use super::{bytes, time, word};
use crate::out::{Form, Out, SCHEMA_VERSION};
use crate::quote::cell;
use crate::voice::Voice;

#[derive(Serialize)]
struct List<'a> {
    workspaces: &'a [Workspace],
}

#[derive(Serialize)]
struct Location<'a> {
    id: &'a str,
    root: &'a RawPath,
    folder: &'a RawPath,
    made: bool,
    state_dir: &'a RawPath,
}

/// The report of `validate-isolation`.
#[derive(Serialize)]
pub(crate) struct Isolation<'a> {
    passed: bool,
    findings: &'a [Finding],
}

impl<'a> Isolation<'a> {
    pub(crate) fn new(findings: &'a [Finding]) -> Self {
        Self {
            passed: findings.iter().all(|finding| finding.passed),
            findings,
        }
    }

    pub(crate) fn passed(&self) -> bool {
        self.passed
    }

    /// The text of a report file.
    pub(crate) fn report(&self) -> serde_json::Result<String> {
        let mut report = serde_json::to_value(self)?;
        if let Some(fields) = report.as_object_mut() {
            fields.shift_insert(0, "schema_version".to_owned(), SCHEMA_VERSION.into());
        }
        serde_json::to_string_pretty(&report).map(|text| text + "\n")
    }
}

pub(super) fn answer(out: &mut Out, voice: &Voice, answer: &Answer) -> io::Result<()> {
    match answer {
        Answer::Workspaces(workspaces) if out.form() == Form::Json => out.json(&List { workspaces }),
        Answer::Workspaces(workspaces) => list(out, voice, workspaces),
        Answer::Workspace(workspace) if out.form() == Form::Json => out.json(workspace),
        Answer::Workspace(workspace) => {
            workspace.warnings.iter().for_each(|warning| voice.warn(warning));
            one(out, workspace)
        }
        Answer::Location {
            id,
            root,
            folder,
            made,
            state_dir,
        } => location(
            out,
            &Location {
                id,
                root,
                folder,
                made: *made,
                state_dir,
            },
        ),
        Answer::Isolation(findings) if out.form() == Form::Json => out.json(&Isolation::new(findings)),
        Answer::Isolation(findings) => isolation(out, findings),
    }
}

fn list(out: &mut Out, voice: &Voice, workspaces: &[Workspace]) -> io::Result<()> {
    if workspaces.is_empty() {
        voice.note(
            "no workspaces yet: `tocli workspace create` registers the project of the working directory",
        );
    }
    let rows: Vec<[Vec<u8>; 6]> = workspaces
        .iter()
        .map(|workspace| {
            [
                cell(&workspace.id),
                cell(&workspace.name),
                cell(workspace.project_type.as_deref().unwrap_or("-")),
                time(out, workspace.last_access),
                state(workspace).into(),
                out.name(&workspace.root),
            ]
        })
        .collect();
    out.table(["ID", "NAME", "TYPE", "LAST ACCESS", "STATE", "ROOT"], &rows)
}

fn state(workspace: &Workspace) -> &'static str {
    match (workspace.forgotten, workspace.present) {
        (Some(_), _) => "forgotten",
        (None, true) => "present",
        (None, false) => "missing",
    }
}

fn one(out: &mut Out, workspace: &Workspace) -> io::Result<()> {
    let mut pairs = vec![
        ("id", cell(&workspace.id)),
        ("name", cell(&workspace.name)),
        ("root", out.name(&workspace.root)),
        ("state", state(workspace).into()),
        ("method", word(&workspace.method).into_bytes()),
        ("confidence", workspace.confidence.to_string().into_bytes()),
        ("type", cell(workspace.project_type.as_deref().unwrap_or("-"))),
        ("created", time(out, workspace.created)),
        ("last access", time(out, workspace.last_access)),
    ];
    if let Some(forgotten) = workspace.forgotten {
        pairs.push(("forgotten", time(out, forgotten)));
    }
    for tree in &workspace.trees {
        pairs.push(("tree", out.name(tree)));
    }
    totals(out, &workspace.totals, &mut pairs);
    out.pairs(&pairs)
}

fn totals(out: &Out, totals: &Totals, pairs: &mut Vec<(&'static str, Vec<u8>)>) {
    if !totals.tasks.is_empty() {
        let tasks: Vec<String> = totals
            .tasks
            .iter()
            .map(|(status, count)| format!("{count} {status}"))
            .collect();
        pairs.push(("tasks", cell(&tasks.join(", "))));
    }
    pairs.push(("artifacts", totals.artifacts.to_string().into_bytes()));
    pairs.push(("decisions", totals.decisions.to_string().into_bytes()));
    let mut size = bytes(out, totals.bytes);
    if totals.bytes_at_least {
        size.extend_from_slice(b" or more");
    }
    pairs.push(("bytes", size));
}

fn location(out: &mut Out, found: &Location<'_>) -> io::Result<()> {
    if out.form() == Form::Json {
        return out.json(found);
    }
    let made: &[u8] = if found.made { b"yes" } else { b"no" };
    let pairs = [
        ("id", cell(found.id)),
        ("root", out.name(found.root)),
        ("folder", out.name(found.folder)),
        ("made", made.to_vec()),
        ("state", out.name(found.state_dir)),
    ];
    out.pairs(&pairs)
}

fn isolation(out: &mut Out, findings: &[Finding]) -> io::Result<()> {
    let rows: Vec<[Vec<u8>; 3]> = findings
        .iter()
        .map(|finding| {
            let result: &[u8] = if finding.passed { b"pass" } else { b"FAIL" };
            [
                result.to_vec(),
                cell(&finding.check),
                cell(&finding.details.join("; ")),
            ]
        })
        .collect();
    out.table_of((["RESULT", "CHECK", "DETAILS"], &["DETAILS"]), &rows)
}
