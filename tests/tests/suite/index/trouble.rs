//! Trees in trouble, each beside one that is not: they stay right as far as anybody can be, say so, heal by themselves,
//! and leave the other exact.

use std::fs;
use std::path::{Path, PathBuf};

use proto::index::{TreeState, TreeStatus};
use proto::{Answer, daemon};
use rustix::process::Signal;
use tests::ask::times;
use tests::daemon::{Bed, program};
use tests::skip::skip;
use tests::wire::{Peer, status};
use tests::{deadline, git, namespace};

use super::{Scene, small};

/// A project in trouble and one beside it, of one daemon.
pub(super) struct Pair {
    pub(super) scene: Scene,
    beside: PathBuf,
    round: u32,
}

impl Pair {
    pub(super) fn new(scene: Scene) -> Self {
        let beside = scene.bed.project("beside");
        small(&beside);
        let mut pair = Self {
            scene,
            beside,
            round: 0,
        };
        pair.other_is_exact();
        pair
    }

    /// The other project sees an edit with the next question, tells it as that alone, and is in no trouble.
    pub(super) fn other_is_exact(&mut self) {
        self.round += 1;
        let peer = &mut self.scene.peer;
        let files = peer.files(&self.beside).expect("files");
        assert!(files.iter().eq(git::files(&self.beside).iter()), "of the other");
        let clock = peer.clock(&self.beside).expect("a clock");
        let name = format!("src/leaf-{}", self.round);
        fs::write(self.beside.join(&name), "1").expect("written");
        let told = peer.changes(&self.beside, &clock).expect("changes");
        let names: Vec<_> = told.changes.iter().map(|change| change.path.as_bytes()).collect();
        assert_eq!((names, told.fresh), (vec![name.as_bytes()], false));
        let state = tree(peer, &self.beside).state;
        assert_eq!(state, TreeState::Watching, "of the other");
    }

    pub(super) fn tree(&mut self) -> TreeStatus {
        let root = self.scene.root.clone();
        tree(&mut self.scene.peer, &root)
    }
}

pub(super) fn tree(peer: &mut Peer, root: &Path) -> TreeStatus {
    let Ok(Answer::Daemon(daemon::Answer::Status(status))) = peer.call(status()) else {
        panic!("no status");
    };
    let mut trees = status
        .workspaces
        .into_iter()
        .flat_map(|workspace| workspace.trees);
    let tree = trees.find(|tree| tree.root.as_path() == root);
    tree.unwrap_or_else(|| panic!("`{}` is not watched", root.display()))
}

/// What the user's settings say of watching, in force from the next question on.
pub(super) fn set(bed: &Bed, line: &str) {
    let folder = bed.home().join(".config/task-orchestrator");
    fs::create_dir_all(&folder).expect("made");
    fs::write(folder.join("config.yaml"), format!("watch:\n  {line}\n")).expect("written");
}

/// A daemon in a mount namespace where `setup` was run in the folder of the work.
pub(super) fn mounted(bed: &Bed, setup: &str) -> Option<tests::daemon::Daemon> {
    let mut command = namespace::mounting(bed, &format!("cd ..\n{setup}\ncd work"))?;
    Some(bed.start_by(command.arg(program("tod")).arg("run")))
}

#[test]
fn a_file_system_that_tells_nothing_is_polled_and_exact_and_subscribers_hear_of_changes() {
    let bed = Bed::new();
    let (real, seen) = (bed.project("real"), bed.project("seen"));
    small(&real);
    if fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open("/dev/fuse")
        .is_err()
    {
        return skip("fuse", "`/dev/fuse` cannot be opened");
    }
    set(&bed, "poll_seconds: 1");
    let setup = format!(
        "exec 9<>/dev/fuse
        mount -i -t fuse -o fd=9,rootmode=40000,user_id=0,group_id=0 mirror work/seen
        '{}' work/real $$ <&9 9<&- >/dev/null 2>&1 &
        exec 9<&-",
        program("mirror").display()
    );
    let Some(daemon) = mounted(&bed, &setup) else {
        return;
    };
    let mut pair = Pair::new(Scene::of(bed, Some(daemon), (seen.clone(), real)));
    let stands = pair.tree();
    assert_eq!((stands.state, stands.watches), (TreeState::Polling, 0));
    let reason = stands.reason.expect("a reason");
    assert!(reason.contains("`fuse`"), "{reason}");
    for round in 0..times(5, 50) {
        let scene = &mut pair.scene;
        scene.write("src/main.rs", &format!("fn main() {{ /* {round} */ }}\n"));
        scene.write(&format!("new/{round}/a/b/leaf"), "\n");
        scene.check("an edit and a leaf behind the kernel's back");
        fs::rename(scene.at("new"), scene.at("old")).expect("renamed");
        scene.write(".gitignore", &format!("/old/{round}\n"));
        scene.check("a renamed folder and other rules");
        fs::remove_dir_all(scene.at("old")).expect("removed");
        scene.git(&["add", "-A"]);
        scene.git(&["commit", "-q", "-m", "x"]);
        scene.check("a removed folder and a commit");
        pair.other_is_exact();
    }
    // Whoever asks nothing hears of it all the same.
    let (mut listener, clock) = (pair.scene.bed.peer(), pair.scene.clock.clone());
    let waiting = std::thread::spawn(move || listener.wait(&seen, &clock).expect("changes"));
    pair.scene.write("told.txt", "1");
    let told = waiting.join().expect("it ends");
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0].path.as_bytes(), b"told.txt");
}

#[test]
fn a_project_that_is_unmounted_is_gone_and_whole_again_when_it_is_mounted_again() {
    let bed = Bed::new();
    let (real, seen) = (bed.project("real"), bed.project("seen"));
    small(&real);
    if !namespace::can_enter() {
        return;
    }
    let Some(daemon) = mounted(&bed, "mount --bind work/real work/seen") else {
        return;
    };
    let pid = daemon.pid();
    let [from, to] = [&real, &seen].map(|path| path.to_str().expect("text").to_owned());
    let mut pair = Pair::new(Scene::of(bed, Some(daemon), (seen, real)));
    for round in 0..times(2, 20) {
        pair.scene.write(&format!("{round}.txt"), "1");
        pair.scene.check("an edit");
        namespace::enter(pid, &["umount", &to]).ok();
        let root = pair.scene.root.clone();
        assert!(
            pair.scene
                .peer
                .files(&root)
                .map_or(true, |files| files.is_empty())
        );
        pair.other_is_exact();
        pair.scene.write("src/meanwhile.rs", &format!("{round}\n"));
        namespace::enter(pid, &["mount", "--bind", &from, &to]).ok();
        pair.scene.begin("mounted again");
        assert_eq!(pair.tree().state, TreeState::Watching);
        pair.other_is_exact();
    }
    // What is mounted in it hides what was there, and gives it back.
    fs::create_dir(pair.scene.at("docs/over")).expect("made");
    pair.scene.write("docs/over/below.txt", "1");
    pair.scene.check("a folder");
    let over = format!("{to}/docs/over");
    namespace::enter(pid, &["mount", "-t", "tmpfs", "none", &over]).ok();
    let root = pair.scene.root.clone();
    let hidden = |files: Vec<Vec<u8>>| !files.contains(&b"docs/over/below.txt".to_vec());
    assert!(hidden(pair.scene.peer.files(&root).expect("files")));
    namespace::enter(pid, &["umount", &over]).ok();
    pair.scene.begin("the mount in it is gone");
    pair.other_is_exact();
}

#[test]
fn what_may_not_be_read_is_not_shown_until_it_may() {
    let Some(bed) = Bed::of_ordinary_user() else {
        return;
    };
    let root = bed.project("project");
    small(&root);
    let beside = bed.project("beside");
    small(&beside);
    let list = |root: &Path| bed.run(["files", "--path", root.to_str().expect("UTF-8")]);
    let files = |root: &Path| -> Vec<String> { list(root).ok().text().lines().map(str::to_owned).collect() };
    let whole = files(&root);
    for closed in ["docs/a", "src"] {
        tests::daemon::chmod(&root.join(closed), 0o000);
        let left = files(&root);
        let prefix = format!("{closed}/");
        let expected: Vec<_> = whole
            .iter()
            .filter(|name| !name.starts_with(&prefix))
            .cloned()
            .collect();
        assert_eq!(left, expected, "{closed} is closed");
        assert_eq!(files(&beside).len(), git::files(&beside).len());
        tests::daemon::chmod(&root.join(closed), 0o755);
        assert_eq!(files(&root), whole, "{closed} is open again");
    }
    tests::daemon::chmod(&root, 0o000);
    let closed = list(&root);
    assert!(closed.code != 0 || closed.out.is_empty(), "{closed:?}");
    assert_eq!(files(&beside).len(), git::files(&beside).len());
    tests::daemon::chmod(&root, 0o755);
    assert_eq!(files(&root), whole);
}

#[test]
fn a_root_that_is_deleted_and_made_again_is_followed() {
    let mut pair = Pair::new(Scene::new(small));
    for _ in 0..times(3, 30) {
        let root = pair.scene.root.clone();
        fs::remove_dir_all(&root).expect("removed");
        pair.other_is_exact();
        fs::create_dir(&root).expect("made");
        small(&root);
        pair.scene.write("again.txt", "1");
        pair.scene.begin("made again");
        pair.scene.write("src/deep/er/new.rs", "1");
        pair.scene.check("an edit in what was made again");
        pair.other_is_exact();
    }
}

#[test]
fn after_more_events_than_the_queue_holds_every_project_is_exact() {
    let mut pair = Pair::new(Scene::new(small));
    for round in 0..times(1, 5) {
        for number in 0..50 {
            fs::create_dir_all(pair.scene.at(&format!("many/{number}"))).expect("made");
        }
        pair.scene.check("folders");
        let daemon = pair.scene.daemon.as_ref().expect("one of ours");
        daemon.signal(Signal::STOP);
        let about = format!("/proc/{}/stat", daemon.pid());
        deadline::until("it stands still", || {
            let said = fs::read_to_string(&about).expect("there");
            said.contains(") T ").then_some(())
        });
        for number in 0..20_000 {
            let name = format!("many/{}/{round}-{number}", number % 50);
            fs::write(pair.scene.at(&name), "").expect("written");
        }
        fs::write(pair.beside.join("beside.txt"), round.to_string()).expect("written");
        pair.scene
            .daemon
            .as_ref()
            .expect("one of ours")
            .signal(Signal::CONT);
        let root = pair.scene.root.clone();
        let clock = pair.scene.clock.clone();
        let told = deadline::until("the rescan is over", || {
            let told = pair.scene.peer.changes(&root, &clock).expect("changes");
            (!told.unsynced).then_some(told)
        });
        assert!(
            told.fresh,
            "some were lost, and the answer says so: {} changes",
            told.changes.len()
        );
        pair.scene.begin("after an overflow");
        pair.scene.write("src/main.rs", "fn main() {}\n\n");
        pair.scene.check("an edit after an overflow");
        pair.other_is_exact();
    }
}

/// The most files that a process may have open from now on.
fn allow(pid: u32, most: u64) {
    use rustix::process::{Pid, Resource, Rlimit, prlimit};
    let pid = Pid::from_raw(i32::try_from(pid).expect("a process id"));
    let limit = Rlimit {
        current: Some(most),
        maximum: Some(most.max(4096)),
    };
    prlimit(pid, Resource::Nofile, limit).expect("the limit is set");
}

fn text(files: &std::collections::BTreeSet<Vec<u8>>) -> Vec<String> {
    let text = |file: &Vec<u8>| String::from_utf8_lossy(file).into_owned();
    files.iter().map(text).collect()
}

#[test]
fn a_daemon_without_descriptors_to_spare_gives_no_short_list_in_silence_and_forgets_nothing() {
    let bed = Bed::new();
    let daemon = bed.start();
    let open = || {
        fs::read_dir(format!("/proc/{}/fd", daemon.pid()))
            .expect("listed")
            .count() as u64
    };
    let roots: Vec<PathBuf> = (0..12).map(|n| bed.project(&format!("p{n}"))).collect();
    for root in &roots {
        git::init(root);
        for dir in 0..8 {
            fs::create_dir_all(root.join(format!("{dir}/a/b/c"))).expect("made");
            fs::write(root.join(format!("{dir}/.gitignore")), "hidden\n").expect("written");
            for name in [
                format!("{dir}/a/b/c/leaf"),
                format!("{dir}/a/hidden"),
                format!("{dir}/leaf"),
            ] {
                fs::write(root.join(name), "1").expect("written");
            }
        }
    }
    let mut peer = bed.peer();
    let known = bed.project("known");
    small(&known);
    peer.files(&known).expect("files");
    let clock = peer.clock(&known).expect("a clock");
    let mut told = 0;
    for (spare, root) in roots.iter().enumerate() {
        allow(daemon.pid(), open() + spare as u64);
        let files = peer.files(root);
        if let Ok(files) = files
            && !files.iter().eq(git::files(root).iter())
        {
            let stands = tree(&mut peer, root);
            assert_eq!(
                stands.state,
                TreeState::Unverified,
                "{spare}: {:?}",
                stands.reason
            );
            let reason = stands.reason.expect("a reason");
            assert!(reason.contains("open files"), "{reason}");
            told += 1;
        }
        // What was known before is not taken for gone.
        fs::write(known.join(format!("new-{spare}")), "1").expect("written");
        let error = peer.files(&known).err();
        assert!(error.is_none_or(|error| error.kind == proto::Kind::Unavailable));
        allow(daemon.pid(), 4096);
        let files = peer.files(root).expect("files").into_iter().collect();
        assert_eq!(
            text(&files),
            text(&git::files(root)),
            "{spare} to spare, and then enough"
        );
        assert_eq!(tree(&mut peer, root).state, TreeState::Watching);
    }
    assert!(
        told > 0,
        "with few enough descriptors something could not be read"
    );
    let told = peer.changes(&known, &clock).expect("changes");
    // A name that the rules hide may have been shown while they could not be read.
    let shown = git::files(&known);
    let names = told.changes.iter().map(|change| change.path.as_bytes().to_vec());
    let names = names.filter(|name| shown.contains(name)).collect();
    let new = (0..roots.len())
        .map(|n| format!("new-{n}").into_bytes())
        .collect();
    assert_eq!((text(&names), told.fresh), (text(&new), false));
}
