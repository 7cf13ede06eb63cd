//! Old tasks of every kind, laid onto boards.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use migrations::legacy::OldTask;
use proto::maintenance::Legacy;
use proto::task::Status;

use super::{Known, Laid, lay};
use crate::maintenance::legacy::report::Report;
use crate::task::board::{Board, Placed};
use crate::task::step::{Moved, Step};

fn old(id: &str, parent: Option<&str>, status: Option<&str>, after: &[&str]) -> OldTask {
    OldTask {
        id: id.to_owned(),
        parent: parent.map(str::to_owned),
        title: format!("T {id}"),
        status: status.map(str::to_owned),
        after: after.iter().map(|id| (*id).to_owned()).collect(),
        created: Some(5),
        ..OldTask::default()
    }
}

fn pending(id: &str, parent: Option<&str>, after: &[&str]) -> OldTask {
    old(id, parent, Some("pending"), after)
}

struct Scene {
    board: Board,
    before: HashMap<String, String>,
}

impl Scene {
    fn new() -> Self {
        Self {
            board: Board::default(),
            before: HashMap::new(),
        }
    }

    /// Lays and takes over, as the import does; the board's own rules have the last word.
    fn import(&mut self, olds: &[OldTask]) -> (Laid, Legacy) {
        let mut report = Report::default();
        let refs: Vec<&OldTask> = olds.iter().collect();
        let known = Known {
            board: &self.board,
            imported: &|id| self.before.get(id).cloned(),
            now: 9,
        };
        let laid = lay(&known, &refs, &mut report);
        let mut step = Step::default();
        for (born, (_, card)) in (self.board.next_born()..).zip(&laid.tasks) {
            let mut card = card.clone();
            card.born = born;
            step.moved.push(Moved {
                op: "bring",
                actor: "me".into(),
                before: None,
                after: Some(card),
                fields: Vec::new(),
                texts: None,
            });
        }
        let step = step.checked(&self.board).expect("the rules of a board hold");
        self.board.apply(&step.placed(), Duration::ZERO);
        self.before.extend(laid.ids.clone());
        let legacy = report.0;
        let sum = |of: fn(&proto::maintenance::Counts) -> u64| {
            let parts = [&legacy.imported, &legacy.already_there, &legacy.skipped_counts];
            assert_eq!(
                of(&legacy.found),
                parts.iter().map(|counts| of(counts)).sum::<u64>()
            );
        };
        sum(|counts| counts.tasks);
        sum(|counts| counts.dependencies);
        (laid, legacy)
    }

    fn status(&self, id: &str) -> Status {
        self.board.card(id).expect("a card").status
    }
}

#[test]
fn a_breakdown_is_done_when_all_in_it_is() {
    let mut scene = Scene::new();
    let mut done = old("a", Some("p"), Some("completed"), &[]);
    done.completed = Some(77);
    scene.import(&[
        old("p", None, None, &[]),
        done,
        old("q", None, None, &[]),
        pending("b", Some("q"), &["a"]),
    ]);
    assert_eq!(
        (scene.status("p"), scene.status("q")),
        (Status::Completed, Status::Pending)
    );
    assert_eq!(scene.board.card("p").expect("a card").finished, Some(77));
    assert_eq!(scene.board.card("b").expect("a card").after, ["a"]);
    assert!(scene.board.is_ready("b"));
}

#[test]
fn cycles_ghosts_and_doubles_are_named_and_the_rest_comes() {
    let mut scene = Scene::new();
    let olds = [
        pending("a", None, &["b", "b", "ghost"]),
        pending("b", None, &["a"]),
        pending("c", Some("g"), &["g"]),
        old("g", None, None, &[]),
        pending("c", None, &["a"]),
    ];
    let (_, legacy) = scene.import(&olds);
    assert_eq!((legacy.found.tasks, legacy.imported.tasks), (5, 4));
    assert_eq!((legacy.found.dependencies, legacy.imported.dependencies), (6, 1));
    let why: Vec<&str> = legacy
        .skipped
        .iter()
        .map(|skipped| skipped.why.as_str())
        .collect();
    for words in ["named twice", "is not there", "closes a cycle", "the same id"] {
        assert!(why.iter().any(|why| why.contains(words)), "{words}: {why:?}");
    }
}

#[test]
fn a_second_import_makes_nothing_and_later_ones_only_what_is_new() {
    let mut scene = Scene::new();
    let mut olds = vec![
        old("g", None, None, &[]),
        pending("a", Some("g"), &[]),
        pending("b", Some("g"), &["a", "ghost"]),
    ];
    scene.import(&olds);
    let (laid, legacy) = scene.import(&olds);
    assert!(laid.tasks.is_empty());
    assert_eq!(
        (legacy.already_there.tasks, legacy.already_there.dependencies),
        (3, 1)
    );
    assert_eq!(legacy.skipped_counts.dependencies, 1);
    olds.push(pending("c", Some("g"), &["b"]));
    let (laid, _) = scene.import(&olds);
    assert_eq!(laid.tasks.len(), 1);
    assert_eq!(
        scene.board.card("c").expect("a card").parent.as_deref(),
        Some("g")
    );
}

#[test]
fn ids_that_cannot_be_or_are_taken_get_others() {
    let mut scene = Scene::new();
    scene.import(&[pending("mine", None, &[])]);
    let mut card = crate::task::card::Card::clone(scene.board.card("mine").expect("a card"));
    card.created_by = "somebody".into();
    scene.board.apply(&[Placed::Put(Arc::new(card))], Duration::ZERO);
    scene.before.clear();
    let (laid, legacy) = scene.import(&[pending("mine", None, &[]), pending("../x y", None, &["mine"])]);
    assert_eq!((laid.tasks.len(), legacy.mapped.len()), (2, 2));
    let other = &laid.ids["../x y"];
    assert!(other.starts_with("legacy_"), "{other}");
    assert_eq!(
        scene.board.card(other).expect("a card").after,
        [laid.ids["mine"].clone()]
    );
}

#[test]
fn groups_in_groups_in_themselves_are_taken_apart() {
    let mut scene = Scene::new();
    let mut olds = vec![
        pending("x", Some("y"), &[]),
        pending("y", Some("x"), &[]),
        pending("z", Some("nobody"), &[]),
    ];
    let ids: Vec<String> = (0..20).map(|number| format!("d{number}")).collect();
    for (number, id) in ids.iter().enumerate() {
        let above = number.checked_sub(1).map(|above| ids[above].as_str());
        olds.push(pending(id, above, &[]));
    }
    let (laid, legacy) = scene.import(&olds);
    assert_eq!(laid.tasks.len(), olds.len());
    assert!(legacy.warnings.len() >= 3, "{:?}", legacy.warnings);
}

#[test]
fn what_is_closed_around_something_open_is_opened_again() {
    let mut scene = Scene::new();
    let (_, legacy) = scene.import(&[
        old("p", None, Some("completed"), &[]),
        old("m", Some("p"), Some("archived"), &[]),
        old("c", Some("m"), Some("active"), &[]),
        old("odd", None, Some("sleeping"), &[]),
        old("b", None, Some("blocked"), &[]),
    ]);
    let all = ["p", "m", "c", "odd"].map(|id| scene.status(id));
    assert_eq!(all, [Status::Pending; 4]);
    assert_eq!(scene.status("b"), Status::Blocked);
    assert_eq!(legacy.warnings.len(), 3, "{:?}", legacy.warnings);
}

#[test]
fn any_graph_at_all_becomes_a_board_that_obeys_the_rules() {
    let mut state = 7_u64;
    let mut below = |limit: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap_or_default() % limit
    };
    let words = [
        "pending",
        "completed",
        "archived",
        "failed",
        "cancelled",
        "blocked",
        "active",
        "?",
    ];
    for _ in 0..150 {
        let count = 2 + below(30);
        let olds: Vec<OldTask> = (0..count)
            .map(|number| {
                let parent = (below(3) == 0).then(|| format!("t{}", below(count + 2)));
                let after: Vec<String> = (0..below(4)).map(|_| format!("t{}", below(count + 2))).collect();
                let status = (below(9) > 0).then(|| words[below(words.len())]);
                let after: Vec<&str> = after.iter().map(String::as_str).collect();
                old(&format!("t{number}"), parent.as_deref(), status, &after)
            })
            .collect();
        let mut scene = Scene::new();
        let half = count / 2;
        scene.import(&olds[..half]);
        let (laid, _) = scene.import(&olds);
        assert_eq!(laid.tasks.len(), count - half);
        let (again, _) = scene.import(&olds);
        assert!(again.tasks.is_empty());
    }
}
