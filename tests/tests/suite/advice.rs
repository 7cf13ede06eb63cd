//! What is said where something cannot be done, or is nearly done: sentences that somebody can follow, and nothing that
//! was said by others carried out.

use std::path::{Path, PathBuf};

use serde_json::Value;
use tests::daemon::{Bed, program};
use tests::git;
use tests::process::{self, Said};
use tests::skip::skip;

/// A bed with a repository in it.
fn bed() -> (Bed, PathBuf) {
    let bed = Bed::new();
    let repo = bed.project("repo");
    git::init(&repo);
    (bed, repo)
}

fn run(bed: &Bed, folder: &Path, words: &[&str]) -> Said {
    let mut command = bed.tocli(words);
    process::run(command.current_dir(folder).env("TO_ACTOR", "me"))
}

fn words(line: &str) -> Vec<&str> {
    line.split(' ').collect()
}

fn json(bed: &Bed, folder: &Path, line: &str) -> Value {
    run(bed, folder, &words(&format!("{line} --json"))).ok().json()
}

/// Why a command failed: exit code, what, why and next.
fn failed(bed: &Bed, folder: &Path, line: &str) -> (i32, String, String, String) {
    let said = run(bed, folder, &words(&format!("{line} --json")));
    let error: Value = serde_json::from_str(said.err.lines().last().unwrap_or_default())
        .unwrap_or_else(|_| panic!("`{line}`: {said:?}"));
    let field = |name: &str| error["error"][name].as_str().unwrap_or_default().to_owned();
    (said.code, field("what"), field("why"), field("next"))
}

fn plan(bed: &Bed, folder: &Path, text: &str) -> Said {
    std::fs::write(folder.join("plan.yaml"), text).expect("written");
    run(bed, folder, &["task", "plan", "-f", "plan.yaml", "--json"])
}

#[test]
fn next_says_what_can_be_done_where_nothing_is_ready() {
    let (bed, repo) = bed();
    let (code, what, why, next) = failed(&bed, &repo, "next");
    assert_eq!((code, what.as_str()), (3, "no task is ready"));
    assert_eq!(why, "no task is open");
    assert!(next.contains("tocli task add"), "{next}");
    plan(
        &bed,
        &repo,
        "title: Top\nid: top\ntasks:\n  - {id: a, title: A, specialist: coder}\n  - {id: b, title: B, after: [a]}\n",
    )
    .ok();
    // A specialist's name that is nearly one for whom something is ready.
    let (code, _, why, next) = failed(&bed, &repo, "next --specialist codr");
    assert_eq!((code, why.as_str()), (3, "there are 1 for `coder`"));
    assert_eq!(next, "did you mean `coder`?");
    json(&bed, &repo, "next --claim");
    let (_, _, why, next) = failed(&bed, &repo, "next --claim");
    assert!(why.contains("you hold `a`"), "{why}");
    assert!(next.contains("`tocli task complete a`"), "{next}");
    json(&bed, &repo, "task complete a -s found");
    json(&bed, &repo, "next --claim");
    // The last one: its group can be closed, which is said at once and by `next`, in both forms.
    let done = json(&bed, &repo, "task complete b -s built");
    let warning = done["warnings"][0].as_str().expect("a warning");
    assert!(warning.contains("`tocli task complete top`"), "{warning}");
    let (code, _, why, next) = failed(&bed, &repo, "next");
    assert_eq!(code, 3);
    assert!(why.contains("all is closed below `top`"), "{why}");
    assert!(next.contains("`tocli task complete top`"), "{next}");
    let listed = run(&bed, &repo, &["task", "list"]).ok();
    assert!(listed.text().contains("nothing open below"), "{}", listed.text());
    json(&bed, &repo, "task complete top -s all");
    assert_eq!(failed(&bed, &repo, "next").2, "no task is open");
}

#[test]
fn what_an_error_advises_can_be_typed() {
    let (bed, repo) = bed();
    json(&bed, &repo, "task add T --id t");
    json(&bed, &repo, "task start t --actor other");
    // Neither of these two has a word that overrules: what is advised has.
    for line in ["task release t", "task block t --reason r"] {
        let (code, _, _, next) = failed(&bed, &repo, line);
        assert_eq!(code, 5, "{line}");
        assert!(next.contains("`tocli task start t --force`"), "{line}: {next}");
    }
    json(&bed, &repo, "task start t --force");
    json(&bed, &repo, "task release t");
    json(&bed, &repo, "task complete t -s done");
    let (code, _, _, next) = failed(&bed, &repo, "task complete t");
    assert_eq!(code, 4);
    let (_, ways) = next.split_once(": ").expect("a list");
    assert_eq!(ways, "complete --next-action needs_revision, delete, reopen");
    json(&bed, &repo, "task complete t --next-action needs_revision");
    assert_eq!(json(&bed, &repo, "task show t")["status"], "needs_revision");
    json(&bed, &repo, "task delete t");
    let (_, _, _, next) = failed(&bed, &repo, "task delete t");
    assert!(next.contains("delete --purge"), "{next}");
    json(&bed, &repo, "task delete t --purge");
    // Changed by the caller itself: nobody else is blamed.
    json(&bed, &repo, "task add U --id u");
    json(&bed, &repo, "task update u --title V --if-revision 1");
    let (code, what, why, _) = failed(&bed, &repo, "task update u --title W --if-revision 1");
    assert_eq!((code, what.as_str()), (5, "`u` is at revision 2, not 1"));
    assert!(!why.contains("somebody"), "{why}");
    assert_eq!(failed(&bed, &repo, "task update u").0, 2, "nothing to change");
    assert_eq!(failed(&bed, &repo, "task list --fields task_id,titel").0, 2);
}

#[test]
fn a_plan_that_is_refused_is_spoken_of_in_its_own_names() {
    let (bed, repo) = bed();
    let told = |text: &str| {
        let said = plan(&bed, &repo, text);
        let error: Value = serde_json::from_str(said.err.trim()).unwrap_or_else(|_| panic!("{said:?}"));
        let field = |name: &str| error["error"][name].as_str().unwrap_or_default().to_owned();
        (said.code, field("what"), field("why"), field("next"))
    };
    let cycle = "title: T\ntasks:\n  - {name: one, title: A, after: [two]}\n  - {name: two, title: B, after: [one]}\n";
    let (code, what, ..) = told(cycle);
    assert_eq!(code, 4);
    let paths = ["a cycle: one → two → one", "a cycle: two → one → two"];
    assert!(paths.contains(&what.as_str()), "{what}");
    let (code, what, _, next) = told("\n");
    assert_eq!((code, what.as_str()), (2, "the plan is empty"));
    assert!(next.contains("tocli task template show"), "{next}");
    let (code, _, why, _) = told("title: T\ntasks:\n  - {title: A, priority: soon}\n");
    assert_eq!(code, 2);
    assert_eq!(
        why,
        "line 3: `soon` is no priority: it is one of critical, high, medium, low"
    );
    let (code, _, _, next) = told("title: T\ntasks:\n  - {name: a, title: A, after: [nothing-like-it]}\n");
    assert_eq!(code, 3);
    assert!(next.contains("by its `name`"), "{next}");
    assert_eq!(
        json(&bed, &repo, "task list --all")["tasks"],
        serde_json::json!([])
    );
}

#[test]
fn a_worker_gets_the_results_of_what_its_group_waits_for_too() {
    let (bed, repo) = bed();
    plan(
        &bed,
        &repo,
        "title: T\nid: top\ntasks:\n  - {id: first, title: First}\n  - {id: mute, title: Mute}\n  \
         - {id: group, title: Group, after: [first, mute], tasks: [{id: inner, title: Inner, specialist: carpenter}]}\n",
    )
    .ok();
    std::fs::write(repo.join("list.md"), "Three boards\n").expect("written");
    let kept = json(&bed, &repo, "artifact store first list.md --summary Boards");
    let handle = format!(
        "tocli artifact get {}",
        kept["artifact_id"].as_str().expect("an id")
    );
    json(&bed, &repo, "task complete first -s Oak");
    json(&bed, &repo, "task complete mute");
    let prompt = json(&bed, &repo, "task execute inner");
    let prompt = prompt["prompt"].as_str().expect("a text");
    for part in [
        "# Result of `first`",
        "Oak",
        "# Result of `mute`",
        "Nothing was written down",
        "There is no role file of that name",
        &handle,
        "list.md",
    ] {
        assert!(prompt.contains(part), "`{part}` is missing in {prompt}");
    }
    // The file's own task builds on nothing.
    let own = json(&bed, &repo, "task execute first");
    assert!(
        !own["prompt"].as_str().expect("a text").contains("list.md"),
        "{own}"
    );
}

#[test]
fn a_workspace_counts_its_tasks_by_where_they_stand() {
    let (bed, repo) = bed();
    for id in ["a", "b", "c"] {
        json(&bed, &repo, &format!("task add T --id {id}"));
    }
    json(&bed, &repo, "task complete a -s done");
    let expected = serde_json::json!({ "pending": 2, "completed": 1 });
    let shown = json(&bed, &repo, "workspace show");
    assert_eq!(shown["totals"]["tasks"], expected);
    // Also where no board is in memory.
    bed.run(["daemon", "stop"]).ok();
    let listed = json(&bed, &repo, "workspace list");
    assert_eq!(listed["workspaces"][0]["totals"]["tasks"], expected);
    let renamed = json(&bed, &repo, "workspace rename repo other");
    assert_eq!(renamed["totals"]["tasks"], expected);
}

#[test]
fn no_name_is_carried_out_by_completing_words() {
    let bed = Bed::new();
    if std::process::Command::new("bash")
        .arg("--version")
        .output()
        .is_err()
    {
        return skip("bash", "`bash` is not installed");
    }
    let folder = bed.project("$(touch carried-out)");
    git::init(&folder);
    run(&bed, &folder, &["workspace", "create"]).ok();
    let script = bed.path().join("script");
    std::fs::write(&script, bed.run(["completions", "bash"]).ok().out).expect("written");
    let here = bed.project("elsewhere");
    let tocli = program("tocli");
    let path = format!(
        "{}:{}",
        tocli.parent().expect("a folder").display(),
        std::env::var("PATH").unwrap_or_default()
    );
    let text = ". \"$0\"; COMP_WORDS=(tocli workspace show ''); COMP_CWORD=3; _tocli_live tocli '' show; printf '%s\\n' \"${COMPREPLY[@]}\"";
    let said = process::run(
        bed.command("bash")
            .args(["-c", text])
            .arg(&script)
            .env("PATH", path)
            .current_dir(&here),
    );
    assert!(said.text().contains("touch"), "the name is offered: {said:?}");
    assert!(!here.join("carried-out").exists(), "a name was carried out");
}

#[test]
fn an_artifact_is_written_where_its_reader_says_and_nowhere_else() {
    let (bed, repo) = bed();
    json(&bed, &repo, "task add T --id t");
    std::fs::write(repo.join("note"), "\u{1b}[31mred\n").expect("written");
    let stored = json(&bed, &repo, "artifact store t note");
    let id = stored["artifact_id"].as_str().expect("an id");
    let said = run(&bed, &repo, &["artifact", "get", id, "-o", "-"]).ok();
    assert_eq!(said.out, b"\x1b[31mred\n", "a pipe gets the bytes");
    assert!(!repo.join("-").exists());
    let (code, what, _, next) = failed(&bed, &repo, &format!("artifact get {id} -o ."));
    assert_eq!(code, 2, "{what}");
    assert!(next.contains("name the file"), "{next}");
    // The same file twice is one artifact, and no trouble.
    json(&bed, &repo, "task add V --id v");
    let done = json(
        &bed,
        &repo,
        "task complete v -s s --artifact note --artifact note",
    );
    assert_eq!(done["warnings"], serde_json::json!([]));
    assert_eq!(done["artifacts"][0]["version"], done["artifacts"][1]["version"]);
    run(&bed, &repo, &["artifact", "verify"]).ok();
    // Notes go to standard error, so that what is piped on is data alone.
    for (line, note) in [
        ("artifact search nothing-like-it", "no line matches"),
        ("artifact partials", "no uploads"),
        ("artifact restore", "nothing was missing"),
        ("recall nothing-like-it", "no notes found"),
        ("decision list", "no decisions found"),
        ("audit --by nobody", "no events found"),
    ] {
        let said = run(&bed, &repo, &words(line)).ok();
        assert!(said.err.contains(note), "`{line}`: {said:?}");
        assert_eq!(said.text(), "", "{line}");
    }
}
