//! Tasks from the issues of a tracker. Pure.
//!
//! A JSON list or one object a line, with the names that trackers use: `number` or `id`, `title`, `body` or
//! `description`, `state`, `labels`, `priority`, `dependencies`. What must stay true: a second import of the same file
//! makes nothing; what is left out is named with the reason; nothing that exists is changed.

use proto::error::{Error, Result};
use proto::task::{Link, NewTask, Planned, Priority};
use proto::{RawPath, task::MAX_TITLE};
use serde_json::Value as Json;

use super::board::Board;
use super::edit::{Chance, fresh, new_card};
use super::rules::{self, MAX_PLANNED, cut, shown};
use super::step::{Rewritten, Step};
use super::who::Who;

/// What became of the issues.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// The issues' own ids and the tasks'.
    pub made: Vec<Planned>,
    /// Already there.
    pub known: u32,
    /// Left out, and why.
    pub skipped: Vec<String>,
}

struct Issue {
    own: String,
    task: NewTask,
    /// The own ids of those it comes after.
    after: Vec<String>,
}

/// Lays the issues of `text` onto `board`.
///
/// # Errors
/// `Usage` for what is no list of issues, `TooLarge` for too many, what [`Step::checked`] says.
pub fn lay(
    board: &Board,
    who: &Who,
    text: &str,
    tree: Option<&RawPath>,
    chance: &mut dyn Chance,
) -> Result<(Step, Outcome)> {
    let mut outcome = Outcome::default();
    let mut issues: Vec<Issue> = Vec::new();
    for (number, json) in parsed(text)?.iter().enumerate() {
        match issue(json, number) {
            Ok(issue) if board.find(&id_of(&issue)).is_some() => outcome.known += 1,
            Ok(issue) if issues.iter().any(|other| id_of(other) == id_of(&issue)) => {
                outcome
                    .skipped
                    .push(format!("`{}`: it is in the file twice", shown(&issue.own)));
            }
            Ok(issue) => issues.push(issue),
            Err(why) => outcome.skipped.push(why),
        }
    }
    let mut step = Step::default();
    let known = |id: &String| board.find(id).is_some() || issues.iter().any(|issue| id_of(issue) == *id);
    for (number, issue) in (0_u64..).zip(&issues) {
        let after: Vec<String> = issue.after.iter().map(|own| task_id(own)).collect();
        let (there, ghosts): (Vec<String>, Vec<String>) = after.into_iter().partition(known);
        let lost = ghosts.iter().map(|ghost| {
            format!(
                "`{}`: it comes after `{ghost}`, which is not there",
                shown(&issue.own)
            )
        });
        outcome.skipped.extend(lost);
        let id = fresh(Some(&id_of(issue)), None, |_| false, chance)?;
        let task = NewTask {
            after: there,
            ..issue.task.clone()
        };
        let (card, mut texts) =
            new_card(&task, id, board.next_born() + number, who).map_err(|error| Error {
                what: format!("issue `{}`: {}", shown(&issue.own), error.what),
                ..error
            })?;
        texts.tree = tree.cloned();
        outcome.made.push(Planned {
            local: issue.own.clone(),
            task_id: card.id.clone(),
        });
        step.put("import", who, None, card).texts = Some(Rewritten {
            before: None,
            after: texts,
        });
    }
    Ok((step.checked(board)?, outcome))
}

fn id_of(issue: &Issue) -> String {
    task_id(&issue.own)
}

/// The task id of an issue: its own where that is one, with letters that cannot stand in one replaced.
fn task_id(own: &str) -> String {
    let number = own.trim_start_matches('#');
    if !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()) {
        return format!("issue-{number}");
    }
    let legal = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '_' | '-');
    let kept: String = own
        .chars()
        .map(|letter| if legal(letter) { letter } else { '-' })
        .collect();
    let kept = kept.trim_start_matches('.');
    cut(kept, rules::MAX_ID).0.to_owned()
}

fn parsed(text: &str) -> Result<Vec<Json>> {
    let bad = |error: serde_json::Error| {
        Error::usage("this is no JSON of issues")
            .why(error)
            .next("give a list of issues as JSON, or one issue on each line")
    };
    let issues: Vec<Json> = if text.trim_start().starts_with('[') {
        serde_json::from_str(text).map_err(bad)?
    } else {
        let lines = text.lines().filter(|line| !line.trim().is_empty());
        lines
            .map(serde_json::from_str)
            .collect::<std::result::Result<_, _>>()
            .map_err(bad)?
    };
    if issues.len() <= MAX_PLANNED {
        return Ok(issues);
    }
    Err(Error::too_large(format!("{} issues at once", issues.len()))
        .why(format!("the limit is {MAX_PLANNED}"))
        .next("import them in several files"))
}

fn issue(json: &Json, number: usize) -> std::result::Result<Issue, String> {
    let text = |names: &[&str]| names.iter().find_map(|name| word(json.get(name)?));
    let own =
        text(&["number", "id", "key", "iid"]).ok_or_else(|| format!("issue {} has no id", number + 1))?;
    let title =
        text(&["title", "summary", "name"]).ok_or_else(|| format!("`{}` has no title", shown(&own)))?;
    let state = text(&["state", "status"]).unwrap_or_default().to_lowercase();
    if matches!(
        state.as_str(),
        "closed" | "done" | "resolved" | "completed" | "cancelled" | "merged" | "tombstone"
    ) {
        return Err(format!("`{}`: it is {state}", shown(&own)));
    }
    let links = text(&["url", "html_url", "web_url"]).unwrap_or_else(|| own.clone());
    let title: String = title
        .chars()
        .map(|letter| if letter.is_control() { ' ' } else { letter })
        .collect();
    let (title, _) = cut(title.trim(), MAX_TITLE);
    Ok(Issue {
        task: NewTask {
            title: title.to_owned(),
            description: text(&["body", "description"]).unwrap_or_default(),
            specialist: text(&["specialist"]),
            priority: text(&["priority"])
                .and_then(|word| Priority::parse(&word))
                .unwrap_or_default(),
            labels: labels(json),
            links: vec![Link {
                kind: "issue".to_owned(),
                to: links,
            }],
            ..NewTask::default()
        },
        after: before(json),
        own,
    })
}

fn word(json: &Json) -> Option<String> {
    match json {
        Json::String(text) if !text.trim().is_empty() => Some(text.clone()),
        Json::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn labels(json: &Json) -> Vec<String> {
    let items = json.get("labels").and_then(Json::as_array);
    items
        .into_iter()
        .flatten()
        .filter_map(|label| word(label.get("name").unwrap_or(label)))
        .filter(|label| label.len() <= rules::MAX_LABEL && !label.chars().any(char::is_control))
        .take(rules::MAX_LABELS / 2)
        .collect()
}

/// The own ids of what must be done before: a list of ids, or of objects that name them.
fn before(json: &Json) -> Vec<String> {
    let lists = ["after", "dependencies", "depends_on", "blocked_by"];
    let items = lists
        .iter()
        .filter_map(|name| json.get(name)?.as_array())
        .flatten();
    let blocks = |item: &&Json| {
        item.get("type")
            .and_then(Json::as_str)
            .is_none_or(|kind| kind == "blocks")
    };
    items
        .filter(blocks)
        .filter_map(|item| {
            word(
                item.get("depends_on_id")
                    .or_else(|| item.get("number"))
                    .unwrap_or(item),
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn lay_on(board: &Board, text: &str) -> Result<(Step, Outcome)> {
        let who = Who {
            actor: "me".to_owned(),
            now: 1,
            running: Duration::ZERO,
            lease: Duration::ZERO,
            max_attempts: 3,
        };
        lay(board, &who, text, None, &mut || [0; 4])
    }

    const ISSUES: &str = r##"[{"number": 7, "title": "A", "labels": [{"name": "bug"}], "state": "OPEN"},
        {"number": 8, "title": "B", "dependencies": [{"depends_on_id": 7, "type": "blocks"}, {"depends_on_id": 99}]},
        {"number": 9, "title": "C", "state": "CLOSED"}, {"title": "no id"}, {"number": 7, "title": "again"}]"##;

    #[test]
    fn open_issues_become_tasks_and_everything_else_is_named() {
        let (step, outcome) = lay_on(&Board::default(), ISSUES).expect("lays");
        let made: Vec<&str> = outcome.made.iter().map(|made| made.task_id.as_str()).collect();
        assert_eq!(made, ["issue-7", "issue-8"]);
        let second = step.moved[1].after.as_ref().expect("a card");
        assert_eq!(second.after, ["issue-7"]);
        assert_eq!(outcome.skipped.len(), 4, "{:?}", outcome.skipped);
    }

    #[test]
    fn a_second_import_makes_nothing() {
        let mut board = Board::default();
        let (step, _) = lay_on(&board, ISSUES).expect("lays");
        board.apply(&step.placed(), Duration::ZERO);
        let (step, outcome) = lay_on(&board, ISSUES).expect("lays");
        assert!(step.moved.is_empty());
        assert_eq!((outcome.made.len(), outcome.known), (0, 3));
    }

    #[test]
    fn one_object_a_line_is_read_too_and_ids_become_safe() {
        let (step, _) = lay_on(
            &Board::default(),
            "{\"id\":\"../x y\",\"title\":\"A\"}\n\n{\"id\":\"bd-1\",\"title\":\"B\"}",
        )
        .expect("lays");
        let ids: Vec<&str> = step
            .moved
            .iter()
            .filter_map(|moved| moved.after.as_ref())
            .map(|card| card.id.as_str())
            .collect();
        assert_eq!(ids, ["-x-y", "bd-1"]);
        assert!(lay_on(&Board::default(), "{\"id\":").is_err());
    }
}
