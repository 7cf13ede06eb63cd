//! Faults at every step of an import: a disk that fails once leaves what was imported before whole, and whoever repeats
//! gets there, with everything once.

use std::path::Path;

use proto::detect::From;
use proto::maintenance::{Answer, Call, Legacy, Request};
use proto::places::Places;
use proto::{Caller, RawPath, workspace::Which};

use crate::artifact::store::Artifacts;
use crate::audit::{self, Chain};
use crate::ctx::Ctx;
use crate::db::failing::{FailingOnce, until_done};
use crate::dispatch::{Ask, Desk};
use crate::maintenance::imported;
use crate::workspace::store;

fn old_project(folder: &Path) {
    let own = folder.join(".task_orchestrator");
    std::fs::create_dir_all(own.join("artifacts/b")).expect("made");
    std::fs::write(
        own.join("artifacts/b/artifact_00000001.md"),
        "result ".repeat(3000),
    )
    .expect("written");
    let long = "long ".repeat(4000);
    let sql = format!(
        "CREATE TABLE task_breakdowns (parent_task_id TEXT, description TEXT, complexity TEXT, context TEXT, created_at TEXT);
         CREATE TABLE subtasks (task_id TEXT, parent_task_id TEXT, title TEXT, description TEXT, specialist_type TEXT, dependencies TEXT,
         estimated_effort TEXT, status TEXT, results TEXT, artifacts TEXT, created_at TEXT, completed_at TEXT);
         CREATE TABLE architectural_decisions (decision_id TEXT, decision_number INTEGER, title TEXT, decision TEXT, created_at TEXT);
         CREATE TABLE file_operations (operation_id TEXT, file_path TEXT, created_at TEXT);
         INSERT INTO task_breakdowns VALUES ('p','Top','simple','','2026-01-01 00:00:00');
         INSERT INTO subtasks VALUES ('a','p','A','{long}','coder','[]','','completed','{long}','[]','2026-01-01 00:00:00','2026-01-01 01:00:00');
         INSERT INTO subtasks VALUES ('b','p','B','D','coder','[\"a\"]','','pending','',
         '[\".task_orchestrator/artifacts/b/artifact_00000001.md\"]','2026-01-01 00:00:00',NULL);
         INSERT INTO architectural_decisions VALUES ('dec_x',1,'T','D','2026-01-01 00:00:00');
         INSERT INTO file_operations VALUES ('op','/x','2026-01-01 00:00:00');"
    );
    rusqlite::Connection::open(own.join("task_orchestrator.db"))
        .and_then(|old| old.execute_batch(&sql))
        .expect("written");
}

fn import(ctx: &Ctx, project: &Path, old: &Path) -> proto::error::Result<Legacy> {
    let ask = Ask {
        caller: Caller {
            cwd: RawPath::from(project),
            vars: Vec::new(),
            actor: Some("me".to_owned()),
        },
        request_id: Some("once".to_owned()),
        deadline: None,
    };
    let desk = Desk { ctx, ask: &ask };
    let call = Call {
        at: Which::At(From::Explicit(RawPath::from(project))),
        what: Request::Legacy {
            path: RawPath::from(old),
            dry_run: false,
        },
    };
    match imported(&desk, call, (&|_| Ok(()), &|_, _, _| ()))? {
        proto::Answer::Maintenance(Answer::Legacy(legacy)) => Ok(*legacy),
        other => panic!("another answer: {other:?}"),
    }
}

#[test]
fn a_disk_that_fails_at_any_sync_leaves_an_import_that_can_be_repeated_to_its_end() {
    let mut hurt = 0;
    for n in 1.. {
        let folder = tempfile::tempdir().expect("a folder");
        let (project, old) = (folder.path().join("project"), folder.path().join("old"));
        std::fs::create_dir_all(&project).expect("made");
        old_project(&old);
        let places = Places {
            socket: folder.path().join("s"),
            state_dir: folder.path().join("state"),
            config_dir: None,
            home: None,
        };
        let mut ctx = Ctx::open(places).expect("opened");
        ctx.db.close().expect("closed");
        let (disk, db) = FailingOnce::open(&folder.path().join("state"));
        ctx.db = db;
        disk.fail_at(n);
        let (legacy, failures) = until_done(|| import(&ctx, &project, &old));
        // What an attempt that failed had brought is here already: together it is all, once.
        let here =
            |of: fn(&proto::maintenance::Counts) -> u64| of(&legacy.imported) + of(&legacy.already_there);
        assert_eq!(
            [
                here(|c| c.tasks),
                here(|c| c.dependencies),
                here(|c| c.artifacts),
                here(|c| c.decisions),
                here(|c| c.file_operations)
            ],
            [3, 1, 1, 1, 1],
            "sync {n}: {legacy:?}"
        );
        let rows = store::rows(&ctx.db).expect("read");
        let id = rows[0].id.as_str();
        let count = crate::task::bring::ask(&ctx, id, |board| Ok(board.len())).expect("asked");
        assert_eq!((rows.len(), count), (1, 3), "sync {n}");
        assert!(
            matches!(audit::verify(&ctx.db, id), Ok(Chain::Whole(_))),
            "sync {n}"
        );
        let cards = Artifacts::new(&ctx.db, id).cards().expect("read");
        assert_eq!(cards.len(), 1, "sync {n}");
        let bytes = ctx
            .db
            .objects()
            .get(&cards[0].object())
            .expect("no record without its bytes");
        assert_eq!(bytes, "result ".repeat(3000).into_bytes(), "sync {n}");
        assert_eq!(crate::decision::each(&ctx.db, id).count(), 1, "sync {n}");
        if failures == 0 {
            break;
        }
        hurt += 1;
    }
    assert!(hurt > 4, "only {hurt} syncs failed");
}
