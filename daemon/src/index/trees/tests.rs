//! Trees of real folders, each with its thread: what is counted, carried, and what a thread's end leaves.

use proto::index::TreeState;

use super::*;
use crate::index::sleep::ASLEEP;

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap()
}

/// A folder with one file and a folder for its index, and its tree after the first crawl.
fn one() -> (tempfile::TempDir, PathBuf, Arc<Trees>, Arc<Tree>) {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().canonicalize().unwrap().join("root");
    std::fs::create_dir(&root).unwrap();
    std::fs::write(root.join("file"), "1").unwrap();
    let settings = Settings {
        folder: Some(folder.path().join("index")),
        ..Settings::default()
    };
    let trees = Trees::new(settings).unwrap();
    let tree = trees.ensure(&root).unwrap();
    runtime().block_on(tree.ready());
    (folder, root, trees, tree)
}

#[test]
fn a_thread_that_ends_in_a_panic_ends_its_tree_and_the_next_question_reads_anew() {
    let (_folder, root, trees, tree) = one();
    let (mut subscription, _) = tree.subscribe(None).unwrap();
    tree.mails.lock().is_fatal = true;
    tree.mails.news.notify_one();
    let patience = Duration::from_secs(60);
    let told = runtime().block_on(async { tokio::time::timeout(patience, subscription.next()).await });
    assert_eq!(told, Ok(None), "whoever listens is told");
    let status = trees.status().pop().unwrap();
    assert_eq!(status.state, TreeState::Unreachable);
    assert!(trees.get(&root).is_none() && trees.awake_at(&root).is_none());
    let again = trees.ensure(&root).unwrap();
    std::fs::write(root.join("new"), "1").unwrap();
    runtime().block_on(async {
        again.ready().await;
        assert!(again.sync(patience).await);
    });
    assert_eq!(again.progress().files, 2);
    assert_eq!(
        trees.hub.used(),
        trees.hub.used_by(again.key()),
        "it has left no watch"
    );
}

#[test]
fn whoever_waits_no_longer_is_forgotten_while_the_thread_hangs() {
    let mails = crate::index::mail::Mails::default();
    for _ in 0..100 {
        let (passed, barrier) = tokio::sync::oneshot::channel();
        mails.lock().wait_for(passed);
        drop(barrier);
    }
    assert_eq!(mails.lock().barriers.len(), 1);
}

#[test]
fn what_a_tree_was_told_last_goes_along_to_the_next_image() {
    let (_folder, root, trees, tree) = one();
    let manner = Manner {
        extra_ignores: vec!["*.log".to_owned()],
        ..Manner::default()
    };
    {
        // The thread has come to neither when the trees are carried.
        let mut mail = tree.mails.lock();
        mail.manner = Some(manner.clone());
        (mail.led_from, mail.is_led_anew) = (Some(b"/elsewhere".to_vec()), true);
        mail.ending = Some(Ending::Carry);
    }
    let (_descriptor, bytes) = trees.carry().unwrap();
    let carried = Saved::read(crate::index::carry::indexes(&bytes)[0]).unwrap();
    assert_eq!(carried.head.root, root.as_os_str().as_encoded_bytes());
    assert_eq!(carried.head.manner, manner);
    assert_eq!(carried.head.led_from, b"/elsewhere");
}

#[test]
fn a_first_crawl_makes_no_events_in_its_own_queue() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().canonicalize().unwrap();
    for number in 0..200 {
        let inner = root.join(format!("{}/{number}/x", number % 9));
        std::fs::create_dir_all(&inner).unwrap();
        std::fs::write(inner.join("file"), "1").unwrap();
        std::fs::write(inner.join(".gitignore"), "*.o\n").unwrap();
    }
    let git = std::process::Command::new("git")
        .current_dir(&root)
        .args(["init", "-q"])
        .status();
    assert!(git.unwrap().success());
    let trees = Trees::new(Settings::default()).unwrap();
    let tree = trees.ensure(&root).unwrap();
    let runtime = runtime();
    runtime.block_on(tree.ready());
    assert!(runtime.block_on(tree.sync(Duration::from_secs(30))));
    assert_eq!(tree.progress().files, 400);
    assert_eq!(trees.hub.events(), 0);
    std::fs::write(root.join("new"), "1").unwrap();
    assert!(runtime.block_on(tree.sync(Duration::from_secs(30))));
    assert!(trees.hub.events() > 0, "what others do is counted");
}

#[test]
fn a_root_that_is_gone_is_forgotten_when_its_tree_sleeps_and_of_the_others_the_longest_asleep() {
    let (_folder, root, trees, tree) = one();
    trees.tick(0);
    assert_eq!(trees.status()[0].state, TreeState::Watching, "somebody holds it");
    let status = tree.status();
    for number in 0..=ASLEEP {
        let status = TreeStatus {
            root: Path::new(&format!("/{number}")).into(),
            ..status.clone()
        };
        trees.put(status.root.to_path_buf(), Held::Asleep(status, Instant::now()));
    }
    std::fs::remove_dir_all(&root).unwrap();
    assert!(runtime().block_on(tree.sync(Duration::from_secs(60))));
    drop(tree);
    trees.tick(0);
    let left = trees.status();
    assert_eq!(left.len(), ASLEEP);
    for gone in [&root, Path::new("/0")] {
        assert!(left.iter().all(|tree| tree.root.as_path() != gone), "{gone:?}");
    }
}
