//! Durable writes beside SQLite with `synchronous=FULL`, which promises the same: each is on the disk when it returns.
//!
//! Both put one record of 200 bytes and its entry in an index with each commit, into a database in the same folder, in
//! turn. With 32 writers SQLite takes one connection for each, in WAL mode, which is its faster way to be durable.

use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use daemon::db::{Batch, Db, Options, Space};
use rusqlite::Connection;
use tests::bench::{Row, Target, in_turn};

const TASKS: Space = Space::new("task");
const BY_STATUS: Space = Space::new("by-status");
const BODY: usize = 200;

/// All rows of this group.
pub fn rows() -> Vec<Row> {
    // Not a temporary folder: that may be memory, where nothing is ever durable.
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    let db = Db::open(&folder.path().join("state"), Options::new(0))
        .expect("it opens")
        .db;
    let rows = vec![
        alone(&db, folder.path()),
        together(&db, folder.path()),
        opening(&db, folder.path()),
    ];
    db.close().expect("it closes");
    rows
}

fn ours(db: &Db, number: u32) {
    let key = number.to_be_bytes();
    let mut batch = Batch::new();
    batch.put(TASKS, &key, vec![7; BODY]);
    batch.put(BY_STATUS, &[&b"todo/"[..], &key].concat(), "");
    db.commit(batch).expect("it is kept");
}

/// A database that promises what ours does.
pub fn sqlite(path: &Path) -> Connection {
    let connection = Connection::open(path).expect("it opens");
    connection
        .busy_timeout(Duration::from_secs(60))
        .expect("it waits");
    connection
        .execute_batch(
            "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;
             CREATE TABLE IF NOT EXISTS task (id INTEGER PRIMARY KEY, status TEXT, body BLOB);
             CREATE INDEX IF NOT EXISTS by_status ON task (status, id);",
        )
        .expect("it has its tables");
    connection
}

/// One row.
pub fn insert(connection: &Connection, number: u32) {
    let mut statement = connection
        .prepare_cached("INSERT INTO task VALUES (?1, 'todo', ?2)")
        .expect("it is prepared");
    statement
        .execute(rusqlite::params![number, [7_u8; BODY].as_slice()])
        .expect("it is kept");
}

fn alone(db: &Db, folder: &Path) -> Row {
    let connection = sqlite(&folder.join("alone.sqlite"));
    let (mut one, mut two) = (0, 0);
    let (ours, theirs) = in_turn(
        4_000,
        || {
            ours(db, one);
            one += 1;
        },
        || {
            insert(&connection, two);
            two += 1;
        },
    );
    let speed = Target::AtMost(2.5);
    Row::times(
        "durable put, one writer (p50)",
        ours.median(),
        ("SQLite FULL", theirs.median()),
        speed,
    )
}

/// Commits in a second by 32 writers, over three rounds of each in turn.
fn together(db: &Db, folder: &Path) -> Row {
    const WRITERS: u32 = 32;
    const EACH: u32 = 200;
    let path = folder.join("together.sqlite");
    drop(sqlite(&path));
    let next = AtomicU32::new(1_000_000);
    let before = db.flushes();
    let (mut ours_took, mut theirs_took) = (Duration::ZERO, Duration::ZERO);
    for _ in 0..3 {
        ours_took += all(
            WRITERS,
            |_| (),
            |()| ours(db, next.fetch_add(1, Ordering::Relaxed)),
            EACH,
        );
        let take = |connection: &mut Connection| insert(connection, next.fetch_add(1, Ordering::Relaxed));
        theirs_took += all(WRITERS, |_| sqlite(&path), take, EACH);
    }
    let commits = f64::from(3 * WRITERS * EACH);
    #[expect(clippy::cast_precision_loss, reason = "a count of flushes")]
    let shared = commits / (db.flushes() - before) as f64;
    Row::rates(
        &format!("durable puts, 32 writers ({shared:.1} a flush)"),
        "puts",
        commits / ours_took.as_secs_f64(),
        ("SQLite FULL", commits / theirs_took.as_secs_f64()),
        Target::AtLeast(1.3),
    )
}

/// How long `writers` threads take for `each` calls of `work`; what `begin` makes is made before the clock starts.
fn all<T>(
    writers: u32,
    begin: impl Fn(u32) -> T + Sync,
    work: impl Fn(&mut T) + Sync,
    each: u32,
) -> Duration {
    let ready = std::sync::Barrier::new(writers as usize + 1);
    std::thread::scope(|scope| {
        for writer in 0..writers {
            let (ready, begin, work) = (&ready, &begin, &work);
            scope.spawn(move || {
                let mut own = begin(writer);
                ready.wait();
                (0..each).for_each(|_| work(&mut own));
            });
        }
        ready.wait();
        Instant::now()
    })
    .elapsed()
}

/// Opening a database that was cleanly closed, every record verified, beside SQLite's opening and integrity check.
fn opening(db: &Db, folder: &Path) -> Row {
    let copy = folder.join("copy.todexp");
    let records = db.export(&copy, 0).expect("it exports").records;
    let state = folder.join("opening");
    std::fs::create_dir_all(state.join("backups")).expect("a folder");
    std::fs::rename(&copy, state.join("backups/one.todexp")).expect("it moves");
    Db::open(&state, Options::new(0))
        .expect("it restores")
        .db
        .close()
        .expect("it closes");
    let (ours, theirs) = in_turn(
        20,
        || {
            Db::open(&state, Options::new(0))
                .expect("it opens")
                .db
                .close()
                .expect("it closes")
        },
        || {
            let connection = sqlite(&folder.join("together.sqlite"));
            let check: String = connection
                .query_row("PRAGMA integrity_check", [], |row| row.get(0))
                .expect("it checks");
            assert_eq!(check, "ok");
        },
    );
    let what = format!("open, verify and close {records} records");
    Row::times(
        &what,
        ours.median(),
        ("SQLite with integrity_check", theirs.median()),
        Target::None,
    )
}
