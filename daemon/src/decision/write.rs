//! The writing door: gather under the workspace's lock, decide, record in one batch, then write the files.
//!
//! What must stay true: what is refused leaves a project untouched; records first, files after them.

use proto::decision::{Answer, Draft, Relation, Request};
use proto::error::{Error, Result};

use super::book::Book;
use super::card::Card;
use super::mirror::{self, Files};
use super::rules::{self, Who};
use super::store::Decisions;
use super::{Place, document, paths, read};
use crate::audit::{self, Said};
use crate::dispatch::Desk;
use crate::task::store::Tasks;
use crate::task::who;

/// What a request leads to.
struct Decided {
    /// As they are then; the first is the one that was asked for.
    cards: Vec<Card>,
    /// For the audit trail.
    word: &'static str,
}

/// Answers a request that changes a decision.
///
/// # Errors
/// What the rules and the store say.
pub(super) fn answer(
    desk: &Desk<'_>,
    place: &Place<'_>,
    (whole, what): (&proto::Request, &Request),
) -> Result<proto::Answer> {
    let ctx = desk.ctx;
    let who = asking(desk)?;
    ctx.boards.heard(&who.actor, ctx.world.monotonic());
    let decisions = Decisions::new(&ctx.db, place.workspace);
    let outcome = desk.change(place.workspace, whole, |batch| {
        let book = ctx.decisions.book(&ctx.db, place.workspace)?;
        let decided = Scene {
            desk,
            place,
            book: &book,
            who: &who,
        }
        .decide(what)?;
        (place.enter)(batch)?;
        let cards = &decided.cards;
        decisions.put(batch, cards, |card| mirror::text(decisions, card, cards))?;
        let first = cards
            .first()
            .ok_or_else(|| Error::bug("a change of no decision"))?;
        let said = Said {
            time: who.now,
            actor: &who.actor,
            op: decided.word,
            target: &first.id,
            count: cards.len(),
        };
        audit::append(&ctx.db, batch, place.workspace, said)?;
        Ok(proto::Answer::Decision(Answer::Decision {
            decision: Box::new(first.brief()),
            file: Files::new(ctx, place).path(first.number, &first.title),
            warnings: place.warnings.to_vec(),
        }))
    });
    if outcome.is_err() {
        ctx.decisions.drop(place.workspace);
    }
    let mut answer = outcome?;
    if let proto::Answer::Decision(Answer::Decision { warnings, .. }) = &mut answer {
        warnings.extend(Files::new(ctx, place).settle());
    }
    Ok(answer)
}

/// Writes the files that are missing or behind.
///
/// # Errors
/// What the rules and the store say.
pub(super) fn files(desk: &Desk<'_>, place: &Place<'_>, whole: &proto::Request) -> Result<proto::Answer> {
    let ctx = desk.ctx;
    let book = ctx.decisions.book(&ctx.db, place.workspace)?;
    if !book.is_empty() {
        desk.change(place.workspace, whole, |batch| {
            (place.enter)(batch)?;
            Ok(proto::Answer::Decision(Answer::Hits(Vec::new())))
        })?;
    }
    let (count, told) = Files::new(ctx, place).write(&book.numbers())?;
    let mut answer = read::files(place, desk, &book)?;
    if let Answer::Files {
        written, warnings, ..
    } = &mut answer
    {
        *written = count;
        warnings.extend(told);
    }
    Ok(proto::Answer::Decision(answer))
}

fn asking(desk: &Desk<'_>) -> Result<Who> {
    Ok(Who {
        actor: who::actor(desk.ask.caller.actor.as_deref())?,
        now: desk.ctx.world.now(),
    })
}

/// All that a decision may look at.
struct Scene<'a> {
    desk: &'a Desk<'a>,
    place: &'a Place<'a>,
    book: &'a Book,
    who: &'a Who,
}

impl Scene<'_> {
    fn decide(&self, what: &Request) -> Result<Decided> {
        match what {
            Request::Record {
                draft,
                document,
                link,
            } => self.record(draft, document.as_deref(), link.as_ref()),
            Request::Change {
                which,
                if_revision,
                verb,
            } => {
                let card = self.card(which)?;
                unchanged(&card, *if_revision)?;
                let (card, word) = rules::added(&card, verb, self.who)?;
                Ok(Decided {
                    cards: vec![card],
                    word,
                })
            }
            _ => Err(Error::bug("a reading request came to the writing door")),
        }
    }

    fn record(
        &self,
        draft: &Draft,
        document: Option<&str>,
        link: Option<&(Relation, String)>,
    ) -> Result<Decided> {
        let draft = match document {
            Some(text) => document::completed(draft.clone(), document::read(text)?),
            None => draft.clone(),
        };
        let within = draft
            .paths
            .iter()
            .map(|path| paths::relative(self.place.tree, path));
        let within = within.collect::<Result<_>>()?;
        let card = rules::card(&draft, within, self.new_id(), self.who)?;
        if let Some(task) = &card.task {
            Tasks::new(&self.desk.ctx.db, self.place.workspace).must_have(task)?;
        }
        let card = Card {
            number: self.book.last() + 1,
            ..card
        };
        let Some((relation, older)) = link else {
            return Ok(Decided {
                cards: vec![card],
                word: "decision.record",
            });
        };
        let (card, older, word) = rules::linked(&card, &self.card(older)?, *relation, self.who)?;
        Ok(Decided {
            cards: vec![card, older],
            word,
        })
    }

    fn card(&self, which: &str) -> Result<Card> {
        let number = self.book.number(which)?;
        let decisions = Decisions::new(&self.desk.ctx.db, self.place.workspace);
        decisions
            .card(number)?
            .ok_or_else(|| Error::bug(format!("decision {number} is in the book and not on record")))
    }

    fn new_id(&self) -> String {
        loop {
            let mut four = [0; 4];
            self.desk.ctx.world.random(&mut four);
            let id = format!("dec_{:08x}", u32::from_be_bytes(four));
            if self.book.taken(&id).is_none() {
                return id;
            }
        }
    }
}

fn unchanged(card: &Card, seen: Option<u64>) -> Result<()> {
    match seen {
        Some(seen) if seen != card.revision => Err(Error::conflict(format!(
            "decision {} is at revision {}, not {seen}",
            card.number, card.revision
        ))
        .why(format!("it is {} now", card.status.word()))
        .next(format!(
            "read it with `tocli decision show {}` and decide again",
            card.number
        ))),
        _ => Ok(()),
    }
}
