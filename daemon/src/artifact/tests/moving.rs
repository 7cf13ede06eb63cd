//! Results that go to another workspace with their task: all or nothing, whatever fails.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use proto::error::Result;
use proto::{task, workspace};

use super::super::moving::{Ways, answer_in};
use super::super::{Home, Pen, wholes};
use super::{Bed, ROOT, WS, asked, keep};
use crate::audit::{self, Chain};
use crate::db::failing::{FailingOnce, until_done};
use crate::dispatch::Desk;
use crate::world::World as _;

const OTHER: &str = "ws_000000000002";
const THERE: &str = "/q";
const FILE: &str = ".task_orchestrator/artifacts/coder_t/a.md";

fn bed() -> Bed {
    let bed = Bed::new();
    bed.world.dir(THERE);
    bed.store("a.md", b"old");
    bed.store("a.md", b"new");
    bed
}

fn there(bed: &Bed) -> Home {
    Home {
        workspace: OTHER.to_owned(),
        root: PathBuf::from(THERE),
        ..bed.home()
    }
}

fn moves(bed: &Bed, id: Option<&str>) -> Result<proto::Answer> {
    let ask = asked(id);
    let desk = Desk {
        ctx: &bed.ctx,
        ask: &ask,
    };
    let place = crate::task::Place {
        workspace: WS,
        to: Some(OTHER),
        tree: None,
        terms: crate::task::Terms::default(),
        roles: &|_| None,
        enter: &|_| Ok(()),
        warnings: &[],
    };
    let ways = Ways {
        from: bed.home(),
        to: there(bed),
        enter: &|_| Ok(()),
    };
    let call = task::Call {
        at: workspace::Which::Named(WS.to_owned()),
        what: task::Request::Move {
            id: "t".to_owned(),
            if_revision: None,
            to: workspace::Which::Named(OTHER.to_owned()),
        },
    };
    answer_in(&desk, &place, &ways, &proto::Request::Task(Box::new(call)))
}

/// The catalogues are loaded, as by the next request: what stopped in between is finished.
fn loaded(bed: &Bed) {
    for home in [bed.home(), there(bed)] {
        let lock = bed.ctx.locks.of(&home.workspace);
        let _held = crate::dispatch::hold(&lock);
        drop(Pen::open(&bed.ctx, &home, None).expect("loaded"));
    }
}

/// How many artifacts a side has, and the bytes of the file there.
fn side(bed: &Bed, workspace: &str, root: &str) -> (usize, Option<Vec<u8>>) {
    let file = bed.world.read(&Path::new(root).join(FILE), 1 << 20).ok();
    (wholes(&bed.ctx, workspace).expect("read").len(), file)
}

fn whole(bed: &Bed, at: &str) {
    for workspace in [WS, OTHER] {
        let chain = audit::verify(&bed.ctx.db, workspace).expect("read");
        assert!(matches!(chain, Chain::Whole(_)), "{at}: {chain:?}");
    }
    for root in [ROOT, THERE] {
        let drafts = Path::new(root).join(".task_orchestrator/artifacts/.drafts");
        let left = bed.world.list(&drafts, 100).map_or(0, |names| names.len());
        assert_eq!(left, 0, "{at}: copies that are not in their place in {root}");
    }
}

#[test]
fn results_go_with_their_task_with_ids_and_versions() {
    let bed = bed();
    let before = wholes(&bed.ctx, WS).expect("read").remove(0);
    moves(&bed, Some("r")).expect("moved");
    assert_eq!(side(&bed, WS, ROOT), (0, None));
    assert_eq!(side(&bed, OTHER, THERE), (1, Some(b"new".to_vec())));
    let after = wholes(&bed.ctx, OTHER).expect("read").remove(0);
    assert_eq!(
        (&after.card.id, &after.editions),
        (&before.card.id, &before.editions)
    );
    assert_eq!(after.card.created, before.card.created);
    // The same request again finds it done.
    moves(&bed, Some("r")).expect("its first answer");
    assert_eq!(side(&bed, OTHER, THERE), (1, Some(b"new".to_vec())));
    whole(&bed, "moved");
}

#[test]
fn a_project_that_fails_at_any_call_keeps_task_and_results_together() {
    let mut hurt = 0;
    for n in 1.. {
        let bed = bed();
        bed.world.fail_at(n);
        let outcome = moves(&bed, Some("r"));
        let calls = bed.world.calls();
        bed.world.fail_at(u64::MAX / 2);
        let at = format!("call {n}: {outcome:?}");
        loaded(&bed);
        match &outcome {
            Err(_) => {
                hurt += 1;
                assert_eq!(side(&bed, WS, ROOT), (1, Some(b"new".to_vec())), "{at}");
                assert_eq!(side(&bed, OTHER, THERE), (0, None), "{at}");
                moves(&bed, Some("r")).expect("repeated");
            }
            // A file that could not be put there is missing there; one that could not be removed is gone after a start.
            Ok(_) => assert_eq!(
                (side(&bed, WS, ROOT).0, side(&bed, OTHER, THERE).0),
                (0, 1),
                "{at}"
            ),
        }
        let bed = bed.again(None);
        loaded(&bed);
        assert_eq!(side(&bed, WS, ROOT), (0, None), "{at}");
        assert_eq!(side(&bed, OTHER, THERE).0, 1, "{at}");
        whole(&bed, &at);
        if calls < n {
            break;
        }
        assert!(n < 10_000, "it never ends");
    }
    assert!(hurt >= 3, "only {hurt} calls hurt");
}

#[test]
fn a_disk_that_fails_at_any_sync_moves_them_once() {
    let mut hurt = 0;
    for n in 1.. {
        let disk = FailingOnce::new();
        let mut bed = bed().again(Some(Arc::clone(&disk) as _));
        disk.fail_at(n);
        let (_, failures) = until_done(|| moves(&bed, Some("r")));
        disk.heal();
        bed.ctx.artifacts = crate::artifact::Cabinet::default();
        loaded(&bed);
        assert_eq!(side(&bed, WS, ROOT), (0, None), "sync {n}");
        assert_eq!(side(&bed, OTHER, THERE), (1, Some(b"new".to_vec())), "sync {n}");
        whole(&bed, &format!("sync {n}"));
        if failures == 0 {
            break;
        }
        hurt += 1;
    }
    assert!(hurt >= 1, "only {hurt} syncs failed");
}

#[test]
fn a_file_changed_by_hand_or_an_upload_on_its_way_keeps_the_task_here() {
    let bed = bed();
    bed.world.file(format!("{ROOT}/{FILE}"), b"mine");
    let refused = moves(&bed, None).expect_err("by hand");
    assert_eq!(refused.kind, proto::Kind::Refused);
    assert!(refused.what.contains("by hand"), "{refused}");
    loaded(&bed);
    assert_eq!(side(&bed, WS, ROOT), (1, Some(b"mine".to_vec())));
    assert_eq!(side(&bed, OTHER, THERE), (0, None));
    let proto::artifact::Request::Store(source) = keep("b.md", b"") else {
        panic!("not to be stored")
    };
    let proto::artifact::Source::Here { new, .. } = *source else {
        panic!("not here")
    };
    let stage = proto::artifact::Request::Stage {
        new: Box::new(new),
        size: None,
        digest: None,
    };
    bed.ask(None, stage).expect("begun");
    let refused = moves(&bed, None).expect_err("an upload");
    assert!(refused.what.contains("is not complete yet"), "{refused}");
}
