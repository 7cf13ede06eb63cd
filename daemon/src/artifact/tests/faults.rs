//! Faults at every step of storing: the old state or the new one, never half, and whoever repeats gets there.

use proto::artifact::{Answer, NewArtifact, Request, Source};

use super::{Bed, WS, keep, stored};
use crate::audit::{self, Chain};
use crate::db::failing::{FailingOnce, until_done};

const FILE: &str = ".task_orchestrator/artifacts/coder_t/a.md";

#[test]
fn a_project_that_fails_at_any_call_leaves_the_old_state_or_the_new() {
    let mut hurt = 0;
    for n in 1.. {
        let bed = Bed::new();
        let first = bed.store("a.md", b"old");
        bed.world.fail_at(n);
        let outcome = bed.ask(Some("r"), keep("a.md", b"new"));
        let failed = outcome.is_err();
        let calls = bed.world.calls();
        bed.world.fail_at(u64::MAX / 2);
        let listed = bed.list();
        assert_eq!(listed.len(), 1, "call {n}");
        match &outcome {
            Err(_) => {
                assert_eq!(
                    (listed[0].version, bed.file(FILE)),
                    (1, Some(b"old".to_vec())),
                    "call {n}"
                );
                assert_eq!(bed.read(&first.id, 1).expect("there"), b"old");
            }
            Ok(answer) => {
                let new = stored(answer.clone());
                assert_eq!((listed[0].version, new.version), (2, 2), "call {n}");
                assert_eq!(bed.read(&first.id, 2).expect("there"), b"new");
                // The file may have failed to come, and then that was said.
                let there = bed.file(FILE) == Some(b"new".to_vec());
                assert!(there || !new.warnings.is_empty(), "call {n}: {new:?}");
            }
        }
        // Repeated under the same id, and the file asked for: all is there.
        stored(bed.ask(Some("r"), keep("a.md", b"new")).expect("stored"));
        let back = Request::Restore {
            id: None,
            version: None,
            over: proto::task::Force::No,
        };
        bed.ask(None, back).expect("restored");
        assert_eq!(bed.list()[0].version, 2, "call {n}");
        assert_eq!(bed.file(FILE), Some(b"new".to_vec()), "call {n}");
        assert!(
            matches!(audit::verify(&bed.ctx.db, WS), Ok(Chain::Whole(_))),
            "call {n}"
        );
        // After a start nothing is left of what failed.
        let bed = bed.again(None);
        assert_eq!((bed.list().len(), bed.left()), (1, 0), "call {n}");
        hurt += u32::from(failed);
        if calls < n {
            break;
        }
        assert!(n < 10_000, "it never ends");
    }
    assert!(hurt >= 2, "only {hurt} calls hurt");
}

#[test]
fn a_disk_that_fails_at_any_sync_keeps_each_artifact_once() {
    let long = b"long ".repeat(50_000);
    let mut hurt = 0;
    for n in 1.. {
        let disk = FailingOnce::new();
        let mut bed = Bed::new().again(Some(disk.clone()));
        disk.fail_at(n);
        let mut failures = 0;
        let mut ask = |id: &str, what: Request| {
            let (answer, failed) = until_done(|| bed.ask(Some(id), what.clone()));
            failures += failed;
            answer
        };
        ask("r1", keep("a.md", b"one"));
        ask("r2", keep("a.md", b"two"));
        let stage = Request::Stage {
            new: Box::new(NewArtifact {
                task: "t".to_owned(),
                name: "b.md".to_owned(),
                ..NewArtifact::default()
            }),
            size: Some(long.len() as u64),
            digest: None,
        };
        let staged = ask("r3", stage);
        let Answer::Upload { draft, .. } = staged else {
            panic!("not staged: {staged:?}");
        };
        let append = Request::Append {
            draft: draft.clone(),
            offset: 0,
            bytes: long.clone(),
        };
        ask("r4", append);
        ask("r5", Request::Store(Box::new(Source::Draft { draft })));
        // As after a start: from the records alone.
        disk.heal();
        bed.ctx.artifacts = crate::artifact::Cabinet::default();
        let found: Vec<(String, u32, u64)> = bed
            .list()
            .into_iter()
            .map(|one| (one.name, one.version, one.size))
            .collect();
        assert_eq!(
            found,
            [
                ("b.md".to_owned(), 1, long.len() as u64),
                ("a.md".to_owned(), 2, 3)
            ],
            "with a failure at sync {n}"
        );
        let verify = Request::Verify {
            id: None,
            cursor: None,
        };
        let Ok(Answer::Verified { faults, versions, .. }) = bed.ask(None, verify) else {
            panic!("not verified");
        };
        faults
            .iter()
            .for_each(|fault| assert_eq!(fault.fault, "missing", "sync {n}: {fault:?}"));
        assert_eq!(versions, 3, "sync {n}");
        assert!(
            matches!(audit::verify(&bed.ctx.db, WS), Ok(Chain::Whole(_))),
            "sync {n}"
        );
        assert_eq!(bed.left(), 0, "sync {n}");
        if failures == 0 {
            break;
        }
        hurt += 1;
    }
    assert!(hurt >= 8, "only {hurt} syncs failed");
}
