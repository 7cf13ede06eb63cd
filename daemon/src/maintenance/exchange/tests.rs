//! Faults at every step of an import: a disk that fails once leaves the old state or the new one, whether all goes into
//! one batch or into many, and whoever repeats gets there.

use std::path::Path;
use std::sync::Mutex;

use proto::context::NewNote;
use proto::detect::From;
use proto::maintenance::{Answer, Call, Imported, Lines, Request};
use proto::places::Places;
use proto::workspace::Which;
use proto::{Caller, RawPath, artifact, context, decision, task};

use super::store::Begun;
use super::{finish, go_on};
use crate::audit::{self, Chain};
use crate::ctx::Ctx;
use crate::db::failing::{FailingOnce, until_done};
use crate::dispatch::{Ask, Desk};
use crate::maintenance::imported;
use crate::workspace::store;

/// What a furnished project has set.
const FILES: [(&str, &str); 2] = [
    ("config.yaml", "workspace:\n  project_type: rust\n"),
    ("roles/welder.yaml", "primary_directive: Weld.\n"),
];

pub(in crate::maintenance) struct Bed {
    pub(in crate::maintenance) ctx: Ctx,
    folder: tempfile::TempDir,
}

impl Bed {
    pub(in crate::maintenance) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::create_dir_all(folder.path().join("project")).expect("made");
        let places = Places {
            socket: folder.path().join("s"),
            state_dir: folder.path().join("state"),
            config_dir: None,
            home: None,
        };
        let ctx = Ctx::open(places).expect("opened");
        Self { ctx, folder }
    }

    /// A bed on a disk whose `n`-th sync from here on fails, and no other.
    fn on_a_disk_that_fails_at(n: u64) -> (Self, std::sync::Arc<FailingOnce>) {
        let mut bed = Self::new();
        bed.ctx.db.close().expect("closed");
        let (disk, db) = FailingOnce::open(&bed.folder.path().join("state"));
        bed.ctx.db = db;
        disk.fail_at(n);
        (bed, disk)
    }

    pub(in crate::maintenance) fn at(&self) -> Which {
        Which::At(From::Explicit(RawPath::from(self.folder.path().join("project"))))
    }

    pub(in crate::maintenance) fn ask<T>(&self, ask: impl FnOnce(&Desk<'_>) -> T) -> T {
        let caller = Caller {
            cwd: RawPath::from(self.folder.path().join("project")),
            vars: Vec::new(),
            actor: Some("me".to_owned()),
        };
        ask(&Desk {
            ctx: &self.ctx,
            ask: &Ask {
                caller,
                request_id: None,
                deadline: None,
            },
        })
    }

    fn long(&self, what: Request, lines: &dyn Fn(Vec<u8>)) -> proto::error::Result<Answer> {
        let call = Call { at: self.at(), what };
        let hear = |bytes: Vec<u8>| {
            lines(bytes);
            Ok(())
        };
        match self.ask(|desk| imported(desk, call, (&hear, &|_, _, _| ())))? {
            proto::Answer::Maintenance(answer) => Ok(answer),
            other => panic!("another answer: {other:?}"),
        }
    }

    fn export(&self) -> (Vec<u8>, Lines) {
        let bytes = Mutex::new(Vec::new());
        let said = self.long(Request::Export, &|part| bytes.lock().expect("whole").extend(part));
        match said.expect("exported") {
            Answer::Exported(said) => (bytes.into_inner().expect("whole"), said.counts),
            other => panic!("another answer: {other:?}"),
        }
    }

    fn import(&self, file: &Path) -> proto::error::Result<Imported> {
        let request = Request::Import {
            path: RawPath::from(file),
            dry_run: false,
        };
        match self.long(request, &|_| ())? {
            Answer::Imported(said) => Ok(*said),
            other => panic!("another answer: {other:?}"),
        }
    }

    /// Which files of settings and roles are there, as they should be.
    fn files(&self) -> Vec<&'static str> {
        let home = self.folder.path().join("project/.task_orchestrator");
        let there = FILES.into_iter().filter(|(name, text)| {
            let found = std::fs::read_to_string(home.join(name)).ok();
            assert!(
                found.as_deref().is_none_or(|found| found == *text),
                "{name}: {found:?}"
            );
            found.is_some()
        });
        there.map(|(name, _)| name).collect()
    }

    /// A workspace with `tasks` tasks and one of everything else.
    pub(in crate::maintenance) fn furnish(&self, tasks: usize) {
        let at = || self.at();
        for number in 0..tasks {
            let new = task::NewTask {
                id: Some(format!("t{number}")),
                title: format!("Task {number}"),
                description: "long ".repeat(if number == 0 { 3000 } else { 10 }),
                ..task::NewTask::default()
            };
            let call = task::Call {
                at: at(),
                what: task::Request::Add(Box::new(new)),
            };
            self.ask(|desk| crate::task::answer(desk, call)).expect("added");
        }
        let note = task::Call {
            at: at(),
            what: task::Request::Note {
                id: "t0".to_owned(),
                text: "a note".to_owned(),
                to: Some("you".to_owned()),
            },
        };
        self.ask(|desk| crate::task::answer(desk, note)).expect("noted");
        let draft = decision::Draft {
            title: Some("One".to_owned()),
            decision: Some("We do".to_owned()),
            ..decision::Draft::default()
        };
        let record = decision::Call {
            at: at(),
            what: decision::Request::Record {
                draft: Box::new(draft),
                document: None,
                link: None,
            },
        };
        self.ask(|desk| crate::decision::answer(desk, record))
            .expect("recorded");
        let remember = context::Call {
            at: at(),
            what: context::Request::Remember(Box::new(NewNote {
                text: "kept".to_owned(),
                task: None,
                tags: Vec::new(),
                paths: Vec::new(),
                expires_in: None,
            })),
        };
        self.ask(|desk| crate::context::answer(desk, remember))
            .expect("remembered");
        for bytes in [b"first".to_vec(), b"second ".repeat(3000)] {
            let new = artifact::NewArtifact {
                task: "t0".to_owned(),
                name: "r.md".to_owned(),
                ..artifact::NewArtifact::default()
            };
            let what = artifact::Request::Store(Box::new(artifact::Source::Here { new, bytes }));
            let call = artifact::Call { at: at(), what };
            self.ask(|desk| crate::artifact::answer(desk, call))
                .expect("stored");
        }
        let home = self.folder.path().join("project/.task_orchestrator");
        std::fs::create_dir_all(home.join("roles")).expect("made");
        for (name, text) in FILES {
            std::fs::write(home.join(name), text).expect("written");
        }
    }

    /// Tasks, artifacts, decisions, notes and events that can be seen.
    fn seen(&self) -> [usize; 5] {
        let rows = store::rows(&self.ctx.db).expect("read");
        let Some(id) = rows.first().map(|row| row.id.clone()) else {
            return [0; 5];
        };
        let db = &self.ctx.db;
        let Ok(Chain::Whole(events)) = audit::verify(db, &id) else {
            panic!("the trail is broken");
        };
        let board = crate::task::bring::ask(&self.ctx, &id, |board| Ok(board.len())).expect("asked");
        let artifacts = crate::artifact::store::Artifacts::new(db, &id)
            .cards()
            .expect("read");
        for card in &artifacts {
            db.objects()
                .get(&card.object())
                .expect("no record without its bytes");
        }
        let notes = crate::context::store::Notes::new(db, &id).all().count();
        let decisions = crate::decision::each(db, &id).count();
        [
            board,
            artifacts.len(),
            decisions,
            notes,
            usize::try_from(events).expect("few"),
        ]
    }
}

fn a_disk_that_fails(tasks: usize) {
    let first = Bed::new();
    first.furnish(tasks);
    let (bytes, counts) = first.export();
    let file = first.folder.path().join("file");
    std::fs::write(&file, &bytes).expect("written");
    let events = usize::try_from(counts.events).expect("few");
    let whole = [tasks, 1, 1, 1, events + 1];
    let (mut hurt, mut old, mut new) = (0, 0, 0);
    for n in 1.. {
        let (bed, disk) = Bed::on_a_disk_that_fails_at(n);
        let (told, failures) = until_done(|| {
            bed.import(&file).inspect_err(|_| {
                // What the next start does, or the next tick, as soon as the disk takes something again.
                until_done(|| finish(&bed.ctx));
                assert_eq!(bed.files(), [""; 0], "sync {n}: files before their records");
                // The next start looks at once.
                until_done(|| {
                    super::owed::bring(&bed.ctx);
                    bed.ctx.debts.forget();
                    match bed.ctx.life.warnings().is_empty() {
                        true => Ok(()),
                        false => Err(proto::Error::unavailable("the disk")),
                    }
                });
                match bed.seen() {
                    [0, 0, 0, 0, 0] => {
                        assert_eq!(bed.files(), [""; 0], "sync {n}: files without records");
                        old += 1;
                    }
                    seen => {
                        assert_eq!(seen, whole, "sync {n}: half");
                        assert_eq!(bed.files().len(), FILES.len(), "sync {n}: files");
                        new += 1;
                    }
                }
            })
        });
        disk.heal();
        assert_eq!(bed.seen(), whole, "sync {n}");
        assert_eq!(bed.files().len(), FILES.len(), "sync {n}: files");
        let came = told.imported.tasks + told.already_there.tasks;
        assert_eq!(came, counts.tasks, "sync {n}: {told:?}");
        let again = bed.import(&file).expect("the same again");
        assert_eq!(again.already_there, again.found, "sync {n}");
        assert_eq!(bed.seen(), whole, "sync {n}: nothing twice");
        let (back, _) = bed.export();
        let plain = |bytes: &[u8]| {
            let text = String::from_utf8_lossy(bytes).into_owned();
            let own = format!("{{\"event\":{{\"seq\":{}", events + 1);
            let lines = text.lines().skip(1);
            lines
                .filter(|line| !line.starts_with(&own) && !line.starts_with("{\"end\""))
                .map(str::to_owned)
                .collect::<Vec<String>>()
        };
        assert_eq!(plain(&back), plain(&bytes), "sync {n}");
        if failures == 0 {
            break;
        }
        hurt += 1;
    }
    assert!(
        hurt > 3 && old > 0,
        "{hurt} syncs failed: {old} times the old state, {new} times the new one"
    );
}

#[test]
fn a_disk_that_fails_at_any_sync_leaves_the_old_state_or_the_new_one() {
    a_disk_that_fails(2);
}

#[test]
fn a_disk_that_fails_between_the_batches_of_a_large_import_leaves_the_old_state_or_the_new_one() {
    a_disk_that_fails(80);
}

#[test]
fn a_large_import_that_was_cut_off_is_finished_by_the_next_start() {
    let first = Bed::new();
    first.furnish(80);
    let (bytes, counts) = first.export();
    let file = first.folder.path().join("file");
    std::fs::write(&file, &bytes).expect("written");
    let whole = [80, 1, 1, 1, usize::try_from(counts.events).expect("few") + 1];
    let mut finished = 0;
    for n in 1..60 {
        let (bed, _) = Bed::on_a_disk_that_fails_at(n);
        if bed.import(&file).is_ok() {
            break;
        }
        // The process ends here.
        drop(bed.ctx.db.close());
        let ctx = Ctx::open(bed.ctx.places.clone()).expect("opened");
        let bed = Bed { ctx, ..bed };
        let seen = bed.seen();
        assert!(seen == whole || seen == [0; 5], "fault {n}: {seen:?}");
        assert_eq!(bed.files(), [""; 0], "fault {n}");
        super::owed::bring(&bed.ctx);
        let decisions = bed.folder.path().join("project/.task_orchestrator/decisions");
        let decisions = std::fs::read_dir(decisions).map_or(0, Iterator::count);
        match seen == whole {
            true => assert_eq!((bed.files().len(), decisions), (FILES.len(), 1), "fault {n}"),
            false => assert_eq!((bed.files().len(), decisions), (0, 0), "fault {n}"),
        }
        finished += usize::from(seen == whole);
    }
    assert!(finished > 0, "no start had anything to finish");
}

#[test]
fn an_import_whose_lines_are_lost_keeps_the_start_from_nobody_and_ends_with_the_same_file() {
    let first = Bed::new();
    first.furnish(80);
    let (bytes, counts) = first.export();
    let file = first.folder.path().join("file");
    std::fs::write(&file, &bytes).expect("written");
    let whole = [80, 1, 1, 1, usize::try_from(counts.events).expect("few") + 1];
    let mut lost = 0;
    for n in 1..60 {
        let (bed, disk) = Bed::on_a_disk_that_fails_at(n);
        if bed.import(&file).is_ok() {
            break;
        }
        disk.heal();
        let Ok(begun) = until_done(|| Begun::all(&bed.ctx.db)).0.try_into() else {
            continue;
        };
        let [(workspace, begun)]: [(String, Begun); 1] = begun;
        std::fs::remove_file(bed.ctx.db.objects().path(&begun.lines.into())).expect("removed");
        drop(bed.ctx.db.close());
        let ctx = Ctx::open(bed.ctx.places.clone()).expect("opened");
        let bed = Bed { ctx, ..bed };
        let warnings = bed.ctx.life.warnings();
        let told = |text: &String| text.contains(&workspace) && text.contains("the same file");
        assert!(warnings.iter().any(told), "fault {n}: {warnings:?}");
        // Somebody is at work there: the tick goes on without waiting for that one.
        let lock = bed.ctx.locks.of(&workspace);
        let at_work = crate::dispatch::hold(&lock);
        go_on(&bed.ctx);
        drop(at_work);
        // A holder that panicked is at work no more.
        let broken = std::thread::scope(|scope| {
            let panics = scope.spawn(|| {
                let _held = crate::dispatch::hold(&lock);
                std::panic::resume_unwind(Box::new(()));
            });
            panics.join().is_err()
        });
        assert!(broken && lock.is_poisoned(), "fault {n}");
        assert!(bed.ctx.life.warnings().iter().any(told), "fault {n}: still so");
        bed.ctx.life.ail("import", None);
        go_on(&bed.ctx);
        assert!(bed.ctx.life.warnings().iter().any(told), "fault {n}: tried again");
        bed.import(&file).expect("the same file again");
        assert_eq!(bed.seen(), whole, "fault {n}");
        assert!(Begun::all(&bed.ctx.db).expect("read").is_empty(), "fault {n}");
        go_on(&bed.ctx);
        assert_eq!(bed.ctx.life.warnings(), [""; 0], "fault {n}");
        lost += 1;
        if lost == 3 {
            break;
        }
    }
    assert!(lost > 0, "no import was cut off after its beginning");
}

#[test]
fn who_looks_while_a_large_import_comes_in_sees_nothing_of_it_or_all() {
    let first = Bed::new();
    first.furnish(300);
    let (bytes, _) = first.export();
    let file = first.folder.path().join("file");
    std::fs::write(&file, &bytes).expect("written");
    let bed = Bed::new();
    let count = || {
        let call = task::Call {
            at: bed.at(),
            what: task::Request::Stats,
        };
        match bed.ask(|desk| crate::task::answer(desk, call)).expect("told") {
            proto::Answer::Task(task::Answer::Stats(stats)) => stats.total,
            other => panic!("another answer: {other:?}"),
        }
    };
    assert_eq!(count(), 0);
    std::thread::scope(|scope| {
        let import = scope.spawn(|| bed.import(&file).map(drop));
        let mut seen = 0;
        while !import.is_finished() {
            let now = count();
            assert!(now == 0 || now == 300, "{now} of 300 tasks are seen");
            seen += 1;
        }
        import.join().expect("ended").expect("imported");
        assert!(seen > 0);
    });
    assert_eq!(count(), 300);
}

#[test]
fn files_that_an_import_still_owed_when_the_daemon_ended_are_made_by_the_next() {
    let first = Bed::new();
    first.furnish(80);
    let (bytes, _) = first.export();
    let file = first.folder.path().join("file");
    std::fs::write(&file, &bytes).expect("written");
    let bed = Bed::new();
    bed.import(&file).expect("imported");
    // As if it had ended with its last commit: there are records, and no file yet.
    let home = bed.folder.path().join("project/.task_orchestrator/artifacts");
    std::fs::remove_dir_all(&home).expect("removed");
    drop(bed.ctx.db.close());
    let ctx = Ctx::open(bed.ctx.places.clone()).expect("opened");
    let mut bed = Bed { ctx, ..bed };
    crate::artifact::tick(&bed.ctx);
    let folder = std::fs::read_dir(&home)
        .expect("made again")
        .map(|entry| entry.expect("read").path())
        .find(|path| path.join("r.md").is_file())
        .expect("its file");
    assert_eq!(
        std::fs::read(folder.join("r.md")).expect("read"),
        b"second ".repeat(3000)
    );
    // The note goes when nothing is missing, and with it what it does: who removes a file then means it.
    let due = |bed: &Bed| crate::artifact::store::due(&bed.ctx.db).expect("read").len();
    assert_eq!(due(&bed), 1);
    bed.ctx.artifacts = crate::artifact::Cabinet::default();
    crate::artifact::tick(&bed.ctx);
    assert_eq!(due(&bed), 0);
    std::fs::remove_file(folder.join("r.md")).expect("removed");
    bed.ctx.artifacts = crate::artifact::Cabinet::default();
    crate::artifact::tick(&bed.ctx);
    assert!(!folder.join("r.md").exists());
}
