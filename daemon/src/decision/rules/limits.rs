//! The limits of a decision, wherever it comes from. Pure.
//!
//! What must stay true: a decision within these limits is shown in one frame.

use proto::decision::{Alternative, MAX_DECISION, MAX_LIST, MAX_TEXT, MAX_TITLE};
use proto::{Error, error::Result};

use super::id;
use crate::decision::card::Card;
use crate::decision::paths::MAX_PATH;
use crate::task::rules as of_tasks;

/// The most bytes of a tag or a component.
pub const MAX_WORD: usize = 128;
/// The most bytes of one line in a list.
pub const MAX_LINE: usize = 4 << 10;
/// The most things that can be added to one decision.
pub const MAX_HISTORY: usize = 1000;

/// Whether a decision is within all limits, wherever it came from.
///
/// # Errors
/// `Usage` for the wrong form, `TooLarge` over a limit.
pub fn check(card: &Card) -> Result<()> {
    id(&card.id)?;
    of_tasks::line("title", &card.title, MAX_TITLE)?;
    of_tasks::actor(&card.actor)?;
    for (what, text) in [
        ("context", &card.context),
        ("decision", &card.decision),
        ("rationale", &card.rationale),
    ] {
        of_tasks::long(what, text, MAX_TEXT)?;
    }
    if let Some(task) = &card.task {
        of_tasks::id(task)?;
    }
    let lists = [
        ("consequence", &card.consequences, MAX_LINE),
        ("risk", &card.risks, MAX_LINE),
        ("path", &card.paths, MAX_PATH),
        ("component", &card.components, MAX_WORD),
        ("tag", &card.tags, MAX_WORD),
    ];
    for (what, list, longest) in lists {
        at_most(what, list.len(), MAX_LIST)?;
        for text in list {
            match longest {
                MAX_LINE => entry(what, text)?,
                _ => of_tasks::line(what, text, longest)?,
            }
        }
    }
    at_most("alternative", card.alternatives.len(), MAX_LIST)?;
    card.alternatives.iter().try_for_each(alternative)?;
    at_most("link", card.links.len(), MAX_HISTORY)?;
    at_most("event", card.history.len(), MAX_HISTORY)?;
    for event in &card.history {
        of_tasks::actor(&event.actor)?;
        of_tasks::long("outcome", &event.text, MAX_TEXT)?;
    }
    let bytes = size(card);
    match bytes {
        0..=MAX_DECISION => Ok(()),
        _ => Err(Error::too_large(format!("a decision of {bytes} bytes"))
            .why(format!("the limit is {MAX_DECISION} bytes"))
            .next("keep long material as an artifact, and name it here")),
    }
}

fn at_most(what: &str, count: usize, limit: usize) -> Result<()> {
    match count <= limit {
        true => Ok(()),
        false => {
            Err(Error::too_large(format!("{count} of `{what}`"))
                .why(format!("a decision has at most {limit}")))
        }
    }
}

fn entry(what: &str, text: &str) -> Result<()> {
    if text.trim().is_empty() {
        return Err(Error::usage(format!("an empty {what}")));
    }
    of_tasks::long(what, text, MAX_LINE)
}

fn alternative(other: &Alternative) -> Result<()> {
    of_tasks::line("alternative", &other.name, MAX_LINE)?;
    for (what, list) in [("pro", &other.pros), ("con", &other.cons)] {
        at_most(what, list.len(), MAX_LIST)?;
        list.iter().try_for_each(|text| entry(what, text))?;
    }
    Ok(())
}

/// About how many bytes a decision takes.
fn size(card: &Card) -> usize {
    let of = |list: &[String]| list.iter().map(|text| text.len() + 2).sum::<usize>();
    let others = card.alternatives.iter();
    let history = card.history.iter();
    card.context.len()
        + card.decision.len()
        + card.rationale.len()
        + of(&card.consequences)
        + of(&card.risks)
        + of(&card.paths)
        + of(&card.components)
        + of(&card.tags)
        + others
            .map(|one| one.name.len() + of(&one.pros) + of(&one.cons))
            .sum::<usize>()
        + history
            .map(|event| event.text.len() + event.actor.len() + 16)
            .sum::<usize>()
        + 12 * card.links.len()
}
