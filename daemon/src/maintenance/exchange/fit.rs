//! Whether what a file brings can stand beside what is here: one order, one place and one name for each thing, and tasks
//! that wait for nothing that waits for them.
//!
//! Asked by `lay.rs` before it decides. What must stay true: it changes nothing, and every two things that stand against
//! each other are a conflict of the import.

use std::collections::{HashMap, HashSet};

use proto::error::{Error, Result};

use super::input::Checked;
use super::lay::{Decided, Laying};
use crate::artifact::rules as of_artifacts;
use crate::task::bring;
use crate::task::card::Card as Task;

impl Laying<'_> {
    pub(super) fn tasks_fit(
        &self,
        tasks: &[Task],
        new: &HashSet<String>,
        decided: &mut Decided,
    ) -> Result<()> {
        let mut born: HashMap<u64, &str> = HashMap::new();
        for card in tasks {
            if let Some(other) = born.insert(card.born, &card.id) {
                let what = format!(
                    "tasks `{other}` and `{}` have the same order {}",
                    card.id, card.born
                );
                decided.conflict(what);
            }
        }
        let fresh: Vec<Task> = tasks
            .iter()
            .filter(|card| new.contains(&card.id))
            .cloned()
            .collect();
        bring::ask(self.ctx, self.id, |board| {
            for card in board.all(0) {
                if let Some(id) = born.get(&card.born).filter(|id| **id != card.id) {
                    let what = format!(
                        "task `{id}` has the order {}, which `{}` has here",
                        card.born, card.id
                    );
                    decided.conflict(what);
                }
            }
            if fresh.is_empty() || decided.conflicts > 0 {
                return Ok(());
            }
            let checked = crate::task::view::View::new(board, &fresh).check();
            checked.map_err(|error| {
                Error::refused("the tasks of the file cannot stand here")
                    .why(match error.why {
                        Some(why) => format!("{}: {why}", error.what),
                        None => error.what,
                    })
                    .next("nothing was changed")
            })
        })
    }

    pub(super) fn artifacts_fit(&self, checked: &Checked, decided: &mut Decided) -> Result<()> {
        let here = self.artifacts().cards()?;
        let mut born: HashMap<u64, &str> = HashMap::new();
        let mut places: HashMap<String, &str> = HashMap::new();
        let mut names: HashMap<(Option<&str>, &str), &str> = HashMap::new();
        for card in here.iter().chain(&checked.artifacts) {
            let id = card.id.as_str();
            let place = of_artifacts::place(&card.folder, &card.name);
            let others = [
                born.insert(card.born, id).map(|other| (other, "order")),
                places.insert(place, id).map(|other| (other, "place")),
                names
                    .insert((card.task.as_deref(), &card.name), id)
                    .map(|other| (other, "task and name")),
            ];
            for (other, what) in others.into_iter().flatten().filter(|(other, _)| *other != id) {
                decided.conflict(format!("artifacts `{other}` and `{id}` have the same {what}"));
            }
        }
        Ok(())
    }
}
