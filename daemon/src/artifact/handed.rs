//! The text that a worker gets for a task, with the files that others kept as results of what it builds on.
//!
//! Asked by `dispatch` for `task execute`: the task's own room knows of no files. What must stay true: the text stays
//! within the budget that was asked for, and what did not fit is said.

use std::collections::BTreeSet;

use proto::error::Result;
use proto::task::{Answer, Call, Request};

use super::catalog::Entry;
use super::{home_of, ready};
use crate::dispatch::Desk;
use crate::task::prompt::END;
use crate::task::rules::cut;
use crate::task::{self, read};
use crate::workspace;

/// The most files that are named.
const MOST: usize = 50;
/// The most bytes of the words about one.
const WORDS: usize = 200;

/// The door.
///
/// # Errors
/// What the task's room says; `Unavailable` when the records cannot be read.
pub fn answer(desk: &Desk<'_>, call: Call) -> Result<proto::Answer> {
    let whole = proto::Request::Task(Box::new(call));
    let proto::Request::Task(call) = &whole else {
        return Err(super::stray());
    };
    let Request::Execute { id, budget } = &call.what else {
        return task::answer(desk, (**call).clone());
    };
    workspace::with_registry(desk, &whole, |registry| {
        let scope = workspace::scope(registry, &call.at)?;
        let mut answer = task::placed(desk, (registry, &scope), |place| {
            task::answer_in(desk, place, &whole)
        })?;
        let slot = desk.ctx.boards.slot(scope.id());
        let sources: BTreeSet<String> = slot.with(|board| {
            let built_on = read::built_on(board, board.card(id)?);
            Ok(built_on.into_iter().map(|card| card.id.clone()).collect())
        })?;
        if let proto::Answer::Task(Answer::Prompt {
            prompt, shortened, ..
        }) = &mut answer
            && !sources.is_empty()
        {
            let catalog = ready(desk.ctx, &home_of(registry, &scope))?;
            let (lines, more) = catalog.with(|catalog| Ok(named(catalog.down_from(None), &sources)))?;
            let room = (*budget as usize).saturating_sub(prompt.len());
            put(prompt, &lines, room)
                .into_iter()
                .chain((more > 0).then(|| format!("{more} more files of results were left out")))
                .for_each(|said| shortened.push(said));
        }
        Ok(answer)
    })
}

/// A line for each file of those tasks, the youngest first, and how many more there are.
fn named<'e>(entries: impl Iterator<Item = &'e Entry>, tasks: &BTreeSet<String>) -> (Vec<String>, usize) {
    let (mut lines, mut more) = (Vec::new(), 0);
    for card in entries.map(|entry| &entry.card) {
        let of = card.task.as_ref().filter(|task| tasks.contains(*task));
        let (Some(task), None) = (of, card.archived) else {
            continue;
        };
        if lines.len() == MOST {
            more += 1;
            continue;
        }
        let summary = cut(card.summary.lines().next().unwrap_or_default(), WORDS).0;
        let gap = if summary.is_empty() { "" } else { ": " };
        lines.push(format!(
            "- `tocli artifact get {}` prints {} of `{task}`, {} bytes{gap}{summary}\n",
            card.id, card.name, card.size
        ));
    }
    (lines, more)
}

/// Puts them before the end of the text, as many as there is room for; says how many there was no room for.
fn put(prompt: &mut String, lines: &[String], room: usize) -> Option<String> {
    const HEAD: &str = "# Files of these results\n\n";
    let at = prompt.rfind(END)?;
    let (mut part, mut fitted) = (HEAD.to_owned(), 0);
    for line in lines {
        if part.len() + line.len() + 1 > room {
            break;
        }
        part.push_str(line);
        fitted += 1;
    }
    if fitted > 0 {
        part.push('\n');
        prompt.insert_str(at, &part);
    }
    let left = lines.len() - fitted;
    (left > 0).then(|| format!("{left} files of results did not fit"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_stand_before_the_end_and_take_no_more_than_the_room_there_is() {
        let lines: Vec<String> = (0..5).map(|n| format!("- file {n}\n")).collect();
        for room in 0..200 {
            let mut prompt = format!("# Task\n\nSay `{END}` at the end.\n\n{END}Run it.\n");
            let before = prompt.clone();
            let said = put(&mut prompt, &lines, room);
            assert!(prompt.len() <= before.len() + room, "room for {room}");
            let there = prompt.matches("- file").count();
            let left = lines.len() - there;
            assert_eq!(
                said,
                (left > 0).then(|| format!("{left} files of results did not fit"))
            );
            assert!(prompt.ends_with(&format!("{END}Run it.\n")), "{prompt}");
        }
    }
}
