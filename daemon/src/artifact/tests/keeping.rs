//! What later rooms do: keep artifacts within a change of theirs, put back what an export holds.

use super::{Bed, WS};
use crate::artifact::{Given, Pen, Whole, count, newest_of, wholes};
use crate::db::Batch;
use crate::objects::Taken;

fn given<'a>(id: Option<&'a str>, name: &'a str, time: i64) -> Given<'a> {
    Given {
        id,
        task: Some("t"),
        specialist: "coder",
        name,
        actor: "importer",
        time,
        ..Given::default()
    }
}

impl Bed {
    fn taken(&self, bytes: &[u8]) -> Taken {
        self.ctx
            .db
            .objects()
            .take_in(&mut &*bytes, 1 << 20)
            .expect("kept")
    }
}

#[test]
fn several_artifacts_are_kept_in_one_change_with_ids_and_times_of_their_own() {
    let bed = Bed::new();
    let (one, two) = (bed.taken(b"1"), bed.taken(b"2"));
    let pen = Pen::open(&bed.ctx, &bed.home(), None).expect("opened");
    let mut batch = Batch::new();
    let a = pen
        .store(&mut batch, &given(Some("artifact_1"), "r.md", 5), one)
        .expect("stored");
    let b = pen
        .store(&mut batch, &given(Some("artifact_2"), "r.md", 6), two)
        .expect("stored");
    assert_eq!((a.id.as_str(), a.name.as_str()), ("artifact_1", "r.md"));
    assert_eq!(
        (b.id.as_str(), b.name.as_str()),
        ("artifact_2", "r-2.md"),
        "it keeps its id, not the name"
    );
    bed.ctx.db.commit(batch).expect("kept");
    assert_eq!(pen.committed(), [""; 0]);
    assert_eq!(
        bed.file(".task_orchestrator/artifacts/coder_t/r-2.md"),
        Some(b"2".to_vec())
    );
    let newest = newest_of(&bed.ctx, &bed.home(), "t", 1).expect("read");
    assert_eq!((newest[0].id.as_str(), newest[0].created), ("artifact_2", 6));
    assert_eq!(count(&bed.ctx, &bed.home()), Ok((2, 2)));
    // Again: nothing new.
    let pen = Pen::open(&bed.ctx, &bed.home(), None).expect("opened");
    let mut batch = Batch::new();
    let again = pen
        .store(&mut batch, &given(Some("artifact_2"), "r.md", 7), two)
        .expect("stored");
    assert!(again.already_there && batch.is_empty());
}

#[test]
fn what_a_failed_change_had_kept_is_gone_from_memory_too() {
    let bed = Bed::new();
    bed.store("a.md", b"a");
    let taken = bed.taken(b"1");
    let pen = Pen::open(&bed.ctx, &bed.home(), None).expect("opened");
    let mut batch = Batch::new();
    pen.store(&mut batch, &given(None, "b.md", 5), taken)
        .expect("stored");
    drop(batch);
    pen.gave_up_for(&proto::Error::refused("no"));
    assert_eq!((bed.list().len(), bed.left()), (1, 0));
    // Also when nobody said that it failed.
    let pen = Pen::open(&bed.ctx, &bed.home(), None).expect("opened");
    pen.store(&mut Batch::new(), &given(None, "b.md", 5), taken)
        .expect("stored");
    drop(pen);
    assert_eq!((bed.list().len(), bed.left()), (1, 0));
}

#[test]
fn an_export_is_put_back_as_it_was() {
    let bed = Bed::new();
    bed.store("a.md", b"one");
    bed.store("a.md", b"two");
    bed.store("b.md", b"one");
    let all = wholes(&bed.ctx, WS).expect("read");
    assert_eq!(all.len(), 2);
    assert_eq!(
        crate::artifact::store::named_objects(&bed.ctx.db)
            .expect("read")
            .len(),
        3
    );
    let other = Bed::new();
    for bytes in [&b"one"[..], b"two"] {
        other.ctx.db.objects().put(bytes).expect("kept");
    }
    let pen = Pen::open(&other.ctx, &other.home(), None).expect("opened");
    let mut batch = Batch::new();
    for whole in &all {
        assert!(pen.put_back(&mut batch, whole).expect("put back"));
        assert!(!pen.put_back(&mut batch, whole).expect("known"), "twice is once");
    }
    other.ctx.db.commit(batch).expect("kept");
    assert_eq!(pen.committed(), [""; 0]);
    let strip = |all: Vec<Whole>| -> Vec<Whole> {
        all.into_iter()
            .map(|mut whole| {
                whole.card.stamp = None;
                whole
            })
            .collect()
    };
    assert_eq!(strip(wholes(&other.ctx, WS).expect("read")), strip(all.clone()));
    assert_eq!(
        other.file(".task_orchestrator/artifacts/coder_t/a.md"),
        Some(b"two".to_vec())
    );
    let third = Bed::new();
    let pen = Pen::open(&third.ctx, &third.home(), None).expect("opened");
    let lost = pen
        .put_back(&mut Batch::new(), &all[0])
        .expect_err("its contents are not there");
    assert_eq!(lost.kind, proto::Kind::NotFound);
    let mut crafted = all[0].clone();
    crafted.card.folder = "../../..".to_owned();
    assert_eq!(
        pen.put_back(&mut Batch::new(), &crafted)
            .expect_err("it leaves")
            .kind,
        proto::Kind::Usage
    );
}

#[test]
fn a_file_that_is_on_its_way_is_nobodys_hand() {
    use crate::artifact::copies;
    use proto::artifact::Copy;

    let bed = Bed::new();
    let one = bed.store("a.md", b"one");
    bed.world
        .file("/p/.task_orchestrator/artifacts/coder_t/a.md", b"other");
    let slot = bed.ctx.artifacts.slot(WS);
    let entry = slot
        .with(|catalog| catalog.entry(&one.id).cloned())
        .expect("there");
    let look = |entry| copies::look_again(&*bed.ctx.world, &slot, &bed.home(), entry);
    let mut on_its_way = entry.clone();
    on_its_way.copy = Copy::Placing;
    assert_eq!(look(&on_its_way), Copy::Placing);
    // While somebody places, what is seen is told and not noted.
    let placing = crate::dispatch::hold(&slot.placing);
    assert_eq!(look(&entry), Copy::Modified);
    let noted = || slot.with(|catalog| catalog.entry(&one.id).map(|entry| entry.copy));
    assert_eq!(noted(), Ok(Copy::Good));
    drop(placing);
    look(&entry);
    assert_eq!(noted(), Ok(Copy::Modified));
}
