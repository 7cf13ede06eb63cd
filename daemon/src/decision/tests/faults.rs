//! Faults at every step: a disk that fails once leaves the old state or the new one, and whoever repeats gets there; a
//! file that could not be written is written later.

use proto::decision::{MirrorState, Relation, Request, Status, Verb};

use super::bed::{Bed, WS, draft, one, record};
use crate::audit::{self, Chain};
use crate::db::failing::{FailingOnce, until_done};

fn script() -> Vec<Request> {
    let change = |which: &str, verb| Request::Change {
        which: which.to_owned(),
        if_revision: None,
        verb,
    };
    let mut long = draft("One", &["src"]);
    long.context = Some("long ".repeat(5_000));
    vec![
        record(long),
        change("1", Verb::Accept),
        Request::Record {
            draft: Box::new(draft("Two", &["src"])),
            document: None,
            link: Some((Relation::Supersedes, "1".to_owned())),
        },
        change(
            "2",
            Verb::Outcome {
                text: "good".to_owned(),
            },
        ),
    ]
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
            failures += until_done(|| bed.ask_as(WS, Some(&id), what.clone())).1;
        }
        let (old, new) = (bed.show("1").expect("shown"), bed.show("2").expect("shown"));
        assert_eq!(
            (old.brief.status, old.brief.revision),
            (Status::Superseded, 3),
            "sync {n}"
        );
        assert_eq!((new.brief.revision, new.history.len()), (2, 2), "sync {n}");
        assert!(bed.show("3").is_err(), "sync {n}");
        assert_eq!(
            (old.file_state, new.file_state),
            (MirrorState::AsWritten, MirrorState::AsWritten),
            "sync {n}"
        );
        assert_eq!(audit::verify(&bed.ctx.db, WS), Ok(Chain::Whole(4)), "sync {n}");
        if failures == 0 {
            break;
        }
        hurt += 1;
    }
    assert!(hurt >= script().len(), "only {hurt} syncs failed");
}

#[test]
fn a_file_that_could_not_be_written_is_told_and_written_with_the_next_change() {
    let bed = Bed::new();
    let folder = bed.project().join(".task_orchestrator");
    std::fs::write(&folder, "in the way").expect("written");
    let (made, warnings) = one(bed.ask(record(draft("One", &[]))).expect("recorded"));
    assert_eq!((made.number, warnings.len()), (1, 1), "{warnings:?}");
    let bed = bed.again();
    std::fs::remove_file(&folder).expect("removed");
    bed.record(draft("Two", &[]));
    for which in ["1", "2"] {
        assert_eq!(
            bed.show(which).map(|shown| shown.file_state),
            Ok(MirrorState::AsWritten)
        );
    }
}
