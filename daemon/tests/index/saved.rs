//! Indexes that outlive their daemon: ended in order, ended without a word, damaged, and compared with a disk that went
//! on meanwhile.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, SystemTime};

use proto::index::{Change, ChangeKind, Since, TreeState};

use crate::bed::{Bed, git_in, oracle, places};
use crate::random::{Life, run};

fn since(bed: &Bed, clock: &str) -> (Option<&'static str>, Vec<Change>) {
    let told = bed.tree.changes(&Since::Clock(clock.to_owned())).unwrap();
    (told.fresh, told.changes)
}

fn full(bed: &mut Bed) {
    for path in ["a/f", "a/b/g", "c/h", "c/.gitignore", "d/e/i", "top"] {
        bed.write(path, "1");
    }
    bed.write("c/.gitignore", "*.o\n");
    bed.write("c/x.o", "1");
    bed.git(&["add", "-A"]);
    // Directories as young as the clock's granularity are not believed.
    let made = SystemTime::now();
    while made.elapsed().unwrap() < Duration::from_millis(25) {
        std::thread::yield_now();
    }
    bed.check("creating");
    bed.stop();
    bed.start();
    bed.check("nothing");
}

#[test]
fn a_clock_goes_on_over_a_stop_and_tells_what_happened_while_away() {
    let mut bed = Bed::new();
    full(&mut bed);
    let clock = bed.clock.clone();
    bed.stop();
    bed.write("a/f", "22");
    bed.write("new/deep/leaf", "1");
    fs::remove_file(bed.path("top")).unwrap();
    fs::rename(bed.path("d/e"), bed.path("d/moved")).unwrap();
    bed.write("c/y.o", "1");
    bed.start();
    bed.sync();
    let (fresh, changes) = since(&bed, &clock);
    assert_eq!(fresh, None);
    assert!(
        changes.len() == 4 && changes.iter().all(|change| change.while_away),
        "{changes:#?}"
    );
    bed.check("work while away");
    bed.write("a/f", "333");
    bed.sync();
    let (_, changes) = since(&bed, &bed.clock.clone());
    assert!(changes.len() == 1 && !changes[0].while_away, "{changes:#?}");
    bed.check("work while there");
}

#[test]
fn a_saved_index_is_served_at_once_and_says_that_it_is_unverified() {
    let mut bed = Bed::new();
    full(&mut bed);
    bed.stop();
    bed.start();
    // Either it has been compared by now, or it says that it was not.
    let before = bed.tree.is_unverified();
    assert!(bed.tree.progress().ready);
    assert_eq!(bed.files(), oracle(&bed.root));
    bed.sync();
    assert!(!bed.tree.is_unverified());
    assert_eq!(
        bed.tree.status().state,
        TreeState::Watching,
        "unverified: {before}"
    );
}

#[test]
fn a_clock_never_survives_a_crash() {
    let mut bed = Bed::new();
    full(&mut bed);
    bed.write("a/f", "22");
    bed.sync();
    let clock = bed.tree.clock();
    bed.crash();
    bed.write("a/f", "333");
    bed.start();
    bed.sync();
    let (fresh, changes) = since(&bed, &clock);
    assert!(
        fresh.is_some_and(|why| why.contains("earlier index")),
        "{fresh:?}"
    );
    assert_eq!(changes.len(), oracle(&bed.root).len());
    assert!(changes.iter().all(|change| change.kind == ChangeKind::Created));
    bed.look();
    bed.write("a/f", "4444");
    bed.check("an edit after a crash");
    // Nor does one that was given after it began again.
    let clock = bed.clock.clone();
    bed.stop();
    bed.start();
    bed.sync();
    assert_eq!(since(&bed, &clock).0, None, "a stop in order keeps it");
}

#[test]
fn a_change_of_rules_while_away_is_followed_at_every_level() {
    let mut bed = Bed::new();
    full(&mut bed);
    let mut away = |what: &str, work: &dyn Fn(&Bed)| {
        bed.stop();
        work(&bed);
        bed.start();
        bed.check(what);
    };
    away("an ignore file changed", &|bed| bed.write("c/.gitignore", "h\n"));
    away("one removed", &|bed| {
        fs::remove_file(bed.path("c/.gitignore")).unwrap()
    });
    away("one made", &|bed| bed.write("a/.gitignore", "b/\n"));
    away("exclude", &|bed| bed.write(".git/info/exclude", "leaf\nf\n"));
    away("the global file", &|bed| {
        fs::create_dir_all(bed.home().join(".config/git")).unwrap();
        fs::write(bed.home().join(".config/git/ignore"), "g\n").unwrap();
    });
    away("git's index", &|bed| bed.git(&["rm", "-q", "--cached", "a/b/g"]));
    away("git's index again", &|bed| {
        bed.git(&["add", "-f", "a/b/g", "a/f"])
    });
    away("a repository within", &|bed| {
        bed.write("nested/f", "1");
        git_in(&bed.path("nested"), &["init", "-q"]);
    });
    away("no repository within", &|bed| {
        fs::remove_dir_all(bed.path("nested/.git")).unwrap();
    });
    away("an ignore file that is ignored itself", &|bed| {
        bed.write("d/.gitignore", ".gitignore\ne\n");
    });
    away("and changed", &|bed| bed.write("d/.gitignore", ".gitignore\n"));
    away("a folder that may not be read", &|bed| {
        fs::set_permissions(bed.path("d"), fs::Permissions::from_mode(0o000)).unwrap();
    });
    away("and may be read again", &|bed| {
        fs::set_permissions(bed.path("d"), fs::Permissions::from_mode(0o755)).unwrap();
    });
}

#[test]
fn a_root_that_was_replaced_while_away_is_another_index() {
    let mut bed = Bed::new();
    full(&mut bed);
    let clock = bed.clock.clone();
    bed.stop();
    fs::rename(&bed.root, bed.root.with_file_name("old")).unwrap();
    fs::create_dir(&bed.root).unwrap();
    git_in(&bed.root, &["init", "-q"]);
    bed.write("other", "1");
    bed.start();
    bed.begin();
    assert!(since(&bed, &clock).0.is_some());
    bed.write("other", "22");
    bed.check("an edit in what replaced it");
}

#[test]
fn what_is_damaged_in_any_way_is_refused_and_read_anew() {
    let mut bed = Bed::new();
    full(&mut bed);
    bed.stop();
    let saved = fs::read_dir(bed.saved_folder())
        .unwrap()
        .flatten()
        .next()
        .unwrap()
        .path();
    assert_eq!(fs::metadata(&saved).unwrap().permissions().mode() & 0o7777, 0o600);
    let good = fs::read(&saved).unwrap();
    let mut bad: Vec<Vec<u8>> = vec![Vec::new(), good[..good.len() / 2].to_vec(), b"{}".repeat(500)];
    for at in (0..good.len()).step_by(good.len() / 20) {
        let mut flipped = good.clone();
        flipped[at] ^= 0x10;
        bad.push(flipped);
    }
    let clock = bed.clock.clone();
    for bad in bad {
        drop(fs::remove_dir_all(bed.saved_folder()));
        fs::create_dir(bed.saved_folder()).unwrap();
        fs::write(&saved, bad).unwrap();
        bed.start();
        bed.begin();
        assert!(since(&bed, &clock).0.is_some());
        bed.stop();
    }
    // A pipe or a folder in its place stops nobody.
    fs::remove_dir_all(bed.saved_folder()).unwrap();
    fs::create_dir_all(&saved).unwrap();
    bed.start();
    bed.begin();
}

#[test]
fn an_index_without_a_place_to_be_saved_in_is_served_all_the_same() {
    let mut bed = Bed::new();
    bed.stop();
    drop(fs::remove_dir_all(bed.saved_folder()));
    fs::write(bed.saved_folder(), "in the way").unwrap();
    bed.start();
    bed.begin();
    bed.stop();
    bed.start();
    bed.begin();
}

#[test]
fn a_tree_that_nobody_uses_sleeps_and_wakes_where_it_was() {
    let mut bed = Bed::new();
    full(&mut bed);
    let (first, clock) = (bed.root.clone(), bed.clock.clone());
    let other = bed.root.with_file_name("other");
    fs::create_dir(&other).unwrap();
    git_in(&other, &["init", "-q"]);
    let state = |bed: &Bed| {
        let all = bed.trees.status().into_iter();
        all.map(|tree| (tree.root.to_path_buf(), tree.state, tree.watches, tree.files))
            .collect::<Vec<_>>()
    };
    // Somebody holds it.
    let held = bed.tree.clone();
    bed.turn_to(other.clone());
    bed.trees.tick(1);
    assert!(
        state(&bed).iter().all(|tree| tree.1 == TreeState::Watching),
        "{:?}",
        state(&bed)
    );
    drop(held);
    bed.trees.tick(1);
    let files = oracle(&first).len() as u64;
    assert_eq!(state(&bed)[1], (first.clone(), TreeState::Asleep, 0, files));
    assert_eq!(state(&bed)[0].1, TreeState::Watching);
    assert!(bed.trees.get(&first).is_none());
    // What happens to it meanwhile is told when it wakes.
    crate::bed::write(&first, "while-asleep", "1");
    bed.root = first.clone();
    bed.tree = bed.trees.ensure(&first).unwrap();
    bed.sync();
    let (fresh, changes) = since(&bed, &clock);
    assert!(
        fresh.is_none() && changes.len() == 1 && changes[0].while_away,
        "{changes:#?}"
    );
    bed.look();
    bed.write("a/f", "22");
    bed.check("an edit when it is awake");
}

#[test]
fn random_work_over_many_lives_leaves_the_index_equal_to_gits_list() {
    let places = places();
    let seeds = match std::env::var("TOD_SEED") {
        Ok(seed) => vec![seed.parse().unwrap()],
        Err(_) => (201..207).collect(),
    };
    for seed in seeds {
        run(
            seed,
            &places[usize::try_from(seed).unwrap() % places.len()],
            Life::Broken,
        );
    }
}
