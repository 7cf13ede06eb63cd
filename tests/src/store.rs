//! Writing to a store so that afterwards every loss, tear and ghost shows.
//!
//! Asked by the program `store-writer`, by the suite's kill and power-cut tests and by the benches. Each writer `w`
//! makes commits 0, 1, 2, …; commit `n` puts `n` into two spaces and moves one record in a third. Whatever happens, a
//! sound database then holds for each writer: an unbroken row from 0 in both spaces, equally long, with the right
//! values, and one moved record, that of the last commit.

use std::collections::BTreeMap;
use std::path::Path;

use daemon::db::{Batch, Db, Opened, Options, Space};
use proto::error::Result;

/// The first space of every commit.
pub const LEFT: Space = Space::new("left");
/// The second one.
pub const RIGHT: Space = Space::new("right");
/// Where one record moves.
pub const MOVED: Space = Space::new("moved");

/// The key of commit `number` by `writer`.
#[must_use]
pub fn key(writer: u8, number: u32) -> [u8; 5] {
    let mut key = [writer; 5];
    key[1..].copy_from_slice(&number.to_be_bytes());
    key
}

/// What commit `number` by `writer` stores: between 10 bytes and 4 KB, different each time.
#[must_use]
pub fn value(writer: u8, number: u32) -> Vec<u8> {
    let length = 10
        + (number as usize * 131 + usize::from(writer) * 17) % 400
            * usize::from(number.is_multiple_of(9))
            * 10;
    key(writer, number)
        .iter()
        .copied()
        .cycle()
        .take(length.max(10))
        .collect()
}

/// The batch of commit `number` by `writer`.
#[must_use]
pub fn batch(writer: u8, number: u32) -> Batch {
    let mut batch = Batch::new();
    batch.put(LEFT, &key(writer, number), value(writer, number));
    batch.put(RIGHT, &key(writer, number), value(writer, number));
    batch.put(MOVED, &key(writer, number), "");
    if let Some(before) = number.checked_sub(1) {
        batch.delete(MOVED, &key(writer, before));
    }
    batch
}

/// Opens the store in `state` with `probe` as the program that examines it.
///
/// # Errors
/// What [`Db::open`] says.
pub fn open(state: &Path, probe: &Path) -> Result<Opened> {
    Db::open(state, options(probe))
}

/// The usual options with `probe` as the program that examines a database.
#[must_use]
pub fn options(probe: &Path) -> Options {
    let probe = vec![probe.as_os_str().to_owned(), "probe".into()];
    // Tests share a small disk with each other: how full it is, is no part of them.
    Options {
        probe: Some(probe),
        min_free: 0,
        ..Options::new(1_700_000_000_000_000_000)
    }
}

/// How many commits each writer has in `db`, after looking that nothing is lost, torn or left over.
///
/// # Panics
/// When something is.
#[must_use]
pub fn commits(db: &Db) -> BTreeMap<u8, u32> {
    let row = |space| {
        let mut row = BTreeMap::<u8, u32>::new();
        for item in db.scan(space, &[]) {
            let (found, bytes) = item.expect("every record can be read");
            let count = row.entry(found[0]).or_default();
            assert_eq!(found, key(found[0], *count), "a commit is missing in {space:?}");
            assert_eq!(
                bytes,
                value(found[0], *count),
                "a record of {space:?} has another value"
            );
            *count += 1;
        }
        row
    };
    let (left, right) = (row(LEFT), row(RIGHT));
    assert_eq!(left, right, "a batch was torn between its spaces");
    let moved: Vec<_> = db
        .scan(MOVED, &[])
        .map(|item| item.expect("every record can be read").0)
        .collect();
    let last: Vec<_> = left
        .iter()
        .map(|(&writer, &count)| key(writer, count - 1).to_vec())
        .collect();
    assert_eq!(moved, last, "a batch was torn between put and delete");
    left
}
