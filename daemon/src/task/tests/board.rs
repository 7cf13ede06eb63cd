//! The board under random changes: whatever is allowed leaves it as a board loaded anew from its cards would be.

use std::sync::Arc;
use std::time::Duration;

use proto::task::{Edit, Force, NewTask, NextAction, Priority, Status};

use crate::task::board::Board;
use crate::task::card::{Card, Texts};
use crate::task::change::{self, Ending};
use crate::task::step::Step;
use crate::task::view::View;
use crate::task::who::Who;
use crate::task::{edit, graph};

/// xorshift: the same numbers for the same seed.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % limit as u64).expect("small")
    }

    fn pick(&mut self, board: &Board) -> Option<Arc<Card>> {
        let count = board.len();
        (count > 0).then(|| {
            let at = self.below(count);
            Arc::clone(board.all(0).nth(at).expect("there"))
        })
    }
}

fn who(actor: &str) -> Who {
    Who {
        actor: actor.to_owned(),
        now: 1,
        running: Duration::ZERO,
        lease: Duration::from_secs(60),
        max_attempts: 3,
    }
}

fn random_step(board: &Board, random: &mut Random, number: u32) -> Option<proto::error::Result<Step>> {
    let who = who(["a", "b", "c"][random.below(3)]);
    let force = if random.below(4) == 0 {
        Force::Yes
    } else {
        Force::No
    };
    if random.below(3) == 0 || board.len() < 3 {
        let after: Vec<String> = (0..random.below(3))
            .filter_map(|_| random.pick(board))
            .map(|card| card.id.clone())
            .collect();
        let new = NewTask {
            title: format!("t{number}"),
            specialist: Some(["coder", "tester"][random.below(2)].to_owned()),
            after,
            parent: random
                .pick(board)
                .filter(|_| number.is_multiple_of(3))
                .map(|card| card.id.clone()),
            priority: [Priority::Critical, Priority::Medium, Priority::Low][random.below(3)],
            ..NewTask::default()
        };
        return Some(edit::add(board, &who, &new, None, &mut || number.to_be_bytes()));
    }
    let card = random.pick(board)?;
    let texts = Texts::default();
    let ending = |next_action| Ending {
        summary: "done",
        next_action,
        force,
    };
    Some(match random.below(13) {
        0 | 1 => change::claim(board, &who, &[]),
        2 => change::start(board, &who, &card, force),
        3 | 4 => change::complete(board, &who, &card, &texts, &ending(NextAction::Continue)),
        5 => change::complete(board, &who, &card, &texts, &ending(NextAction::NeedsRevision)),
        6 => change::block(board, &who, &card, "why"),
        7 => change::fail(board, &who, &card, "why", force),
        8 => change::cancel(board, &who, &card, ""),
        9 => change::reopen(board, &who, &card),
        10 => change::archive(board, &who, &card),
        11 => change::purge(board, &who, &card),
        _ => {
            let other = random.pick(board)?.id.clone();
            let edit = match random.below(4) {
                0 => Edit {
                    parent: Some(Some(other)),
                    ..Edit::default()
                },
                1 => Edit {
                    parent: Some(None),
                    specialist: Some("tester".to_owned()),
                    ..Edit::default()
                },
                2 => Edit {
                    remove_after: card.after.clone(),
                    ..Edit::default()
                },
                _ => Edit {
                    add_after: vec![other],
                    priority: Some(Priority::High),
                    ..Edit::default()
                },
            };
            edit::update(board, &who, &card, &texts, &edit)
        }
    })
}

/// What a board says of a task: card, ready, waits for, children, who waits for it.
type Said = (Card, bool, Vec<String>, (u32, u32), Vec<String>);

/// All that a board answers, in a form that can be compared.
fn answers(board: &Board) -> Vec<Said> {
    board
        .all(0)
        .map(|card| {
            (
                Card::clone(card),
                board.is_ready(&card.id),
                board.waiting_for(card),
                board.children_of(&card.id),
                board.dependents(&card.id).map(|card| card.id.clone()).collect(),
            )
        })
        .collect()
}

fn queue(board: &Board) -> Vec<String> {
    board.ready().map(|card| card.id.clone()).collect()
}

fn holds_what_must_hold(board: &Board) {
    let cards: Vec<Card> = board.all(0).map(|card| Card::clone(card)).collect();
    // Laid over an empty board every card counts as new, so that all of it is looked at.
    View::new(&Board::default(), &cards)
        .check()
        .expect("a sound board");
    let cycle = graph::cycle(cards.iter().map(|card| card.born), |born| {
        board.born(born).map_or_else(Vec::new, |card| board.leads(card))
    });
    assert_eq!(cycle, None);
    for card in &cards {
        assert_eq!(
            card.hold.is_some(),
            board.lease_left(card, Duration::ZERO).is_some(),
            "{}",
            card.id
        );
        assert!(
            card.hold.is_none() || card.status == Status::Active,
            "{}",
            card.id
        );
        if board.is_ready(&card.id) {
            assert!(
                board.waiting_for(card).is_empty() && card.hold.is_none(),
                "{}",
                card.id
            );
        }
    }
}

#[test]
fn whatever_is_allowed_leaves_the_board_as_one_loaded_anew_and_without_cycles() {
    let (mut allowed, mut refused) = (0, 0);
    for seed in 1..=60 {
        let mut random = Random(0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(seed));
        let mut board = Board::default();
        for number in 0..150 {
            match random_step(&board, &mut random, number) {
                Some(Ok(step)) if !step.moved.is_empty() => {
                    allowed += 1;
                    let ready_before = queue(&board);
                    let became = board.apply(&step.placed(), Duration::from_secs(60));
                    let fresh = Board::load(
                        board.all(0).map(|card| Card::clone(card)).collect(),
                        0,
                        Duration::from_secs(60),
                    );
                    assert_eq!(answers(&board), answers(&fresh), "seed {seed}, step {number}");
                    assert_eq!(queue(&board), queue(&fresh), "seed {seed}, step {number}");
                    let mut new: Vec<String> = queue(&board)
                        .into_iter()
                        .filter(|id| !ready_before.contains(id))
                        .collect();
                    let mut became = became;
                    new.sort();
                    became.sort();
                    assert_eq!(became, new, "seed {seed}, step {number}: what became ready");
                }
                Some(Err(_)) => refused += 1,
                _ => {}
            }
        }
        holds_what_must_hold(&board);
    }
    assert!(
        allowed > 2_000 && refused > 1_000,
        "too tame: {allowed} allowed, {refused} refused"
    );
}

fn add(board: &mut Board, new: NewTask) -> String {
    let number = u32::try_from(board.next_born()).expect("small");
    let step = edit::add(board, &who("me"), &new, None, &mut || number.to_be_bytes()).expect("added");
    board.apply(&step.placed(), Duration::ZERO);
    step.moved[0].after.as_ref().expect("a card").id.clone()
}

fn named(id: &str, after: &[&str]) -> NewTask {
    NewTask {
        id: Some(id.to_owned()),
        title: id.to_owned(),
        after: after.iter().map(|id| (*id).to_owned()).collect(),
        ..NewTask::default()
    }
}

#[test]
fn the_next_task_is_the_most_urgent_then_the_one_that_unblocks_most_then_the_oldest() {
    let mut board = Board::default();
    for task in [
        named("old", &[]),
        named("key", &[]),
        named("x", &["key"]),
        named("y", &["key"]),
    ] {
        add(&mut board, task);
    }
    assert_eq!(board.next(&[]).expect("ready").id, "key");
    add(
        &mut board,
        NewTask {
            priority: Priority::Critical,
            ..named("urgent", &[])
        },
    );
    assert_eq!(board.next(&[]).expect("ready").id, "urgent");
    let mut step = Step::default();
    for id in ["urgent", "key"] {
        let card = board.card(id).expect("there");
        let one = change::cancel(&board, &who("me"), card, "").expect("cancelled");
        step.moved.extend(one.moved);
    }
    board.apply(&step.placed(), Duration::ZERO);
    assert_eq!(board.next(&[]).expect("ready").id, "old");
}

#[test]
fn a_cycle_is_refused_with_its_path_also_through_groups() {
    let mut board = Board::default();
    for task in [named("a", &[]), named("b", &["a"]), named("c", &["b"])] {
        add(&mut board, task);
    }
    let refuse = |board: &Board, id: &str, edit: Edit| {
        let card = Arc::clone(board.card(id).expect("there"));
        edit::update(board, &who("me"), &card, &Texts::default(), &edit)
            .expect_err("refused")
            .what
    };
    let edit = Edit {
        add_after: vec!["c".to_owned()],
        ..Edit::default()
    };
    assert_eq!(refuse(&board, "a", edit), "a cycle: a → c → b → a");
    // `group` waits for `c`; `a`, which `c` waits for, cannot stand in it.
    add(&mut board, named("group", &["c"]));
    let edit = Edit {
        parent: Some(Some("group".to_owned())),
        ..Edit::default()
    };
    assert!(refuse(&board, "a", edit).starts_with("a cycle: "));
    let edit = Edit {
        parent: Some(Some("b".to_owned())),
        ..Edit::default()
    };
    assert!(
        refuse(&board, "b", edit).starts_with("a cycle: "),
        "a task in itself"
    );
}

#[test]
fn what_stands_in_a_group_waits_for_what_the_group_waits_for() {
    let mut board = Board::default();
    for task in [named("first", &[]), named("group", &["first"])] {
        add(&mut board, task);
    }
    add(
        &mut board,
        NewTask {
            parent: Some("group".to_owned()),
            ..named("inner", &[])
        },
    );
    let inner = Arc::clone(board.card("inner").expect("there"));
    assert_eq!(board.waiting_for(&inner), ["first"]);
    assert!(change::start(&board, &who("me"), &inner, Force::No).is_err());
    let first = Arc::clone(board.card("first").expect("there"));
    let ending = Ending {
        summary: "",
        next_action: NextAction::Continue,
        force: Force::No,
    };
    let step = change::complete(&board, &who("me"), &first, &Texts::default(), &ending).expect("completed");
    assert_eq!(board.apply(&step.placed(), Duration::ZERO), ["inner"]);
}

#[test]
fn a_parent_with_open_children_is_not_completed_and_names_them() {
    let mut board = Board::default();
    add(&mut board, named("group", &[]));
    add(
        &mut board,
        NewTask {
            parent: Some("group".to_owned()),
            ..named("inner", &[])
        },
    );
    let group = Arc::clone(board.card("group").expect("there"));
    let ending = Ending {
        summary: "",
        next_action: NextAction::Continue,
        force: Force::Yes,
    };
    let error =
        change::complete(&board, &who("me"), &group, &Texts::default(), &ending).expect_err("refused");
    assert_eq!(error.what, "`group` has 1 task open below it");
    assert_eq!(error.why.as_deref(), Some("`inner`"));
}

#[test]
fn a_missing_dependency_is_refused_with_the_nearest_id() {
    let mut board = Board::default();
    add(&mut board, named("Design", &[]));
    let error =
        edit::add(&board, &who("me"), &named("x", &["design"]), None, &mut || [0; 4]).expect_err("refused");
    assert_eq!(error.next.as_deref(), Some("did you mean `Design`?"));
}

#[test]
fn after_too_many_expired_leases_a_task_is_blocked_for_a_person() {
    let mut board = Board::default();
    add(&mut board, named("a", &[]));
    for attempt in 1..=3 {
        let step = change::claim(&board, &who("worker"), &[]).expect("claimed");
        board.apply(&step.placed(), Duration::ZERO);
        let mut step = Step::default();
        change::expire(board.card("a").expect("there"), &who("unknown"), &mut step).expect("expired");
        assert_eq!(step.moved[0].actor, "worker", "an expiry is in its holder's name");
        board.apply(&step.placed(), Duration::ZERO);
        assert_eq!(board.card("a").expect("there").attempts, attempt);
    }
    let card = board.card("a").expect("there");
    assert_eq!(
        (card.status, card.reason.as_deref()),
        (Status::Blocked, Some("attempts"))
    );
    assert!(change::claim(&board, &who("worker"), &[]).is_err());
}

#[test]
fn what_another_holds_is_not_started_completed_or_failed() {
    let mut board = Board::default();
    add(&mut board, named("a", &[]));
    let step = change::claim(&board, &who("one"), &[]).expect("claimed");
    board.apply(&step.placed(), Duration::ZERO);
    let card = Arc::clone(board.card("a").expect("there"));
    let ending = Ending {
        summary: "",
        next_action: NextAction::Continue,
        force: Force::No,
    };
    let (other, nameless) = (who("two"), who("bash[7.8]"));
    for error in [
        change::start(&board, &other, &card, Force::No).expect_err("start"),
        change::complete(&board, &other, &card, &Texts::default(), &ending).expect_err("complete"),
        change::fail(&board, &other, &card, "", Force::No).expect_err("fail"),
        change::release(&board, &other, &card).expect_err("release"),
        change::start(&board, &nameless, &card, Force::No).expect_err("start by a process"),
    ] {
        assert_eq!(error.kind, proto::Kind::Conflict, "{error}");
    }
    // The holder itself, which has not given its name this time.
    assert!(change::complete(&board, &nameless, &card, &Texts::default(), &ending).is_ok());
    assert!(
        change::start(&board, &who("one"), &card, Force::No)
            .expect("goes on")
            .moved
            .is_empty()
    );
}
