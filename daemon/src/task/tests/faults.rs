//! Faults at every step: a disk that fails once leaves the old state or the new one, and whoever repeats gets there.

use proto::task::{NewTask, Request, Status, Verb};

use super::bed::{Bed, OTHER, WS, complete, named};
use crate::audit::{self, Chain};
use crate::db::failing::{FailingOnce, until_done};
use crate::task::board::Board;
use crate::task::store::Tasks;

fn script() -> Vec<Request> {
    let change = |id: &str, verb| Request::Change {
        id: id.to_owned(),
        if_revision: None,
        verb,
    };
    let long = NewTask {
        description: "long ".repeat(5_000),
        ..named("a", &[])
    };
    vec![
        Request::Add(Box::new(long)),
        Request::Plan {
            text: "title: T\nid: top\ntasks: [{name: x, id: x, title: X, after: [a]}]".to_owned(),
        },
        Request::Next {
            specialists: Vec::new(),
            claim: true,
        },
        change("a", complete("done")),
        Request::Note {
            id: "a".to_owned(),
            text: "noted".to_owned(),
            to: None,
        },
        change(
            "x",
            Verb::Cancel {
                reason: "no".to_owned(),
            },
        ),
        change("x", Verb::Undo),
    ]
}

/// What the records say, and that the board says the same.
fn state(bed: &Bed) -> Vec<(String, Status, u64)> {
    let tasks = Tasks::new(&bed.ctx.db, WS);
    let cards = tasks.cards().expect("read");
    let slot = bed.ctx.boards.slot(WS);
    let of = |board: &Board| -> Vec<(String, Status, u64)> {
        board
            .all(0)
            .map(|card| (card.id.clone(), card.status, card.revision))
            .collect()
    };
    let fresh = Board::load(cards, tasks.changes().expect("read"), std::time::Duration::ZERO);
    let kept = slot.with(|board| Ok((of(board), board.changes))).expect("loaded");
    assert_eq!(
        kept,
        (of(&fresh), fresh.changes),
        "the board is not what the records say"
    );
    kept.0
}

#[test]
fn a_disk_that_fails_at_any_sync_leaves_each_request_done_once() {
    let mut hurt = 0;
    for n in 1.. {
        let mut bed = Bed::new();
        bed.ctx.db.close().expect("closed");
        let (disk, db) = FailingOnce::open(&bed.folder.path().join("state"));
        bed.ctx.db = db;
        disk.fail_at(n);
        let mut failures = 0;
        for (number, what) in script().iter().enumerate() {
            let id = format!("r{number}");
            failures += until_done(|| bed.ask_in(WS, "me", Some(&id), what.clone())).1;
        }
        let expected = [
            ("a", Status::Completed, 3),
            ("top", Status::Pending, 1),
            ("x", Status::Pending, 3),
        ];
        let found = state(&bed);
        let found: Vec<(&str, Status, u64)> = found
            .iter()
            .map(|(id, status, n)| (id.as_str(), *status, *n))
            .collect();
        assert_eq!(found, expected, "with a failure at sync {n}");
        assert_eq!(bed.show("a").expect("shown").notes.len(), 1);
        assert!(
            matches!(audit::verify(&bed.ctx.db, WS), Ok(Chain::Whole(7))),
            "sync {n}"
        );
        if failures == 0 {
            break;
        }
        hurt += 1;
    }
    assert!(hurt >= script().len(), "only {hurt} syncs failed");
}

#[test]
fn a_batch_that_is_refused_leaves_the_board_as_the_records_say() {
    let bed = Bed::new();
    bed.add(named("a", &[]));
    // The answer of a request whose id is too long is refused before anything is decided.
    let what = Request::Add(Box::new(named("b", &[])));
    assert!(bed.ask_in(WS, "me", Some(&"x".repeat(1000)), what).is_err());
    assert_eq!(state(&bed).len(), 1);
    bed.ctx.db.close().expect("closed");
    assert!(bed.ask("me", Request::Add(Box::new(named("c", &[])))).is_err());
    assert!(
        bed.ask_in(OTHER, "me", None, Request::Stats).is_err(),
        "what cannot be read is not made up"
    );
}
