//! The export: its bytes, and what becomes of one that is not whole.

#![allow(
    clippy::unwrap_used,
    reason = "in a test a panic is the verdict, also in the functions that tests share"
)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use migrations::layout::{self, Tally};
use migrations::{Error, export};

const HEADER: export::Header = export::Header {
    schema: 2,
    taken_at: 3,
    sequence: 4,
};

fn database(folder: &Path, name: &str) -> sled::Db {
    sled::Config::new().path(folder.join(name)).open().unwrap()
}

/// A database of five records and its tally.
fn filled(folder: &Path) -> sled::Db {
    let db = database(folder, "db");
    for n in 0..5_u8 {
        db.insert(layout::full_key("a", &[n]), vec![n; 3]).unwrap();
    }
    let mut batch = sled::Batch::default();
    Tally {
        sequence: 4,
        ..Tally::counted(&db).unwrap()
    }
    .put(&mut batch);
    db.apply_batch(batch).unwrap();
    db
}

#[test]
fn an_import_holds_what_was_exported() {
    let folder = tempfile::tempdir().unwrap();
    let (db, path) = (filled(folder.path()), folder.path().join("x.todexp"));
    let written = export::write(&db, &path, HEADER).unwrap();
    assert_eq!((written.header, written.records), (HEADER, 6));
    assert_eq!(written.bytes, fs::metadata(&path).unwrap().len());
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(export::check(&path).unwrap(), written);
    let copy = database(folder.path(), "copy");
    assert_eq!(export::import(&path, &copy).unwrap(), written);
    assert!(db.iter().map(Result::unwrap).eq(copy.iter().map(Result::unwrap)));
    let names: Vec<_> = fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert!(
        !names
            .iter()
            .any(|name| name.to_string_lossy().ends_with(".draft")),
        "{names:?}"
    );
}

#[test]
fn the_format_is_the_documented_one() {
    let folder = tempfile::tempdir().unwrap();
    let db = database(folder.path(), "db");
    db.insert(b"k", b"value").unwrap();
    let path = folder.path().join("x.todexp");
    export::write(&db, &path, HEADER).unwrap();
    let bytes = fs::read(&path).unwrap();
    let mut expected = b"tod-exp\n\x01\0\0\0\x02\0\0\0\x03\0\0\0\0\0\0\0\x04\0\0\0\0\0\0\0".to_vec();
    expected.extend(b"\x01\0\0\0\x05\0\0\0kvalue");
    assert_eq!(bytes[..expected.len()], expected);
    let end = &bytes[expected.len() + 8..];
    assert_eq!(end[..12], *b"\xff\xff\xff\xff\x01\0\0\0\0\0\0\0");
    assert_eq!(end.len(), 12 + 32);
}

#[test]
fn an_export_cut_anywhere_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (db, path) = (filled(folder.path()), folder.path().join("x.todexp"));
    export::write(&db, &path, HEADER).unwrap();
    let whole = fs::read(&path).unwrap();
    for length in 0..whole.len() {
        fs::write(&path, &whole[..length]).unwrap();
        assert!(
            matches!(export::check(&path), Err(Error::Export(_))),
            "cut to {length}"
        );
    }
    fs::write(&path, [&whole[..], b"x"].concat()).unwrap();
    assert!(
        matches!(export::check(&path), Err(Error::Export(_))),
        "longer by one"
    );
}

#[test]
fn an_export_with_any_byte_altered_is_refused_and_nothing_is_imported() {
    let folder = tempfile::tempdir().unwrap();
    let (db, path) = (filled(folder.path()), folder.path().join("x.todexp"));
    export::write(&db, &path, HEADER).unwrap();
    let whole = fs::read(&path).unwrap();
    let copy = database(folder.path(), "copy");
    for at in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x80;
        fs::write(&path, bytes).unwrap();
        assert!(
            matches!(export::import(&path, &copy), Err(Error::Export(_))),
            "byte {at}"
        );
    }
    assert!(copy.is_empty());
}

#[test]
fn a_whole_export_of_a_database_that_had_lost_records_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (db, path) = (filled(folder.path()), folder.path().join("x.todexp"));
    db.remove(layout::full_key("a", &[2])).unwrap();
    export::write(&db, &path, HEADER).unwrap();
    let copy = database(folder.path(), "copy");
    assert!(matches!(export::import(&path, &copy), Err(Error::Export(_))));
}

#[test]
fn a_failed_export_leaves_the_one_before() {
    let folder = tempfile::tempdir().unwrap();
    let (db, path) = (filled(folder.path()), folder.path().join("x.todexp"));
    export::write(&db, &path, HEADER).unwrap();
    // A folder in the draft's place: it cannot be made.
    fs::create_dir(folder.path().join("x.todexp.draft")).unwrap();
    db.insert(b"k", b"v").unwrap();
    assert!(matches!(export::write(&db, &path, HEADER), Err(Error::Io(_))));
    assert_eq!(export::check(&path).unwrap().records, 6);
}
