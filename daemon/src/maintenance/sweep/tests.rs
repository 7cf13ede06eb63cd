//! What is swept and what stays: objects of an erased workspace go after a month, those that any record names never.

use proto::artifact;

use super::{DAY, GRACE, named, sweep};
use crate::db::Batch;
use crate::maintenance::exchange::tests::Bed;
use crate::objects::Digest;
use crate::workspace::{self, store};

#[test]
fn objects_of_an_erased_workspace_go_after_a_month_and_no_others_do() {
    let bed = Bed::new();
    bed.furnish(2);
    let db = &bed.ctx.db;
    // Something of every room that names objects.
    let long = artifact::Call {
        at: bed.at(),
        what: artifact::Request::List {
            filter: Box::default(),
            limit: 10,
            cursor: None,
        },
    };
    bed.ask(|desk| crate::artifact::answer(desk, long))
        .expect("listed");
    let stored = db.objects().stored().expect("listed");
    let all = named(db).expect("named");
    assert_eq!(stored.len(), 3, "a long text and two versions");
    assert!(stored.iter().all(|digest| all.contains(digest)));
    let now = bed.ctx.world.now();
    let first = sweep(&bed.ctx, now).expect("swept");
    assert_eq!((first.named, first.waiting, first.removed), (3, 0, 0));
    // The workspace is forgotten and erased; one of its contents is named by somebody else, one is put again.
    let mut row = store::rows(db).expect("read").remove(0);
    row.forgotten = Some(now - 31 * DAY);
    let mut batch = Batch::new();
    row.put(&mut batch).expect("put");
    db.commit(batch).expect("kept");
    assert_eq!(
        workspace::erase_expired(&bed.ctx).expect("erased"),
        [row.id.clone()]
    );
    assert!(named(db).expect("named").is_empty());
    for day in 0..30 {
        let swept = sweep(&bed.ctx, now + day * DAY).expect("swept");
        assert_eq!((swept.waiting, swept.removed), (3, 0), "day {day}");
    }
    let again = b"second ".repeat(3000);
    let kept = db.objects().put(&again).expect("put");
    assert!(stored.contains(&kept));
    let swept = sweep(&bed.ctx, now + GRACE).expect("swept");
    assert_eq!(
        (swept.waiting, swept.removed),
        (1, 2),
        "what was put of late stays"
    );
    assert_eq!(db.objects().stored().expect("listed"), [kept]);
    assert_eq!(db.objects().get(&kept).expect("whole"), again);
    // Nobody names it: it goes once its pins are let go.
    for more in 1..4 {
        sweep(&bed.ctx, now + GRACE + more * DAY).expect("swept");
    }
    assert_eq!(db.objects().stored().expect("listed"), Vec::<Digest>::new());
}

#[test]
fn an_object_that_is_named_again_has_its_month_anew() {
    let bed = Bed::new();
    let objects = bed.ctx.db.objects();
    let bytes = b"second ".repeat(3000);
    let digest = objects.put(&bytes).expect("put");
    let now = bed.ctx.world.now();
    assert_eq!(sweep(&bed.ctx, now).expect("swept").waiting, 1);
    bed.furnish(1);
    assert!(named(&bed.ctx.db).expect("named").contains(&digest));
    for days in [29, 31, 60] {
        let swept = sweep(&bed.ctx, now + days * DAY).expect("swept");
        assert_eq!((swept.waiting, swept.removed), (0, 0), "day {days}");
    }
    assert_eq!(objects.get(&digest).expect("there"), bytes);
}
