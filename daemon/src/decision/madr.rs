//! A decision as Markdown, in the form of MADR 4 (adr.github.io/madr). Pure.
//!
//! What must stay true: the same decision gives the same bytes, because a file is known as ours by its digest.

use jiff::Timestamp;
use proto::decision::{Event, Op, Relation, Status};

use super::card::Card;

/// Writes a decision down. `name_of` gives the file's name of another one.
#[must_use]
pub fn text(card: &Card, name_of: &dyn Fn(u64) -> Option<String>) -> String {
    let mut to = String::new();
    front(&mut to, card);
    add(&mut to, format_args!("# {}\n", card.title));
    section(&mut to, "## Context and Problem Statement", &card.context);
    if !card.alternatives.is_empty() {
        add(&mut to, format_args!("## Considered Options\n"));
        for other in &card.alternatives {
            add(&mut to, format_args!("* {}", line(&other.name)));
        }
        to.push('\n');
    }
    section(&mut to, "## Decision Outcome", &card.decision);
    section(&mut to, "### Rationale", &card.rationale);
    bullets(&mut to, "### Consequences", "", &card.consequences);
    bullets(&mut to, "### Risks", "", &card.risks);
    options(&mut to, card);
    links(&mut to, card, name_of);
    outcomes(&mut to, card);
    add(
        &mut to,
        format_args!(
            "<!-- Written by Task Orchestrator. A change made here is noticed and kept, and is not a change of the decision. -->"
        ),
    );
    to
}

/// Adds a line.
fn add(to: &mut String, line: std::fmt::Arguments<'_>) {
    to.push_str(&line.to_string());
    to.push('\n');
}

fn front(to: &mut String, card: &Card) {
    add(to, format_args!("---"));
    add(to, format_args!("status: {}", quoted(&status(card))));
    add(to, format_args!("date: {}", day(card.updated)));
    add(to, format_args!("decision-makers: {}", quoted(&card.actor)));
    add(to, format_args!("number: {}", card.number));
    add(to, format_args!("id: {}", quoted(&card.id)));
    add(to, format_args!("recorded: {}", day(card.created)));
    add(to, format_args!("category: {}", card.category.word()));
    add(to, format_args!("impact: {}", card.impact.word()));
    for (name, list) in [
        ("paths", &card.paths),
        ("components", &card.components),
        ("tags", &card.tags),
    ] {
        if !list.is_empty() {
            let all: Vec<String> = list.iter().map(|text| quoted(text)).collect();
            add(to, format_args!("{name}: [{}]", all.join(", ")));
        }
    }
    if let Some(task) = &card.task {
        add(to, format_args!("task: {}", quoted(task)));
    }
    add(to, format_args!("---\n"));
}

/// The status, with what stands in its place.
fn status(card: &Card) -> String {
    let by = |wanted: Relation| card.links.iter().rev().find(|link| link.relation == wanted);
    let later = match card.status {
        Status::Superseded => by(Relation::SupersededBy),
        Status::Reversed => by(Relation::ReversedBy),
        _ => None,
    };
    match later {
        Some(link) => format!("{} by {:04}", card.status.word(), link.number),
        None => card.status.word().to_owned(),
    }
}

/// A text of JSON is one of YAML.
fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '/');
    let word = text.starts_with(char::is_alphabetic) && text.chars().all(plain);
    let reserved = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"];
    match word && !reserved.contains(&text.to_ascii_lowercase().as_str()) {
        true => text.to_owned(),
        false => serde_json::Value::from(text).to_string(),
    }
}

fn day(nanoseconds: i64) -> String {
    match Timestamp::from_nanosecond(nanoseconds.into()) {
        Ok(time) => time.strftime("%Y-%m-%d").to_string(),
        Err(_) => "unknown".to_owned(),
    }
}

fn section(to: &mut String, head: &str, text: &str) {
    if !text.trim().is_empty() {
        add(to, format_args!("{head}\n\n{}\n", text.trim()));
    }
}

/// A text within a list: what follows its first line is indented, so that it stays in the list.
fn line(text: &str) -> String {
    text.trim().replace('\n', "\n  ")
}

fn bullets(to: &mut String, head: &str, before: &str, list: &[String]) {
    if list.is_empty() {
        return;
    }
    add(to, format_args!("{head}\n"));
    for text in list {
        add(to, format_args!("* {before}{}", line(text)));
    }
    to.push('\n');
}

fn options(to: &mut String, card: &Card) {
    let with = |other: &&proto::decision::Alternative| !other.pros.is_empty() || !other.cons.is_empty();
    let mut others = card.alternatives.iter().filter(with).peekable();
    if others.peek().is_some() {
        add(to, format_args!("## Pros and Cons of the Options\n"));
    }
    for other in others {
        add(to, format_args!("### {}\n", line(&other.name)));
        for text in &other.pros {
            add(to, format_args!("* Good, because {}", line(text)));
        }
        for text in &other.cons {
            add(to, format_args!("* Bad, because {}", line(text)));
        }
        to.push('\n');
    }
}

fn links(to: &mut String, card: &Card, name_of: &dyn Fn(u64) -> Option<String>) {
    if card.links.is_empty() {
        return;
    }
    add(to, format_args!("## More Information\n"));
    for link in &card.links {
        let word = link.relation.word().replace('_', " ");
        match name_of(link.number) {
            Some(name) => add(to, format_args!("* {word} [{:04}]({name})", link.number)),
            None => add(to, format_args!("* {word} {:04}", link.number)),
        }
    }
    to.push('\n');
}

fn outcomes(to: &mut String, card: &Card) {
    let told = |event: &&Event| matches!(event.op, Op::Accept | Op::Reject | Op::Outcome);
    let mut events = card.history.iter().filter(told).peekable();
    if events.peek().is_none() {
        return;
    }
    add(to, format_args!("## Confirmation\n"));
    for event in events {
        let text = match event.op {
            Op::Accept => "accepted".to_owned(),
            Op::Reject if event.text.trim().is_empty() => "rejected".to_owned(),
            Op::Reject => format!("rejected: {}", line(&event.text)),
            _ => line(&event.text),
        };
        add(
            to,
            format_args!("* {} ({}): {text}", day(event.time), line(&event.actor)),
        );
    }
    to.push('\n');
}

#[cfg(test)]
mod tests {
    use super::super::tests::bed::card;
    use super::*;
    use proto::decision::{Alternative, Link};

    #[test]
    fn a_decision_is_written_as_madr_with_its_links_and_outcomes() {
        let mut one = card(7, "Use `sled`: yes", "We use sled.\nAnd sync it.");
        one.context = "We need a store".to_owned();
        one.paths = vec!["src/db".to_owned(), "*.rs".to_owned()];
        one.alternatives = vec![Alternative {
            name: "SQLite".to_owned(),
            pros: vec!["known".to_owned()],
            cons: vec!["C".to_owned()],
        }];
        one.status = Status::Superseded;
        one.links = vec![Link {
            relation: Relation::SupersededBy,
            number: 9,
        }];
        one.history.push(Event {
            time: 0,
            actor: "me".to_owned(),
            op: Op::Outcome,
            text: "It held".to_owned(),
        });
        let text = text(&one, &|number| Some(format!("{number:04}-x.md")));
        for part in [
            "---\nstatus: \"superseded by 0009\"\ndate: 1970-01-01\n",
            "paths: [src/db, \"*.rs\"]\n",
            "\n# Use `sled`: yes\n\n## Context and Problem Statement\n\nWe need a store\n\n## Considered Options\n\n* SQLite\n",
            "## Decision Outcome\n\nWe use sled.\nAnd sync it.\n",
            "### SQLite\n\n* Good, because known\n* Bad, because C\n",
            "* superseded by [0009](0009-x.md)\n",
            "* 1970-01-01 (me): It held\n",
        ] {
            assert!(text.contains(part), "{part:?} is not in:\n{text}");
        }
    }

    #[test]
    fn what_yaml_would_take_for_something_else_is_quoted() {
        for (text, as_written) in [
            ("plain", "plain"),
            ("yes", "\"yes\""),
            ("a: b", "\"a: b\""),
            ("#x", "\"#x\""),
            ("7", "\"7\""),
            ("a\nb", "\"a\\nb\""),
        ] {
            assert_eq!(quoted(text), as_written);
        }
    }
}
