//! Figures of the room alone, in one process: `cargo test --release -p daemon --test index -- --ignored --nocapture figures`.
//! The table of `make bench` has the same through the whole daemon.

use std::fs;
use std::time::{Duration, Instant};

use daemon::index::{Settings, Trees};

use crate::bed::git_in;

#[path = "../../../tests/benches/bare.rs"]
#[allow(unreachable_pub, reason = "a bench of another crate")]
mod bare;

fn resident() -> u64 {
    let text = fs::read_to_string("/proc/self/statm").unwrap();
    text.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4096
}

#[test]
#[ignore = "figures, not a test: it is slow and proves nothing by itself"]
fn figures_of_the_first_index_of_200_000_files() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().canonicalize().unwrap().join("r");
    fs::create_dir_all(dir.path().join("home")).unwrap();
    fs::create_dir_all(&root).unwrap();
    git_in(&root, &["init", "-q"]);
    for folder in 0..20_000 {
        let folder = root.join(format!("group_{:03}/module_{folder:05}", folder / 100));
        fs::create_dir_all(&folder).unwrap();
        for file in 0..10 {
            fs::write(folder.join(format!("source_file_{file}.rs")), "x\n").unwrap();
        }
    }
    fs::write(
        root.join(".gitignore"),
        "target/\n*.o\n/build\n*.log\nnode_modules/\n",
    )
    .unwrap();
    let is_tracked = std::env::var_os("TRACKED").is_some();
    if is_tracked {
        git_in(&root, &["add", "-A"]);
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    bare::walk(&root);
    for _ in 0..5 {
        let at = Instant::now();
        bare::walk(&root);
        let bare = at.elapsed();
        let before = resident();
        let trees = Trees::new(Settings::default()).unwrap();
        let at = Instant::now();
        let tree = trees.ensure(&root).unwrap();
        runtime.block_on(tree.ready());
        let ours = at.elapsed();
        let grown = resident().saturating_sub(before);
        let files = tree.status().files;
        let at = Instant::now();
        let list = tree.files(None).unwrap().1;
        let listed = at.elapsed();
        println!(
            "bare {bare:?}, ours {ours:?}, ratio {:.2}; {files} files, {} bytes a file; list of {} in {listed:?}",
            ours.as_secs_f64() / bare.as_secs_f64(),
            grown / files,
            list.len(),
        );
        let clock = proto::index::Since::Clock(tree.clock());
        fs::write(root.join("group_000/module_00001/source_file_1.rs"), "yy").unwrap();
        let at = Instant::now();
        assert!(runtime.block_on(tree.sync(Duration::from_secs(5))));
        let synced = at.elapsed();
        let at = Instant::now();
        let changes = tree.changes(&clock).unwrap().changes.len();
        println!("  sync {synced:?}, {changes} changes in {:?}", at.elapsed());
        trees.stop();
    }
}
