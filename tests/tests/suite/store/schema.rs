//! Databases of older and newer builds.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use daemon::db::{Batch, Db, Options, Replay, RequestKey, Source, Space};
use daemon::objects::Digest;
use migrations::{Draft, STEPS, Step};
use tests::store::{self, commits};

use super::writer_program;

const REQUEST: RequestKey<'static> = RequestKey {
    scope: b"s",
    id: b"1",
    digest: [3; 32],
};

fn options(steps: &'static [Step]) -> Options {
    Options {
        steps,
        ..store::options(&writer_program())
    }
}

/// Every file below `folder` with its bytes and times.
fn picture(folder: &Path) -> BTreeMap<String, (Vec<u8>, std::time::SystemTime)> {
    let mut picture = BTreeMap::new();
    for entry in fs::read_dir(folder).expect("it is there") {
        let path = entry.expect("it reads").path();
        if path.is_dir() {
            picture.extend(self::picture(&path));
        } else {
            let modified = path
                .metadata()
                .and_then(|meta| meta.modified())
                .expect("it has a time");
            picture.insert(
                path.display().to_string(),
                (fs::read(&path).expect("it reads"), modified),
            );
        }
    }
    picture
}

fn nothing(_: &mut Draft<'_>) -> migrations::Result<()> {
    Ok(())
}

fn holds(_: &Draft<'_>) -> migrations::Result<()> {
    Ok(())
}

fn fails(draft: &mut Draft<'_>) -> migrations::Result<()> {
    draft.put("left", b"half", b"done".to_vec());
    Err(migrations::Error::Export("on purpose".to_owned()))
}

fn marks(draft: &mut Draft<'_>) -> migrations::Result<()> {
    draft.put("left", b"half", b"done".to_vec());
    Ok(())
}

fn does_not_hold(_: &Draft<'_>) -> migrations::Result<()> {
    Err(migrations::Error::Export("on purpose".to_owned()))
}

const fn step(number: u32, apply: fn(&mut Draft<'_>) -> migrations::Result<()>) -> Step {
    Step {
        number,
        name: "test",
        source: "a test's step",
        apply,
        validate: holds,
    }
}

static NEWER: [Step; 3] = [STEPS[0], STEPS[1], step(3, nothing)];

#[test]
fn a_newer_database_is_refused_without_touching_a_byte() {
    let state = tempfile::tempdir().expect("a folder");
    let db = Db::open(state.path(), options(&NEWER)).expect("it opens").db;
    db.commit(store::batch(0, 0)).expect("it is kept");
    db.close().expect("it closes");
    let before = picture(state.path());
    let error = Db::open(state.path(), options(STEPS)).expect_err("it is newer");
    assert_eq!(error.kind, proto::Kind::Refused);
    assert!(
        error.why.as_ref().is_some_and(|why| why.contains("schema 3")),
        "{error}"
    );
    assert_eq!(picture(state.path()), before);
    let opened = Db::open(state.path(), options(&NEWER)).expect("the build that made it opens it");
    assert_eq!(opened.recovery.source, Source::AsLeft);
}

#[test]
fn a_database_of_another_version_of_a_step_is_refused() {
    static OTHER: [Step; 2] = [STEPS[0], step(2, nothing)];
    let state = tempfile::tempdir().expect("a folder");
    Db::open(state.path(), options(&OTHER))
        .expect("it opens")
        .db
        .close()
        .expect("it closes");
    let error = Db::open(state.path(), options(STEPS)).expect_err("step 2 is another one");
    assert_eq!(error.kind, proto::Kind::Refused, "{error}");
    Db::open(state.path(), options(&OTHER)).expect("the build that made it opens it");
}

#[test]
fn records_of_the_first_schema_are_read_after_the_second_step() {
    let state = tempfile::tempdir().expect("a folder");
    let first = Db::open(state.path(), options(&STEPS[..1])).expect("it opens").db;
    // A request as the first schema wrote it: version 1, digest, time, answer.
    let mut record = vec![1];
    record.extend([3; 32]);
    record.extend([20, 5]);
    record.extend(b"hello");
    let key = Digest::of(&[&1_u64.to_le_bytes()[..], b"s", b"1"].concat());
    let mut batch = Batch::new();
    batch.put(Space::new("request"), key.as_bytes(), record);
    first.commit(batch).expect("it is kept");
    first.close().expect("it closes");
    let opened = Db::open(state.path(), options(STEPS)).expect("it migrates");
    assert_eq!((opened.migrated.from, opened.migrated.to), (1, 2));
    let backup = opened.backup.expect("there was something to back up");
    assert_eq!(
        migrations::export::check(&backup)
            .expect("it is whole")
            .header
            .schema,
        1
    );
    assert_eq!(
        opened.db.replay(REQUEST).expect("it is read"),
        Replay::Answered(b"hello".to_vec())
    );
    assert_eq!(
        opened.db.prune_answers(10 + daemon::db::KEPT).expect("it prunes"),
        0
    );
}

#[test]
fn a_step_that_fails_anywhere_leaves_the_database_as_it_was() {
    static AT_3: [Step; 5] = [
        STEPS[0],
        STEPS[1],
        step(3, fails),
        step(4, nothing),
        step(5, nothing),
    ];
    static AT_4: [Step; 5] = [
        STEPS[0],
        STEPS[1],
        step(3, marks),
        step(4, fails),
        step(5, nothing),
    ];
    static AT_5: [Step; 5] = [
        STEPS[0],
        STEPS[1],
        step(3, marks),
        step(4, nothing),
        step(5, fails),
    ];
    static INVALID: [Step; 3] = [
        STEPS[0],
        STEPS[1],
        Step {
            validate: does_not_hold,
            ..step(3, marks)
        },
    ];
    let state = tempfile::tempdir().expect("a folder");
    let db = Db::open(state.path(), options(STEPS)).expect("it opens").db;
    db.commit(store::batch(0, 0)).expect("it is kept");
    db.close().expect("it closes");
    for steps in [&AT_3[..], &AT_4, &AT_5, &INVALID] {
        let error = Db::open(state.path(), options(steps)).expect_err("a step fails");
        assert_eq!(error.kind, proto::Kind::Refused, "{error}");
        assert!(
            error.why.as_ref().is_some_and(|why| why.contains("on purpose")),
            "{error}"
        );
        let opened = Db::open(state.path(), options(STEPS)).expect("the older build opens it");
        assert!(!opened.recovery.is_loud(), "{:?}", opened.recovery);
        assert_eq!(commits(&opened.db), [(0, 1)].into());
        opened.db.close().expect("it closes");
    }
}
