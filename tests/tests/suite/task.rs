//! Tasks through the built programs: every verb, many processes at once, kills, repeated requests. `TOD_FULL=1` shares
//! two thousand tasks and waits for leases to expire.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;
use tests::chance::Chance;
use tests::daemon::Bed;
use tests::process::{self, Said};
use tests::{ask, deadline, git};

/// A bed with a repository in it.
fn bed() -> (Bed, PathBuf) {
    let bed = Bed::new();
    let repo = bed.project("repo");
    git::init(&repo);
    (bed, repo)
}

fn at(bed: &Bed, folder: &Path, words: &[&str]) -> Said {
    process::run(bed.tocli(words.iter().chain([&"--json"])).current_dir(folder))
}

fn json(bed: &Bed, folder: &Path, line: &str) -> Value {
    at(bed, folder, &line.split(' ').collect::<Vec<_>>()).ok().json()
}

fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value[name]
        .as_str()
        .unwrap_or_else(|| panic!("no `{name}` in {value}"))
}

fn plan(bed: &Bed, folder: &Path, text: &str) -> Value {
    std::fs::write(folder.join("plan.yaml"), text).expect("written");
    json(bed, folder, "task plan -f plan.yaml")
}

const PLAN: &str = "title: Top\ncontext: All of it\ntasks:\n  - {name: a, title: A, specialist: coder, labels: [x]}\n  \
                    - {name: b, title: B, after: [a], priority: high}\n";

#[test]
fn a_plan_is_worked_off_from_a_shell() {
    let (bed, repo) = bed();
    let made = plan(&bed, &repo, PLAN);
    let top = text(&made, "task_id");
    let (a, b) = (
        text(&made["tasks"][0], "task_id"),
        text(&made["tasks"][1], "task_id"),
    );
    assert_eq!(made["tasks"][0]["local"], "a");
    let next = json(&bed, &repo, "next --claim --actor me");
    assert_eq!(
        (text(&next["task"], "task_id"), text(&next["task"], "specialist")),
        (a, "coder")
    );
    assert_eq!(
        at(&bed, &repo, &["next", "--claim", "--actor", "you"]).code,
        3,
        "`b` waits for `a`"
    );
    let shown = json(&bed, &repo, &format!("task show {b}"));
    assert_eq!(
        (shown["ready"].clone(), shown["waiting_for"][0].clone()),
        (false.into(), a.into())
    );
    let held = json(&bed, &repo, &format!("task show {a}"));
    assert_eq!(held["claim"]["actor"], "me");
    let refused = at(
        &bed,
        &repo,
        &["task", "complete", a, "--actor", "you", "--summary", "s"],
    );
    assert_eq!(refused.code, 5, "{refused:?}");
    let done = json(
        &bed,
        &repo,
        &format!("task complete {a} --summary found --actor me"),
    );
    assert_eq!(
        (text(&done, "status"), done["unblocked"][0].clone()),
        ("completed", b.into())
    );
    let prompt = json(&bed, &repo, &format!("task execute {b}"));
    assert!(text(&prompt, "prompt").contains("found"), "{prompt}");
    assert_eq!(
        at(&bed, &repo, &["task", "complete", top, "-s", "s"]).code,
        4,
        "it has an open child"
    );
    json(&bed, &repo, &format!("task complete {b} --summary built"));
    assert_eq!(
        json(&bed, &repo, &format!("task synthesize {top}"))["finished"],
        true
    );
    assert_eq!(
        text(&json(&bed, &repo, &format!("task complete {top}")), "status"),
        "completed"
    );
}

#[test]
fn every_verb_does_what_it_says() {
    let (bed, repo) = bed();
    let id = |line: &str| text(&json(&bed, &repo, line), "task_id").to_owned();
    let status = |line: &str| text(&json(&bed, &repo, line), "status").to_owned();
    let a = id("task add First --label x --specialist tester --priority high");
    assert!(a.starts_with("tester_"), "{a}");
    let b = id(&format!("task add Second --id own --after {a}"));
    assert_eq!(b, "own");
    let listed = json(&bed, &repo, "task list --fields task_id,ready --limit 1");
    assert_eq!(
        listed["tasks"],
        serde_json::json!([{"task_id": a, "ready": true}])
    );
    let cursor = text(&listed, "next_cursor").to_owned();
    let rest = json(&bed, &repo, &format!("task list --cursor {cursor}"));
    assert_eq!(
        (rest["tasks"][0]["task_id"].clone(), rest["next_cursor"].clone()),
        ("own".into(), Value::Null)
    );
    assert_eq!(
        json(&bed, &repo, "task tree")["lines"].as_array().map(Vec::len),
        Some(2)
    );
    // `task change` is one request behind many verbs: task::Request::Change.
    let stale = at(
        &bed,
        &repo,
        &["task", "update", &a, "--title", "New", "--if-revision", "7"],
    );
    assert_eq!(stale.code, 5, "{stale:?}");
    assert_eq!(
        json(
            &bed,
            &repo,
            &format!("task update {a} --title New --if-revision 1")
        )["revision"],
        2
    );
    assert_eq!(status(&format!("task start {a}")), "active");
    json(&bed, &repo, &format!("task note {a} halfway --to you"));
    assert_eq!(
        json(&bed, &repo, &format!("task show {a}"))["notes"][0]["to"],
        "you"
    );
    assert_eq!(status(&format!("task release {a}")), "pending");
    assert_eq!(status(&format!("task block {a} --reason no")), "blocked");
    assert_eq!(
        at(&bed, &repo, &["task", "complete", &a]).code,
        4,
        "what is blocked is not completed"
    );
    assert_eq!(status(&format!("task reopen {a}")), "pending");
    assert_eq!(status(&format!("task fail {a} --reason no")), "failed");
    assert_eq!(status(&format!("task undo {a}")), "pending");
    assert_eq!(
        json(&bed, &repo, &format!("task history {a}"))["history"][0]["op"],
        "undo"
    );
    assert_eq!(status(&format!("task cancel {b}")), "cancelled");
    assert_eq!(status(&format!("task delete {b}")), "archived");
    assert_eq!(
        json(&bed, &repo, &format!("task delete {b} --purge"))["tasks"][0],
        "own"
    );
    assert_eq!(at(&bed, &repo, &["task", "show", "own"]).code, 3);
    assert_eq!(json(&bed, &repo, "task stats")["total"], 1);
    // task::Request::Templates, task::Request::Template, task::Request::Apply
    assert_eq!(
        json(&bed, &repo, "task template list")["templates"]
            .as_array()
            .map(Vec::len),
        Some(5)
    );
    let shown = json(&bed, &repo, "task template show bugfix");
    std::fs::write(repo.join("t.yaml"), text(&shown, "text")).expect("written");
    json(&bed, &repo, "task plan -f t.yaml");
    json(&bed, &repo, "task template apply release 1.0");
    std::fs::write(repo.join("issues.json"), r#"[{"number": 4, "title": "Four"}]"#).expect("written");
    assert_eq!(
        json(&bed, &repo, "task import issues.json")["made"][0]["task_id"],
        "issue-4"
    );
    let there = bed.project("there");
    git::init(&there);
    let other = text(&json(&bed, &there, "workspace show"), "id").to_owned();
    assert_eq!(
        text(
            &json(&bed, &repo, &format!("task move issue-4 --to {other}")),
            "workspace"
        ),
        other
    );
    assert_eq!(text(&json(&bed, &there, "task show issue-4"), "title"), "Four");
}

#[test]
fn a_cycle_a_missing_task_and_a_wrong_word_are_told_with_what_to_do() {
    let (bed, repo) = bed();
    json(&bed, &repo, "task add A --id a");
    json(&bed, &repo, "task add B --id b --after a");
    let cycle = at(&bed, &repo, &["task", "update", "a", "--add-after", "b"]);
    assert_eq!(cycle.code, 4);
    assert!(cycle.err.contains("a → b → a"), "{}", cycle.err);
    let missing = at(&bed, &repo, &["task", "add", "C", "--after", "nobody"]);
    assert_eq!(missing.code, 3, "{missing:?}");
    let wrong = at(&bed, &repo, &["task", "add", "C", "--id", "../c"]);
    assert_eq!(wrong.code, 2, "{wrong:?}");
}

#[test]
fn a_repeated_request_id_gives_the_first_answer_also_after_a_crash() {
    let (bed, repo) = bed();
    let mut daemon = bed.start();
    let add = || json(&bed, &repo, "task add Once --actor me --request-id r1");
    let first = add();
    assert_eq!(add(), first);
    daemon.kill();
    assert_eq!(add(), first);
    assert_eq!(
        at(
            &bed,
            &repo,
            &["task", "add", "Twice", "--actor", "me", "--request-id", "r1"]
        )
        .code,
        5
    );
    assert_eq!(json(&bed, &repo, "task stats")["total"], 1);
}

#[test]
fn two_projects_never_see_each_others_tasks_and_worktrees_share_theirs() {
    let (bed, repo) = bed();
    std::fs::write(repo.join("a"), "a").expect("written");
    git::commit_all(&repo);
    let linked = bed.work().join("linked");
    git::git(&repo, &["worktree", "add", "-q", linked.to_str().expect("UTF-8")]);
    let other = bed.project("other");
    git::init(&other);
    json(&bed, &linked, "task add Shared --id shared");
    assert_eq!(
        text(&json(&bed, &repo, "task show shared"), "tree"),
        linked.to_str().expect("UTF-8")
    );
    assert_eq!(at(&bed, &other, &["task", "show", "shared"]).code, 3);
    assert_eq!(at(&bed, &other, &["next", "--claim", "--actor", "me"]).code, 3);
    assert!(
        !other.join(".task_orchestrator").exists(),
        "reading makes no folder"
    );
}

#[test]
fn a_caller_without_a_name_is_its_session_whatever_shells_stand_between() {
    let (bed, repo) = bed();
    json(&bed, &repo, "task add A --id a");
    let tocli = tests::daemon::program("tocli");
    let line = format!("true; {} next --claim --json", tocli.display());
    let claimed = process::run(bed.command("bash").args(["-c", &line]).current_dir(&repo))
        .ok()
        .json();
    let actor = text(&claimed["task"]["claim"], "actor").to_owned();
    assert!(actor.ends_with(']') && !actor.starts_with("bash"), "{actor}");
    // The same session from another shell holds it, a named actor does not.
    assert_eq!(
        at(&bed, &repo, &["task", "complete", "a", "--actor", "you"]).code,
        5
    );
    let line = format!("timeout 20 sh -c '{} task complete a --json'", tocli.display());
    let done = process::run(bed.command("sh").args(["-c", &line]).current_dir(&repo))
        .ok()
        .json();
    assert_eq!(text(&done, "status"), "completed");
}

/// A plan of `count` tasks, each after two of those a hundred before.
fn many(count: usize) -> String {
    let mut text = "title: Many\ntasks:\n".to_owned();
    for number in 0..count {
        writeln!(text, "  - name: t{number}\n    title: Task {number}").expect("a text");
        if number >= 100 {
            writeln!(text, "    after: [t{}, t{}]", number - 100, number - 97).expect("a text");
        }
    }
    text
}

/// What the workers saw.
#[derive(Default)]
struct Seen {
    /// Who was told to hold what, until it was completed.
    held: BTreeMap<String, String>,
    done: BTreeSet<String>,
}

/// Claims and completes until nothing is left; some claims are killed on the way.
fn work((bed, repo): (&Bed, &Path), number: u64, kills: &AtomicUsize, seen: &Mutex<Seen>) {
    let mut chance = Chance::new(number + 1);
    let actor = format!("worker-{number}");
    for turn in 0_u32.. {
        if chance.below(8) == 0 && spend(kills) {
            // Nobody ever speaks in this name again: what it holds is found at the end.
            let lost = format!("lost-{number}-{turn}");
            let mut child = bed
                .tocli(["next", "--claim", "--actor", &lost])
                .current_dir(repo)
                .stdout(std::process::Stdio::null())
                .stderr(std::process::Stdio::null())
                .spawn()
                .expect("started");
            for _ in 0..chance.below(4_000) {
                std::thread::yield_now();
            }
            process::signal(child.id(), Some(Signal::KILL));
            child.wait().expect("a child of ours");
        }
        let said = at(bed, repo, &["next", "--claim", "--actor", &actor]);
        if said.code == 3 {
            let open = json(bed, repo, "task list --ready --limit 1");
            let busy = json(bed, repo, "task list --status active --limit 1000");
            let waits = |task: &Value| text(&task["claim"], "actor").starts_with("worker-");
            let working = busy["tasks"]
                .as_array()
                .is_some_and(|tasks| tasks.iter().any(waits));
            if !working && open["tasks"].as_array().is_some_and(Vec::is_empty) {
                return;
            }
            continue;
        }
        let id = text(&said.ok().json()["task"], "task_id").to_owned();
        let before = seen.lock().expect("whole").held.insert(id.clone(), actor.clone());
        assert_eq!(before, None, "`{id}` is held by two");
        at(
            bed,
            repo,
            &["task", "complete", &id, "--summary", "done", "--actor", &actor],
        )
        .ok();
        let mut seen = seen.lock().expect("whole");
        assert!(seen.done.insert(id.clone()), "`{id}` is done twice");
        drop(seen);
    }
}

/// Takes one of what is left, if anything is.
fn spend(left: &AtomicUsize) -> bool {
    left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1))
        .is_ok()
}

#[test]
fn a_completion_that_needs_a_check_is_refused_as_long_as_none_can_be_recorded() {
    let (bed, repo) = bed();
    let _daemon = bed.start();
    json(&bed, &repo, "task add A --id a");
    json(&bed, &repo, "config set tasks.require_validation true");
    let refused = at(&bed, &repo, &["task", "complete", "a", "--summary", "done"]).ends(4);
    assert!(refused.err.contains("tasks.require_validation"), "{refused:?}");
    assert_eq!(json(&bed, &repo, "task show a")["status"], "pending");
    // To give it back is no completion.
    json(&bed, &repo, "task start a");
    json(
        &bed,
        &repo,
        "task complete a --summary half --next-action needs_revision",
    );
    json(&bed, &repo, "task complete a --summary done --force");
    json(&bed, &repo, "task add B --id b");
    json(&bed, &repo, "config unset tasks.require_validation");
    json(&bed, &repo, "task complete b --summary done");
}

#[test]
fn thirty_two_processes_share_the_tasks_while_some_are_killed() {
    let count = ask::times(200, 2_000);
    let full = count == 2_000;
    let (bed, repo) = bed();
    let _daemon = bed.start();
    if full {
        std::fs::create_dir_all(repo.join(".task_orchestrator")).expect("made");
        json(&bed, &repo, "config set tasks.lease_minutes 1");
    }
    plan(&bed, &repo, &many(count));
    let seen = Mutex::new(Seen::default());
    let all = |kills: usize| {
        let kills = AtomicUsize::new(kills);
        std::thread::scope(|scope| {
            for number in 0..32 {
                let (bed, repo, kills, seen) = (&bed, &repo, &kills, &seen);
                scope.spawn(move || work((bed, repo), number, kills, seen));
            }
        });
    };
    all(20);
    if full {
        // The leases of those who were killed end, and their tasks are done by others.
        let ready = |bed: &Bed| {
            let ready = json(bed, &repo, "task list --ready --limit 1");
            ready["tasks"]
                .as_array()
                .is_some_and(|tasks| !tasks.is_empty())
                .then_some(())
        };
        while seen.lock().expect("whole").done.len() < count {
            let back = deadline::within(Duration::from_secs(90), || ready(&bed));
            assert!(
                back.is_some(),
                "the tasks of those who were killed never came back"
            );
            all(0);
        }
    }
    let seen = seen.into_inner().expect("whole");
    let stats = json(&bed, &repo, "task stats");
    let of = |status: &str| stats["by_status"][status].as_u64().unwrap_or_default();
    assert_eq!(of("completed"), seen.done.len() as u64);
    // Besides the top: what is not done is held by one who was killed, or waits for that.
    assert_eq!(stats["total"], count as u64 + 1);
    let held = json(&bed, &repo, "task list --status active --limit 1000");
    for task in held["tasks"].as_array().expect("a list") {
        assert!(text(&task["claim"], "actor").starts_with("lost-"), "{task}");
    }
    assert!(
        json(&bed, &repo, "task list --ready")["tasks"]
            .as_array()
            .is_some_and(Vec::is_empty)
    );
}
