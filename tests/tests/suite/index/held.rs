//! What the daemon holds while nobody asks: nothing that lies on the disk of a project.

use std::fs;
use std::path::{Path, PathBuf};

use tests::daemon::Bed;
use tests::{namespace, process};

use super::live::begun_in;
use super::small;
use super::trouble::mounted;

/// What a process has open, but for what is no file.
fn open_files(pid: u32) -> Vec<PathBuf> {
    let all = fs::read_dir(format!("/proc/{pid}/fd")).expect("ours");
    let links = all.flatten().filter_map(|entry| fs::read_link(entry.path()).ok());
    links.filter(|path| path.is_absolute()).collect()
}

/// Every room once.
fn use_every_room(bed: &Bed, root: &Path) {
    let say = |line: &str| {
        let mut command = bed.tocli(line.split(' '));
        process::run(command.current_dir(root).env("TO_ACTOR", "me")).ok();
    };
    let text = bed.work().join("text.md");
    fs::write(&text, "a".repeat(20_000)).expect("written");
    for line in [
        "detect",
        "files",
        "clock",
        "changes --since 2020-01-01",
        "workspace show",
        "config list",
        "role list",
        "task add first --id first",
        "next --claim",
        "decision record brass --decision brass --rationale rust",
        "remember brass",
        "recall brass",
        "prime",
        "context --task first",
        "audit verify",
        "daemon status",
    ] {
        say(line);
    }
    say(&format!("artifact store first {}", text.display()));
    say("task complete first --summary done");
    say("artifact verify");
}

#[test]
fn a_disk_with_a_project_in_use_can_be_unmounted() {
    let bed = Bed::new();
    let (real, seen) = (bed.project("real"), bed.project("seen"));
    small(&real);
    if !namespace::can_enter() {
        return;
    }
    let Some(daemon) = mounted(&bed, "mount --bind work/real work/seen") else {
        return;
    };
    use_every_room(&bed, &seen);
    let stream = begun_in(&bed, &seen, &real);
    let ours: Vec<_> = open_files(daemon.pid())
        .into_iter()
        .filter(|path| path.starts_with(&seen) || path.starts_with(&real))
        .collect();
    assert!(ours.is_empty(), "held open: {ours:?}");
    namespace::enter(daemon.pid(), &["umount", seen.to_str().expect("text")]).ok();
    drop(stream);
}
