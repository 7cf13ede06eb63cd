//! How long a claim lasts, through the built programs, in time that is moved on by a file: a daemon that stood still robs
//! nobody, nor does one whose caller is busy; who is silent or gone loses the task to the next.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use rustix::process::Signal;
use serde_json::Value;
use tests::daemon::{Bed, Daemon};
use tests::{deadline, git, process};

use crate::reboot::successor;

/// Longer than a lease, in seconds.
const LONG: u64 = 3600;
/// As much as a daemon that is awake may miss between two looks at its clock.
const STEP: u64 = 8;

struct Scene {
    bed: Bed,
    repo: PathBuf,
    daemon: Daemon,
    seconds: PathBuf,
    ahead: u64,
}

impl Scene {
    fn new() -> Self {
        let bed = Bed::new();
        let repo = bed.project("repo");
        git::init(&repo);
        let program = successor(&bed, "ahead-of");
        let mut command = bed.command(&program);
        let daemon = bed.start_by(command.arg("run"));
        let seconds = program.with_extension("seconds");
        let scene = Self {
            bed,
            repo,
            daemon,
            seconds,
            ahead: 0,
        };
        scene.say(&["task", "add", "A", "--id", "a"], "me").ok();
        scene
    }

    fn say(&self, line: &[&str], actor: &str) -> process::Said {
        let words: Vec<&str> = line.iter().copied().chain(["--actor", actor, "--json"]).collect();
        process::run(self.bed.tocli(words).current_dir(&self.repo))
    }

    /// The clock goes on by so many seconds at once.
    fn leap(&mut self, seconds: u64) {
        self.ahead += seconds;
        let draft = self.seconds.with_extension("draft");
        std::fs::write(&draft, self.ahead.to_string()).expect("written");
        std::fs::rename(&draft, &self.seconds).expect("in place");
    }

    fn holder(&self) -> Option<String> {
        let shown = self.say(&["task", "show", "a"], "looker").ok().json();
        shown["claim"]["actor"].as_str().map(str::to_owned)
    }

    /// The daemon runs through more than a lease, in steps; each look of `actor` is a reading of the clock. Ends when
    /// `actor` has got the task.
    fn runs_on(&mut self, actor: &str) -> Option<Value> {
        for _ in 0..=LONG / STEP {
            self.leap(STEP);
            let said = self.say(&["next", "--claim"], actor);
            if said.code == 0 {
                return Some(said.json());
            }
            assert_eq!(said.code, 3, "{said:?}");
        }
        None
    }
}

#[test]
fn a_daemon_that_was_stopped_across_the_end_of_a_lease_robs_nobody() {
    let mut scene = Scene::new();
    scene.say(&["next", "--claim"], "holder").ok();
    for _ in 0..3 {
        scene.daemon.signal(Signal::STOP);
        deadline::until("the daemon stands still", || {
            let stat = std::fs::read_to_string(format!("/proc/{}/stat", scene.daemon.pid())).ok()?;
            stat.rsplit_once(") ")?.1.starts_with('T').then_some(())
        });
        scene.leap(LONG);
        scene.daemon.signal(Signal::CONT);
        let said = scene.say(&["next", "--claim"], "thief");
        assert_eq!(said.code, 3, "{said:?}");
        assert_eq!(scene.holder().as_deref(), Some("holder"));
    }
    let done = scene
        .say(&["task", "complete", "a", "--summary", "done"], "holder")
        .ok()
        .json();
    assert_eq!(
        (&done["status"], &done["attempts"]),
        (&"completed".into(), &0.into()),
        "{done}"
    );
}

#[test]
fn who_is_silent_for_longer_than_a_lease_loses_the_task_and_who_calls_keeps_it() {
    let mut scene = Scene::new();
    scene.say(&["next", "--claim"], "holder").ok();
    for _ in 0..LONG / STEP / 2 {
        scene.leap(STEP);
        // Any call of the holder is a sign of life.
        scene.say(&["task", "list"], "holder").ok();
    }
    assert_eq!(scene.say(&["next", "--claim"], "thief").code, 3);
    let came = scene
        .runs_on("next")
        .expect("the lease of one who is silent ends");
    assert_eq!(came["task"]["attempts"], 1, "{came}");
    assert_eq!(scene.holder().as_deref(), Some("next"));
    let late = scene.say(&["task", "complete", "a", "--summary", "late"], "holder");
    assert_eq!(late.code, 5, "{late:?}");
}

/// A program that is no shell, which claims through `bash -c` and then only waits for a child that is busy.
fn busy(scene: &Scene) -> std::process::Child {
    let tocli = tests::daemon::program("tocli");
    let line = format!(
        "import os, subprocess\nsubprocess.run(['bash', '-c', 'true; {} next --claim --json'])\nsubprocess.run(['sleep', '1000'])",
        tocli.display()
    );
    let mut command = scene.bed.command("python3");
    command.args(["-c", &line]).current_dir(&scene.repo);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().expect("started")
}

fn ends(child: &mut std::process::Child, repo: &Path) {
    let busy: Vec<u32> = process::of_folder(repo).iter().map(|(pid, _)| *pid).collect();
    child.kill().expect("ended");
    child.wait().expect("reaped");
    for pid in busy {
        process::signal(pid, Some(Signal::KILL));
    }
}

#[test]
fn a_session_without_a_name_keeps_its_task_while_a_child_of_it_is_busy() {
    if std::process::Command::new("python3")
        .arg("--version")
        .output()
        .is_err()
    {
        return tests::skip::skip("python3", "the program `python3` is not installed");
    }
    let mut scene = Scene::new();
    let mut session = busy(&scene);
    let holder = deadline::until("the claim of the session", || scene.holder());
    assert!(holder.ends_with(']') && holder.starts_with("python3"), "{holder}");
    assert_eq!(scene.runs_on("thief"), None, "a session that lives is not robbed");
    assert_eq!(scene.holder().as_ref(), Some(&holder));
    let repo = scene.repo.clone();
    ends(&mut session, &repo);
    let came = scene.runs_on("next").expect("the lease of one who has gone ends");
    assert_eq!(came["task"]["attempts"], 1, "{came}");
}
