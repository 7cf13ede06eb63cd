//! What the cache of detection may and may not do, over a fake world.

use super::cases::{caller, find, repository};
use super::*;
use crate::world::FakeWorld;
use proto::Kind;

/// A detector over a world whose stamps are old enough to be trusted, after one answer.
fn warmed(world: &FakeWorld, cwd: &str) -> (Detector, Caller) {
    world.tick(1000);
    let (detector, caller) = (Detector::new(), caller(cwd, &[]));
    assert!(
        !detector
            .find(world, &caller, &From::Caller, &Settings::default())
            .unwrap()
            .cached
    );
    (detector, caller)
}

fn remembered(detector: &Detector, world: &FakeWorld, caller: &Caller) -> Option<Detection> {
    detector.remembered(
        (world, &world.mounts()),
        caller,
        &From::Caller,
        &Settings::default(),
    )
}

#[test]
fn an_answer_is_remembered_once_its_stamps_can_be_trusted() {
    let world = FakeWorld::new();
    repository(&world, "/p/.git");
    let (detector, young) = (Detector::new(), caller("/p", &[]));
    detector
        .find(&world, &young, &From::Caller, &Settings::default())
        .unwrap();
    assert_eq!(
        detector.kept(),
        0,
        "stamps as young as the clock's step prove nothing"
    );
    let (detector, caller) = warmed(&world, "/p");
    let again = remembered(&detector, &world, &caller).unwrap();
    assert!(again.cached);
    assert_eq!(again.vcs.unwrap().branch.as_deref(), Some("main"));
}

#[test]
fn a_change_to_anything_an_answer_came_from_makes_it_forgotten() {
    type Change = fn(&FakeWorld);
    let changes: [(&str, Change); 12] = [
        ("branch", |world| {
            world.file("/l/p/.git/HEAD", "ref: refs/heads/x");
        }),
        ("configuration", |world| {
            world.file("/l/p/.git/config", "[core]\nbare=true");
        }),
        ("commondir", |world| {
            world.file("/l/p/.git/commondir", "x");
        }),
        ("removed", |world| {
            world.delete("/l/p/.git");
        }),
        ("objects", |world| {
            world.delete("/l/p/.git/objects");
        }),
        ("marker", |world| {
            world.file("/l/p/Cargo.toml", "");
        }),
        ("nearer repository", |world| repository(world, "/l/p/a/.git")),
        ("nearer marker", |world| {
            world.file("/l/p/a/go.mod", "");
        }),
        ("mode", |world| {
            world.chmod("/l/p", 0o555);
        }),
        ("owner", |world| {
            world.chown("/l/p/.git", 3);
        }),
        ("link", |world| {
            world.dir("/m/p/a").link("/s", "m");
        }),
        ("ancestor", |world| {
            world.delete("/l").link("/l", "s");
        }),
    ];
    for (name, change) in changes {
        let world = FakeWorld::new();
        repository(&world, "/l/p/.git");
        world.file("/l/p/.git/config", "").dir("/l/p/a").link("/s", "l");
        let (detector, caller) = warmed(&world, "/s/p/a");
        world.tick(1);
        assert!(remembered(&detector, &world, &caller).is_some());
        change(&world);
        assert!(remembered(&detector, &world, &caller).is_none(), "{name}");
    }
}

#[test]
fn a_change_within_the_clocks_step_is_never_hidden() {
    let world = FakeWorld::new();
    repository(&world, "/p/.git");
    world.tick(1000).file("/p/.git/HEAD", "ref: refs/heads/one");
    let (detector, caller) = (Detector::new(), caller("/p", &[]));
    let branch = || {
        let found = detector
            .find(&world, &caller, &From::Caller, &Settings::default())
            .unwrap();
        found.vcs.unwrap().branch.unwrap()
    };
    assert_eq!(branch(), "one");
    // Same size, same inode, same stamp.
    world.file("/p/.git/HEAD", "ref: refs/heads/two");
    assert_eq!(branch(), "two");
}

#[test]
fn a_hung_mount_is_never_touched_by_a_remembered_answer() {
    let world = FakeWorld::new();
    repository(&world, "/p/q/.git");
    let (detector, caller) = warmed(&world, "/p/q");
    world.mount("/p/q", "fuse.sshfs").hang("/p/q");
    assert!(remembered(&detector, &world, &caller).is_none());
}

#[test]
fn a_link_turned_towards_a_hung_mount_is_seen_before_the_mount_is_touched() {
    let world = FakeWorld::new();
    repository(&world, "/l/p/.git");
    world.mount("/far", "nfs4").hang("/far").link("/s", "l");
    let (detector, caller) = warmed(&world, "/s/p");
    world.link("/s", "far");
    assert!(remembered(&detector, &world, &caller).is_none());
}

#[test]
fn what_lies_on_a_mount_that_may_hang_is_found_and_not_remembered() {
    let world = FakeWorld::new();
    repository(&world, "/net/p/.git");
    world.mount("/net", "fuse.sshfs");
    let (detector, caller) = warmed(&world, "/net/p");
    assert!(remembered(&detector, &world, &caller).is_none());
}

#[test]
fn calls_that_hang_on_a_mount_are_few_and_the_rest_are_refused_while_others_are_served() {
    let world = FakeWorld::new();
    repository(&world, "/net/p/.git");
    repository(&world, "/p/.git");
    world.mount("/net", "fuse.sshfs").hang("/net");
    let detector = Detector::new();
    let ask = |cwd: &str| detector.find(&world, &caller(cwd, &[]), &From::Caller, &Settings::default());
    std::thread::scope(|scope| {
        let hung = [scope.spawn(|| ask("/net/p")), scope.spawn(|| ask("/net/p"))];
        let deadline = std::time::Instant::now() + Duration::from_secs(10);
        while world.hanging() < 2 {
            if std::time::Instant::now() > deadline {
                world.release();
                panic!("two calls should hang");
            }
            std::thread::yield_now();
        }
        world.tick(1000);
        let (refused, served) = (ask("/net/p"), ask("/p"));
        world.release();
        let error = refused.unwrap_err();
        assert_eq!(error.kind, Kind::Unavailable);
        assert!(error.what.contains("`/net`"), "{error}");
        assert_eq!(served.unwrap().root.display(), "/p");
        for thread in hung {
            assert_eq!(thread.join().unwrap().unwrap().root.display(), "/net/p");
        }
    });
    assert!(ask("/net/p").is_ok());
}

#[test]
fn a_disk_that_fails_at_any_call_gives_an_error_or_the_right_answer() {
    let world = FakeWorld::new();
    repository(&world, "/p/.git");
    world.file("/p/a/Cargo.toml", "").link("/s", "p");
    world.tick(1000);
    let right = find(&world, "/s/a", &[]).unwrap();
    let before = world.calls();
    find(&world, "/s/a", &[]).unwrap();
    let calls = world.calls() - before;
    assert!(calls > 10);
    for n in 1..=calls {
        let detector = Detector::new();
        world.fail_at(n);
        let error = detector
            .find(&world, &caller("/s/a", &[]), &From::Caller, &Settings::default())
            .unwrap_err();
        assert_eq!(error.kind, Kind::Unavailable, "call {n}");
        let after = detector
            .find(&world, &caller("/s/a", &[]), &From::Caller, &Settings::default())
            .unwrap();
        assert_eq!(
            (after.root, after.package, after.cached),
            (right.root.clone(), right.package.clone(), false)
        );
    }
}

#[test]
fn answers_are_bounded_in_number_and_age_and_bound_to_the_question() {
    let world = FakeWorld::new();
    for n in 0..10 {
        world.dir(format!("/p/{n}"));
    }
    world.tick(1000);
    let settings = Settings {
        max_cached: 4,
        ..Settings::default()
    };
    let detector = Detector::new();
    for n in 0..10 {
        detector
            .find(&world, &caller(&format!("/p/{n}"), &[]), &From::Caller, &settings)
            .unwrap();
    }
    assert_eq!(detector.kept(), 4);
    let ask = |vars: &[(&str, &str)], settings: &Settings| {
        detector
            .remembered(
                (&world, &world.mounts()),
                &caller("/p/9", vars),
                &From::Caller,
                settings,
            )
            .is_some()
    };
    assert!(ask(&[], &settings));
    assert!(
        ask(&[("TO_WATCH_SETTLE_MS", "5")], &settings),
        "a variable that changes no answer"
    );
    assert!(!ask(&[("CLAUDE_PROJECT_DIR", "/p/1")], &settings));
    assert!(!ask(
        &[],
        &Settings {
            generation: 1,
            ..settings.clone()
        }
    ));
    world.tick(100_000);
    assert!(!ask(&[], &settings), "older than its time to live");
    assert_eq!(detector.kept(), 3);
}
