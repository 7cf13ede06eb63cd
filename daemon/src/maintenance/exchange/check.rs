//! What a line may hold, whoever wrote the file. Pure.
//!
//! Asked of every line of an import before anything is recorded, and of every line of an export, so that the two never
//! come apart. What must stay true: a record made of a line that passes is one that its own room could have made, and no
//! name in it leads out of the workspace.

use std::path::{Component, Path};

use proto::RawPath;
use proto::context::NewNote;

use super::line::Line;
use crate::artifact::rules as of_artifacts;
use crate::artifact::store::{Card as Artifact, Edition};
use crate::context::session::Session;
use crate::context::{rules as of_notes, store::Memory};
use crate::decision::{self, rules as of_decisions};
use crate::maintenance::legacy::report::Kind;
use crate::maintenance::legacy::store::{Import, Row};
use crate::task::card::{Card as Task, Past, Remark, Texts};
use crate::task::rules as of_tasks;

/// The largest file of settings or roles, in bytes.
pub const LONGEST_FILE: usize = 256 << 10;
/// The most fields that one change names.
const MOST_FIELDS: usize = 32;
/// The longest id of an old database, in bytes.
const LONGEST_OLD_ID: usize = 2 << 10;
/// The largest number: what is counted up never comes near it.
pub const LARGEST: u64 = 1 << 53;

type Verdict = Result<(), String>;

fn said(result: proto::error::Result<()>) -> Verdict {
    result.map_err(|error| match &error.why {
        Some(why) => format!("{}: {why}", error.what),
        None => error.what,
    })
}

fn must(holds: bool, otherwise: &str) -> Verdict {
    match holds {
        true => Ok(()),
        false => Err(otherwise.to_owned()),
    }
}

/// A line alone.
///
/// # Errors
/// Why it may not be.
pub fn line(line: &Line) -> Verdict {
    match line {
        Line::Task(card) => task(card),
        Line::TaskTexts { texts: all, .. } | Line::TaskPastTexts { texts: all, .. } => texts(all),
        Line::TaskPast {
            task,
            revision,
            past: one,
        } => past(task, *revision, one),
        Line::TaskNote { number, note, .. } => remark(*number, note),
        Line::Artifact(card) => artifact(card),
        Line::ArtifactVersion { edition, .. } => version(edition),
        Line::Decision(card) => decision(card),
        Line::Note(one) => note(one),
        Line::Session(one) => session(one),
        Line::Legacy { kind, import } => legacy(kind, import),
        Line::File { name, text } => {
            file_name(name)?;
            must(text.len() <= LONGEST_FILE, "it has more than 256 KiB")
        }
        Line::Event(event) => {
            for text in [&event.actor, &event.op, &event.target] {
                must(text.len() <= 1024 && !text.contains('\0'), "a very long word")?;
            }
            Ok(())
        }
        Line::Counters(all) => must(
            [all.task_changes, all.artifacts, all.notes]
                .iter()
                .all(|one| *one < LARGEST),
            "a number that nothing was counted up to",
        ),
        Line::WorkspaceExport(_) | Line::Content { .. } | Line::Piece(_) | Line::End(_) => Ok(()),
    }
}

/// A task without its long texts.
///
/// # Errors
/// Why it may not be.
pub fn task(card: &Task) -> Verdict {
    said(of_tasks::id(&card.id))?;
    said(of_tasks::title(&card.title))?;
    said(of_tasks::specialist(&card.specialist))?;
    said(of_tasks::after(&card.after))?;
    if let Some(parent) = &card.parent {
        said(of_tasks::id(parent))?;
    }
    if let Some(effort) = &card.effort {
        said(of_tasks::line("effort", effort, of_tasks::MAX_EFFORT))?;
    }
    let labels = of_tasks::labels(&card.labels).map_err(|error| error.what)?;
    must(labels == card.labels, "its labels are not in order")?;
    said(of_tasks::actor(&card.created_by))?;
    if let Some(hold) = &card.hold {
        said(of_tasks::actor(&hold.actor))?;
        must(
            card.status == proto::task::Status::Active,
            "it is held and not active",
        )?;
    }
    if let Some(reason) = &card.reason {
        said(of_tasks::reason(reason))?;
    }
    let put_away = card.status == proto::task::Status::Archived;
    must(
        put_away == card.archived_from.is_some(),
        "what it was before it was put away does not fit",
    )?;
    let numbers = [card.born, card.revision, card.change];
    must(
        numbers.iter().all(|number| (1..LARGEST).contains(number)),
        "a number that nothing was counted up to",
    )
}

fn texts(texts: &Texts) -> Verdict {
    said(of_tasks::description(&texts.description))?;
    said(of_tasks::text("context", &texts.context))?;
    said(of_tasks::text("summary", &texts.summary))?;
    said(of_tasks::links(&texts.links))?;
    must(texts.tree.is_none(), "it names a checkout")
}

fn past(id: &str, revision: u64, past: &Past) -> Verdict {
    task(&past.before)?;
    must(past.before.id == id, "it speaks of another task")?;
    must(
        past.before.revision + 1 == revision,
        "what was before is not the revision before",
    )?;
    said(of_tasks::actor(&past.actor))?;
    said(of_tasks::line("operation", &past.op, of_tasks::MAX_LABEL))?;
    must(past.fields.len() <= MOST_FIELDS, "it changes very many fields")?;
    past.fields
        .iter()
        .try_for_each(|field| said(of_tasks::line("field", field, of_tasks::MAX_LABEL)))
}

fn remark(number: u64, note: &Remark) -> Verdict {
    must(
        (1..LARGEST).contains(&number),
        "a number that nothing was counted up to",
    )?;
    said(of_tasks::text("note", &note.text))?;
    said(of_tasks::actor(&note.actor))?;
    note.to.as_ref().map_or(Ok(()), |to| said(of_tasks::actor(to)))
}

fn artifact(card: &Artifact) -> Verdict {
    said(of_artifacts::id(&card.id))?;
    said(of_artifacts::name(&card.name))?;
    said(of_artifacts::name(&card.folder)).map_err(|why| format!("its folder: {why}"))?;
    said(of_artifacts::summary(&card.summary))?;
    said(of_tasks::actor(&card.actor))?;
    if let Some(task) = &card.task {
        said(of_tasks::id(task))?;
    }
    source(card.source.as_ref())?;
    must(card.tree.is_none() && card.stamp.is_none(), "it names a checkout")?;
    must(
        (1..LARGEST).contains(&card.born) && card.version >= 1,
        "a number that nothing was counted up to",
    )
}

fn version(edition: &Edition) -> Verdict {
    said(of_artifacts::summary(&edition.summary))?;
    said(of_tasks::actor(&edition.actor))?;
    source(edition.source.as_ref())?;
    must(edition.version >= 1, "versions are counted from 1")
}

/// A path from the root of the project to something within.
fn source(path: Option<&RawPath>) -> Verdict {
    let Some(path) = path else { return Ok(()) };
    must(
        path.as_bytes().len() <= of_artifacts::MAX_SOURCE,
        "a very long path",
    )?;
    within(path)
}

fn within(path: &RawPath) -> Verdict {
    let plain = |part: Component<'_>| matches!(part, Component::Normal(_) | Component::CurDir);
    let good = !path.as_bytes().is_empty() && !path.as_bytes().contains(&0);
    must(
        good && path.as_path().components().all(plain),
        "a path that leads out of the project",
    )
}

fn decision(card: &decision::Card) -> Verdict {
    said(of_decisions::check(card))?;
    must(
        (1..LARGEST).contains(&card.number),
        "a number that nothing was counted up to",
    )?;
    card.paths
        .iter()
        .try_for_each(|path| within(&RawPath::from(path.as_str())))?;
    must(
        card.links.iter().all(|link| link.number != card.number),
        "it is linked to itself",
    )
}

fn note(note: &Memory) -> Verdict {
    said(of_notes::note(&NewNote {
        text: note.text.clone(),
        task: note.task.clone(),
        tags: note.tags.clone(),
        paths: note.paths.clone(),
        expires_in: None,
    }))?;
    said(of_tasks::actor(&note.actor))?;
    if let Some(task) = &note.task {
        said(of_tasks::id(task))?;
    }
    let bytes: usize = note.paths.iter().map(|path| path.as_bytes().len()).sum();
    must(bytes <= of_notes::MAX_PATH_BYTES, "very long paths")?;
    note.paths.iter().try_for_each(within)?;
    must(
        (1..LARGEST).contains(&note.number),
        "a number that nothing was counted up to",
    )
}

fn session(one: &Session) -> Verdict {
    said(of_tasks::id(&one.id))?;
    said(of_tasks::actor(&one.actor))?;
    if let Some(name) = &one.name {
        said(of_tasks::line("name", name, of_tasks::MAX_ACTOR))?;
    }
    must(one.specialists.len() <= MOST_FIELDS, "very many specialists")?;
    one.specialists
        .iter()
        .try_for_each(|name| said(of_tasks::specialist(name)))?;
    must(one.ended.is_some(), "it is not over")?;
    must(one.tree.is_none(), "it names a checkout")
}

fn legacy(kind: &str, import: &Import) -> Verdict {
    must(Kind::parse(kind).is_some(), "a kind that no old database has")?;
    let long = import
        .to
        .as_ref()
        .map_or(0, String::len)
        .max(import.version.len());
    must(
        import.id.len() <= LONGEST_OLD_ID && long <= LONGEST_OLD_ID,
        "a very long id",
    )?;
    let Some(Row::Here(row)) = &import.row else {
        return Ok(());
    };
    let object: Result<serde_json::Map<String, serde_json::Value>, _> = serde_json::from_str(row);
    must(object.is_ok(), "its row is no JSON object")
}

/// The file of a project's settings, or that of a role.
///
/// # Errors
/// Why it may not be.
pub fn file_name(name: &str) -> Verdict {
    if name == crate::workspace::config::FILE {
        return Ok(());
    }
    let role = name.strip_prefix("roles/").filter(|role| {
        let end = Path::new(role).extension().and_then(|end| end.to_str());
        matches!(end, Some("yaml" | "yml")) && !role.contains('/')
    });
    match role {
        Some(role) => said(of_artifacts::name(role)),
        None => Err("only `config.yaml` and `roles/<name>.yaml` are taken along".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_of_a_file_leads_anywhere_else() {
        for good in ["config.yaml", "roles/coder.yaml", "roles/my own.yml"] {
            assert_eq!(file_name(good), Ok(()), "{good}");
        }
        for bad in [
            "",
            "workspace.json",
            ".gitignore",
            "roles",
            "roles/",
            "roles/x",
            "roles/../config.yaml",
            "roles/.yaml",
            "roles/.x.yaml",
            "roles/a/b.yaml",
            "/roles/x.yaml",
            "roles/x\0.yaml",
            "../config.yaml",
            "roles\\x.yaml",
            "./config.yaml",
            "decisions/0001-x.md",
        ] {
            assert!(file_name(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn no_path_leads_out_of_the_project() {
        for good in ["a", "a/b", ".", "./a"] {
            assert_eq!(within(&good.into()), Ok(()), "{good}");
        }
        for bad in ["", "/", "/etc/passwd", "..", "a/../../b", "../a", "a\0b"] {
            assert!(within(&bad.into()).is_err(), "{bad:?}");
        }
    }
}
