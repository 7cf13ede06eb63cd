//! The form of 1.2 to 1.8: breakdowns and subtasks, and later what was decided and which files were touched.

use serde_json::{Map, Value};

use super::sqlite::{Cell, Database, Row, Rows};
use super::times::{self, Meant};
use super::{Contents, Left, Limits, OldArtifact, OldRow, OldTask, OldTexts, Place, Trouble, list};

pub(super) fn contents(database: &Database, limits: &Limits) -> Result<Contents, Trouble> {
    let mut found = Contents::default();
    breakdowns(database, limits, &mut found)?;
    subtasks(database, limits, &mut found)?;
    found.decisions = kept(
        database,
        limits,
        ("architectural_decisions", "decision_id", "decision"),
        &mut found,
    )?;
    found.file_operations = kept(
        database,
        limits,
        ("file_operations", "operation_id", "file_operation"),
        &mut found,
    )?;
    found.archives = kept(database, limits, ("task_archives", "id", "archive"), &mut found)?;
    artifacts(database, limits, &mut found)?;
    Ok(found)
}

/// The rows of a table; that some cannot be read is a warning.
pub(super) fn rows(
    database: &Database,
    table: &str,
    columns: &[&str],
    warnings: &mut Vec<String>,
) -> Result<Vec<Row>, Trouble> {
    if !database.has(table) {
        return Ok(Vec::new());
    }
    let Rows { rows, cut } = database.rows(table, columns)?;
    if let Some(why) = cut {
        warnings.push(format!(
            "`{table}` could be read up to row {} only: {why}",
            rows.len()
        ));
    }
    Ok(rows)
}

/// The most bytes of an id.
const LONGEST_ID: usize = 512;

/// The id of a row; one without is left out.
pub(super) fn id_of(cell: &Cell, what: &'static str, row: i64, left: &mut Vec<Left>) -> Option<String> {
    let id = cell.text().filter(|id| !id.trim().is_empty());
    if let Some(long) = id.as_ref().filter(|id| id.len() > LONGEST_ID) {
        left.push(Left {
            what,
            id: format!("row {row}"),
            why: format!("its id has {} bytes", long.len()),
        });
        return None;
    }
    if id.is_none() {
        left.push(Left {
            what,
            id: format!("row {row}"),
            why: cell
                .lost()
                .map_or_else(|| "it has no id".to_owned(), |lost| format!("its id is {lost}")),
        });
    }
    id
}

/// A list of a cell; what is no list is a warning.
pub(super) fn list_of(cell: &Cell, what: &str, warnings: &mut Vec<String>) -> Vec<String> {
    let Some(text) = cell.text().filter(|text| !text.trim().is_empty()) else {
        if let Some(lost) = cell.lost() {
            warnings.push(format!("{what} are {lost}"));
        }
        return Vec::new();
    };
    list(&text).unwrap_or_else(|| {
        warnings.push(format!("{what} are no list"));
        Vec::new()
    })
}

pub(super) fn time_of(cell: &Cell, meant: Meant, limits: &Limits) -> Option<i64> {
    times::read(&cell.text()?, meant, &limits.zone)
}

/// The first line of a text.
pub(super) fn first_line(text: &str) -> String {
    const LONGEST: usize = 2000;
    let line = text.trim().lines().next().unwrap_or_default();
    line.chars().take(LONGEST).collect()
}

fn breakdowns(database: &Database, limits: &Limits, found: &mut Contents) -> Result<(), Trouble> {
    let columns = ["parent_task_id", "description", "complexity", "created_at"];
    for row in rows(database, "task_breakdowns", &columns, &mut found.warnings)? {
        let [id, description, complexity, created] = &row.cells[..] else {
            continue;
        };
        let Some(id) = id_of(id, "task", row.number, &mut found.left) else {
            continue;
        };
        found.tasks.push(OldTask {
            place: Place::Breakdown(row.number),
            id,
            title: first_line(&description.or_empty()),
            complexity: complexity.or_empty(),
            created: time_of(created, Meant::Local, limits),
            ..OldTask::default()
        });
    }
    Ok(())
}

fn subtasks(database: &Database, limits: &Limits, found: &mut Contents) -> Result<(), Trouble> {
    let columns = [
        "task_id",
        "parent_task_id",
        "title",
        "specialist_type",
        "dependencies",
        "estimated_effort",
        "status",
        "artifacts",
        "created_at",
        "completed_at",
    ];
    for row in rows(database, "subtasks", &columns, &mut found.warnings)? {
        let [
            id,
            parent,
            title,
            specialist,
            after,
            effort,
            status,
            artifacts,
            created,
            completed,
        ] = &row.cells[..]
        else {
            continue;
        };
        let Some(id) = id_of(id, "task", row.number, &mut found.left) else {
            continue;
        };
        let after = list_of(after, &format!("the dependencies of `{id}`"), &mut found.warnings);
        let artifacts = list_of(
            artifacts,
            &format!("the artifacts of `{id}`"),
            &mut found.warnings,
        );
        found.tasks.push(OldTask {
            place: Place::Subtask(row.number),
            parent: parent.text().filter(|parent| !parent.is_empty()),
            title: first_line(&title.or_empty()),
            specialist: specialist.or_empty(),
            effort: effort.or_empty(),
            status: Some(status.or_empty()),
            after,
            artifacts,
            created: time_of(created, Meant::Local, limits),
            completed: time_of(completed, Meant::Utc, limits),
            id,
            ..OldTask::default()
        });
    }
    Ok(())
}

/// 1.8 has a table of artifacts beside the lists of the subtasks.
fn artifacts(database: &Database, limits: &Limits, found: &mut Contents) -> Result<(), Trouble> {
    let columns = [
        "artifact_id",
        "task_id",
        "relative_path",
        "artifact_type",
        "created_at",
    ];
    for row in rows(database, "workspace_artifacts", &columns, &mut found.warnings)? {
        let [id, task, path, kind, created] = &row.cells[..] else {
            continue;
        };
        let Some(id) = id_of(id, "artifact", row.number, &mut found.left) else {
            continue;
        };
        found.artifacts.push(OldArtifact {
            id,
            task: task.or_empty(),
            name: path.or_empty(),
            kind: kind.or_empty(),
            content: None,
            path: path.text(),
            created: time_of(created, Meant::Local, limits),
        });
    }
    Ok(())
}

/// A table whose rows are kept whole.
fn kept(
    database: &Database,
    limits: &Limits,
    (table, key, what): (&str, &str, &'static str),
    found: &mut Contents,
) -> Result<Vec<OldRow>, Trouble> {
    if !database.has_column(table, key) {
        return Ok(Vec::new());
    }
    let mut columns: Vec<&str> = database.columns(table).iter().map(String::as_str).collect();
    columns.retain(|column| *column != key);
    columns.insert(0, key);
    let mut kept = Vec::new();
    for row in rows(database, table, &columns, &mut found.warnings)? {
        let Some(id) = id_of(&row.cells[0], what, row.number, &mut found.left) else {
            continue;
        };
        let mut map = Map::new();
        for (column, cell) in columns.iter().zip(&row.cells) {
            map.insert((*column).to_owned(), value(cell));
        }
        let at = columns.iter().position(|column| *column == "created_at");
        let created = at.and_then(|at| time_of(&row.cells[at], Meant::Local, limits));
        kept.push(OldRow {
            id,
            columns: map,
            created,
        });
    }
    Ok(kept)
}

fn value(cell: &Cell) -> Value {
    match cell {
        Cell::Null => Value::Null,
        Cell::Int(number) => (*number).into(),
        Cell::Real(number) => (*number).into(),
        Cell::Text(text) => match serde_json::from_str(text) {
            Ok(list @ (Value::Array(_) | Value::Object(_))) => list,
            _ => Value::String(text.clone()),
        },
        lost => Value::String(format!("({})", lost.lost().unwrap_or_default())),
    }
}

/// The long texts of a row.
pub(super) fn texts(database: &Database, place: Place) -> Result<(OldTexts, Vec<String>), Trouble> {
    let (table, number, columns) = match place {
        Place::Breakdown(number) => ("task_breakdowns", number, ["description", "context", ""]),
        Place::Subtask(number) => ("subtasks", number, ["description", "", "results"]),
        Place::Task(_) | Place::Nowhere => return Ok((OldTexts::default(), Vec::new())),
    };
    let Some(row) = database.row(table, number, &columns)? else {
        return Ok((OldTexts::default(), Vec::new()));
    };
    Ok(texts_of(&row, columns))
}

/// Three cells as texts, and what is lost of them.
pub(super) fn texts_of(row: &Row, names: [&str; 3]) -> (OldTexts, Vec<String>) {
    let lost = row.cells.iter().zip(names).filter_map(|(cell, name)| {
        let lost = cell.lost()?;
        Some(format!("its {name} has {lost}"))
    });
    let lost = lost.collect();
    let text = |at: usize| row.cells.get(at).map(Cell::or_empty).unwrap_or_default();
    let texts = OldTexts {
        description: text(0),
        context: text(1),
        results: text(2),
    };
    (texts, lost)
}
