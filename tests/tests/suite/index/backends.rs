//! The ways to hear of changes that a user may choose: each exact by git's judgement, and each says what it is.

use std::fs;
use std::path::PathBuf;

use proto::index::{ChangeKind, TreeState};
use tests::ask::times;
use tests::chance::Chance;
use tests::daemon::Bed;
use tests::{deadline, process};

use super::trouble::{set, tree};
use super::{Scene, small};

/// A daemon whose user wants this of `watch`.
fn scene(lines: &str) -> Scene {
    let bed = Bed::new();
    set(&bed, lines);
    let daemon = bed.start();
    let root = bed.project("project");
    small(&root);
    Scene::of(bed, Some(daemon), (root.clone(), root))
}

/// Work of every kind, with the judge asked again and again.
fn work(scene: &mut Scene, seed: u64) {
    let mut chance = Chance::new(seed);
    for round in 0..times(12, 200) {
        let number = chance.below(4);
        let (new, old) = (format!("made/{number}"), format!("made/{}", chance.below(4)));
        match chance.below(7) {
            0 => scene.write(&format!("{new}/a/b/c/leaf-{round}"), "1"),
            1 => drop(fs::remove_dir_all(scene.at(&old))),
            2 => drop(fs::rename(scene.at(&old), scene.at(&new))),
            3 => scene.write(".gitignore", &format!("/{old}/a\n*.log\n")),
            4 => scene.write("src/main.rs", &format!("fn main() {{ /* {round} */ }}\n")),
            5 => {
                scene.git(&["add", "-A"]);
                scene.git(&["commit", "-q", "-m", "x", "--allow-empty"]);
            }
            _ => {
                // Nothing of the directory is known when the files in it are made.
                for leaf in 0..20 {
                    scene.write(&format!("{new}/fresh-{round}/{leaf}/x/y"), "1");
                }
            }
        }
        if chance.below(2) == 0 {
            scene.check(&format!("seed {seed}, round {round}"));
        }
    }
    scene.check("at the end");
}

#[test]
fn with_the_systems_own_watcher_the_index_is_exact_and_says_what_tells_it() {
    let mut scene = scene("backend: notify\n  poll_seconds: 86400");
    scene.planned = false;
    let root = scene.root.clone();
    let stands = tree(&mut scene.peer, &root);
    assert_eq!((stands.state, stands.watches), (TreeState::Polling, 0));
    let reason = stands.reason.expect("a reason");
    assert!(
        reason.contains("`watch.backend` is `notify`") && !reason.contains("failed"),
        "{reason}"
    );
    for seed in 1..=2 {
        work(&mut scene, seed);
    }
    let said = scene.bed.run(["doctor", "watch", "--json"]).ok().json();
    assert_eq!(said["trees"][0]["backend"], "notify, polling", "{said}");
    let status = scene.bed.run(["daemon", "status", "--json"]).ok().json();
    assert_eq!(status["watches"]["backend"], "notify", "{status}");
}

#[test]
fn a_stream_tells_what_the_systems_own_watcher_said_although_nobody_asks() {
    let scene = scene("backend: notify\n  poll_seconds: 86400");
    let out = scene.bed.home().join("told");
    let file = fs::File::create(&out).expect("made");
    let mut command = scene.bed.tocli(["watch", "--json"]);
    let mut stream = command
        .current_dir(&scene.root)
        .stdout(file)
        .spawn()
        .expect("started");
    let told = || fs::read_to_string(&out).expect("read");
    let (root, number): (PathBuf, _) = (scene.root.clone(), std::cell::Cell::new(0));
    // Until the stream has begun: each is another change.
    deadline::until("the first change is told", || {
        number.set(number.get() + 1);
        fs::write(root.join("src/main.rs"), number.get().to_string()).expect("written");
        (!told().is_empty()).then_some(())
    });
    for folder in 0..40 {
        scene.write(&format!("fresh/{folder}/two/three/leaf.rs"), "1");
    }
    deadline::until("every file in directories just made is told", || {
        let told = told();
        let is_told = |folder| told.contains(&format!("fresh/{folder}/two/three/leaf.rs\""));
        (0..40).all(is_told).then_some(())
    });
    fs::rename(scene.at("fresh/1"), scene.at("moved")).expect("renamed");
    deadline::until("a renamed directory is told", || {
        told().contains("moved/two/three/leaf.rs").then_some(())
    });
    scene.write("moved/two/three/later.rs", "1");
    deadline::until("a file below it is told", || {
        told().contains("moved/two/three/later.rs").then_some(())
    });
    stream.kill().expect("ended");
    stream.wait().expect("ended");
}

#[test]
fn without_any_watcher_the_index_is_exact_by_looking_and_another_choice_counts_at_once() {
    let mut scene = scene("backend: poll\n  poll_seconds: 1");
    let root = scene.root.clone();
    let stands = tree(&mut scene.peer, &root);
    assert_eq!((stands.state, stands.watches), (TreeState::Polling, 0));
    assert!(
        stands
            .reason
            .is_some_and(|reason| reason.contains("`watch.backend` is `poll`"))
    );
    work(&mut scene, 3);
    let (mut listener, clock) = (scene.bed.peer(), scene.clock.clone());
    let told = {
        let root = root.clone();
        let waiting = std::thread::spawn(move || listener.wait(&root, &clock).expect("changes"));
        scene.write("told.txt", "1");
        waiting.join().expect("it ends")
    };
    assert_eq!((told.len(), told[0].kind), (1, ChangeKind::Created));
    for (backend, state) in [
        ("inotify", TreeState::Watching),
        ("notify", TreeState::Polling),
        ("auto", TreeState::Watching),
        ("poll", TreeState::Polling),
        ("inotify", TreeState::Watching),
    ] {
        set(&scene.bed, &format!("backend: {backend}\n  poll_seconds: 86400"));
        scene.begin(backend);
        let stands = tree(&mut scene.peer, &root);
        assert_eq!(stands.state, state, "{backend}: {stands:?}");
        assert_eq!(
            stands.watches > 0,
            state == TreeState::Watching,
            "{backend}: {stands:?}"
        );
        scene.planned = false;
        work(&mut scene, 4);
    }
    let said = process::run(
        scene
            .bed
            .tocli(["config", "set", "--user", "watch.backend", "other"])
            .current_dir(&root),
    );
    assert_eq!(said.code, 2, "{said:?}");
}
