//! After a change has returned, the very next answer reflects it: a thousand changes in a row over one detector, with
//! another thread asking it the same all the while.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use daemon::detect::{Detector, Settings};
use daemon::world::{OsWorld, World};
use proto::Caller;
use proto::detect::{Detection, From};

/// `work/p/a` is asked for, by way of the link `work/s` to `p`; `q` stands ready for the link to be turned to.
struct Stage {
    work: PathBuf,
}

impl Stage {
    fn at(&self, path: &str) -> PathBuf {
        self.work.join(path)
    }

    fn exists(&self, path: &str) -> bool {
        self.at(path).symlink_metadata().is_ok()
    }

    fn write(&self, path: &str, text: &str) {
        fs::write(self.at(path), text).unwrap();
    }

    /// As `rsync -t` leaves a file: other bytes, the same size, the old time; in place or by a rename.
    fn synced(&self, path: &str, text: &str, inplace: bool) {
        let old = fs::metadata(self.at(path))
            .ok()
            .and_then(|stat| stat.modified().ok());
        let to = if inplace {
            self.at(path)
        } else {
            self.at(&format!("{path}.new"))
        };
        fs::write(&to, text).unwrap();
        if let Some(old) = old {
            fs::File::options()
                .write(true)
                .open(&to)
                .unwrap()
                .set_modified(old)
                .unwrap();
        }
        fs::rename(&to, self.at(path)).unwrap();
    }

    fn flip(&self, path: &str, one: &str, other: &str) -> String {
        let now = fs::read_to_string(self.at(path)).unwrap_or_default();
        if now == one {
            other.to_owned()
        } else {
            one.to_owned()
        }
    }
}

type Change = (&'static str, fn(&Stage));

/// Each does one thing and returns. None needs another to have gone before.
const CHANGES: [Change; 20] = [
    ("mkdir .git", |stage| drop(fs::create_dir(stage.at("p/.git")))),
    ("touch Cargo.toml", |stage| {
        stage.write("p/a/Cargo.toml", "[package]\n")
    }),
    ("objects", |stage| {
        drop(fs::create_dir_all(stage.at("p/.git/objects")))
    }),
    ("[package] above", |stage| {
        stage.write("p/Cargo.toml", "[package]  \n")
    }),
    ("refs", |stage| drop(fs::create_dir_all(stage.at("p/.git/refs")))),
    ("[workspace] in place", |stage| {
        stage.write("p/Cargo.toml", "[workspace]\n")
    }),
    ("rsync -t --inplace", |stage| {
        let text = stage.flip("p/Cargo.toml", "[workspace]\n", "[package]  \n");
        stage.synced("p/Cargo.toml", &text, true);
    }),
    ("HEAD last", |stage| {
        if stage.exists("p/.git") {
            stage.write("p/.git/HEAD", "ref: refs/heads/one\n");
        }
    }),
    ("link turned", |stage| {
        let target = if fs::read_link(stage.at("s")).unwrap() == Path::new("p") {
            "q"
        } else {
            "p"
        };
        fs::remove_file(stage.at("s")).unwrap();
        symlink(target, stage.at("s")).unwrap();
    }),
    ("branch in place", |stage| {
        if stage.exists("p/.git/HEAD") {
            let text = stage.flip("p/.git/HEAD", "ref: refs/heads/one\n", "ref: refs/heads/two\n");
            stage.write("p/.git/HEAD", &text);
        }
    }),
    ("link turned by a rename", |stage| {
        let target = if fs::read_link(stage.at("s")).unwrap() == Path::new("p") {
            "q"
        } else {
            "p"
        };
        symlink(target, stage.at("s.new")).unwrap();
        fs::rename(stage.at("s.new"), stage.at("s")).unwrap();
    }),
    ("branch by a rename", |stage| {
        if stage.exists("p/.git/HEAD") {
            let text = stage.flip("p/.git/HEAD", "ref: refs/heads/one\n", "ref: refs/heads/two\n");
            stage.synced("p/.git/HEAD", &text, false);
        }
    }),
    ("chmod", |stage| {
        let mode = fs::metadata(stage.at("p")).unwrap().permissions().mode() ^ 0o200;
        fs::set_permissions(stage.at("p"), fs::Permissions::from_mode(mode | 0o500)).unwrap();
        // Back again at once: an ordinary user must be able to go on, and two changes are one more chance to miss one.
        fs::set_permissions(stage.at("p"), fs::Permissions::from_mode(0o755)).unwrap();
    }),
    ("mv of an ancestor", |stage| {
        fs::rename(stage.at("p"), stage.at("other")).unwrap();
        fs::rename(stage.at("q"), stage.at("p")).unwrap();
        fs::rename(stage.at("other"), stage.at("q")).unwrap();
    }),
    ("bare", |stage| {
        if stage.exists("p/.git") {
            let text = stage.flip("p/.git/config", "[core]\nbare = 0\n", "[core]\nbare = 1\n");
            stage.write("p/.git/config", &text);
        }
    }),
    ("rm Cargo.toml", |stage| {
        drop(fs::remove_file(stage.at("p/a/Cargo.toml")))
    }),
    ("rm -r .git", |stage| drop(fs::remove_dir_all(stage.at("p/.git")))),
    ("git init", |stage| {
        let done = Command::new("git")
            .args(["init", "-q"])
            .arg(stage.at("p"))
            .status()
            .unwrap();
        assert!(done.success());
    }),
    ("a .git file", |stage| {
        if stage.exists("p/a/.git") {
            fs::remove_file(stage.at("p/a/.git")).unwrap();
        } else {
            stage.write("p/a/.git", "gitdir: ../.git\n");
        }
    }),
    ("rm Cargo.toml above", |stage| {
        drop(fs::remove_file(stage.at("p/Cargo.toml")))
    }),
];

fn told(found: &Detection) -> Detection {
    Detection {
        cached: false,
        micros: 0,
        ..found.clone()
    }
}

#[test]
fn a_thousand_changes_in_a_row_are_each_seen_by_the_very_next_answer() {
    thousand(Detector::new());
}

#[test]
fn answers_are_watched_where_the_file_system_tells_of_every_change() {
    let dir = tempfile::tempdir().unwrap();
    let world = OsWorld::new();
    let mount = world.stat(dir.path()).unwrap().mount;
    let tells = |mount: &daemon::world::mounts::Mount| daemon::world::events::tells_all(&mount.kind);
    if !world
        .mounts()
        .mounts
        .iter()
        .filter(|m| m.id == mount || m.point == Path::new("/"))
        .all(tells)
    {
        eprintln!(
            "skipped: the temporary directory lies on a file system that is not trusted to tell of every change"
        );
        return;
    }
    let caller = Caller {
        cwd: dir.path().into(),
        ..Caller::default()
    };
    let detector = Detector::new();
    let deadline = Instant::now() + Duration::from_secs(10);
    while detector.watches() == 0 {
        detector
            .find(&world, &caller, &From::Caller, &Settings::default())
            .unwrap();
        assert!(
            Instant::now() < deadline,
            "an answer that is given twice is watched"
        );
    }
    assert_eq!(Detector::by_stamps().watches(), 0);
}

#[test]
fn a_thousand_changes_in_a_row_are_seen_by_stamps_alone() {
    thousand(Detector::by_stamps());
}

fn thousand(detector: Detector) {
    let dir = tempfile::tempdir().unwrap();
    let stage = Stage {
        work: dir.path().canonicalize().unwrap(),
    };
    fs::create_dir_all(stage.at("p/a")).unwrap();
    fs::create_dir_all(stage.at("q/a")).unwrap();
    symlink("p", stage.at("s")).unwrap();
    let world = OsWorld::new();
    let settings = Settings::default();
    let caller = Caller {
        cwd: stage.at("s/a").into(),
        ..Caller::default()
    };
    let find = || detector.find(&world, &caller, &From::Caller, &settings).unwrap();
    let stop = AtomicBool::new(false);
    let (asked, mut warm, mut differing) = (AtomicUsize::new(0), 0, 0);
    std::thread::scope(|scope| {
        let _stop = StopOnDrop(&stop);
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                let mounts = world.mounts();
                let remembered = detector.remembered((&world, &mounts), &caller, &From::Caller, &settings);
                if remembered.is_none() {
                    // A path half moved is an error for this one, and must be nothing to the other.
                    drop(detector.find(&world, &caller, &From::Caller, &settings));
                }
                asked.fetch_add(1, Ordering::Relaxed);
            }
        });
        let mut before = find();
        let mut chance = 0x2545_f491_4f6c_dd1d_u64;
        for round in 0..1000 {
            chance ^= chance << 13;
            chance ^= chance >> 7;
            chance ^= chance << 17;
            // Every other change comes over an answer that is remembered, the rest as fast as they can.
            if round % 2 == 0 {
                let deadline = Instant::now() + Duration::from_secs(10);
                while !find().cached {
                    assert!(
                        Instant::now() < deadline,
                        "an answer nobody changes comes to be remembered"
                    );
                    std::thread::yield_now();
                }
                warm += 1;
            }
            let (name, change) = CHANGES[usize::try_from(chance % CHANGES.len() as u64).unwrap()];
            change(&stage);
            let after = find();
            let truth = Detector::new()
                .find(&world, &caller, &From::Caller, &settings)
                .unwrap();
            assert_eq!(
                told(&after),
                told(&truth),
                "round {round}, after {name}; cached: {}",
                after.cached
            );
            differing += usize::from(told(&after) != told(&before));
            before = after;
        }
    });
    assert_eq!(warm, 500);
    assert!(differing > 200, "only {differing} changes made a difference");
    assert!(asked.load(Ordering::Relaxed) > 1000);
}

struct StopOnDrop<'s>(&'s AtomicBool);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn a_mode_that_takes_the_right_to_write_away_is_seen() {
    let dir = tempfile::tempdir().unwrap();
    let world = OsWorld::new();
    let caller = Caller {
        cwd: dir.path().into(),
        ..Caller::default()
    };
    let detector = Detector::new();
    let find = || {
        detector
            .find(&world, &caller, &From::Caller, &Settings::default())
            .unwrap()
    };
    let all_powerful = rustix::process::geteuid().is_root();
    for round in 0..50 {
        let deadline = Instant::now() + Duration::from_secs(10);
        while !find().cached {
            assert!(Instant::now() < deadline);
        }
        let mode = if round % 2 == 0 { 0o555 } else { 0o755 };
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(mode)).unwrap();
        let found = find();
        assert!(!found.cached, "the stamp of the directory changed");
        assert_eq!(found.writable, all_powerful || mode == 0o755);
    }
}

#[test]
fn an_ancestor_moved_away_and_linked_from_its_old_place_is_seen() {
    let dir = tempfile::tempdir().unwrap();
    let work = dir.path().canonicalize().unwrap();
    for part in ["objects", "refs"] {
        fs::create_dir_all(work.join("x/p/.git").join(part)).unwrap();
    }
    fs::write(work.join("x/p/.git/HEAD"), "ref: refs/heads/main\n").unwrap();
    let world = OsWorld::new();
    let caller = Caller {
        cwd: work.join("x/p").into(),
        ..Caller::default()
    };
    let detector = Detector::new();
    let find = || {
        detector
            .find(&world, &caller, &From::Caller, &Settings::default())
            .unwrap()
    };
    let deadline = Instant::now() + Duration::from_secs(10);
    while !find().cached {
        assert!(Instant::now() < deadline);
    }
    // Everything in the repository keeps its stamps; what changed lies above it.
    fs::rename(work.join("x"), work.join("y")).unwrap();
    symlink("y", work.join("x")).unwrap();
    assert_eq!(find().root, work.join("y/p").into());
}

#[test]
fn a_directory_removed_under_somebody_who_stands_in_it_is_seen() {
    let dir = tempfile::tempdir().unwrap();
    let work = dir.path().canonicalize().unwrap();
    fs::create_dir(work.join("s")).unwrap();
    let world = OsWorld::new();
    // The way up ends at once: what is above is only passed through.
    let vars = vec![("GIT_CEILING_DIRECTORIES".to_owned(), work.as_path().into())];
    let caller = Caller {
        cwd: work.join("s").into(),
        vars,
        ..Caller::default()
    };
    let detector = Detector::new();
    let find = || detector.find(&world, &caller, &From::Caller, &Settings::default());
    let deadline = Instant::now() + Duration::from_secs(10);
    while !(find().unwrap().cached && find().unwrap().cached) {
        assert!(Instant::now() < deadline);
    }
    let _stands = fs::File::open(work.join("s")).unwrap();
    fs::remove_dir(work.join("s")).unwrap();
    assert_eq!(find().unwrap_err().kind, proto::Kind::NotFound);
}
