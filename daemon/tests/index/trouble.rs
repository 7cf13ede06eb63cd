//! Trees in trouble: without enough watches, without a root. They say so, stay right as far as anybody can be, heal by
//! themselves, and leave every other tree exact.

use std::fs;

use daemon::index::Settings;
use proto::index::TreeState;

use crate::bed::{Bed, git_in, write};

/// A tree that has all its watches beside one that has not.
fn short_of_watches(max: u64) -> (Bed, std::path::PathBuf) {
    let settings = Settings {
        max_watches: Some(max),
        ..Settings::default()
    };
    let bed = Bed::with(settings, &std::env::temp_dir(), |root| write(root, "d/f", "1"));
    let large = bed.root.parent().unwrap().join("large");
    fs::create_dir(&large).unwrap();
    git_in(&large, &["init", "-q"]);
    for n in 0..30 {
        write(&large, &format!("d{n}/e/f"), "1");
    }
    (bed, large)
}

#[test]
fn a_tree_over_the_limit_of_watches_is_polled_says_so_heals_and_harms_no_other() {
    let (mut bed, large) = short_of_watches(20);
    let small = bed.root.clone();
    bed.turn_to(large.clone());
    let status = bed.tree.status();
    assert_eq!(status.state, TreeState::Polling);
    assert!(status.reason.unwrap().contains("max_user_watches"));
    assert!(bed.trees.watches().used <= 20);
    bed.write("d29/e/f", "22");
    bed.write("d28/new/deep/leaf", "22");
    fs::remove_dir_all(bed.path("d27")).unwrap();
    bed.check("changes where no watch is");
    bed.write("d28/.gitignore", "deep\n");
    bed.check("an ignore file where no watch is");

    let other = bed.trees.get(&small).unwrap();
    assert_eq!(other.status().state, TreeState::Watching);
    bed.turn_to(small);
    bed.write("d/g", "1");
    bed.check("a tree beside one in trouble");

    bed.trees.follow(Settings::default(), 1);
    bed.turn_to(large);
    assert_eq!(bed.tree.status().state, TreeState::Watching);
    bed.write("d29/e/f", "333");
    bed.check("a change after healing");
}

#[test]
fn a_root_that_is_moved_away_or_replaced_is_followed_by_its_path() {
    let mut bed = Bed::new();
    bed.write("a/f", "1");
    bed.check("creating");
    let away = bed.root.parent().unwrap().join("away");
    fs::rename(&bed.root, &away).unwrap();
    bed.sync();
    assert_eq!(bed.tree.status().state, TreeState::Unreachable);
    assert!(bed.files().is_empty());
    fs::rename(&away, &bed.root).unwrap();
    bed.begin();
    assert_eq!(bed.tree.status().state, TreeState::Watching);
    bed.write("a/f", "22");
    bed.check("an edit after it came back");
    fs::rename(&bed.root, &away).unwrap();
    fs::create_dir(&bed.root).unwrap();
    git_in(&bed.root, &["init", "-q"]);
    bed.write("b/g", "1");
    bed.begin();
    bed.write("b/g", "22");
    bed.check("an edit in what replaced it");
}

#[test]
fn a_directory_that_may_not_be_read_has_no_content_until_it_may() {
    use std::os::unix::fs::PermissionsExt;
    if rustix::process::geteuid().is_root() {
        eprintln!("skipped: root may read everything");
        assert!(!std::env::var("TOD_REQUIRE").is_ok_and(|names| names.contains("foreign-uid")));
        return;
    }
    let mut bed = Bed::new();
    bed.write("a/b/f", "1");
    bed.check("creating");
    fs::set_permissions(bed.path("a"), fs::Permissions::from_mode(0o000)).unwrap();
    bed.sync();
    assert!(bed.files().is_empty());
    fs::set_permissions(bed.path("a"), fs::Permissions::from_mode(0o755)).unwrap();
    bed.sync();
    assert_eq!(bed.files().len(), 1);
}

#[test]
fn what_the_user_takes_away_is_gone_and_the_status_says_so() {
    let settings = Settings {
        usual: daemon::index::Manner {
            extra_ignores: vec!["vendor/".into(), "*.big".into()],
            ..daemon::index::Manner::default()
        },
        ..Settings::default()
    };
    let bed = Bed::with(settings, &std::env::temp_dir(), |_| {});
    bed.write("vendor/x/f", "1");
    bed.write("a/f.big", "1");
    bed.write("a/f", "1");
    bed.git(&["add", "vendor"]);
    bed.sync();
    assert_eq!(bed.files(), [b"a/f".to_vec()].into());
    assert!(bed.tree.status().reason.unwrap().contains("extra_ignores"));
}

#[test]
fn a_checkout_under_way_is_said() {
    let bed = Bed::new();
    fs::write(bed.path(".git/index.lock"), "").unwrap();
    bed.sync();
    assert_eq!(bed.tree.status().state, TreeState::Checkout);
    fs::remove_file(bed.path(".git/index.lock")).unwrap();
    bed.sync();
    assert_eq!(bed.tree.status().state, TreeState::Watching);
}
