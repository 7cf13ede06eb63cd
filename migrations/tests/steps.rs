//! The steps and their runner: frozen, in order, all or none.

#![allow(
    clippy::unwrap_used,
    reason = "in a test a panic is the verdict, also in the functions that tests share"
)]

use migrations::layout::{self, Tally};
use migrations::{Draft, Error, STEPS, Step, export, migrate, pending, recorded, rehearse, validate};

fn database() -> (tempfile::TempDir, sled::Db) {
    let folder = tempfile::tempdir().unwrap();
    let db = sled::Config::new().path(folder.path().join("db")).open().unwrap();
    (folder, db)
}

/// All that is in a database, but for the tally.
fn records(tree: &sled::Tree) -> Vec<(Vec<u8>, Vec<u8>)> {
    let own = layout::full_key(layout::META, layout::TALLY_KEY);
    let pairs = tree.iter().map(|item| item.unwrap());
    pairs
        .filter(|(key, _)| *key != own)
        .map(|(key, value)| (key.to_vec(), value.to_vec()))
        .collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A request's record as the first schema had it.
fn first_schema(tree: &sled::Tree, id: u8) {
    let mut record = vec![1];
    record.extend([id; 32]);
    record.extend([20, 5]);
    record.extend(b"hello");
    tree.insert(layout::full_key(layout::REQUESTS, &[id]), record)
        .unwrap();
}

/// A released step never changes: whoever must change one adds another.
#[test]
fn released_steps_are_as_they_were_released() {
    let frozen = [
        (
            1,
            "first",
            "fec36a2dd4920cef4ed3454f5f3c2e45fe45d333adfe6aa18bfdc3d90a18e510",
        ),
        (
            2,
            "long-answers",
            "fc21c925f90a708b4e9a4018117d7da0866720103455685a0d0aad68adca20cc",
        ),
    ];
    let steps: Vec<_> = STEPS
        .iter()
        .map(|step| (step.number, step.name, hex(&step.checksum())))
        .collect();
    let frozen: Vec<_> = frozen
        .iter()
        .map(|(number, name, sum)| (*number, *name, (*sum).to_owned()))
        .collect();
    assert_eq!(steps, frozen);
}

#[test]
fn steps_are_numbered_from_one_without_a_gap() {
    let numbers: Vec<u32> = STEPS.iter().map(|step| step.number).collect();
    assert_eq!(
        numbers,
        (1..=u32::try_from(STEPS.len()).unwrap()).collect::<Vec<_>>()
    );
}

#[test]
fn a_checksum_does_not_depend_on_line_ends() {
    let unix = Step {
        source: "a\nb\n",
        ..STEPS[0]
    };
    let windows = Step {
        source: "a\r\nb\r\n",
        ..STEPS[0]
    };
    let other = Step {
        source: "a\nc\n",
        ..STEPS[0]
    };
    assert_eq!(unix.checksum(), windows.checksum());
    assert_ne!(unix.checksum(), other.checksum());
}

#[test]
fn records_of_the_first_shape_become_the_second_and_are_counted() {
    let (_folder, db) = database();
    migrate(&db, &STEPS[..1], 5).unwrap();
    first_schema(&db, 1);
    first_schema(&db, 2);
    let mut batch = sled::Batch::default();
    Tally {
        sequence: 7,
        ..Tally::counted(&db).unwrap()
    }
    .put(&mut batch);
    db.apply_batch(batch).unwrap();
    let report = migrate(&db, STEPS, 6).unwrap();
    assert_eq!((report.from, report.to, &report.applied[..]), (1, 2, &[2][..]));
    validate(&db, STEPS, &report.applied).unwrap();
    let mut expected = vec![2];
    expected.extend([1; 32]);
    expected.extend([20, 0, 5]);
    expected.extend(b"hello");
    assert_eq!(
        db.get(layout::full_key(layout::REQUESTS, &[1])).unwrap().unwrap(),
        expected
    );
    let stored = Tally::stored(&db).unwrap();
    assert!(stored.agrees(&Tally::counted(&db).unwrap()));
    assert_eq!(stored.sequence, 8);
    let applied = recorded(&db).unwrap();
    assert_eq!(
        applied
            .iter()
            .map(|step| (step.number, step.applied_at))
            .collect::<Vec<_>>(),
        [(1, 5), (2, 6)]
    );
}

#[test]
fn a_second_run_changes_nothing() {
    let (_folder, db) = database();
    migrate(&db, STEPS, 5).unwrap();
    let before = records(&db);
    assert_eq!(migrate(&db, STEPS, 6).unwrap().applied, [0_u32; 0]);
    assert_eq!(records(&db), before);
}

#[test]
fn a_step_that_meets_a_record_it_does_not_know_changes_nothing() {
    for record in [&b""[..], b"\x02", b"\x01", b"\x01garbage"] {
        let (_folder, db) = database();
        migrate(&db, &STEPS[..1], 5).unwrap();
        first_schema(&db, 1);
        db.insert(layout::full_key(layout::REQUESTS, b"z"), record)
            .unwrap();
        let before = records(&db);
        assert!(matches!(
            migrate(&db, STEPS, 6),
            Err(Error::Step { number: 2, .. })
        ));
        assert_eq!(records(&db), before);
    }
}

#[test]
fn bytes_left_over_in_a_record_stop_the_step() {
    let (_folder, db) = database();
    migrate(&db, &STEPS[..1], 5).unwrap();
    first_schema(&db, 1);
    let key = layout::full_key(layout::REQUESTS, &[1]);
    let mut record = db.get(&key).unwrap().unwrap().to_vec();
    record.push(0);
    db.insert(key, record).unwrap();
    let error = migrate(&db, STEPS, 6).unwrap_err();
    assert!(error.to_string().contains("left over"), "{error}");
}

fn nothing(_: &mut Draft<'_>) -> migrations::Result<()> {
    Ok(())
}

fn fails(draft: &mut Draft<'_>) -> migrations::Result<()> {
    draft.put("a", b"half", b"done".to_vec());
    Err(Error::Export("on purpose".to_owned()))
}

fn holds(_: &Draft<'_>) -> migrations::Result<()> {
    Ok(())
}

fn does_not_hold(_: &Draft<'_>) -> migrations::Result<()> {
    Err(Error::Export("on purpose".to_owned()))
}

#[test]
fn whichever_step_fails_nothing_is_kept() {
    let good = |number| Step {
        number,
        name: "good",
        source: "x",
        apply: nothing,
        validate: holds,
    };
    for bad in 1..=4 {
        for step in [
            Step {
                apply: fails,
                ..good(bad)
            },
            Step {
                validate: does_not_hold,
                ..good(bad)
            },
        ] {
            let (_folder, db) = database();
            db.insert(layout::full_key("a", b"k"), b"v").unwrap();
            let before = records(&db);
            let mut steps: Vec<Step> = (1..=4).map(good).collect();
            steps[bad as usize - 1] = step;
            assert!(matches!(migrate(&db, &steps, 5), Err(Error::Step { number, .. }) if number == bad));
            assert_eq!(records(&db), before);
            assert_eq!(pending(&db, &steps).unwrap().len(), 4);
        }
    }
}

#[test]
fn a_newer_database_is_refused() {
    let (_folder, db) = database();
    migrate(&db, STEPS, 5).unwrap();
    assert!(matches!(
        pending(&db, &STEPS[..1]),
        Err(Error::Newer { found: 2, known: 1 })
    ));
}

#[test]
fn a_draft_shows_its_own_changes_in_key_order() {
    let (_folder, db) = database();
    for key in ["b", "d", "f"] {
        db.insert(layout::full_key("a", key.as_bytes()), "old").unwrap();
    }
    db.insert(layout::full_key("aa", b"c"), "of another space")
        .unwrap();
    fn look(draft: &mut Draft<'_>) -> migrations::Result<()> {
        draft.put("a", b"a", b"new".to_vec());
        draft.put("a", b"d", b"new".to_vec());
        draft.put("a", b"e", b"new".to_vec());
        draft.put("a", b"g", b"new".to_vec());
        draft.delete("a", b"f");
        draft.delete("a", b"x");
        assert_eq!(draft.get("a", b"f")?, None);
        assert_eq!(draft.get("a", b"b")?.as_deref(), Some(&b"old"[..]));
        let mut seen = String::new();
        draft.each("a", |key, value| {
            seen.push_str(&format!("{}={} ", key.escape_ascii(), value.escape_ascii()));
            Ok(())
        })?;
        assert_eq!(seen, "a=new b=old d=new e=new g=new ");
        Ok(())
    }
    let step = Step {
        number: 1,
        name: "look",
        source: "x",
        apply: look,
        validate: holds,
    };
    migrate(&db, &[step], 5).unwrap();
    assert!(Tally::stored(&db).unwrap().records > 0);
}

#[test]
fn a_rehearsal_finds_what_the_real_run_would_and_leaves_the_database_alone() {
    let (folder, db) = database();
    migrate(&db, &STEPS[..1], 5).unwrap();
    let before = records(&db);
    let copy = folder.path().join("copy");
    export::write(
        &db,
        &copy,
        export::Header {
            schema: 1,
            taken_at: 5,
            sequence: 1,
        },
    )
    .unwrap();
    let report = rehearse(&copy, &folder.path().join("scratch"), STEPS, 6).unwrap();
    assert_eq!(report.applied, [2]);
    let step = Step {
        number: 2,
        name: "bad",
        source: "x",
        apply: fails,
        validate: holds,
    };
    let error = rehearse(&copy, &folder.path().join("scratch2"), &[STEPS[0], step], 6).unwrap_err();
    assert!(matches!(error, Error::Step { number: 2, .. }), "{error}");
    assert_eq!(records(&db), before);
}
