//! Damaged files: whatever was done to them, the store opens in time and says what it had to do.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use daemon::db::{Batch, Db, Opened, Options, Source};
use tests::store::{self, LEFT, commits};

use super::{Dice, Writer, nothing_lost, writer_program};

/// How many commits are in the export, and how many in the database.
const EXPORTED: u32 = 200;
const STORED: u32 = 400;

fn options() -> Options {
    Options {
        limit: Duration::from_secs(15),
        ..store::options(&writer_program())
    }
}

fn open(state: &Path) -> Opened {
    Db::open(state, options()).expect("it opens, whatever was done to it")
}

/// How the database was left.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Left {
    Closed,
    Killed,
}

/// A state folder with a database of [`STORED`] commits at least, and (with `Export::Good`) one export of it.
fn prepare(left: Left, export: Export) -> tempfile::TempDir {
    let state = tempfile::tempdir().expect("a folder");
    let db = open(state.path()).db;
    for number in 0..STORED {
        if number == EXPORTED && export == Export::Good {
            db.export(&state.path().join("backups/one.todexp"), 5)
                .expect("it exports");
        }
        let last = db.stage(store::batch(0, number)).expect("it takes it");
        if number + 1 == STORED {
            last.durable().expect("it is kept");
        }
    }
    db.close().expect("it closes");
    // sled writes a snapshot while it opens, when there is something new to put into it.
    open(state.path()).db.close().expect("it closes");
    if left == Left::Killed {
        let mut writer = Writer::start(state.path(), 1, 0);
        writer.wait_for(50);
        nothing_lost(&writer.kill(), &[(0, u32::MAX)].into());
    }
    state
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum Export {
    Good,
    None,
}

/// Opens a damaged database and looks that the outcome is one of those promised; says which.
fn outcome(state: &Path, (export, case): (Export, &str)) -> Source {
    let opened = open(state);
    let found = commits(&opened.db);
    let count = found.get(&0).copied().unwrap_or(0);
    let recovery = &opened.recovery;
    match &recovery.source {
        Source::AsLeft | Source::Repaired => assert!(
            count >= STORED,
            "{case}: {count} commits, and it says nothing: {recovery:?}"
        ),
        Source::Restored { taken_at, .. } => {
            assert_eq!(
                (export, count, *taken_at),
                (Export::Good, EXPORTED, 5),
                "{case}: {recovery:?}"
            );
        }
        Source::Emptied => assert_eq!((export, count), (Export::None, 0), "{case}: {recovery:?}"),
        Source::Fresh => panic!("{case}: a database that was there is not a new one"),
    }
    assert_eq!(recovery.is_loud(), recovery.source != Source::AsLeft);
    if matches!(recovery.source, Source::Restored { .. } | Source::Emptied) {
        assert!(
            recovery.kept.as_ref().is_some_and(|kept| kept.is_dir()),
            "{case}: {recovery:?}"
        );
        assert!(recovery.notes.len() >= 2, "{case}: {recovery:?}");
    }
    // It works from here on, and the next start finds nothing wrong.
    let mut batch = Batch::new();
    batch.put(LEFT, b"after", "damage");
    opened.db.commit(batch).expect("it takes new records");
    opened.db.close().expect("it closes");
    let again = open(state);
    assert_eq!(
        again.recovery.source,
        Source::AsLeft,
        "{case}: {:?}",
        again.recovery
    );
    assert_eq!(
        again.db.get(LEFT, b"after").expect("it reads").as_deref(),
        Some(&b"damage"[..]),
        "{case}"
    );
    opened.recovery.source
}

/// Something done to sled's folder.
type Damage = fn(&Path);

/// Changes a file so that its size and time do not tell.
fn unnoticed(path: &Path, change: impl FnOnce(&File)) {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .open(path)
        .expect("it is there");
    let modified = file
        .metadata()
        .and_then(|meta| meta.modified())
        .expect("it has a time");
    change(&file);
    file.set_modified(modified).expect("its time can be set");
}

fn flip(file: &File, dice: &mut Dice) {
    let at = dice.below(file.metadata().expect("it is there").len());
    let mut byte = [0];
    file.read_exact_at(&mut byte, at).expect("it reads");
    byte[0] ^= 1 << dice.below(8);
    file.write_all_at(&byte, at).expect("it writes");
}

fn snapshot(state: &Path) -> Option<PathBuf> {
    let entries = fs::read_dir(state.join("db")).expect("it is there");
    let mut paths = entries.map(|entry| entry.expect("it reads").path());
    paths.find(|path| {
        path.file_name()
            .is_some_and(|name| name.as_encoded_bytes().starts_with(b"snap."))
    })
}

#[test]
fn a_flipped_bit_in_the_log_ends_in_the_data_or_in_the_export() {
    for (left, export) in [
        (Left::Closed, Export::Good),
        (Left::Killed, Export::Good),
        (Left::Killed, Export::None),
    ] {
        let mut dice = Dice(left as u64 + 3);
        let template = prepare(left, export);
        for round in 0..10 {
            let state = copy(template.path());
            unnoticed(&state.path().join("db/db"), |file| flip(file, &mut dice));
            outcome(state.path(), (export, &format!("{left:?} {export:?} {round}")));
        }
    }
}

#[test]
fn a_log_cut_short_ends_in_the_data_or_in_the_export() {
    let mut dice = Dice(5);
    for left in [Left::Closed, Left::Killed] {
        let template = prepare(left, Export::Good);
        for round in 0..8 {
            let state = copy(template.path());
            let file = OpenOptions::new()
                .write(true)
                .open(state.path().join("db/db"))
                .expect("it is there");
            let length = file.metadata().expect("it is there").len();
            file.set_len(dice.below(length)).expect("it can be cut");
            outcome(state.path(), (Export::Good, &format!("{left:?} {round}")));
        }
    }
}

#[test]
fn zeroes_over_a_part_of_the_log_end_in_the_data_or_in_the_export() {
    let mut dice = Dice(11);
    for left in [Left::Closed, Left::Killed] {
        let template = prepare(left, Export::Good);
        for round in 0..6 {
            let state = copy(template.path());
            unnoticed(&state.path().join("db/db"), |file| {
                let pages = file.metadata().expect("it is there").len() / 4096;
                file.write_all_at(&[0; 4096], dice.below(pages) * 4096)
                    .expect("it writes");
            });
            outcome(state.path(), (Export::Good, &format!("{left:?} {round}")));
        }
    }
}

#[test]
fn a_left_over_draft_of_a_snapshot_costs_nothing() {
    let state = prepare(Left::Closed, Export::Good);
    fs::write(
        state.path().join("db/snap.00000000000FFFFF.generating"),
        "garbage",
    )
    .expect("it writes");
    let source = outcome(state.path(), (Export::Good, "generating"));
    assert_eq!(source, Source::Repaired);
}

#[test]
fn a_missing_snapshot_costs_nothing() {
    let state = prepare(Left::Closed, Export::Good);
    fs::remove_file(snapshot(state.path()).expect("a closed database has one")).expect("it goes");
    let source = outcome(state.path(), (Export::Good, "no snapshot"));
    assert!(matches!(source, Source::AsLeft | Source::Repaired), "{source:?}");
}

#[test]
fn an_altered_snapshot_costs_nothing() {
    let template = prepare(Left::Closed, Export::Good);
    let mut dice = Dice(13);
    for round in 0..5 {
        let state = copy(template.path());
        unnoticed(
            &snapshot(state.path()).expect("a closed database has one"),
            |file| flip(file, &mut dice),
        );
        let source = outcome(state.path(), (Export::Good, &format!("flip {round}")));
        assert_eq!(source, Source::Repaired);
    }
    let state = copy(template.path());
    unnoticed(&snapshot(state.path()).expect("one"), |file| {
        file.set_len(0).expect("it can be cut")
    });
    assert_eq!(outcome(state.path(), (Export::Good, "empty")), Source::Repaired);
}

#[test]
fn altered_settings_of_the_engine_cost_nothing() {
    for garbage in [&b""[..], &[0x5a; 64], b"segment_size: 1"] {
        let state = prepare(Left::Closed, Export::Good);
        fs::write(state.path().join("db/conf"), garbage).expect("it writes");
        let source = outcome(state.path(), (Export::Good, "settings"));
        assert!(matches!(source, Source::AsLeft | Source::Repaired), "{source:?}");
    }
}

/// What some file systems leave of files after a crash, and some tools of a backup.
fn empty_all(db: &Path) {
    for entry in fs::read_dir(db).expect("listed").flatten() {
        if entry.path().is_file() {
            fs::write(entry.path(), "").expect("it writes");
        }
    }
}

#[test]
fn a_database_whose_files_are_gone_or_garbage_comes_back_from_its_export() {
    let template = prepare(Left::Closed, Export::Good);
    let damages: [(&str, Damage); 7] = [
        ("no folder", |db| fs::remove_dir_all(db).expect("it goes")),
        ("empty folder", |db| {
            fs::remove_dir_all(db).expect("it goes");
            fs::create_dir(db).expect("it is made");
        }),
        ("no log", |db| fs::remove_file(db.join("db")).expect("it goes")),
        ("empty log", |db| fs::write(db.join("db"), "").expect("it writes")),
        ("nothing in any file", |db| empty_all(db)),
        ("no log, and nothing in any other file", |db| {
            empty_all(db);
            fs::remove_file(db.join("db")).expect("it goes");
        }),
        ("garbage", |db| {
            fs::write(db.join("db"), "garbage".repeat(100_000)).expect("it writes")
        }),
    ];
    for (case, damage) in damages {
        let state = copy(template.path());
        damage(&state.path().join("db"));
        let source = outcome(state.path(), (Export::Good, case));
        assert!(matches!(source, Source::Restored { .. }), "{case}: {source:?}");
    }
}

#[test]
fn a_damaged_export_is_passed_over_for_an_older_one() {
    let state = prepare(Left::Closed, Export::Good);
    let good = state.path().join("backups/one.todexp");
    let mut bytes = fs::read(&good).expect("it is there");
    // A newer date and a digest that does not fit it.
    bytes[16] = 9;
    fs::write(state.path().join("backups/two.todexp"), bytes).expect("it writes");
    fs::remove_file(state.path().join("db/db")).expect("it goes");
    let source = outcome(state.path(), (Export::Good, "two exports"));
    assert_eq!(
        source,
        Source::Restored {
            export: good,
            taken_at: 5
        }
    );
}

#[test]
fn a_database_that_hangs_its_probe_is_given_up_and_kept() {
    let state = prepare(Left::Killed, Export::Good);
    let hangs = vec!["sh".into(), "-c".into(), "exec sleep 1000".into()];
    let options = Options {
        probe: Some(hangs),
        limit: Duration::from_millis(200),
        ..options()
    };
    let opened = Db::open(state.path(), options).expect("it opens");
    assert!(
        matches!(opened.recovery.source, Source::Restored { .. }),
        "{:?}",
        opened.recovery
    );
    assert!(
        opened.recovery.notes.iter().any(|note| note.contains("within")),
        "{:?}",
        opened.recovery
    );
}

/// A copy of a closed or killed state folder, with the times of its files.
fn copy(from: &Path) -> tempfile::TempDir {
    let to = tempfile::tempdir().expect("a folder");
    let copied = std::process::Command::new("cp")
        .arg("-a")
        .arg(from.join("."))
        .arg(to.path())
        .status();
    assert!(copied.expect("cp runs").success());
    to
}
