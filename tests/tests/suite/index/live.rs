//! Waiting for changes and watching them, through `tocli`.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, channel};

use rustix::process::Signal;
use serde_json::Value;
use tests::daemon::Bed;
use tests::{deadline, git, process};

use super::small;

/// A repository of the bed, indexed.
pub(super) fn scene() -> (Bed, std::path::PathBuf) {
    let bed = Bed::new();
    let root = bed.project("project");
    small(&root);
    process::run(bed.tocli(["files"]).current_dir(&root)).ok();
    (bed, root)
}

pub(super) fn json(bed: &Bed, root: &Path, line: &str) -> Value {
    let mut command = bed.tocli(line.split(' ').chain(["--json"]));
    process::run(command.current_dir(root)).ok().json()
}

pub(super) fn paths(batch: &Value) -> Vec<(String, String)> {
    let word = |change: &Value, field: &str| change[field].as_str().unwrap_or_default().to_owned();
    batch["changes"]
        .as_array()
        .unwrap_or_else(|| panic!("no changes in {batch}"))
        .iter()
        .map(|change| (word(change, "path"), word(change, "kind")))
        .collect()
}

/// A `tocli` that goes on, and the lines it prints.
pub(super) struct Stream {
    child: Child,
    lines: Receiver<String>,
}

impl Stream {
    pub(super) fn start(bed: &Bed, root: &Path, line: &str) -> Self {
        let mut command = bed.tocli(line.split(' ').chain(["--json"]));
        let mut child = command
            .current_dir(root)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("started");
        let out = child.stdout.take().expect("a pipe");
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                let _nobody_listens_any_more = sender.send(line);
            }
        });
        Self { child, lines }
    }

    pub(super) fn next(&mut self) -> Value {
        let line = self.lines.recv_timeout(deadline::LIMIT).expect("a line comes");
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"))
    }

    /// Batches until one names a path; all that they name.
    pub(super) fn until(&mut self, path: &str) -> Vec<(String, String)> {
        let mut seen = Vec::new();
        while !seen.iter().any(|(name, _)| name == path) {
            seen.extend(paths(&self.next()));
        }
        seen
    }
}

impl Stream {
    /// Batches until one says that a path is gone.
    pub(super) fn until_gone(&mut self, path: &str) {
        let gone = (path.to_owned(), "deleted".to_owned());
        while !paths(&self.next()).contains(&gone) {}
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _gone = self.child.wait();
    }
}

#[test]
fn changes_since_a_clock_names_what_changed_with_its_fields() {
    let (bed, root) = scene();
    let clock = json(&bed, &root, "clock");
    let clock = clock["clock"].as_str().expect("a clock").to_owned();
    assert!(
        clock.starts_with("c:") && clock.split(':').count() == 4,
        "{clock}"
    );
    let line = format!("changes --since {clock}");
    let none = json(&bed, &root, &line);
    for field in ["schema_version", "clock", "fresh_instance", "unsynced", "changes"] {
        assert!(none.get(field).is_some(), "`{field}` is missing in {none}");
    }
    assert_eq!(none["changes"], serde_json::json!([]));
    fs::write(root.join("new.rs"), "12345").expect("written");
    fs::rename(root.join("README.md"), root.join("READ.md")).expect("renamed");
    let told = json(&bed, &root, &line);
    let find = |path: &str| {
        let all = told["changes"].as_array().expect("changes");
        all.iter()
            .find(|change| change["path"] == path)
            .cloned()
            .unwrap_or_else(|| panic!("{path} in {told}"))
    };
    let new = find("new.rs");
    assert_eq!((&new["kind"], &new["size"]), (&"created".into(), &5.into()));
    assert_eq!(new["while_away"], false);
    assert!(new.get("mtime").is_some_and(|time| !time.is_null()));
    let moved = find("READ.md");
    assert_eq!(
        (&moved["kind"], &moved["from"]),
        (&"renamed".into(), &"README.md".into())
    );
    assert_eq!(
        (&told["fresh_instance"], &told["unsynced"]),
        (&false.into(), &false.into())
    );
    // By time, too.
    assert!(
        paths(&json(&bed, &root, "changes --since 10m"))
            .iter()
            .any(|(path, _)| path == "new.rs")
    );
    // A clock of another tree, of another time or of nobody is never answered as if it were ours.
    for foreign in ["c:0:0:0", "c:1:999:1", &clock.replacen("c:", "c:9", 1)] {
        let told = process::run(
            bed.tocli(["changes", "--since", foreign, "--json"])
                .current_dir(&root),
        );
        assert!(
            told.code == 2 || told.json()["fresh_instance"] == true,
            "{foreign}: {told:?}"
        );
    }
}

#[test]
fn a_wait_ends_with_the_first_change_and_not_before() {
    let (bed, root) = scene();
    let clock = json(&bed, &root, "clock")["clock"]
        .as_str()
        .expect("a clock")
        .to_owned();
    let mut waiting = Stream::start(&bed, &root, &format!("changes --wait --since {clock}"));
    // While it waits it is a request of the daemon's.
    deadline::until("the wait has reached the daemon", || {
        let status = json(&bed, &root, "daemon status");
        (status["connections"].as_u64()? >= 2).then_some(())
    });
    assert!(waiting.lines.try_recv().is_err(), "nothing has changed yet");
    fs::write(root.join("src/main.rs"), "changed").expect("written");
    let told = waiting.next();
    assert_eq!(paths(&told), [("src/main.rs".to_owned(), "modified".to_owned())]);
    let status = process::wait(&mut waiting.child, deadline::LIMIT).expect("it ends");
    assert!(status.success());
    // What has changed already is told at once.
    fs::write(root.join("src/main.rs"), "changed again").expect("written");
    let line = format!(
        "changes --wait --since {}",
        told["clock"].as_str().expect("a clock")
    );
    assert_eq!(paths(&json(&bed, &root, &line)).len(), 1);
}

#[test]
fn watchers_see_each_change_once_and_in_order() {
    let (bed, root) = scene();
    let mut watchers: Vec<Stream> = (0..3).map(|_| Stream::start(&bed, &root, "watch")).collect();
    // A watch has begun when it tells of a change.
    for (place, watcher) in watchers.iter_mut().enumerate() {
        let (name, mut round) = (format!("begin-{place}"), 0);
        deadline::until("the watch has begun", || {
            round += 1;
            fs::write(root.join(&name), round.to_string()).expect("written");
            let wait = std::time::Duration::from_millis(100);
            watcher.lines.recv_timeout(wait).is_ok().then_some(())
        });
    }
    for number in 0..20 {
        let name = format!("step-{number:02}");
        fs::write(root.join(&name), "\n").expect("written");
        for watcher in &mut watchers {
            let seen = watcher.until(&name);
            // A file is made, then written: when the daemon is fast that is two changes.
            let made = |(path, kind): &&(String, String)| path.starts_with("step-") && kind == "created";
            let steps = seen.iter().filter(made);
            assert_eq!(steps.count(), 1, "{seen:?}");
        }
    }
    git::git(&root, &["add", "-A"]);
    fs::write(root.join("last"), "\n").expect("written");
    for watcher in &mut watchers {
        let seen = watcher.until("last");
        assert!(
            seen.iter().all(|(path, _)| path == "last"),
            "git's own work is no change: {seen:?}"
        );
    }
}

#[test]
fn a_watcher_that_never_reads_is_told_what_it_lost_and_harms_nobody() {
    let (bed, root) = scene();
    let mut command = bed.tocli(["watch", "--json"]);
    let mut deaf = command
        .current_dir(&root)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("started");
    let mut awake = begun(&bed, &root);
    let before = json(&bed, &root, "daemon status")["rss_bytes"]
        .as_u64()
        .expect("a number");
    let long = "n".repeat(200);
    for batch in 0..30 {
        for number in 0..200 {
            fs::write(root.join(format!("{long}-{batch}-{number}")), "\n").expect("written");
        }
        let name = format!("end-{batch}");
        fs::write(root.join(&name), "\n").expect("written");
        awake.until(&name);
    }
    let after = json(&bed, &root, "daemon status")["rss_bytes"]
        .as_u64()
        .expect("a number");
    assert!(
        after.saturating_sub(before) < 64 << 20,
        "{before} to {after} bytes"
    );
    process::signal(deaf.id(), Some(Signal::TERM));
    let mut rest = Vec::new();
    deaf.stdout
        .take()
        .expect("a pipe")
        .read_to_end(&mut rest)
        .expect("read");
    deaf.wait().expect("it ends");
}

/// A watch that has told of a change.
pub(super) fn begun(bed: &Bed, root: &Path) -> Stream {
    begun_in(bed, root, root)
}

/// The same of a folder that the daemon knows by another path than we do.
pub(super) fn begun_in(bed: &Bed, root: &Path, real: &Path) -> Stream {
    let watch = Stream::start(bed, root, "watch");
    let mut round = 0;
    deadline::until("the watch has begun", || {
        round += 1;
        fs::write(real.join("begin"), round.to_string()).expect("written");
        let wait = std::time::Duration::from_millis(100);
        watch.lines.recv_timeout(wait).is_ok().then_some(())
    });
    watch
}

#[test]
fn a_watch_ends_with_a_daemon_that_is_stopped_and_does_not_start_another() {
    let (bed, root) = scene();
    let mut watch = begun(&bed, &root);
    bed.run(["daemon", "stop"]).ok();
    let ended = process::wait(&mut watch.child, deadline::LIMIT).expect("a watch of nobody ends");
    assert_eq!(process::code(ended), 6);
    assert_eq!(bed.daemons(), Vec::<u32>::new());
}

#[test]
fn a_watch_goes_on_after_a_crash_of_the_daemon() {
    let (bed, root) = scene();
    let mut watch = begun(&bed, &root);
    let pid = bed.lock_file().expect("a lock file").pid;
    process::signal(pid, Some(Signal::KILL));
    let mut again = watch.next();
    while again["fresh_instance"] != true && again["lost_since"].is_null() {
        again = watch.next();
    }
    fs::write(root.join("after"), "\n").expect("written");
    watch.until("after");
    assert_eq!(bed.daemons().len(), 1);
}

#[test]
fn a_pattern_lists_what_it_matches() {
    let (bed, root) = scene();
    let list = |line: &str| {
        let said = process::run(bed.tocli(line.split(' ')).current_dir(&root)).ok();
        said.text().lines().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(list("files *.rs"), ["src/deep/er/leaf.rs", "src/main.rs"]);
    assert_eq!(list("files docs/**/*.md"), ["docs/a/b/c/page.md"]);
    assert_eq!(list("files *.nothing"), Vec::<String>::new());
    let from = root.join("src");
    let said = process::run(bed.tocli(["files", "--path"]).arg(&from).current_dir("/")).ok();
    assert!(said.text().contains("src/main.rs"));
    let json = json(&bed, &root, "files *.rs");
    assert_eq!(json["files"].as_array().map(Vec::len), Some(2), "{json}");
}

#[test]
fn our_own_folder_is_no_file_of_a_project_with_or_without_git() {
    let bed = Bed::new();
    for with_git in [true, false] {
        let project = bed.project(if with_git { "with" } else { "without" });
        std::fs::write(project.join("package.json"), "{}\n").expect("written");
        if with_git {
            git::init(&project);
        }
        let say = |words: &[&str]| process::run(bed.tocli(words).current_dir(&project)).ends(0);
        say(&["files"]);
        say(&["task", "add", "a first record"]);
        assert_eq!(say(&["files"]).text(), "package.json\n", "with git: {with_git}");
        let clock = say(&["clock"]).text();
        say(&["task", "add", "a second record"]);
        assert_eq!(
            say(&["changes", "--since", clock.trim()]).text(),
            "",
            "with git: {with_git}"
        );
    }
}
