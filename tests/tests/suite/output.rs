//! Standard output as it is: full, closed, narrow, or read by a script that wants objects.

use serde_json::Value;
use tests::daemon::{Bed, program};
use tests::process::{self, Said};
use tests::skip::skip;

/// A project with a task and an artifact, whose id is given.
fn furnished(bed: &Bed) -> (std::path::PathBuf, String) {
    let repo = bed.project("repo");
    tests::git::init(&repo);
    std::fs::write(repo.join("a.txt"), "a\n").expect("written");
    let run = |line: &[&str]| process::run(bed.tocli(line).current_dir(&repo)).ok().json();
    let task = run(&["task", "add", "A task", "--json"])["task_id"].clone();
    let task = task.as_str().expect("an id");
    let kept = run(&["artifact", "store", task, "a.txt", "--json"]);
    let artifact = kept["artifact_id"].as_str().expect("an id");
    (repo, artifact.to_owned())
}

/// Runs words in a shell that gives them another standard output.
fn redirected(bed: &Bed, (repo, line): (&std::path::Path, &str), to: &str) -> Said {
    let script = format!("exec \"$0\" {line} {to}");
    let mut shell = bed.command("sh");
    process::run(
        shell
            .args(["-c", &script])
            .arg(program("tocli"))
            .current_dir(repo),
    )
}

#[test]
fn an_answer_that_cannot_be_written_is_a_failure_that_says_so() {
    let bed = Bed::new();
    let (repo, artifact) = furnished(&bed);
    let lines = [
        "detect",
        "status",
        "files",
        "clock",
        "changes --since 1h",
        "doctor",
        "migrate",
        "workspace list",
        "workspace show",
        "workspace export -",
        "config list",
        "role list",
        "task list",
        "task stats",
        "task add Another",
        "artifact list",
        &format!("artifact get {artifact}"),
        "decision list",
        "remember something",
        "recall something",
        "session list",
        "prime",
        "audit",
        "audit verify",
        "daemon status",
        "daemon logs",
        "setup",
        "man",
        "completions bash",
        "--help",
        "--version",
        "task add --help",
    ];
    let at = |line: &str, to: &str| redirected(&bed, (&repo, line), to);
    for line in lines {
        let only_text = line.contains("--help") || ["--version", "workspace export -"].contains(&line);
        let forms = match only_text {
            true => vec![line.to_owned()],
            false => vec![line.to_owned(), format!("{line} --json")],
        };
        for line in forms {
            let plain = at(&line, "");
            assert_eq!(plain.code, 0, "{line}: {plain:?}");
            assert_eq!(at(&line, ">/dev/null").code, 0, "{line}");
            if plain.out.is_empty() {
                assert!(!line.ends_with("--json"), "{line} says nothing");
                continue;
            }
            for to in [">/dev/full", ">&-"] {
                let said = at(&line, to);
                assert_eq!(said.code, 6, "{line} {to}: {said:?}");
                assert!(
                    said.err.contains("standard output cannot be written"),
                    "{line} {to}: {said:?}"
                );
            }
        }
    }
    let said = at(&format!("artifact get {artifact} -o copy"), ">&-");
    assert_eq!(
        (said.code, said.out.len()),
        (0, 0),
        "nothing was to be written: {said:?}"
    );
    assert_eq!(std::fs::read(repo.join("copy")).expect("read"), b"a\n");
}

#[test]
fn a_watcher_whose_output_is_full_ends_with_the_first_batch() {
    let bed = Bed::new();
    let (repo, _) = furnished(&bed);
    let mut shell = bed.command("sh");
    shell
        .args(["-c", "exec \"$0\" watch --json >/dev/full"])
        .arg(program("tocli"))
        .current_dir(&repo)
        .stderr(std::process::Stdio::piped());
    let mut child = shell.spawn().expect("started");
    let ended = tests::deadline::until("the watcher ends", || {
        std::fs::write(repo.join("b.txt"), format!("{:?}", std::time::Instant::now())).expect("written");
        child.try_wait().expect("waited")
    });
    assert_eq!(ended.code(), Some(6));
}

/// What a command shows on a terminal of so many columns; none where there is no `script`.
fn on_terminal(bed: &Bed, at: &std::path::Path, columns: u32, line: &str) -> Option<String> {
    let mut shell = bed.command("script");
    let words = format!(
        "stty cols {columns} rows 50; exec '{}' {line}",
        program("tocli").display()
    );
    shell.args(["-qec", &words, "/dev/null"]).current_dir(at);
    shell.env("NO_COLOR", "1").env_remove("COLUMNS");
    shell.output().ok()?;
    Some(process::run(&mut shell).ok().text().replace('\r', ""))
}

#[test]
fn tables_fit_a_narrow_terminal_and_cut_no_id() {
    let bed = Bed::new();
    let repo = bed.project("repo");
    let long = "Count the hinges of all doors of the house, then those of the neighbours 日本語の題名";
    let run = |line: &[&str]| process::run(bed.tocli(line).current_dir(&repo)).ok();
    let id = run(&["task", "add", long, "--json"]).json()["task_id"].clone();
    let id = id.as_str().expect("an id");
    run(&["task", "add", "Short"]);
    let Some(narrow) = on_terminal(&bed, &repo, 60, "task list") else {
        return skip("script", "`script` is not installed");
    };
    let cut = narrow.lines().find(|line| line.contains(id)).expect("the task");
    assert!(cut.contains("Count the") && cut.ends_with('…'), "{narrow}");
    assert!(narrow.lines().all(|line| line.chars().count() <= 60), "{narrow}");
    let wide = on_terminal(&bed, &repo, 200, "task list").expect("there is `script`");
    assert!(wide.contains("those of the neighbours"), "{wide}");
    let piped = run(&["task", "list"]).text();
    assert!(piped.contains(long), "{piped}");
    let mut wished = bed.tocli(["task", "list"]);
    wished.env("COLUMNS", "40").current_dir(&repo);
    assert_eq!(
        process::run(&mut wished).ok().text(),
        piped,
        "a pipe has no columns"
    );
}

/// Arrays of arrays are pairs or rows without names.
fn nameless(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.iter().any(|item| item.is_array() || nameless(item)),
        Value::Object(fields) => fields.values().any(nameless),
        _ => false,
    }
}

#[test]
fn figures_are_found_by_their_names_in_json() {
    let bed = Bed::new();
    let (repo, artifact) = furnished(&bed);
    let json = |line: &str| {
        let words = line.split(' ').chain(["--json"]);
        process::run(bed.tocli(words).current_dir(&repo)).ok().json()
    };
    let stats = json("task stats");
    assert_eq!(stats["by_status"]["pending"], 1, "{stats}");
    assert_eq!(stats["by_specialist"]["generic"], 1, "{stats}");
    assert_eq!(json("workspace show")["totals"]["tasks"]["pending"], 1);
    for line in [
        "detect",
        "status",
        "files",
        "changes --since 1h",
        "doctor",
        "migrate status",
        "workspace list",
        "workspace validate-isolation",
        "config list --origin",
        "role show coder",
        "task stats",
        "task list",
        "task tree",
        "task template list",
        "artifact list",
        &format!("artifact show {artifact}"),
        "artifact verify",
        "decision list",
        "remember something --tag x",
        "recall something",
        "session list",
        "prime",
        "audit",
        "audit verify",
        "daemon status",
    ] {
        let found = json(line);
        assert!(!nameless(&found), "{line}: {found:#}");
    }
}
