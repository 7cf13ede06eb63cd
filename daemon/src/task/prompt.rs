//! The text that a worker gets for a task: who they are, what is to be done, what others found out before. Pure.
//!
//! What must stay true: the text has at most as many bytes as were asked for, and what was shortened for that is said.

use proto::error::{Error, Result};
use proto::role::Role;
use proto::task::Status;

use super::card::{Card, Remark, Texts};
use super::rules::cut;

/// The least budget in bytes: below that not even a task's title and the closing words fit.
pub const LEAST: usize = 2 << 10;
/// The largest budget in bytes: the text travels in one frame.
pub const MOST: usize = 512 << 10;

/// A result that a task builds on.
pub struct Source {
    /// The task it is of.
    pub id: String,
    /// Its title.
    pub title: String,
    /// Where it stands.
    pub status: Status,
    /// What was done.
    pub summary: String,
}

/// What the text is about.
pub struct About<'a> {
    /// The task.
    pub card: &'a Card,
    /// Its texts.
    pub texts: &'a Texts,
    /// The titles of the groups it is in, the nearest first.
    pub groups: &'a [String],
    /// What was remarked on it, oldest first.
    pub notes: &'a [Remark],
    /// What it depends on.
    pub results: &'a [Source],
}

/// A text and what was left out of it.
#[derive(Debug, PartialEq, Eq)]
pub struct Made {
    /// The text.
    pub text: String,
    /// What was shortened, each a sentence.
    pub shortened: Vec<String>,
}

/// A budget within its bounds.
///
/// # Errors
/// `Usage` outside [`LEAST`] to [`MOST`].
pub fn budget(bytes: usize) -> Result<usize> {
    match bytes {
        LEAST..=MOST => Ok(bytes),
        _ => Err(Error::usage(format!("a budget of {bytes} bytes"))
            .why(format!("it has {LEAST} to {MOST}"))
            .next("choose one within these with `--budget`")),
    }
}

/// A part of the text.
struct Part {
    name: String,
    head: String,
    body: String,
}

/// Writes the text.
#[must_use]
pub fn write(role: Option<&Role>, about: &About<'_>, budget: usize) -> Made {
    let end = closing(about.card);
    let parts = parts(role, about);
    let mut left = budget.saturating_sub(end.len());
    let mut made = Made {
        text: String::new(),
        shortened: Vec::new(),
    };
    let mut todo = parts.len();
    for part in parts {
        // A part may take half of what is left, and all that the parts after it could not use anyway.
        let share = if todo == 1 {
            left
        } else {
            (left / 2).max(left / todo)
        };
        todo -= 1;
        let room = share.saturating_sub(part.head.len() + 2);
        let (body, was_cut) = cut(&part.body, room);
        if body.is_empty() || share < part.head.len() + 2 {
            made.shortened
                .push(format!("{} was left out ({} bytes)", part.name, part.body.len()));
            continue;
        }
        if was_cut {
            made.shortened.push(format!(
                "{} was cut to {} of {} bytes",
                part.name,
                body.len(),
                part.body.len()
            ));
        }
        let before = made.text.len();
        made.text.push_str(&part.head);
        made.text.push_str(body);
        made.text.push_str("\n\n");
        left -= made.text.len() - before;
    }
    made.text.push_str(&end);
    made
}

/// What the last part of every text begins with.
pub const END: &str = "# When it is done\n\n";

fn closing(card: &Card) -> String {
    format!(
        "{END}Run `tocli task complete {id} --summary \"what was done\"`; when it has to be done again \
         add `--next-action needs_revision`, when it cannot go on `--next-action blocked`.\n",
        id = card.id
    )
}

fn parts(role: Option<&Role>, about: &About<'_>) -> Vec<Part> {
    let mut parts = vec![Part {
        name: "the task".to_owned(),
        head: format!("# Task `{}`: {}\n\n", about.card.id, about.card.title),
        body: task(about),
    }];
    parts.extend(role.map(|role| Part {
        name: "the role".to_owned(),
        head: format!("# You are: {}\n\n", role.name),
        body: role_text(role, &about.card.specialist),
    }));
    let mut add = |name: &str, head: &str, body: String| {
        if !body.trim().is_empty() {
            parts.push(Part {
                name: name.to_owned(),
                head: head.to_owned(),
                body,
            });
        }
    };
    add("the context", "# Context\n\n", about.texts.context.clone());
    add("the notes", "# Notes\n\n", notes(about.notes));
    for source in about.results {
        let state = match source.status {
            Status::Completed => String::new(),
            other => format!(" ({})", other.word()),
        };
        let head = format!("# Result of `{}`: {}{state}\n\n", source.id, source.title);
        let summary = match source.summary.trim() {
            "" => "Nothing was written down about it.".to_owned(),
            summary => summary.to_owned(),
        };
        add(&format!("the result of `{}`", source.id), &head, summary);
    }
    parts
}

fn task(about: &About<'_>) -> String {
    let mut text = String::new();
    if !about.groups.is_empty() {
        text.push_str(&format!("Part of: {}\n\n", about.groups.join(" ← ")));
    }
    let description = about.texts.description.trim();
    text.push_str(if description.is_empty() {
        &about.card.title
    } else {
        description
    });
    if let Some(reason) = &about.card.reason {
        text.push_str(&format!("\n\nIt was returned or stopped before: {reason}"));
    }
    text
}

fn notes(notes: &[Remark]) -> String {
    let lines = notes
        .iter()
        .map(|note| format!("- {}: {}", note.actor, note.text.trim()));
    lines.collect::<Vec<String>>().join("\n")
}

fn role_text(role: &Role, specialist: &str) -> String {
    let list = |head: &str, items: &[String]| match items {
        [] => String::new(),
        items => format!("\n\n{head}:\n- {}", items.join("\n- ")),
    };
    let mut text = match role.name == specialist {
        true => String::new(),
        false => format!(
            "(The task is for `{specialist}`. There is no role file of that name, so the generic role counts.)\n\n"
        ),
    };
    text.push_str(role.role_definition.trim());
    text.push_str(&list("You know", &role.expertise));
    text.push_str(&list("You work like this", &role.approach));
    if !role.output_format.trim().is_empty() {
        let form = role.output_format.trim();
        let gap = if form.contains('\n') { "\n" } else { " " };
        text.push_str(&format!("\n\nYour result:{gap}{form}"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::edit::new_card;
    use crate::task::who::Who;
    use proto::task::NewTask;
    use std::time::Duration;

    fn card(description: &str) -> (Card, Texts) {
        let who = Who {
            actor: "me".to_owned(),
            now: 1,
            running: Duration::ZERO,
            lease: Duration::ZERO,
            max_attempts: 3,
        };
        let new = NewTask {
            title: "Build it".to_owned(),
            description: description.to_owned(),
            ..NewTask::default()
        };
        new_card(&new, "t".to_owned(), 1, &who).expect("a card")
    }

    fn source(id: &str, bytes: usize) -> Source {
        let summary = format!("{id} found out {}", "x".repeat(bytes));
        Source {
            id: id.to_owned(),
            title: id.to_owned(),
            status: Status::Completed,
            summary,
        }
    }

    fn made(results: &[Source], description: &str, budget: usize) -> Made {
        let (card, texts) = card(description);
        let about = About {
            card: &card,
            texts: &texts,
            groups: &[],
            notes: &[],
            results,
        };
        write(None, &about, budget)
    }

    #[test]
    fn a_worker_reads_the_task_and_the_results_of_what_it_depends_on() {
        let made = made(&[source("a", 5), source("b", 5)], "With care", 8 << 10);
        for part in [
            "Build it",
            "With care",
            "a found out",
            "b found out",
            "tocli task complete t",
        ] {
            assert!(made.text.contains(part), "{part} is missing in {}", made.text);
        }
        assert_eq!(made.shortened, Vec::<String>::new());
    }

    #[test]
    fn a_text_is_never_longer_than_its_budget_and_says_what_was_cut() {
        for budget in [LEAST, 3000, 10_000] {
            let results: Vec<Source> = (0..20).map(|n| source(&format!("r{n}"), 2000)).collect();
            let made = made(&results, &"ä".repeat(50_000), budget);
            assert!(made.text.len() <= budget, "{} > {budget}", made.text.len());
            assert!(!made.shortened.is_empty());
            assert!(
                made.text.contains("tocli task complete t"),
                "the end is never cut"
            );
        }
    }
}
