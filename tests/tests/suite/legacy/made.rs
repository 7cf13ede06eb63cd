//! Databases that the tests make: rows that stand in the `-wal` alone, local times, cycles, ghosts, and what is no
//! database at all.

use std::path::{Path, PathBuf};

use rusqlite::Connection;
use rustix::process::Signal;
use tests::ask::times;
use tests::chance::Chance;
use tests::{deadline, process};

use super::{adds_up, bed, count, digests, import, json, tasks};

const FIRST: &str = "CREATE TABLE task_breakdowns (parent_task_id VARCHAR NOT NULL PRIMARY KEY, description TEXT NOT NULL, complexity \
    VARCHAR NOT NULL, context TEXT, created_at DATETIME NOT NULL);
    CREATE TABLE subtasks (task_id VARCHAR NOT NULL PRIMARY KEY, parent_task_id VARCHAR NOT NULL, title VARCHAR NOT NULL, \
    description TEXT NOT NULL, specialist_type VARCHAR NOT NULL, dependencies JSON, estimated_effort VARCHAR NOT NULL, status \
    VARCHAR NOT NULL, results TEXT, artifacts JSON, created_at DATETIME NOT NULL, completed_at DATETIME);
    CREATE TABLE lock_tracking (resource_name VARCHAR NOT NULL PRIMARY KEY, locked_at DATETIME NOT NULL, locked_by VARCHAR NOT NULL);
    CREATE TABLE file_operations (operation_id VARCHAR NOT NULL PRIMARY KEY, subtask_id VARCHAR NOT NULL, session_id VARCHAR, \
    operation_type VARCHAR, file_path TEXT, created_at DATETIME);
    CREATE TABLE task_archives (id INTEGER NOT NULL PRIMARY KEY, original_task_id VARCHAR, archived_data JSON);";

const DECISIONS: &str = "CREATE TABLE architectural_decisions (decision_id VARCHAR NOT NULL PRIMARY KEY, decision_number INTEGER, \
    subtask_id VARCHAR, title TEXT, category VARCHAR, impact_level VARCHAR, status VARCHAR, problem_statement TEXT, context TEXT, decision \
    TEXT, rationale TEXT, supersedes JSON, affected_files JSON, affected_components JSON, alternatives_considered JSON, trade_offs JSON, \
    risks JSON, created_at DATETIME);";

#[test]
fn decisions_come_with_their_numbers_in_order_and_what_they_supersede() {
    let (bed, repo) = bed();
    let old = bed.work().join("old.db");
    let decision = |id: &str, number: u32, status: &str, supersedes: &str| {
        format!(
            "INSERT INTO architectural_decisions VALUES ('{id}',{number},'a','Title {id}','technology','high','{status}','P','C','Use {id}',\
             'Because','{supersedes}','[\"src/api.rs\",\"/etc/passwd\",\"../x\"]','[\"api\"]','[\"other\"]','[\"slow\"]','[\"fire\"]',\
             '2026-07-01 12:00:00');"
        )
    };
    let sql = [
        DECISIONS.to_owned(),
        subtask("a", "p", "[]", "pending"),
        decision("second", 2, "accepted", "[\"first\"]"),
        decision("first", 1, "superseded", "[]"),
        decision("7", 3, "proposed", "[]"),
    ]
    .concat();
    drop(database(&old, &sql));
    let dry = import(&bed, &repo, &old, &["--dry-run"]).ok().json();
    let report = import(&bed, &repo, &old, &[]).ok().json();
    adds_up(&report);
    assert_eq!(
        (
            count(&report, "imported", "decisions"),
            count(&dry, "imported", "decisions")
        ),
        (3, 3),
        "{report}"
    );
    let first = json(&bed, &repo, "decision show first");
    assert_eq!(
        (first["number"].clone(), first["status"].clone()),
        (1.into(), "superseded".into())
    );
    let second = json(&bed, &repo, "decision show 2");
    assert_eq!(
        (second["id"].clone(), second["links"][0]["number"].clone()),
        ("second".into(), 1.into())
    );
    assert_eq!(
        (second["paths"].clone(), second["task"].clone()),
        (serde_json::json!(["src/api.rs"]), "a".into())
    );
    assert_eq!(
        report["mapped"][0]["id"], "7",
        "a number names decisions, so it is no id of one"
    );
    let file = PathBuf::from(second["file"].as_str().expect("a file"));
    assert!(
        std::fs::read_to_string(&file)
            .expect("read")
            .contains("Use second")
    );
    let again = import(&bed, &repo, &old, &[]).ok().json();
    assert_eq!(
        (
            count(&again, "imported", "decisions"),
            count(&again, "already_there", "decisions")
        ),
        (0, 3)
    );
}

fn breakdown(id: &str, title: &str) -> String {
    format!("INSERT INTO task_breakdowns VALUES ('{id}','{title}','moderate','ctx','2026-07-01 12:00:00.5');")
}

fn subtask(id: &str, parent: &str, after: &str, status: &str) -> String {
    let done = if status == "completed" {
        "'2026-07-01 17:30:00'"
    } else {
        "NULL"
    };
    format!(
        "INSERT INTO subtasks VALUES ('{id}','{parent}','Título {id}','What {id} is','coder','{after}','Unknown','{status}',\
         'Result of {id}','[]','2026-07-01 12:00:00.5',{done});"
    )
}

fn database(path: &Path, sql: &str) -> Connection {
    let connection = Connection::open(path).expect("opened");
    connection
        .execute_batch(&format!("{FIRST} {sql}"))
        .expect("written");
    connection
}

#[test]
fn what_stands_in_the_wal_alone_comes_too_and_local_times_are_put_right() {
    let (bed, repo) = bed();
    let daemon = bed.start_with(|command| {
        command.env("TZ", "America/New_York");
    });
    let old = bed.work().join("old.db");
    let connection = Connection::open(&old).expect("opened");
    let sql = [
        breakdown("p", "Top"),
        subtask("done", "p", "[]", "completed"),
        subtask("open", "p", "[\"done\"]", "active"),
    ]
    .concat();
    connection
        .execute_batch(&format!(
            "PRAGMA journal_mode=WAL; PRAGMA wal_autocheckpoint=0; {FIRST} {sql}"
        ))
        .expect("written");
    let files = ["old.db", "old.db-wal", "old.db-shm"].map(|name| bed.work().join(name));
    let before = files.clone().map(|file| std::fs::read(file).expect("read"));
    let report = import(&bed, &repo, &old, &[]).ok().json();
    adds_up(&report);
    assert_eq!(
        (
            count(&report, "imported", "tasks"),
            count(&report, "imported", "dependencies")
        ),
        (3, 1)
    );
    assert_eq!(files.map(|file| std::fs::read(file).expect("read")), before);
    let done = json(&bed, &repo, "task show done");
    // Summer time in New York: four hours behind.
    let hour = 3_600_000_000_000_i64;
    let noon = 1_782_907_200_500_000_000;
    assert_eq!(done["created"], noon + 4 * hour, "local");
    assert_eq!(done["finished"], noon - 500_000_000 + 5 * hour + hour / 2, "UTC");
    assert_eq!(done["title"], "Título done");
    assert_eq!(done["summary"], "Result of done");
    let open = json(&bed, &repo, "task show open");
    assert_eq!(
        (open["status"].clone(), open["ready"].clone()),
        ("pending".into(), true.into())
    );
    drop(daemon);
}

#[test]
fn cycles_ghosts_and_odd_ids_are_reported_and_the_rest_comes() {
    let (bed, repo) = bed();
    let old = bed.work().join("old.db");
    let sql = [
        breakdown("p", "Top"),
        subtask("a", "p", "[\"b\"]", "pending"),
        subtask("b", "p", "[\"a\",\"ghost\"]", "pending"),
        subtask("../ä b", "p", "[\"p\"]", "pending"),
        subtask("lost", "nobody", "no list", "dancing"),
        "INSERT INTO file_operations VALUES ('op1','a','s','create','/gone/x','2026-07-01 12:00:00');"
            .to_owned(),
        "INSERT INTO task_archives VALUES (1,'was','{\"title\":\"Was\"}');".to_owned(),
    ]
    .concat();
    drop(database(&old, &sql));
    let report = import(&bed, &repo, &old, &[]).ok().json();
    adds_up(&report);
    assert_eq!(
        (report["version"].clone(), count(&report, "imported", "tasks")),
        ("1.5".into(), 5)
    );
    assert_eq!(
        (
            count(&report, "found", "dependencies"),
            count(&report, "imported", "dependencies")
        ),
        (4, 1)
    );
    assert_eq!(
        (
            count(&report, "imported", "file_operations"),
            count(&report, "imported", "archives")
        ),
        (1, 1)
    );
    let mapped = &report["mapped"][0];
    assert_eq!(mapped["id"], "../ä b");
    let made = tasks(&bed, &repo);
    assert!(
        made.contains_key(mapped["to"].as_str().expect("an id")),
        "{made:?}"
    );
    assert_eq!(made["lost"]["status"], "pending");
    assert_eq!(json(&bed, &repo, "audit verify")["whole"], true);
}

#[test]
fn a_task_that_is_there_with_the_same_id_stays_as_it_is() {
    let (bed, repo) = bed();
    json(&bed, &repo, "task add Mine --id a");
    let old = bed.work().join("old.db");
    drop(database(&old, &subtask("a", "p", "[]", "pending")));
    let report = import(&bed, &repo, &old, &[]).ok().json();
    assert_eq!(
        (
            count(&report, "imported", "tasks"),
            report["mapped"][0]["id"].clone()
        ),
        (1, "a".into())
    );
    assert_eq!(json(&bed, &repo, "task show a")["title"], "Mine");
    assert_eq!(tasks(&bed, &repo).len(), 2);
}

#[test]
fn the_project_of_the_old_program_takes_its_own_past_over_and_nothing_of_it_is_overwritten() {
    let (bed, repo) = bed();
    let folder = repo.join(".task_orchestrator");
    for (name, text) in [
        ("roles/coder.yaml", "role: old"),
        ("logs/audit.jsonl.old", "old"),
        ("workspace.json", "{\"old\": true}"),
        ("artifacts/a/artifact_1.md", "result"),
        (".gitignore", "*.db"),
        ("config.yaml", "orchestration:\n  old: true\n"),
    ] {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        std::fs::write(path, text).expect("written");
    }
    drop(database(
        &folder.join("task_orchestrator.db"),
        &subtask("a", "p", "[]", "pending"),
    ));
    let before = digests(&folder);
    let warned = || {
        json(&bed, &repo, "detect")["warnings"]
            .to_string()
            .contains("tocli import legacy")
    };
    assert!(warned(), "what can be taken over is named");
    let primed = || {
        let said = json(&bed, &repo, "prime --deadline 30000");
        said["text"].to_string().contains("tocli import legacy .")
    };
    assert!(primed(), "also to an agent at its start");
    let report = import(&bed, &repo, &repo, &[]).ok().json();
    assert!(!warned() && !primed(), "once is enough");
    assert_eq!(count(&report, "imported", "tasks"), 1);
    json(&bed, &repo, "task note a hello");
    deadline::until("the audit trail is mirrored", || {
        folder.join("logs/audit.jsonl").exists().then_some(())
    });
    let after = digests(&folder);
    for (path, digest) in &before {
        // Ours has the same name: theirs stands beside it.
        let path = match path.ends_with("workspace.json") {
            true => folder.join("workspace.json.old"),
            false => path.clone(),
        };
        assert_eq!(after.get(&path), Some(digest), "{}", path.display());
    }
}

#[test]
fn no_file_outside_the_old_project_comes_as_an_artifact() {
    let (bed, repo) = bed();
    let old = bed.work().join("old");
    let artifacts = old.join(".task_orchestrator/artifacts");
    std::fs::create_dir_all(artifacts.join("a/mirrored/src")).expect("made");
    std::fs::write(bed.work().join("secret.md"), "secret").expect("written");
    std::fs::write(artifacts.join("a/artifact_00000001.md"), "one").expect("written");
    std::fs::write(artifacts.join("a/mirrored/src/x.py_artifact_00000002.md"), "two").expect("written");
    std::os::unix::fs::symlink(
        bed.work().join("secret.md"),
        artifacts.join("a/artifact_00000003.md"),
    )
    .expect("linked");
    std::os::unix::fs::symlink("../../../../secret.md", artifacts.join("a/artifact_00000004.md"))
        .expect("linked");
    let secret = bed.work().join("secret.md");
    let names = [
        ".task_orchestrator/artifacts/a/artifact_00000001.md",
        "/gone/elsewhere/.task_orchestrator/artifacts/a/artifact_00000002.md",
        ".task_orchestrator/artifacts/a/artifact_00000003.md",
        ".task_orchestrator/artifacts/a/artifact_00000004.md",
        "../secret.md",
        ".task_orchestrator/../../secret.md",
        secret.to_str().expect("UTF-8"),
        "a\\u0000b",
        "",
    ];
    let list = names.map(|name| format!("\"{name}\"")).join(",");
    let sql = subtask("a", "p", "[]", "pending").replace("'[]','2026", &format!("'[{list}]','2026"));
    drop(database(
        &old.join(".task_orchestrator/task_orchestrator.db"),
        &sql,
    ));
    let report = import(&bed, &repo, &old, &[]).ok().json();
    adds_up(&report);
    assert_eq!(
        (
            count(&report, "found", "artifacts"),
            count(&report, "imported", "artifacts")
        ),
        (9, 2),
        "{report}"
    );
    let listed = json(&bed, &repo, "artifact list --limit 50");
    for artifact in listed["artifacts"].as_array().expect("a list") {
        let id = artifact["artifact_id"].as_str().expect("an id");
        let said = process::run(bed.tocli(["artifact", "get", id]).current_dir(&repo));
        assert!(
            ["one", "two"].contains(&String::from_utf8_lossy(&said.out).trim_end()),
            "{said:?}"
        );
    }
    let again = import(&bed, &repo, &old, &[]).ok().json();
    adds_up(&again);
    assert_eq!(
        (
            count(&again, "imported", "artifacts"),
            count(&again, "already_there", "artifacts")
        ),
        (0, 2)
    );
}

#[test]
fn what_is_no_old_database_is_refused_in_words_and_changes_nothing() {
    let (bed, repo) = bed();
    let work = bed.work();
    let put = |name: &str, bytes: &[u8]| {
        std::fs::write(work.join(name), bytes).expect("written");
        work.join(name)
    };
    let whole = {
        let path = work.join("whole.db");
        drop(database(&path, &subtask("a", "p", "[]", "pending")));
        std::fs::read(path).expect("read")
    };
    std::os::unix::fs::symlink("whole.db", work.join("link.db")).expect("linked");
    let cats = work.join("cats.db");
    Connection::open(&cats)
        .and_then(|cats| cats.execute_batch("CREATE TABLE cats (name TEXT)"))
        .expect("written");
    let cases: Vec<(PathBuf, i32)> = vec![
        (put("text", b"no database, but a text of some length"), 2),
        (put("empty", b""), 2),
        (put("cut.db", &whole[..whole.len() / 3]), 4),
        (put("head.db", &whole[..100]), 4),
        (cats, 2),
        (work.join("link.db"), 4),
        (work.join("nowhere"), 3),
        (repo.clone(), 3),
    ];
    for (path, code) in cases {
        let said = import(&bed, &repo, &path, &[]);
        assert_eq!(said.code, code, "{}: {said:?}", path.display());
        assert!(
            said.err.contains("cannot be imported") || said.err.contains(path.to_str().expect("UTF-8")),
            "{said:?}"
        );
    }
    assert!(tasks(&bed, &repo).is_empty());
    assert!(!repo.join(".task_orchestrator").exists());
    assert!(!bed.state().join("legacy").exists(), "no copy stays");
}

#[test]
fn a_repeated_request_gives_the_first_answer_also_when_the_old_database_is_gone() {
    let (bed, repo) = bed();
    let old = bed.work().join("old.db");
    drop(database(&old, &subtask("a", "p", "[]", "pending")));
    let first = import(&bed, &repo, &old, &["--request-id", "once"]).ok().json();
    std::fs::remove_file(&old).expect("removed");
    assert_eq!(
        import(&bed, &repo, &old, &["--request-id", "once"]).ok().json(),
        first
    );
    for pid in bed.daemons() {
        process::signal(pid, Some(Signal::KILL));
    }
    assert_eq!(
        import(&bed, &repo, &old, &["--request-id", "once"]).ok().json(),
        first
    );
    assert_eq!(import(&bed, &repo, &old, &[]).code, 3);
}

#[test]
fn an_import_that_is_killed_again_and_again_ends_with_everything_once() {
    const COUNT: usize = 1700;
    let (bed, repo) = bed();
    let old = bed.work().join("old.db");
    let mut sql = String::from("BEGIN;");
    for number in 0..COUNT {
        let after = match number {
            0 => "[]".to_owned(),
            number => format!("[\"t{}\"]", number - 1),
        };
        sql.push_str(&subtask(&format!("t{number}"), "p", &after, "completed"));
        sql.push_str(&format!("INSERT INTO file_operations VALUES ('o{number}','t{number}','s','read','/x','2026-07-01 12:00:00');"));
    }
    sql.push_str("COMMIT;");
    drop(database(&old, &sql));
    let before = digests(&bed.work().join("old.db"));
    let mut chance = Chance::new(5);
    for _ in 0..times(6, 40) {
        let words = ["import", "legacy", old.to_str().expect("UTF-8"), "--json"];
        let mut command = bed.tocli(words);
        command.current_dir(&repo);
        let mut child = command
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .expect("started");
        let wait = std::time::Duration::from_millis(chance.number() % 900);
        deadline::within(wait, || None::<()>);
        for pid in bed.daemons() {
            process::signal(pid, Some(Signal::KILL));
        }
        child.wait().expect("ended");
    }
    let report = import(&bed, &repo, &old, &[]).ok().json();
    adds_up(&report);
    let made = tasks(&bed, &repo);
    assert_eq!(made.len(), COUNT);
    for (number, kind) in [
        (COUNT, "tasks"),
        (COUNT - 1, "dependencies"),
        (COUNT, "file_operations"),
    ] {
        let here = count(&report, "imported", kind) + count(&report, "already_there", kind);
        assert_eq!(here, number as u64, "{kind}: {report}");
    }
    let waits = made["t9"]["after"].clone();
    assert_eq!(waits, serde_json::json!(["t8"]));
    assert_eq!(json(&bed, &repo, "audit verify")["whole"], true);
    assert_eq!(digests(&bed.work().join("old.db")), before);
    assert!(!bed.state().join("legacy").exists(), "no copy stays");
}
