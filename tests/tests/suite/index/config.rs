//! Configurations as git reads them, value by value: what git takes counts, and where it gives up we say so.

use std::fs;

use proto::index::TreeState;
use tests::git;

use super::edge::{is_refused, stands};
use super::{Scene, small};

/// A project beside two exclude files and files that these hide.
fn scene() -> Scene {
    let scene = Scene::new(|root| {
        small(root);
        for name in ["one", "two", "src/one"] {
            fs::write(root.join(name), "").expect("written");
        }
        let work = root.parent().expect("a folder");
        fs::write(work.join("hides"), "one\n").expect("written");
        fs::write(work.join("loose"), "key\n[core]\n\texcludesFile = ../hides\n").expect("written");
        let remote = "[remote \"far\"]\n\turl = x\n[core]\n\texcludesFile = ../hides\n";
        fs::write(work.join("remote"), remote).expect("written");
    });
    assert!(scene.before.contains_key(b"one".as_slice()));
    scene
}

#[test]
fn whatever_value_makes_git_give_up_is_said() {
    let mut scene = scene();
    let config = scene.at(".git/config");
    let good = fs::read_to_string(&config).expect("read");
    let condition = "[includeIf \"hasconfig:remote.*.url:x\"]\n\tpath = ../../remote\n";
    for text in [
        "[core]\n\texcludesFile\n",
        "[core]\n\texcludesFile = ~nobody-at-all/x\n\texcludesFile = ../hides\n",
        "[core]\n\tattributesFile = ~nobody-at-all/x\n",
        "[core]\n\tignoreCase = 4g\n",
        "[core]\n\tignoreCase = 08\n",
        "[core]\n\tfileMode = maybe\n",
        "[core]\n\tautocrlf = maybe\n",
        "[core]\n\tcheckStat = maybe\n",
        "[core]\n\tcompression = 99\n",
        "[core]\n\tbigFileThreshold = much\n",
        "[core]\n\teditor\n",
        "[index]\n\tsparse = maybe\n",
        "[user]\n\tname\n",
        "[push]\n\tdefault = maybe\n",
        "[core]\n\trepositoryFormatVersion = 1\n[extensions]\n\tobjectFormat = md5\n",
        "[core]\n\trepositoryFormatVersion = 1\n[extensions]\n\trefStorage = stone\n",
        "[core]\n\trepositoryFormatVersion = 1\n[extensions]\n\tpreciousObjects = maybe\n",
        "[include]\n\tpath\n",
        "[include]\n\tpath = ..\n",
        "[include]\n\tpath = config\n",
        "[]\n\tkey = 1\n",
        condition,
    ] {
        fs::write(&config, format!("{good}{text}")).expect("written");
        eprintln!("{text}");
        is_refused(&mut scene, "configuration");
    }
    let own = scene.bed.home().join(".gitconfig");
    fs::write(&config, &good).expect("written");
    scene.begin("good again");
    assert_eq!(stands(&mut scene).state, TreeState::Watching);
    fs::write(&own, "[core]\n\tfileMode = maybe\n").expect("written");
    // The oracle reads nobody's own file; git as its user would.
    let said = git::say(&scene.root, &["-c", "core.fileMode=maybe", "ls-files"]);
    assert_ne!(said.code, 0);
    let root = scene.root.clone();
    scene.peer.clock(&root).expect("a clock");
    assert_eq!(stands(&mut scene).state, TreeState::Unverified);
}

#[test]
fn whatever_value_git_takes_is_taken() {
    let mut scene = scene();
    let config = scene.at(".git/config");
    let good = fs::read_to_string(&config).expect("read");
    for (text, hides) in [
        ("[core]\n\tignoreCase = 0x0\n", false),
        ("[core]\n\tignoreCase = 0x1\n", false),
        ("[core]\n\tignoreCase = 010\n", false),
        ("[core]\n\texcludesFile = ../hides\0more\n", true),
        ("[include]\n\tpath = ../../loose\n", true),
        (
            "[core]\n\tautocrlf = input\n\tabbrev = auto\n\tcompression = -1\n",
            false,
        ),
        (
            "[core]\n\tcheckStat = Minimal\n\tsafecrlf = Warn\n\tfileMode\n",
            false,
        ),
        (
            "[core]\n\tbigFileThreshold = 8g\n[index]\n\tthreads = 0x2\n",
            false,
        ),
        ("[core]\n\tmade = up\n[core \"x\"]\n\tfileMode = maybe\n", false),
        ("[core]\n\trepositoryFormatVersion = 0x0\n", false),
    ] {
        fs::write(&config, format!("{good}{text}")).expect("written");
        scene.check(text);
        assert_eq!(!scene.before.contains_key(b"one".as_slice()), hides, "{text}");
        let tree = stands(&mut scene);
        assert_eq!((tree.state, tree.reason), (TreeState::Watching, None), "{text}");
    }
}
