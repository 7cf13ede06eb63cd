//! The real databases, counted by the `sqlite3` program.

use std::path::{Path, PathBuf};
use std::process::Command;

use tests::skip::skip;

use super::{adds_up, bed, count, digests, import, tasks};

/// The folder of real databases; none, with a word, where there is none.
fn folder() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/legacy");
    let folder = std::env::var_os("TOD_LEGACY").map_or(beside, PathBuf::from);
    if !folder.is_dir() {
        skip(
            "legacy",
            &format!(
                "there are no real databases in `{}` (`TOD_LEGACY`)",
                folder.display()
            ),
        );
        return None;
    }
    if Command::new("sqlite3").arg("--version").output().is_err() {
        skip("sqlite3", "the program `sqlite3` is not installed");
        return None;
    }
    Some(folder)
}

/// What `sqlite3` says; tables that a release does not have count nothing.
fn counted(database: &Path, sql: &str) -> u64 {
    let uri = format!("file:{}?mode=ro&immutable=1", database.display());
    let said = Command::new("sqlite3")
        .args([&uri, sql])
        .output()
        .expect("sqlite3 runs");
    String::from_utf8_lossy(&said.stdout)
        .trim()
        .parse()
        .unwrap_or_default()
}

const FIRST: [(&str, &str); 6] = [
    (
        "tasks",
        "SELECT (SELECT count(*) FROM task_breakdowns) + (SELECT count(*) FROM subtasks)",
    ),
    (
        "dependencies",
        "SELECT coalesce(sum(json_array_length(dependencies)), 0) FROM subtasks",
    ),
    (
        "artifacts",
        "SELECT coalesce(sum(json_array_length(artifacts)), 0) FROM subtasks",
    ),
    ("decisions", "SELECT count(*) FROM architectural_decisions"),
    ("file_operations", "SELECT count(*) FROM file_operations"),
    ("archives", "SELECT count(*) FROM task_archives"),
];

const SECOND: [(&str, &str); 3] = [
    ("tasks", "SELECT count(*) FROM tasks"),
    (
        "dependencies",
        "SELECT (SELECT count(*) FROM task_dependencies) + coalesce(sum(json_array_length(json_extract(metadata, '$'), \
         '$.dependencies')), 0) FROM tasks",
    ),
    ("artifacts", "SELECT count(*) FROM task_artifacts"),
];

fn one(old: &str, database: &str, version: &str) {
    let Some(folder) = folder() else { return };
    let (bed, repo) = bed();
    let (old, database) = (folder.join(old), folder.join(database));
    let before = digests(&folder);
    let oracle: &[(&str, &str)] = if version == "2.0" { &SECOND } else { &FIRST };
    let dry = import(&bed, &repo, &old, &["--dry-run"]).ok().json();
    assert!(
        !repo.join(".task_orchestrator").exists(),
        "a dry run makes nothing"
    );
    assert!(tasks(&bed, &repo).is_empty());
    let report = import(&bed, &repo, &old, &[]).ok().json();
    adds_up(&report);
    assert_eq!(report["version"], version);
    for (kind, sql) in oracle {
        assert_eq!(
            count(&report, "found", kind),
            counted(&database, sql),
            "{kind}: {report}"
        );
        assert_eq!(
            count(&report, "imported", kind),
            count(&dry, "imported", kind),
            "{kind}: {dry}"
        );
    }
    let made = tasks(&bed, &repo);
    assert_eq!(made.len() as u64, count(&report, "found", "tasks"));
    let again = import(&bed, &repo, &old, &[]).ok().json();
    adds_up(&again);
    for kind in super::KINDS {
        assert_eq!(count(&again, "imported", kind), 0, "{kind}: {again}");
        assert_eq!(
            count(&again, "already_there", kind),
            count(&report, "imported", kind),
            "{kind}: {again}"
        );
    }
    assert_eq!(tasks(&bed, &repo), made, "nothing was made twice");
    assert_eq!(digests(&folder), before, "the old files are as they were");
}

#[test]
fn a_database_of_1_2_is_imported_as_sqlite_counts_it() {
    one("v1.2.0-15tasks.db", "v1.2.0-15tasks.db", "1.2");
}

#[test]
fn a_database_of_1_4_is_imported_as_sqlite_counts_it() {
    one("v1.4.0-flow.db", "v1.4.0-flow.db", "1.4");
}

#[test]
fn a_project_of_1_5_is_imported_as_sqlite_counts_it() {
    one(
        "v1.5.1-flow",
        "v1.5.1-flow/.task_orchestrator/task_orchestrator.db",
        "1.5",
    );
}

#[test]
fn a_project_of_1_8_is_imported_as_sqlite_counts_it() {
    one(
        "v1.8.0-flow",
        "v1.8.0-flow/.task_orchestrator/task_orchestrator.db",
        "1.8",
    );
}

#[test]
fn a_project_of_2_0_is_imported_as_sqlite_counts_it() {
    one(
        "v2.0.0-flow",
        "v2.0.0-flow/.task_orchestrator/tasks.sqlite",
        "2.0",
    );
}

#[test]
fn artifacts_of_1_5_and_1_8_come_with_the_bytes_of_their_real_files() {
    let Some(folder) = folder() else { return };
    for project in ["v1.5.1-flow", "v1.8.0-flow"] {
        let (bed, repo) = bed();
        let old = folder.join(project);
        let report = import(&bed, &repo, &old, &[]).ok().json();
        assert_eq!(
            (
                count(&report, "imported", "artifacts"),
                count(&report, "found", "unlisted_files")
            ),
            (3, 0),
            "{report}"
        );
        let listed = super::json(&bed, &repo, "artifact list --limit 10");
        let mut digests: Vec<String> = Vec::new();
        for artifact in listed["artifacts"].as_array().expect("a list") {
            let id = artifact["artifact_id"].as_str().expect("an id");
            let words = ["artifact", "get", id];
            let said = tests::process::run(bed.tocli(words).current_dir(&repo));
            digests.push(blake3::hash(&said.out).to_hex().to_string());
            assert!(artifact["task_id"].is_string(), "{artifact}");
        }
        digests.sort();
        let mut files: Vec<String> = super::digests(&old.join(".task_orchestrator/artifacts"))
            .into_iter()
            .filter(|(path, _)| path.extension().is_some_and(|end| end == "md"))
            .map(|(_, digest)| digest)
            .collect();
        files.sort();
        assert_eq!(digests, files, "{project}");
    }
}

#[test]
fn a_file_of_2_0_that_no_record_names_comes_too() {
    let Some(folder) = folder() else { return };
    let (bed, repo) = bed();
    let report = import(&bed, &repo, &folder.join("v2.0.0-flow"), &[]).ok().json();
    assert_eq!(count(&report, "imported", "unlisted_files"), 1, "{report}");
    let listed = super::json(&bed, &repo, "artifact list --limit 10");
    assert_eq!(
        (
            listed["artifacts"][0]["size"].clone(),
            listed["artifacts"][0]["task_id"].clone()
        ),
        (12_534.into(), serde_json::Value::Null)
    );
}

#[test]
fn a_real_flow_keeps_its_texts_states_and_times() {
    let Some(folder) = folder() else { return };
    let (bed, repo) = bed();
    import(&bed, &repo, &folder.join("v1.4.0-flow.db"), &[]).ok();
    let shown = super::json(&bed, &repo, "task show implementer_api001");
    assert_eq!(
        (shown["status"].clone(), shown["effort"].clone()),
        ("completed".into(), "2h".into())
    );
    assert_eq!(shown["after"], serde_json::json!(["architect_api001"]));
    assert_eq!(shown["summary"], "done implementer_api001");
    let group = super::json(&bed, &repo, "task show task_84e71718");
    assert_eq!(
        (group["status"].clone(), group["complexity"].clone()),
        ("completed".into(), "complex".into())
    );
    assert_eq!(group["context"], "legacy sample");
    let cycle = super::json(&bed, &repo, "task list");
    let open: Vec<&str> = cycle["tasks"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|task| task["task_id"].as_str())
        .collect();
    assert_eq!(
        open,
        ["task_112a493b", "t_b", "t_a"],
        "the cycle is broken where it closed: `t_b` waits for nothing"
    );
}

#[test]
fn what_came_from_old_databases_goes_out_and_comes_in_elsewhere_without_loss() {
    let Some(folder) = folder() else { return };
    for old in ["v1.2.0-15tasks.db", "v1.8.0-flow", "v2.0.0-flow"] {
        let ((one, first), (two, second)) = (bed(), bed());
        import(&one, &first, &folder.join(old), &[]).ok();
        let (file, back) = (one.work().join("file"), two.work().join("back"));
        let say = |bed: &tests::daemon::Bed, repo: &Path, verb: &str, file: &Path| {
            let words = ["workspace", verb, file.to_str().expect("UTF-8"), "--json"];
            tests::process::run(bed.tocli(words).current_dir(repo))
                .ok()
                .json()
        };
        let said = say(&one, &first, "export", &file);
        assert_eq!(said["warnings"], serde_json::json!([]), "{old}: {said}");
        assert!(said["counts"]["legacy"].as_u64() > Some(0), "{old}: {said}");
        let came = say(&two, &second, "import", &file);
        assert_eq!(came["found"], came["imported"], "{old}: {came}");
        say(&two, &second, "export", &back);
        let own = format!(
            "{{\"event\":{{\"seq\":{}",
            said["counts"]["events"].as_u64().expect("counted") + 1
        );
        let lines = |file: &Path| {
            let text = std::fs::read_to_string(file).expect("read");
            let same = text.lines().skip(1);
            same.filter(|line| !line.starts_with("{\"end\"") && !line.starts_with(&own))
                .map(str::to_owned)
                .collect::<Vec<String>>()
        };
        assert_eq!(lines(&file), lines(&back), "{old}");
        // What the first knew of the old database the second knows too: nothing comes twice.
        let again = import(&two, &second, &folder.join(old), &[]).ok().json();
        for kind in super::KINDS {
            assert_eq!(count(&again, "imported", kind), 0, "{old}: {kind}: {again}");
        }
    }
}
