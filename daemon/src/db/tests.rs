//! The store as its callers see it.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::*;

const A: Space = Space::new("a");
const B: Space = Space::new("ab");
const NOW: i64 = 1_000_000_000_000;

#[derive(Debug, Default)]
struct FakeDisk {
    fail: AtomicBool,
    syncs: AtomicU64,
    free: AtomicU64,
}

impl FakeDisk {
    fn with_room() -> Arc<Self> {
        let disk = Self::default();
        disk.free.store(u64::MAX, Ordering::Relaxed);
        Arc::new(disk)
    }
}

impl Disk for FakeDisk {
    fn sync(&self, _: &File) -> io::Result<()> {
        self.syncs.fetch_add(1, Ordering::Relaxed);
        match self.fail.load(Ordering::Relaxed) {
            true => Err(io::Error::from_raw_os_error(5)),
            false => Ok(()),
        }
    }

    fn free(&self, _: &Path) -> io::Result<u64> {
        Ok(self.free.load(Ordering::Relaxed))
    }
}

fn open(state: &Path) -> Opened {
    Db::open(state, Options::new(NOW)).unwrap()
}

fn open_on(state: &Path, disk: &Arc<FakeDisk>) -> Db {
    Db::open(
        state,
        Options {
            disk: disk.clone(),
            ..Options::new(NOW)
        },
    )
    .unwrap()
    .db
}

fn put(db: &Db, space: Space, key: &[u8], value: &[u8]) -> Result<()> {
    let mut batch = Batch::new();
    batch.put(space, key, value);
    db.commit(batch)
}

#[test]
fn what_was_committed_is_there_after_a_close() {
    let state = tempfile::tempdir().unwrap();
    let opened = open(state.path());
    assert_eq!(opened.recovery.source, Source::Fresh);
    put(&opened.db, A, b"k", b"v").unwrap();
    opened.db.close().unwrap();
    let opened = open(state.path());
    assert_eq!(opened.recovery.source, Source::AsLeft);
    assert_eq!(opened.db.get(A, b"k").unwrap().as_deref(), Some(&b"v"[..]));
    assert_eq!(opened.db.get(B, b"k").unwrap(), None);
}

#[test]
fn a_closed_store_refuses_everybody_who_still_holds_it() {
    let state = tempfile::tempdir().unwrap();
    let db = open(state.path()).db;
    db.close().unwrap();
    assert_eq!(db.health(), Health::Closed);
    assert!(db.get(A, b"k").is_err());
    assert!(put(&db, A, b"k", b"v").is_err());
}

#[test]
fn spaces_do_not_see_each_other_and_pages_follow_key_order() {
    let state = tempfile::tempdir().unwrap();
    let db = open(state.path()).db;
    let mut batch = Batch::new();
    for n in 0..600_u16 {
        batch.put(A, &n.to_be_bytes(), n.to_be_bytes().to_vec());
        batch.put(B, &n.to_be_bytes(), "other");
    }
    db.commit(batch).unwrap();
    let keys: Vec<u16> = db
        .scan(A, &[])
        .map(|item| {
            let (key, value) = item.unwrap();
            assert_eq!(key, value);
            u16::from_be_bytes(key.try_into().unwrap())
        })
        .collect();
    assert_eq!(keys, (0..600).collect::<Vec<_>>());
    let page = db.page(A, &[1], Some(&[1, 9]), 3).unwrap();
    assert_eq!(
        page.iter().map(|(key, _)| key[1]).collect::<Vec<_>>(),
        [10, 11, 12]
    );
    assert_eq!(db.page(A, &[1], Some(&[0, 9]), 1).unwrap()[0].0, [1, 0]);
    assert_eq!(db.page(A, &[1], Some(&[1, 255]), 1).unwrap(), []);
}

#[test]
fn a_value_a_key_or_a_batch_over_its_limit_changes_nothing() {
    let state = tempfile::tempdir().unwrap();
    let db = open(state.path()).db;
    let mut batch = Batch::new();
    batch
        .put(A, b"small", "x")
        .put(A, b"large", vec![0; MAX_VALUE + 1]);
    assert_eq!(db.commit(batch).unwrap_err().kind, proto::Kind::TooLarge);
    let mut batch = Batch::new();
    batch.put(A, b"small", "x").put(A, &[0; MAX_KEY + 1], "x");
    assert_eq!(db.commit(batch).unwrap_err().kind, proto::Kind::Bug);
    let mut batch = Batch::new();
    for n in 0..=MAX_BATCH / MAX_VALUE {
        batch.put(A, &n.to_be_bytes(), vec![0; MAX_VALUE]);
    }
    assert_eq!(db.commit(batch).unwrap_err().kind, proto::Kind::TooLarge);
    assert_eq!(db.page(A, &[], None, 1).unwrap(), []);
    put(&db, A, &[0; MAX_KEY], &[0; MAX_VALUE]).unwrap();
}

#[test]
fn writers_at_the_same_time_share_flushes() {
    let state = tempfile::tempdir().unwrap();
    let disk = FakeDisk::with_room();
    let db = open_on(state.path(), &disk);
    let before = db.flushes();
    std::thread::scope(|scope| {
        let staged: Vec<_> = (0..16_u8)
            .map(|n| {
                let mut batch = Batch::new();
                batch.put(A, &[n], "v");
                db.stage(batch).unwrap()
            })
            .collect();
        for staged in staged {
            scope.spawn(|| staged.durable().unwrap());
        }
    });
    assert_eq!(
        db.flushes() - before,
        1,
        "sixteen batches were applied before anybody flushed"
    );
    put(&db, A, b"k", b"v").unwrap();
    assert_eq!(db.flushes() - before, 2);
}

#[test]
fn a_failed_sync_leaves_the_fate_unknown_and_the_next_write_works() {
    let state = tempfile::tempdir().unwrap();
    let disk = FakeDisk::with_room();
    let db = open_on(state.path(), &disk);
    put(&db, A, b"1", b"v").unwrap();
    disk.fail.store(true, Ordering::Relaxed);
    let error = put(&db, A, b"2", b"v").unwrap_err();
    assert_eq!(error.kind, proto::Kind::Unavailable);
    assert!(error.next.unwrap().contains("same request id"));
    assert!(matches!(db.health(), Health::ReadOnly(_)));
    assert_eq!(db.get(A, b"1").unwrap().as_deref(), Some(&b"v"[..]));
    disk.fail.store(false, Ordering::Relaxed);
    put(&db, A, b"3", b"v").unwrap();
    assert_eq!(db.health(), Health::Good);
    assert_eq!(db.get(A, b"1").unwrap().as_deref(), Some(&b"v"[..]));
    assert_eq!(db.get(A, b"3").unwrap().as_deref(), Some(&b"v"[..]));
}

#[test]
fn a_disk_that_is_nearly_full_is_read_and_not_written() {
    let state = tempfile::tempdir().unwrap();
    let disk = FakeDisk::with_room();
    let db = open_on(state.path(), &disk);
    put(&db, A, b"1", b"v").unwrap();
    disk.free.store(1 << 20, Ordering::Relaxed);
    let error = put(&db, A, b"2", b"v").unwrap_err();
    assert_eq!(error.kind, proto::Kind::Unavailable);
    assert!(error.what.contains("full"), "{error}");
    assert_eq!(db.get(A, b"2").unwrap(), None);
    assert_eq!(db.get(A, b"1").unwrap().as_deref(), Some(&b"v"[..]));
    disk.free.store(u64::MAX, Ordering::Relaxed);
    put(&db, A, b"2", b"v").unwrap();
}

#[test]
fn a_repeated_request_hears_its_first_answer_and_another_one_is_a_conflict() {
    let state = tempfile::tempdir().unwrap();
    let db = open(state.path()).db;
    let request = RequestKey {
        scope: b"actor",
        id: b"1",
        digest: [1; 32],
    };
    assert_eq!(db.replay(request).unwrap(), Replay::New);
    let long = vec![7; MAX_VALUE * 3];
    for (id, answer) in [(b"1", b"short".to_vec()), (b"2", long)] {
        let mut batch = Batch::new();
        batch.put(A, id, "v");
        db.remember(&mut batch, RequestKey { id, ..request }, NOW, &answer)
            .unwrap();
        db.commit(batch).unwrap();
        assert_eq!(
            db.replay(RequestKey { id, ..request }).unwrap(),
            Replay::Answered(answer)
        );
    }
    assert_eq!(
        db.replay(RequestKey {
            digest: [2; 32],
            ..request
        })
        .unwrap(),
        Replay::Conflict
    );
    assert_eq!(
        db.replay(RequestKey {
            scope: b"other",
            ..request
        })
        .unwrap(),
        Replay::New
    );
    assert_eq!(
        db.replay(RequestKey {
            scope: b"actor1",
            id: b"",
            ..request
        })
        .unwrap(),
        Replay::New
    );
    assert_eq!(db.prune_answers(NOW + KEPT).unwrap(), 0);
    assert_eq!(db.prune_answers(NOW + KEPT + 1).unwrap(), 2);
    assert_eq!(db.replay(request).unwrap(), Replay::New);
}

#[test]
fn a_second_open_is_told_who_has_the_lock_and_changes_nothing() {
    let state = tempfile::tempdir().unwrap();
    let first = open(state.path()).db;
    put(&first, A, b"k", b"v").unwrap();
    let error = Db::open(state.path(), Options::new(NOW)).unwrap_err();
    assert_eq!(error.kind, proto::Kind::Unavailable);
    assert!(error.what.contains("another process"), "{error}");
    put(&first, A, b"k2", b"v").unwrap();
}

#[test]
fn the_largest_records_never_leave_the_log_for_files_that_nobody_syncs() {
    let state = tempfile::tempdir().unwrap();
    let db = open(state.path()).db;
    for round in 0..4_u32 {
        for n in 0..10_u32 {
            let mut batch = Batch::new();
            for m in 0..16_u32 {
                let mut key = vec![0; MAX_KEY];
                // In no order, so that leaves fill up and split in the middle.
                let place = (n * 16 + m).wrapping_mul(2_654_435_761) % 997;
                key[..4].copy_from_slice(&place.to_be_bytes());
                batch.put(A, &key, vec![u8::try_from(round).unwrap(); MAX_VALUE]);
            }
            db.commit(batch).unwrap();
        }
    }
    let blobs = std::fs::read_dir(state.path().join("db/blobs")).map_or(0, Iterator::count);
    assert_eq!(blobs, 0);
}

#[test]
fn a_batch_that_names_a_key_twice_keeps_the_last_word_and_counts_it_once() {
    let state = tempfile::tempdir().unwrap();
    let db = open(state.path()).db;
    let mut batch = Batch::new();
    batch
        .put(A, b"k", "1")
        .delete(A, b"k")
        .put(A, b"k", "2")
        .put(A, b"x", "1")
        .delete(A, b"x");
    db.commit(batch).unwrap();
    assert_eq!(db.get(A, b"k").unwrap().as_deref(), Some(&b"2"[..]));
    assert_eq!(db.get(A, b"x").unwrap(), None);
    db.check().unwrap();
}

#[test]
fn an_export_is_whole_while_others_write_and_a_check_finds_nothing() {
    let state = tempfile::tempdir().unwrap();
    let db = open(state.path()).db;
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for n in 0_u32.. {
                let mut batch = Batch::new();
                batch.put(A, &n.to_be_bytes(), "v").put(B, &n.to_be_bytes(), "v");
                db.commit(batch).unwrap();
                if over.load(Ordering::Relaxed) {
                    return;
                }
            }
        });
        for n in 0..10 {
            let path = state.path().join(format!("backups/{n}.todexp"));
            let summary = db.export(&path, NOW).unwrap();
            assert_eq!(migrations::export::check(&path).unwrap(), summary);
            db.check().unwrap();
            let copy = state.path().join(format!("copy-{n}"));
            super::open::import(&path, &copy, &Options::new(NOW)).unwrap();
        }
        over.store(true, Ordering::Relaxed);
    });
}

#[test]
fn a_lost_answer_is_not_given_again_before_it_is_durable() {
    let state = tempfile::tempdir().unwrap();
    let disk = FakeDisk::with_room();
    let db = open_on(state.path(), &disk);
    let request = RequestKey {
        scope: b"actor",
        id: b"1",
        digest: [1; 32],
    };
    let mut batch = Batch::new();
    db.remember(&mut batch, request, NOW, b"done").unwrap();
    let staged = db.stage(batch).unwrap();
    let syncs = disk.syncs.load(Ordering::Relaxed);
    assert_eq!(db.replay(request).unwrap(), Replay::Answered(b"done".to_vec()));
    assert_eq!(
        disk.syncs.load(Ordering::Relaxed),
        syncs + 1,
        "the repeated request waited for the flush"
    );
    staged.durable().unwrap();
    disk.fail.store(true, Ordering::Relaxed);
    put(&db, A, b"k", b"v").unwrap_err();
    assert!(
        db.replay(request)
            .unwrap_err()
            .next
            .unwrap()
            .contains("same request id")
    );
}

#[test]
fn a_lock_that_lingers_is_waited_for() {
    let state = tempfile::tempdir().unwrap();
    open(state.path()).db.close().unwrap();
    let holder = File::open(state.path().join("db/db")).unwrap();
    holder.lock().unwrap();
    std::thread::scope(|scope| {
        let opening = scope.spawn(|| open(state.path()));
        // The other is let in as soon as this one goes.
        drop(holder);
        opening.join().unwrap();
    });
}

#[test]
fn regular_backups_are_few_and_the_newest_is_what_a_lost_database_comes_back_from() {
    let state = tempfile::tempdir().unwrap();
    let db = open(state.path()).db;
    let kept = state.path().join("backups/before-schema-2-1.todexp");
    db.export(&kept, 1).unwrap();
    for n in 1..=5 {
        put(&db, A, b"k", &[n]).unwrap();
        db.back_up(NOW + i64::from(n), 3).unwrap();
    }
    let backups = std::fs::read_dir(state.path().join("backups")).unwrap();
    assert_eq!(
        backups.count(),
        4,
        "three regular ones and the one that a migration took"
    );
    assert_eq!(
        db.newest_backup().unwrap(),
        Some(db.inner.places.backup_of(NOW + 5))
    );
    db.close().unwrap();
    std::fs::remove_dir_all(state.path().join("db")).unwrap();
    let opened = open(state.path());
    let export = opened.db.inner.places.backup_of(NOW + 5);
    assert_eq!(
        opened.recovery.source,
        Source::Restored {
            export,
            taken_at: NOW + 5
        }
    );
    assert_eq!(opened.db.get(A, b"k").unwrap(), Some(vec![5]));
}
