//! The form of 2.0: one table of tasks, its particulars in `metadata`, JSON that was encoded twice.

use serde_json::{Map, Value};

use super::first::{first_line, id_of, rows, texts_of, time_of};
use super::sqlite::{Cell, Database};
use super::times::Meant;
use super::{Contents, Limits, OldArtifact, OldTask, OldTexts, Place, Trouble};

pub(super) fn contents(database: &Database, limits: &Limits) -> Result<Contents, Trouble> {
    let mut found = Contents::default();
    tasks(database, limits, &mut found)?;
    dependencies(database, &mut found)?;
    artifacts(database, limits, &mut found)?;
    Ok(found)
}

fn tasks(database: &Database, limits: &Limits, found: &mut Contents) -> Result<(), Trouble> {
    let columns = [
        "id",
        "parent_task_id",
        "title",
        "status",
        "metadata",
        "created_at",
        "updated_at",
        "completed_at",
        "description",
    ];
    for row in rows(database, "tasks", &columns, &mut found.warnings)? {
        let [
            id,
            parent,
            title,
            status,
            metadata,
            created,
            updated,
            completed,
            description,
        ] = &row.cells[..]
        else {
            continue;
        };
        let Some(id) = id_of(id, "task", row.number, &mut found.left) else {
            continue;
        };
        let particulars = particulars(metadata);
        if particulars.is_none() {
            found
                .warnings
                .push(format!("the metadata of `{id}` cannot be read"));
        }
        let particulars = particulars.unwrap_or_default();
        let word = |name: &str| word(&particulars, name);
        let title = title.text().filter(|title| !title.trim().is_empty());
        found.tasks.push(OldTask {
            place: Place::Task(row.number),
            parent: parent.text().filter(|parent| !parent.is_empty()),
            title: first_line(&title.unwrap_or_else(|| description.or_empty())),
            specialist: word("specialist_type"),
            effort: word("estimated_effort"),
            complexity: word("complexity"),
            status: Some(status.or_empty()),
            after: after(&particulars),
            artifacts: Vec::new(),
            created: time_of(created, Meant::Local, limits),
            updated: time_of(updated, Meant::Local, limits),
            completed: time_of(completed, Meant::Utc, limits),
            id,
        });
    }
    Ok(())
}

/// The object in `metadata`, however often it was encoded.
fn particulars(cell: &Cell) -> Option<Map<String, Value>> {
    const TIMES: usize = 4;
    let Some(mut text) = cell.text().filter(|text| !text.trim().is_empty()) else {
        return cell.lost().is_none().then(Map::new);
    };
    for _ in 0..TIMES {
        match serde_json::from_str(&text).ok()? {
            Value::Object(map) => return Some(map),
            Value::String(inner) => text = inner,
            Value::Null => return Some(Map::new()),
            _ => return None,
        }
    }
    None
}

fn word(particulars: &Map<String, Value>, name: &str) -> String {
    match particulars.get(name) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) => number.to_string(),
        _ => String::new(),
    }
}

fn after(particulars: &Map<String, Value>) -> Vec<String> {
    let items = particulars.get("dependencies").and_then(Value::as_array);
    let word = |item: &Value| match item {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    items.into_iter().flatten().map(word).collect()
}

/// Those of the table that `metadata` does not name too.
fn dependencies(database: &Database, found: &mut Contents) -> Result<(), Trouble> {
    let columns = ["task_id", "dependency_id"];
    let all = rows(database, "task_dependencies", &columns, &mut found.warnings)?;
    let places: std::collections::HashMap<String, usize> = found
        .tasks
        .iter()
        .enumerate()
        .map(|(at, task)| (task.id.clone(), at))
        .collect();
    for row in all {
        let (Some(task), Some(on)) = (row.cells[0].text(), row.cells[1].text()) else {
            found.left.push(super::Left {
                what: "dependency",
                id: format!("row {}", row.number),
                why: "it names nothing".to_owned(),
            });
            continue;
        };
        let Some(task) = places.get(&task).and_then(|at| found.tasks.get_mut(*at)) else {
            found.left.push(super::Left {
                what: "dependency",
                id: format!("{task} after {on}"),
                why: format!("there is no task `{task}`"),
            });
            continue;
        };
        if !task.after.contains(&on) {
            task.after.push(on);
        }
    }
    Ok(())
}

fn artifacts(database: &Database, limits: &Limits, found: &mut Contents) -> Result<(), Trouble> {
    let columns = [
        "id",
        "task_id",
        "type",
        "name",
        "content",
        "metadata",
        "created_at",
    ];
    for row in rows(database, "task_artifacts", &columns, &mut found.warnings)? {
        let [id, task, kind, name, content, metadata, created] = &row.cells[..] else {
            continue;
        };
        let Some(id) = id_of(id, "artifact", row.number, &mut found.left) else {
            continue;
        };
        if let Some(lost) = content.lost() {
            found.left.push(super::Left {
                what: "artifact",
                id,
                why: format!("its content has {lost}"),
            });
            continue;
        }
        let particulars = particulars(metadata).unwrap_or_default();
        let path = ["file_path", "path", "relative_path"]
            .iter()
            .map(|name| word(&particulars, name))
            .find(|path| !path.is_empty());
        found.artifacts.push(OldArtifact {
            id,
            task: task.or_empty(),
            name: name.or_empty(),
            kind: kind.or_empty(),
            content: content.text(),
            path,
            created: time_of(created, Meant::Local, limits),
        });
    }
    Ok(())
}

/// The long texts of a row: what `metadata` says beyond what has a field of its own is context.
pub(super) fn texts(database: &Database, number: i64) -> Result<(OldTexts, Vec<String>), Trouble> {
    let Some(row) = database.row("tasks", number, &["description", "metadata"])? else {
        return Ok((OldTexts::default(), Vec::new()));
    };
    let (mut texts, lost) = texts_of(&row, ["description", "metadata", ""]);
    let mut particulars = particulars(&row.cells[1]).unwrap_or_default();
    let results = ["results", "result", "summary"];
    texts.results = results
        .iter()
        .map(|name| word(&particulars, name))
        .find(|text| !text.is_empty())
        .unwrap_or_default();
    for name in [
        "complexity",
        "specialist_type",
        "estimated_effort",
        "dependencies",
    ]
    .iter()
    .chain(&results)
    {
        particulars.remove(*name);
    }
    particulars.retain(|_, value| !value.is_null() && value.as_object().is_none_or(|map| !map.is_empty()));
    texts.context = match particulars.get("context") {
        Some(Value::String(text)) if particulars.len() == 1 => text.clone(),
        _ if particulars.is_empty() => String::new(),
        _ => Value::Object(particulars).to_string(),
    };
    Ok((texts, lost))
}
