//! Trees beyond the limits of watches, each beside one that is not: what has no watch is compared with the disk, and heals.

use std::fs;
use std::path::Path;
use std::process::Command;

use proto::index::TreeState;
use tests::daemon::{Bed, program};
use tests::skip::skip;
use tests::{git, process};

use super::trouble::{Pair, set, tree};
use super::{Scene, small};

/// Folders enough that the others find no watch.
fn wide(root: &Path) {
    small(root);
    wide_again(root);
}

fn wide_again(root: &Path) {
    for number in 0..60 {
        let folder = root.join(format!("wide/{number}/x"));
        fs::create_dir_all(&folder).expect("made");
        fs::write(folder.join("f"), "1").expect("written");
    }
}

fn work_without_watches(scene: &mut Scene) {
    scene.write("wide/59/x/f", "22");
    scene.write("wide/58/x/new/deep/leaf", "1");
    fs::remove_dir_all(scene.at("wide/57")).expect("removed");
    scene.check("edits where there is no watch");
    fs::rename(scene.at("wide/56"), scene.at("wide/57")).expect("renamed");
    scene.write("wide/57/x/f", "333");
    scene.write("wide/55/.gitignore", "x\n");
    scene.git(&["add", "-f", "wide/55/x/f"]);
    scene.check("a renamed folder, other rules and another index where there is no watch");
}

#[test]
fn a_project_over_the_limit_of_the_settings_is_polled_and_heals_when_it_is_raised() {
    let bed = Bed::new();
    set(&bed, "max_watches: 40");
    let daemon = bed.start();
    let beside = bed.project("beside");
    small(&beside);
    // The other one first: it has all its watches.
    bed.peer().files(&beside).expect("files");
    let root = bed.project("project");
    wide(&root);
    let mut pair = Pair::new(Scene::of(bed, Some(daemon), (root.clone(), root)));
    work_without_watches(&mut pair.scene);
    let stands = pair.tree();
    assert_eq!(stands.state, TreeState::Polling);
    let reason = stands.reason.expect("a reason");
    assert!(reason.contains("watch.max_watches"), "{reason}");
    let used: u64 = pair.scene.bed.run(["daemon", "status", "--json"]).ok().json()["watches"]["used"]
        .as_u64()
        .expect("a number");
    assert!(used <= 60, "{used} watches, with those of detection");
    pair.other_is_exact();
    set(&pair.scene.bed, "max_watches: 10000");
    pair.scene.check("nothing");
    assert_eq!(pair.tree().state, TreeState::Watching);
    pair.scene.write("wide/59/x/f", "4444");
    pair.scene.check("an edit after it was raised");
    pair.other_is_exact();
}

#[test]
fn a_project_over_the_limit_of_the_system_is_polled_and_heals_when_it_is_raised() {
    let bed = Bed::new();
    let mut command = bed.command("unshare");
    command.args(["--user", "--map-root-user", "sh", "-ec"]);
    command
        .arg("echo 70 >/proc/sys/user/max_inotify_watches\nexec \"$@\"")
        .arg("sh");
    let probe = std::panic::catch_unwind(|| {
        let mut probe = bed.command("unshare");
        probe.args(["--user", "--map-root-user", "sh", "-ec"]);
        process::run(probe.arg("echo 70 >/proc/sys/user/max_inotify_watches")).code
    });
    if !matches!(probe, Ok(0)) {
        return skip(
            "userns",
            "the limit of watches cannot be lowered in a user namespace",
        );
    }
    let daemon = bed.start_by(command.arg(program("tod")).arg("run"));
    let pid = daemon.pid();
    let beside = bed.project("beside");
    small(&beside);
    bed.peer().files(&beside).expect("files");
    let root = bed.project("project");
    wide(&root);
    let mut pair = Pair::new(Scene::of(bed, Some(daemon), (root.clone(), root)));
    work_without_watches(&mut pair.scene);
    let stands = pair.tree();
    assert_eq!(stands.state, TreeState::Polling, "{stands:?}");
    assert!(
        stands
            .reason
            .expect("a reason")
            .contains("fs.inotify.max_user_watches")
    );
    let mut raise = Command::new("nsenter");
    raise.args(["--user", "--preserve-credentials", "--target", &pid.to_string()]);
    process::run(raise.args(["sh", "-ec", "echo 9999 >/proc/sys/user/max_inotify_watches"])).ok();
    pair.scene.check("nothing");
    assert_eq!(pair.tree().state, TreeState::Watching);
    pair.scene.write("wide/59/x/f", "4444");
    pair.scene.check("an edit after it was raised");
    pair.other_is_exact();
}

/// The watches of all trees.
fn used(bed: &Bed) -> u64 {
    let said = process::run(&mut bed.tocli(["doctor", "watch", "--json"])).json();
    said["used"].as_u64().expect("a number")
}

#[test]
fn projects_over_a_limit_that_is_lowered_let_go_of_watches_until_it_is_raised() {
    let bed = Bed::new();
    let daemon = bed.start();
    let (root, apart) = (bed.project("project"), bed.project("apart"));
    wide(&root);
    wide(&apart);
    let mut scene = Scene::of(bed, Some(daemon), (root.clone(), root.clone()));
    let both_are_exact = |scene: &mut Scene, when: &str| {
        scene.write("wide/9/x/f", when);
        scene.check(when);
        fs::write(apart.join("wide/8/x").join(when), "1").expect("written");
        let files = scene.peer.files(&apart).expect("files");
        assert!(files.iter().eq(git::files(&apart).iter()), "{when}: of the other");
        [&root, &apart].map(|root| tree(&mut scene.peer, root).state)
    };
    both_are_exact(&mut scene, "without a limit");
    assert!(used(&scene.bed) > 240, "all are watched");
    for most in [140, 40, 0] {
        set(&scene.bed, &format!("max_watches: {most}"));
        let states = both_are_exact(&mut scene, &format!("at most {most}"));
        assert!(states.contains(&TreeState::Polling), "{states:?} with {most}");
        let used = used(&scene.bed);
        assert!(used <= most, "{used} of {most}");
        work_without_watches(&mut scene);
        fs::remove_dir_all(scene.at("wide")).expect("removed");
        wide_again(&scene.at(""));
        scene.check("as it was");
    }
    set(&scene.bed, "max_watches: 10000");
    let states = both_are_exact(&mut scene, "raised");
    assert_eq!(states, [TreeState::Watching; 2]);
    both_are_exact(&mut scene, "watched again");
}

#[test]
fn a_project_takes_no_more_watches_than_its_own_settings_give_it() {
    let bed = Bed::new();
    let daemon = bed.start();
    let root = bed.project("project");
    wide(&root);
    // Its settings are no matter of git here.
    fs::write(root.join(".git/info/exclude"), "/.task_orchestrator/\n").expect("written");
    let mut pair = Pair::new(Scene::of(bed, Some(daemon), (root.clone(), root)));
    let allow = |pair: &mut Pair, most: &str| {
        let root = pair.scene.root.clone();
        let mut command = pair.scene.bed.tocli(["config", "set", "watch.max_watches", most]);
        process::run(command.arg("--path").arg(root)).ok();
    };
    allow(&mut pair, "20");
    work_without_watches(&mut pair.scene);
    let stands = pair.tree();
    assert_eq!(stands.state, TreeState::Polling);
    assert!((1..=20).contains(&stands.watches), "{}", stands.watches);
    let reason = stands.reason.expect("a reason");
    assert!(
        reason.contains("the project's own `watch.max_watches`"),
        "{reason}"
    );
    pair.other_is_exact();
    pair.scene.bed.run(["daemon", "reboot"]).ok();
    pair.scene.write("wide/59/x/g", "1");
    pair.scene.check("after a hand-over");
    assert!((1..=20).contains(&pair.tree().watches), "after a hand-over");
    allow(&mut pair, "10000");
    pair.scene.check("nothing");
    assert_eq!(pair.tree().state, TreeState::Watching);
    pair.scene.write("wide/59/x/f", "4444");
    pair.scene.check("an edit after it was raised");
    pair.other_is_exact();
}
