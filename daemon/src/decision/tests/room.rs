//! The verbs, the files, and what is kept over a restart.

use proto::Kind;
use proto::decision::{Answer, Filter, MirrorState, Relation, Request, Status, Verb};

use super::bed::{Bed, OTHER, WS, card, draft, numbers, one, record};
use crate::audit::{self, Chain};
use crate::db::Batch;
use crate::decision::{Taken, in_force_for, newest, take_in};

fn change(which: &str, verb: Verb) -> Request {
    Request::Change {
        which: which.to_owned(),
        if_revision: None,
        verb,
    }
}

fn linked(title: &str, relation: Relation, older: &str) -> Request {
    Request::Record {
        draft: Box::new(draft(title, &[])),
        document: None,
        link: Some((relation, older.to_owned())),
    }
}

fn list(filter: Filter, limit: u32, cursor: Option<u64>) -> Request {
    Request::List {
        filter: Box::new(filter),
        limit,
        cursor,
    }
}

fn states(bed: &Bed) -> Vec<MirrorState> {
    match bed.ask(Request::Files { write: false }).expect("looked") {
        Answer::Files { files, .. } => files.iter().map(|file| file.state).collect(),
        other => panic!("no files: {other:?}"),
    }
}

#[test]
fn decisions_are_numbered_without_a_gap_within_their_workspace_and_over_a_restart() {
    let bed = Bed::new();
    assert_eq!(bed.record(draft("One", &[])).number, 1);
    let refused = bed.ask(record(draft("", &[])));
    assert_eq!(refused.expect_err("no title").kind, Kind::Usage);
    let elsewhere = bed
        .ask_as(OTHER, None, record(draft("Other", &[])))
        .expect("recorded");
    assert_eq!(one(elsewhere).0.number, 1);
    let bed = bed.again();
    assert_eq!(bed.record(draft("Two", &[])).number, 2);
    assert_eq!(bed.show("dec_nobody").expect_err("none").kind, Kind::NotFound);
    assert_eq!(bed.show("3").expect_err("none").kind, Kind::NotFound);
    assert_eq!(audit::verify(&bed.ctx.db, WS), Ok(Chain::Whole(2)));
}

#[test]
fn only_decisions_in_force_are_given_for_a_path() {
    let bed = Bed::new();
    for (title, path) in [("A", "src"), ("B", "src/*.rs"), ("C", "docs"), ("D", "src/a.rs")] {
        bed.record(draft(title, &[path]));
    }
    let asked = |path: &str| {
        let paths = vec![path.into()];
        numbers(bed.ask(Request::For { paths }).expect("asked"))
    };
    assert_eq!(asked("src/a.rs"), [4, 2, 1]);
    one(bed.ask(linked("E", Relation::Supersedes, "4")).expect("recorded"));
    one(bed
        .ask(linked("F", Relation::Reverses, "0002"))
        .expect("recorded"));
    let reject = Verb::Reject {
        reason: String::new(),
    };
    one(bed.ask(change("3", reject)).expect("rejected"));
    assert_eq!(asked("src/a.rs"), [1]);
    assert_eq!(asked("docs/x"), Vec::<u64>::new());
    assert_eq!(
        bed.ask(Request::For {
            paths: vec!["/etc/passwd".into()]
        })
        .expect_err("outside")
        .kind,
        Kind::Refused
    );
    let old = bed.show("4").expect("shown");
    assert_eq!(
        (old.brief.status, old.brief.links[0].number),
        (Status::Superseded, 5)
    );
    let lent = in_force_for(&bed.ctx, WS, &["src/x".to_owned()]).expect("asked");
    assert_eq!(lent.iter().map(|one| one.number).collect::<Vec<_>>(), [1]);
    let newest = newest(&bed.ctx, WS, 2).expect("asked");
    assert_eq!(newest.iter().map(|one| one.number).collect::<Vec<_>>(), [6, 5]);
}

#[test]
fn lists_are_paged_and_narrowed_and_searches_ranked() {
    let bed = Bed::new();
    for number in 1..=5 {
        let mut one = draft(&format!("Number {number}"), &[]);
        one.tags = vec![if number % 2 == 0 { "even" } else { "odd" }.to_owned()];
        bed.record(one);
    }
    let Answer::Decisions {
        decisions,
        next_cursor,
    } = bed.ask(list(Filter::default(), 2, None)).expect("listed")
    else {
        panic!("no list")
    };
    assert_eq!(
        (decisions[0].number, decisions[1].number, next_cursor),
        (5, 4, Some(4))
    );
    let rest = bed.ask(list(Filter::default(), 10, next_cursor)).expect("listed");
    assert_eq!(numbers(rest), [3, 2, 1]);
    let odd = || Filter {
        tag: Some("ODD".to_owned()),
        ..Filter::default()
    };
    assert_eq!(
        numbers(bed.ask(list(odd(), 10, None)).expect("listed")),
        [5, 3, 1]
    );
    let search = |words: &str, filter| Request::Search {
        words: words.to_owned(),
        filter: Box::new(filter),
        limit: 10,
    };
    assert_eq!(
        numbers(bed.ask(search("number 4", Filter::default())).expect("found"))[0],
        4
    );
    assert_eq!(numbers(bed.ask(search("4 3", odd())).expect("found")), [3]);
    bed.record(draft("A later one", &[]));
    assert_eq!(
        numbers(bed.ask(search("later", Filter::default())).expect("found")),
        [6]
    );
    assert!(bed.ask(search("--", Filter::default())).is_err());
    assert!(bed.ask(list(Filter::default(), 0, None)).is_err());
}

#[test]
fn a_file_that_was_changed_by_hand_is_told_and_never_overwritten() {
    let bed = Bed::new();
    bed.record(draft("One", &[]));
    bed.record(draft("Two", &[]));
    let file = bed.files().join("0001-one.md");
    let ours = std::fs::read_to_string(&file).expect("written");
    assert!(
        ours.contains("# One") && ours.contains("status: proposed"),
        "{ours}"
    );
    std::fs::write(&file, "mine").expect("written");
    std::fs::write(bed.files().join("notes.txt"), "x").expect("written");
    assert_eq!(
        states(&bed),
        [MirrorState::Edited, MirrorState::AsWritten, MirrorState::Foreign]
    );
    assert_eq!(
        bed.show("1").map(|shown| shown.file_state),
        Ok(MirrorState::Edited)
    );
    let (accepted, warnings) = one(bed.ask(change("1", Verb::Accept)).expect("accepted"));
    assert_eq!(accepted.status, Status::Accepted);
    assert!(
        warnings.iter().any(|warning| warning.contains("changed by hand")),
        "{warnings:?}"
    );
    assert_eq!(std::fs::read_to_string(&file).expect("read"), "mine");
    bed.ask(Request::Files { write: true }).expect("written");
    assert_eq!(std::fs::read_to_string(&file).expect("read"), "mine");
    // What a checkout brings back is an earlier state of ours: it is replaced.
    std::fs::write(&file, &ours).expect("written");
    assert_eq!(states(&bed)[0], MirrorState::Behind);
    std::fs::remove_file(bed.files().join("0002-two.md")).expect("removed");
    assert_eq!(states(&bed)[1], MirrorState::Missing);
    bed.ask(Request::Files { write: true }).expect("written");
    assert_eq!(states(&bed)[..2], [MirrorState::AsWritten; 2]);
    let now = std::fs::read_to_string(&file).expect("read");
    assert!(now.contains("status: accepted"), "{now}");
    assert_eq!(
        std::fs::read_to_string(bed.files().join("notes.txt")).expect("read"),
        "x"
    );
}

#[test]
fn a_link_in_the_place_of_a_file_leads_nowhere() {
    let bed = Bed::new();
    let victim = bed.folder.path().join("victim");
    std::fs::write(&victim, "safe").expect("written");
    std::fs::create_dir_all(bed.files()).expect("made");
    std::os::unix::fs::symlink(&victim, bed.files().join("0001-one.md")).expect("linked");
    let (_, warnings) = one(bed.ask(record(draft("One", &[]))).expect("recorded"));
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert_eq!(std::fs::read_to_string(&victim).expect("read"), "safe");
    let elsewhere = Bed::new();
    std::fs::create_dir_all(elsewhere.project().join(".task_orchestrator")).expect("made");
    std::os::unix::fs::symlink(bed.folder.path(), elsewhere.files()).expect("linked");
    let (_, warnings) = one(elsewhere.ask(record(draft("Away", &[]))).expect("recorded"));
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(!bed.folder.path().join("0001-away.md").exists());
}

#[test]
fn a_repeated_request_changes_nothing_and_a_stale_revision_is_refused() {
    let bed = Bed::new();
    let first = bed
        .ask_as(WS, Some("r1"), record(draft("One", &[])))
        .expect("recorded");
    let again = bed
        .ask_as(WS, Some("r1"), record(draft("One", &[])))
        .expect("replayed");
    assert_eq!(one(first).0, one(again).0);
    let other = bed.ask_as(WS, Some("r1"), record(draft("Two", &[])));
    assert_eq!(other.expect_err("another body").kind, Kind::Conflict);
    let stale = Request::Change {
        which: "1".to_owned(),
        if_revision: Some(7),
        verb: Verb::Accept,
    };
    assert_eq!(bed.ask(stale).expect_err("stale").kind, Kind::Conflict);
    assert_eq!(bed.show("1").map(|shown| shown.brief.revision), Ok(1));
}

#[test]
fn a_long_decision_and_one_from_a_document_are_read_back_whole() {
    let bed = Bed::new();
    let long = "long words ".repeat(5_000);
    let document =
        serde_json::json!({"title": "T", "decision": long, "paths": ["a"], "task": null}).to_string();
    let what = Request::Record {
        draft: Box::default(),
        document: Some(document),
        link: None,
    };
    one(bed.ask(what).expect("recorded"));
    let bed = bed.again();
    let shown = bed.show("#1").expect("shown");
    assert_eq!(shown.decision, long);
    assert_eq!(shown.file_state, MirrorState::AsWritten);
    assert_eq!(
        super::super::store::named_objects(&bed.ctx.db).map(|named| named.len()),
        Ok(1)
    );
    let mut of_nobody = draft("X", &[]);
    of_nobody.task = Some("nobody".to_owned());
    assert_eq!(
        bed.ask(record(of_nobody)).expect_err("no task").kind,
        Kind::NotFound
    );
}

#[test]
fn decisions_from_elsewhere_keep_their_ids_and_are_taken_in_once() {
    let bed = Bed::new();
    bed.record(draft("Ours", &[]));
    let mut cards = vec![card(0, "First", "d"), card(0, "Second", "d"), card(7, "Far", "d")];
    for (card, id) in cards.iter_mut().zip(["old_a", "old_b", "old_c"]) {
        card.id = id.to_owned();
    }
    cards.push(card(0, "Hostile", "d"));
    cards[3].id = "../../x".to_owned();
    let relations = [("old_b".to_owned(), Relation::Refines, "old_a".to_owned())];
    let take = |cards| {
        let mut batch = Batch::new();
        let taken = take_in(&bed.ctx, &mut batch, WS, cards, &relations).expect("taken");
        bed.ctx.db.commit(batch).expect("kept");
        taken
    };
    let taken = take(cards.clone());
    assert_eq!(taken[..2], [Taken::In(2), Taken::In(3)]);
    assert!(
        matches!(&taken[2], Taken::Refused(why) if why.contains("number 7")),
        "{taken:?}"
    );
    assert!(matches!(&taken[3], Taken::Refused(_)));
    assert_eq!(bed.show("old_b").expect("shown").brief.links[0].number, 2);
    assert_eq!(take(cards)[..2], [Taken::AlreadyThere(2), Taken::AlreadyThere(3)]);
    assert_eq!(bed.record(draft("Next", &[])).number, 4);
    assert!(
        bed.files().join("0003-second.md").is_file(),
        "written with the next change"
    );
}
