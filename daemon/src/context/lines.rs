//! One fact as one line: a task, a remark, the checkout, what git did and what it contradicts, the files that changed.
//!
//! Asked by `tell`. What must stay true: every text that somebody else wrote stands in quotes made by
//! [`super::budget::quoted`]; a path too.

use std::sync::Arc;

use proto::error::Result;

use super::Place;
use super::budget::quoted;
use super::gather::{Changed, Now};
use crate::task::board::Board;
use crate::task::card::{Card, Remark, Texts};

/// The most characters of a title.
pub(super) const TITLE: usize = 120;
/// The most characters of a note.
pub(super) const NOTE: usize = 400;
/// The most lines that one section looks for: more than any budget takes.
pub(super) const MOST: usize = 200;

pub(super) fn name(place: &Place<'_>) -> String {
    let last = place.tree.file_name().unwrap_or(place.tree.as_os_str());
    last.to_string_lossy().into_owned()
}

/// What an actor holds, the first taken first.
pub(super) fn held(board: &Board, actor: &str) -> Vec<Arc<Card>> {
    let mine = |card: &&Arc<Card>| card.hold.as_ref().is_some_and(|hold| hold.actor == actor);
    let mut held: Vec<Arc<Card>> = board.all(0).filter(mine).map(Arc::clone).collect();
    held.sort_by_key(|card| card.hold.as_ref().map(|hold| hold.since));
    held
}

pub(super) fn card_line(board: &Board, card: &Card) -> String {
    let standing = match &card.hold {
        Some(hold) => format!("{} by {}", card.status.word(), quoted(&hold.actor, TITLE)),
        None if board.is_ready(&card.id) => "ready".to_owned(),
        None => card.status.word().to_owned(),
    };
    let reason = match &card.reason {
        Some(reason) => format!(", because {}", quoted(reason, NOTE)),
        None => String::new(),
    };
    let waits = match card.status.is_open() {
        true => board.waiting_for(card),
        false => Vec::new(),
    };
    let waits = match waits.as_slice() {
        [] => String::new(),
        waits => format!(", waits for {}", waits[..waits.len().min(5)].join(" ")),
    };
    format!(
        "{} {} ({}, {standing}{reason}{waits})",
        card.id,
        quoted(&card.title, TITLE),
        card.specialist
    )
}

pub(super) fn remark_line(place: &Place<'_>, remark: &Remark) -> String {
    let to = match &remark.to {
        Some(to) => format!(" to {}", quoted(to, TITLE)),
        None => String::new(),
    };
    let ago = ago(place.now, remark.time);
    format!(
        "{}{to}, {ago}: {}",
        quoted(&remark.actor, TITLE),
        quoted(&remark.text, NOTE)
    )
}

/// How long ago, as one reads it.
pub(super) fn ago(now: i64, then: i64) -> String {
    let seconds = now.saturating_sub(then).max(0) / 1_000_000_000;
    match seconds {
        0..60 => format!("{seconds} s ago"),
        60..3600 => format!("{} min ago", seconds / 60),
        3600..172_800 => format!("{} h ago", seconds / 3600),
        _ => format!("{} days ago", seconds / 86_400),
    }
}

pub(super) fn worktree(place: &Place<'_>, now: &Now) -> String {
    let path = quoted(&place.tree.display().to_string(), NOTE);
    let Some(git) = &now.repository else {
        return format!("{path}, not a git checkout");
    };
    let head = git.head.as_deref().map_or("no commit yet", |sha| &sha[..12]);
    match &git.branch {
        Some(branch) => format!("{path}, branch {} at {head}", quoted(branch, TITLE)),
        None => format!("{path}, detached at {head}"),
    }
}

/// What the records say and git or the disk does not.
pub(super) fn contradictions(place: &Place<'_>, now: &Now, held: &[Arc<Card>]) -> Result<Vec<String>> {
    let world = &*place.ctx.world;
    let mut found = Vec::new();
    for card in held {
        let Texts { links, tree, .. } = place.tasks().texts(&card.id)?;
        if let Some(tree) = tree.filter(|tree| world.stat(tree.as_path()).is_err()) {
            let tree = quoted(&tree.display(), NOTE);
            found.push(format!(
                "! {} was made in the worktree {tree}, which is not there now",
                card.id
            ));
        }
        let Some(git) = &now.repository else { continue };
        for link in links.iter().take(20) {
            let to = quoted(&link.to, TITLE);
            match link.kind.as_str() {
                "branch" if !git.has_branch(world, &link.to) => {
                    found.push(format!(
                        "! {} names branch {to}, which git does not have",
                        card.id
                    ));
                }
                "branch" if git.branch.as_deref() != Some(link.to.as_str()) => {
                    found.push(format!(
                        "! {} names branch {to}, which is not checked out here",
                        card.id
                    ));
                }
                "commit" if git.surely_lacks(world, &link.to) => {
                    found.push(format!(
                        "! {} names commit {to}, which git does not have",
                        card.id
                    ));
                }
                _ => {}
            }
        }
    }
    let steps = now
        .repository
        .iter()
        .filter_map(|git| git.since(now.since))
        .flatten();
    let steps = steps.filter(|step| !step.is_commit() && !step.is_clone());
    for step in steps.take(5) {
        let words = quoted(&format!("{}: {}", step.verb, step.words), TITLE);
        found.push(format!("! HEAD was moved to {}: {words}", &step.sha[..12]));
    }
    Ok(found)
}

pub(super) fn commits(now: &Now) -> Vec<String> {
    let Some(git) = &now.repository else {
        return Vec::new();
    };
    let Some(steps) = git.since(now.since) else {
        return match &git.head {
            Some(_) => vec!["commits since then are not known: git keeps no log of HEAD here".to_owned()],
            None => Vec::new(),
        };
    };
    let commits = steps.into_iter().filter(|step| step.is_commit()).take(MOST);
    commits
        .map(|step| format!("commit {} {}", &step.sha[..12], quoted(&step.words, TITLE)))
        .collect()
}

pub(super) fn changed(place: &Place<'_>, now: &Now) -> Vec<String> {
    match &now.changed {
        Changed::Unknown(why) => vec![format!("changed files are not known: {why}")],
        Changed::Known { files, all } => {
            let since = ago(place.now, now.since);
            let how = match all {
                true => "",
                false => " by their times (what was deleted is not known)",
            };
            let mut lines = vec![format!("{} files changed since {since}{how}", files.len())];
            let files = files.iter().take(MOST);
            lines.extend(files.map(|(mark, path)| format!("{mark} {}", quoted(&path.display(), NOTE))));
            lines
        }
    }
}
