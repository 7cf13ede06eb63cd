//! Faults at every step: a disk that fails once leaves the old state or the new one, and whoever repeats gets there.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use proto::task::{Answer, NewTask, Request, Status, Verb};

use super::bed::{Bed, OTHER, WS, complete, named};
use crate::audit::{self, Chain};
use crate::db::{Db, Disk, Options, RealDisk};
use crate::task::board::Board;
use crate::task::store::Tasks;

/// A disk whose n-th sync fails.
#[derive(Debug)]
struct FailingOnce {
    left: AtomicU64,
}

impl Disk for FailingOnce {
    fn sync(&self, file: &File) -> io::Result<()> {
        match self.left.fetch_sub(1, Ordering::SeqCst) {
            1 => Err(io::Error::from_raw_os_error(5)),
            _ => RealDisk.sync(file),
        }
    }

    fn free(&self, _: &Path) -> io::Result<u64> {
        Ok(u64::MAX)
    }
}

/// Repeats a request under one id until it is answered.
fn until_done(bed: &Bed, id: &str, what: &Request) -> (Answer, u32) {
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    let mut failures = 0;
    loop {
        match bed.ask_in(WS, "me", Some(id), what.clone()) {
            Ok(answer) => return (answer, failures),
            Err(error) => {
                assert_eq!(error.kind, proto::Kind::Unavailable, "{error}");
                failures += 1;
                assert!(std::time::Instant::now() < deadline, "it never succeeds: {error}");
                std::thread::yield_now();
            }
        }
    }
}

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
        let disk = Arc::new(FailingOnce {
            left: AtomicU64::new(u64::MAX),
        });
        let options = Options {
            disk: disk.clone(),
            ..Options::new(1)
        };
        bed.ctx.db = Db::open(&bed.folder.path().join("state"), options)
            .expect("opened")
            .db;
        disk.left.store(n, Ordering::SeqCst);
        let mut failures = 0;
        for (number, what) in script().iter().enumerate() {
            failures += until_done(&bed, &format!("r{number}"), what).1;
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
