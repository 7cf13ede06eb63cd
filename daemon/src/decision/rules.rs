//! What a decision may say, what may be added to it, and what others may do to it. Pure.
//!
//! Asked before anything is written. What must stay true: nothing that a decision says is ever changed; a decision that
//! is not in force is neither accepted nor built upon.

mod limits;

use proto::decision::{Draft, Event, Impact, Link, Op, Relation, Status, Verb};
use proto::{Error, error::Result};

use super::card::Card;
use crate::task::rules::{self as of_tasks, shown};

pub use limits::{MAX_HISTORY, MAX_LINE, MAX_WORD, check};

/// The most characters of a gist.
const GIST: usize = 240;
/// The most characters of a title in a file's name.
const SLUG: usize = 60;

/// Who adds something, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Who {
    /// Their name.
    pub actor: String,
    /// Nanoseconds since 1970 UTC.
    pub now: i64,
}

/// An id: letters that can be a file's name, and no number, because numbers name decisions too.
///
/// # Errors
/// `Usage`.
pub fn id(id: &str) -> Result<()> {
    of_tasks::id(id).map_err(|_| no_id(id))?;
    match number(id) {
        None => Ok(()),
        Some(_) => Err(no_id(id)),
    }
}

fn no_id(id: &str) -> Error {
    Error::usage(format!("`{}` is not an id of a decision", shown(id))).why(format!(
        "it has 1 to {} characters of A-Z a-z 0-9 . _ - with no dot in front, and is not a number",
        of_tasks::MAX_ID
    ))
}

/// The number that a word is: `7`, `0007`, `#7`.
#[must_use]
pub fn number(word: &str) -> Option<u64> {
    let digits = word.strip_prefix('#').unwrap_or(word);
    let plain = (1..=19).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| digits.parse().ok()).flatten()
}

/// The new decision that a draft describes, its paths already relative and without a number.
///
/// # Errors
/// `Usage` for what is missing or has the wrong form, `TooLarge` over a limit.
pub fn card(draft: &Draft, paths: Vec<String>, id: String, who: &Who) -> Result<Card> {
    let missing = |what: &str| {
        Error::usage(format!("a decision without a {what}"))
            .next(format!("give it with `--{what}`, or as `{what}` in a file"))
    };
    let title = draft.title.as_deref().map(str::trim).unwrap_or_default();
    let decision = draft.decision.as_deref().unwrap_or_default();
    if title.is_empty() {
        return Err(missing("title"));
    }
    if decision.trim().is_empty() {
        return Err(missing("decision"));
    }
    let mut history = vec![event(who, Op::Record, "")];
    let status = match draft.accepted {
        true => Status::Accepted,
        false => Status::Proposed,
    };
    if draft.accepted {
        history.push(event(who, Op::Accept, ""));
    }
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let made = Card {
        number: 0,
        id,
        title: title.to_owned(),
        status,
        category: draft.category.unwrap_or(proto::decision::Category::Architecture),
        impact: draft.impact.unwrap_or(Impact::Medium),
        context: text(&draft.context),
        decision: decision.to_owned(),
        rationale: text(&draft.rationale),
        alternatives: draft.alternatives.clone(),
        consequences: draft.consequences.clone(),
        risks: draft.risks.clone(),
        paths: unique(paths),
        components: unique(draft.components.clone()),
        tags: unique(draft.tags.clone()),
        task: draft.task.clone(),
        actor: who.actor.clone(),
        created: who.now,
        updated: who.now,
        revision: 1,
        links: Vec::new(),
        history,
    };
    check(&made)?;
    Ok(made)
}

fn event(who: &Who, op: Op, text: &str) -> Event {
    Event {
        time: who.now,
        actor: who.actor.clone(),
        op,
        text: text.to_owned(),
    }
}

/// Each once, in the order they were given.
fn unique(words: Vec<String>) -> Vec<String> {
    let mut found: Vec<String> = Vec::with_capacity(words.len());
    for word in words {
        let word = word.trim().to_owned();
        if !found.contains(&word) {
            found.push(word);
        }
    }
    found
}

/// The decision after something was added, and the word for the audit trail.
///
/// # Errors
/// `Refused` where its status does not allow it; what [`check`] says.
pub fn added(card: &Card, verb: &Verb, who: &Who) -> Result<(Card, &'static str)> {
    let mut card = card.clone();
    let word = match verb {
        Verb::Accept => {
            open(&card, "accepted")?;
            card.status = Status::Accepted;
            card.add(event(who, Op::Accept, ""));
            "decision.accept"
        }
        Verb::Reject { reason } => {
            open(&card, "rejected")?;
            card.status = Status::Rejected;
            card.add(event(who, Op::Reject, reason));
            "decision.reject"
        }
        Verb::Outcome { text } => {
            if text.trim().is_empty() {
                return Err(Error::usage("an empty outcome").next("say what came of it"));
            }
            card.add(event(who, Op::Outcome, text));
            "decision.outcome"
        }
    };
    check(&card)?;
    Ok((card, word))
}

fn open(card: &Card, word: &str) -> Result<()> {
    if card.status == Status::Proposed {
        return Ok(());
    }
    let next = match card.status {
        Status::Accepted => format!(
            "record another one with `tocli decision supersede {0}` or `tocli decision reverse {0}`",
            card.number
        ),
        _ => "record another one".to_owned(),
    };
    Err(
        Error::refused(format!("decision {} cannot be {word}", card.number))
            .why(format!("it is {} already", card.status.word()))
            .next(next),
    )
}

/// Lets a new decision do something to an older one; both as they are then, and the word for the audit trail.
///
/// # Errors
/// `Refused` when the older one is not in force; `Usage` for what no new decision can do; what [`check`] says.
pub fn linked(new: &Card, older: &Card, relation: Relation, who: &Who) -> Result<(Card, Card, &'static str)> {
    let (status, op, word) = match relation {
        Relation::Supersedes => (Status::Superseded, Op::Supersede, "decision.supersede"),
        Relation::Reverses => (Status::Reversed, Op::Reverse, "decision.reverse"),
        Relation::Refines => (older.status, Op::Refine, "decision.refine"),
        Relation::Clarifies => (older.status, Op::Clarify, "decision.clarify"),
        _ => {
            return Err(Error::usage(
                "a new decision supersedes, refines, reverses or clarifies",
            ));
        }
    };
    if !older.status.in_force() {
        let later = older
            .links
            .iter()
            .rev()
            .find(|link| matches!(link.relation, Relation::SupersededBy | Relation::ReversedBy));
        let next = later.map_or_else(
            || "record a decision of its own".to_owned(),
            |link| format!("build upon decision {}", link.number),
        );
        return Err(
            Error::refused(format!("decision {} is not in force", older.number))
                .why(format!("it is {}", older.status.word()))
                .next(next),
        );
    }
    let (mut new, mut older) = (new.clone(), older.clone());
    new.links.push(Link {
        relation,
        number: older.number,
    });
    older.links.push(Link {
        relation: relation.seen_from_there(),
        number: new.number,
    });
    older.status = status;
    older.add(event(who, op, &format!("by decision {}", new.number)));
    check(&new)?;
    check(&older)?;
    Ok((new, older, word))
}

/// The beginning of a text in one line.
#[must_use]
pub fn gist(text: &str) -> String {
    let mut line = String::new();
    for word in text.split_whitespace() {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
        if line.chars().count() > GIST {
            return line.chars().take(GIST).chain(['…']).collect();
        }
    }
    line
}

/// The name of a decision's file: `0007-use-sled.md`.
#[must_use]
pub fn file_name(number: u64, title: &str) -> String {
    let mut slug = String::new();
    for letter in title.chars().flat_map(char::to_lowercase) {
        if slug.chars().count() >= SLUG {
            break;
        }
        if letter.is_alphanumeric() {
            slug.push(letter);
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    let slug = slug.trim_end_matches('-');
    let slug = if slug.is_empty() { "decision" } else { slug };
    format!("{number:04}-{slug}.md")
}

#[cfg(test)]
mod tests {
    use super::super::tests::bed::card as made;
    use super::*;
    use proto::Kind;
    use proto::decision::{Alternative, MAX_LIST, MAX_TEXT, MAX_TITLE};

    fn who() -> Who {
        Who {
            actor: "me".to_owned(),
            now: 7,
        }
    }

    fn draft() -> Draft {
        Draft {
            title: Some(" Use sled ".to_owned()),
            decision: Some("We use sled".to_owned()),
            tags: vec!["db".to_owned(), "db".to_owned()],
            ..Draft::default()
        }
    }

    fn of(draft: &Draft) -> Result<Card> {
        card(draft, Vec::new(), "dec_1".to_owned(), &who())
    }

    #[test]
    fn a_draft_becomes_a_proposed_decision_and_says_what_it_lacks() {
        let made = of(&draft()).expect("a decision");
        assert_eq!((made.title.as_str(), made.status), ("Use sled", Status::Proposed));
        assert_eq!(made.tags, ["db"]);
        let accepted = Draft {
            accepted: true,
            ..draft()
        };
        assert_eq!(of(&accepted).map(|card| card.status), Ok(Status::Accepted));
        for lacking in [
            Draft {
                title: None,
                ..draft()
            },
            Draft {
                decision: Some(" ".to_owned()),
                ..draft()
            },
        ] {
            assert_eq!(of(&lacking).expect_err("lacking").kind, Kind::Usage);
        }
    }

    #[test]
    fn what_is_over_a_limit_or_has_no_form_is_refused() {
        let too_long = "x".repeat(MAX_TEXT + 1);
        for wrong in [
            Draft {
                title: Some("a\nb".to_owned()),
                ..draft()
            },
            Draft {
                title: Some("x".repeat(MAX_TITLE + 1)),
                ..draft()
            },
            Draft {
                context: Some(too_long.clone()),
                ..draft()
            },
            Draft {
                tags: vec!["x".to_owned(); 1]
                    .into_iter()
                    .chain([String::new()])
                    .collect(),
                ..draft()
            },
            Draft {
                risks: (0..=MAX_LIST).map(|n| n.to_string()).collect(),
                ..draft()
            },
            Draft {
                risks: vec!["x".repeat(MAX_LINE); 200],
                ..draft()
            },
            Draft {
                task: Some("../x".to_owned()),
                ..draft()
            },
            Draft {
                alternatives: vec![Alternative::default()],
                ..draft()
            },
        ] {
            assert!(of(&wrong).is_err(), "{:?}", wrong.title);
        }
        assert!(card(&draft(), Vec::new(), "0007".to_owned(), &who()).is_err());
        assert!(card(&draft(), Vec::new(), "../../x".to_owned(), &who()).is_err());
    }

    #[test]
    fn only_a_proposed_decision_is_accepted_or_rejected() {
        let proposed = made(1, "T", "d");
        let reject = Verb::Reject {
            reason: "no".to_owned(),
        };
        let (accepted, word) = added(&proposed, &Verb::Accept, &who()).expect("accepted");
        assert_eq!(
            (accepted.status, accepted.revision, word),
            (Status::Accepted, 2, "decision.accept")
        );
        let (rejected, _) = added(&proposed, &reject, &who()).expect("rejected");
        for closed in [accepted.clone(), rejected] {
            assert_eq!(
                added(&closed, &Verb::Accept, &who()).expect_err("no").kind,
                Kind::Refused
            );
            assert_eq!(
                added(&closed, &reject, &who()).expect_err("no").kind,
                Kind::Refused
            );
        }
        let outcome = Verb::Outcome {
            text: "It held".to_owned(),
        };
        let (with, _) = added(&accepted, &outcome, &who()).expect("added");
        assert_eq!(
            with.history.last().map(|event| event.text.as_str()),
            Some("It held")
        );
        assert_eq!((with.decision, with.title), (accepted.decision, accepted.title));
    }

    #[test]
    fn a_newer_decision_takes_the_place_of_an_older_one_once() {
        let (older, new) = (made(1, "Old", "d"), made(2, "New", "d"));
        for (relation, status, in_force) in [
            (Relation::Supersedes, Status::Superseded, false),
            (Relation::Reverses, Status::Reversed, false),
            (Relation::Refines, Status::Proposed, true),
            (Relation::Clarifies, Status::Proposed, true),
        ] {
            let (new, older, _) = linked(&new, &older, relation, &who()).expect("linked");
            assert_eq!((older.status, older.status.in_force()), (status, in_force));
            assert_eq!(new.links, [Link { relation, number: 1 }]);
            assert_eq!(
                older.links,
                [Link {
                    relation: relation.seen_from_there(),
                    number: 2
                }]
            );
            let again = linked(&made(3, "Third", "d"), &older, Relation::Supersedes, &who());
            match again {
                Ok(_) => assert!(in_force),
                Err(error) => {
                    assert!(!in_force);
                    assert!(error.next.is_some_and(|next| next.contains("decision 2")));
                }
            }
        }
        assert!(linked(&new, &older, Relation::SupersededBy, &who()).is_err());
    }

    #[test]
    fn a_number_is_told_from_an_id() {
        assert_eq!(["7", "0007", "#7"].map(number), [Some(7); 3]);
        assert_eq!(
            ["dec_7", "", "#", "-7", "7x", "99999999999999999999"].map(number),
            [None; 6]
        );
    }

    #[test]
    fn a_file_is_named_after_number_and_title_and_stays_in_its_folder() {
        for (title, name) in [
            (
                "Use sled, with our own sync!",
                "0007-use-sled-with-our-own-sync.md",
            ),
            ("../../etc/passwd", "0007-etc-passwd.md"),
            ("Größe & Maß", "0007-größe-maß.md"),
            ("...", "0007-decision.md"),
        ] {
            assert_eq!(file_name(7, title), name);
        }
        assert!(file_name(123_456, &"語".repeat(200)).len() < 255);
    }

    #[test]
    fn a_gist_is_one_short_line() {
        assert_eq!(gist(" a\n\n b\tc "), "a b c");
        assert_eq!(gist(&"word ".repeat(500)).chars().count(), GIST + 1);
    }
}
