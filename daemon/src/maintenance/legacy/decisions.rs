//! Old decisions as decisions of the workspace.
//!
//! 1.5 to 1.8 kept architectural decisions with lists as JSON text; the reader has made lists of them. What must stay
//! true: an old id stays where it can be one; numbers are given anew, in the order of the old ones; what has no field
//! here (how far it is built, when it is looked at again) is said in the context, so that nothing is lost.

use std::collections::{HashMap, HashSet};

use migrations::legacy::OldRow;
use proto::decision::{Alternative, Category, Event, Impact, Op, Relation, Status};
use proto::error::Result;
use serde_json::Value;

use super::report::{Kind, Report};
use super::store::Import;
use super::{Old, Taking};
use crate::db::Batch;
use crate::decision::{self, Card, Place, Taken};
use crate::task::rules as of_tasks;

/// The most decisions of one commit.
const STEP: usize = 100;

/// Takes all of them in, or says what it would do.
///
/// # Errors
/// What the store says.
pub(super) fn take(
    taking: &Taking<'_>,
    old: &Old,
    ids: &HashMap<String, String>,
    (report, dry_run): (&mut Report, bool),
) -> Result<()> {
    let mut rows: Vec<&OldRow> = old
        .contents
        .iter()
        .flat_map(|contents| &contents.decisions)
        .collect();
    rows.sort_by_key(|row| {
        row.columns
            .get("decision_number")
            .and_then(Value::as_i64)
            .unwrap_or(i64::MAX)
    });
    let (mut fresh, mut seen) = (Vec::new(), HashSet::new());
    for row in rows {
        report.found(Kind::Decision);
        if !seen.insert(row.id.as_str()) {
            report.skip(Kind::Decision, &row.id, "another one before it has the same id");
        } else if taking.imports.get(Kind::Decision, &row.id)?.is_some() {
            report.there(Kind::Decision);
        } else {
            fresh.push(row);
        }
    }
    let version = old
        .open
        .first()
        .map(|one| one.legacy.version().to_string())
        .unwrap_or_default();
    for step in fresh.chunks(STEP) {
        let cards: Vec<Card> = step.iter().map(|row| card(taking, row, ids, report)).collect();
        if dry_run {
            cards.iter().for_each(|_| report.imported(Kind::Decision));
            continue;
        }
        recorded(taking, (step, cards), &version, report)?;
    }
    Ok(())
}

fn recorded(
    taking: &Taking<'_>,
    (rows, cards): (&[&OldRow], Vec<Card>),
    version: &str,
    report: &mut Report,
) -> Result<()> {
    let ctx = taking.desk.ctx;
    let mut batch = Batch::new();
    taking.registry.claim_once(&mut batch, taking.scope)?;
    let own: Vec<String> = cards.iter().map(|card| card.id.clone()).collect();
    let relations = relations(rows);
    let taken = decision::take_in(ctx, &mut batch, taking.scope.id(), cards, &relations)?;
    let mut count = 0;
    for ((row, id), taken) in rows.iter().zip(own).zip(taken) {
        match taken {
            Taken::Refused(why) => {
                report.skip(Kind::Decision, &row.id, &why);
                continue;
            }
            Taken::AlreadyThere(_) => report.there(Kind::Decision),
            Taken::In(_) => {
                report.imported(Kind::Decision);
                count += 1;
            }
        }
        let import = Import {
            id: row.id.clone(),
            to: Some(id),
            version: version.to_owned(),
            time: taking.now,
            // The whole of it too: some of its columns have no field here.
            row: Some(taking.imports.row(&row.columns)?),
        };
        taking.imports.put(&mut batch, Kind::Decision, &import)?;
    }
    if count > 0 {
        taking.said(&mut batch, "decision.import_legacy", count)?;
    }
    ctx.db.commit(batch)
}

/// Writes the files of decisions that came in. Not under the workspace's lock, which it takes itself.
pub(super) fn written(taking: &Taking<'_>) {
    let place = Place {
        workspace: taking.scope.id(),
        tree: taking.scope.tree(),
        folder: taking.scope.folder(),
        enter: &|batch: &mut Batch| taking.registry.claim(batch, taking.scope).map(drop),
        warnings: &[],
    };
    for warning in decision::write_files(taking.desk.ctx, &place) {
        tracing::warn!("{warning}");
    }
}

/// What supersedes what.
fn relations(rows: &[&OldRow]) -> Vec<(String, Relation, String)> {
    let of = |row: &&OldRow| {
        let own = row.id.clone();
        let older = texts(row, "supersedes");
        older
            .into_iter()
            .map(move |id| (own.clone(), Relation::Supersedes, id))
    };
    rows.iter().flat_map(of).collect()
}

fn text(row: &OldRow, name: &str) -> String {
    match row.columns.get(name) {
        Some(Value::String(text)) => text.replace('\0', "\u{fffd}"),
        Some(Value::Null) | None => String::new(),
        Some(other) => other.to_string(),
    }
}

/// A list of texts, each on one line.
fn texts(row: &OldRow, name: &str) -> Vec<String> {
    let word = |item: &Value| match item {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let items: Vec<String> = match row.columns.get(name) {
        Some(Value::Array(items)) => items.iter().map(word).collect(),
        Some(Value::String(text)) if !text.trim().is_empty() => vec![text.clone()],
        Some(Value::Object(map)) => map
            .iter()
            .map(|(name, value)| format!("{name}: {}", word(value)))
            .collect(),
        _ => Vec::new(),
    };
    let lines = items
        .iter()
        .map(|item| line(item, 900))
        .filter(|item| !item.is_empty());
    lines.take(proto::decision::MAX_LIST).collect()
}

fn line(text: &str, limit: usize) -> String {
    let one: String = text
        .chars()
        .map(|letter| if letter.is_control() { ' ' } else { letter })
        .collect();
    of_tasks::cut(one.trim(), limit).0.trim().to_owned()
}

fn cut(text: String, (id, what): (&str, &str), report: &mut Report) -> String {
    let (kept, over) = of_tasks::cut(&text, proto::decision::MAX_TEXT);
    if over {
        report.warn(&format!(
            "decision `{id}`: its {what} is cut; the whole stands in the record of the import"
        ));
    }
    kept.to_owned()
}

fn card(taking: &Taking<'_>, row: &OldRow, ids: &HashMap<String, String>, report: &mut Report) -> Card {
    let id = match decision::rules::id(&row.id) {
        Ok(()) => row.id.clone(),
        Err(_) => {
            let digest = blake3::hash(row.id.as_bytes()).to_hex();
            let id = format!("legacy_{}", &digest[..8]);
            report.mapped(Kind::Decision, (&row.id, &id), "it is no id of a decision here");
            id
        }
    };
    let time = row.created.unwrap_or(taking.now);
    let status = status(&text(row, "status"));
    let title = line(&text(row, "title"), proto::decision::MAX_TITLE);
    let gist = line(&text(row, "decision"), proto::decision::MAX_TITLE);
    let decided = text(row, "decision");
    Card {
        number: 0,
        title: match (title.is_empty(), gist.is_empty()) {
            (false, _) => title,
            (true, false) => gist,
            (true, true) => "(without a title)".to_owned(),
        },
        status,
        category: Category::parse(&text(row, "category")).unwrap_or(Category::Architecture),
        impact: Impact::parse(&text(row, "impact_level")).unwrap_or(Impact::Medium),
        context: cut(context(row), (&row.id, "context"), report),
        decision: match decided.trim().is_empty() {
            true => "(nothing was written)".to_owned(),
            false => cut(decided, (&row.id, "decision"), report),
        },
        rationale: cut(text(row, "rationale"), (&row.id, "rationale"), report),
        alternatives: texts(row, "alternatives_considered")
            .into_iter()
            .map(|name| Alternative {
                name,
                ..Alternative::default()
            })
            .collect(),
        consequences: texts(row, "trade_offs"),
        risks: texts(row, "risks"),
        paths: paths(row),
        components: texts(row, "affected_components")
            .iter()
            .map(|word| line(word, 60))
            .collect(),
        tags: Vec::new(),
        task: ids.get(&text(row, "subtask_id")).cloned(),
        actor: super::lay::CREATOR.to_owned(),
        created: time,
        updated: time,
        revision: 1,
        links: Vec::new(),
        history: vec![Event {
            time,
            actor: super::lay::CREATOR.to_owned(),
            op: Op::Import,
            text: String::new(),
        }],
        id,
    }
}

/// Files and folders of the project: what points out of it, or at where the project once was, is left out.
fn paths(row: &OldRow) -> Vec<String> {
    let plain = |path: &String| {
        let path = std::path::Path::new(path);
        let within = |part| matches!(part, std::path::Component::Normal(_));
        !path.as_os_str().is_empty() && path.components().all(within)
    };
    let mut paths: Vec<String> = texts(row, "affected_files")
        .into_iter()
        .map(|path| path.trim_start_matches("./").to_owned())
        .filter(plain)
        .collect();
    paths.dedup();
    paths
}

/// The context, and what has no field of its own here.
fn context(row: &OldRow) -> String {
    let mut parts = vec![text(row, "context")];
    for (name, title) in [
        ("problem_statement", "Problem"),
        ("implementation_approach", "Approach"),
        ("outcome_assessment", "Outcome"),
        ("lessons_learned", "Lessons"),
    ] {
        parts.push(with(title, text(row, name)));
    }
    for (name, title) in [
        ("mitigation_strategies", "Mitigation"),
        ("success_criteria", "Success"),
    ] {
        parts.push(with(title, texts(row, name).join("; ")));
    }
    parts.retain(|part| !part.trim().is_empty());
    parts.join("\n\n")
}

fn with(title: &str, text: String) -> String {
    match text.trim().is_empty() {
        true => String::new(),
        false => format!("{title}: {text}"),
    }
}

fn status(word: &str) -> Status {
    let word = word.trim().to_ascii_lowercase();
    Status::parse(&word).unwrap_or(match word.as_str() {
        "approved" | "implemented" | "active" => Status::Accepted,
        "deprecated" => Status::Superseded,
        _ => Status::Proposed,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(json: &str) -> OldRow {
        let Ok(Value::Object(columns)) = serde_json::from_str(json) else {
            panic!("no object: {json}");
        };
        OldRow {
            id: "dec_1".into(),
            columns,
            created: Some(5),
        }
    }

    #[test]
    fn lists_of_any_form_are_read_and_paths_stay_within_the_project() {
        let row = row(
            r#"{"affected_files":["./src/a.rs","/etc/passwd","../x","src/a.rs","b"],"risks":"one","trade_offs":{"cost":"high"},
            "supersedes":["dec_0"],"context":"C","problem_statement":"P","success_criteria":["s1","s2"]}"#,
        );
        assert_eq!(paths(&row), ["src/a.rs", "b"]);
        assert_eq!(
            (texts(&row, "risks"), texts(&row, "trade_offs")),
            (vec!["one".to_owned()], vec!["cost: high".to_owned()])
        );
        assert_eq!(context(&row), "C\n\nProblem: P\n\nSuccess: s1; s2");
        assert_eq!(
            relations(&[&row]),
            [("dec_1".to_owned(), Relation::Supersedes, "dec_0".to_owned())]
        );
    }

    #[test]
    fn states_of_the_old_program_have_their_place() {
        assert_eq!(
            (status("approved"), status("Superseded"), status("odd")),
            (Status::Accepted, Status::Superseded, Status::Proposed)
        );
    }
}
