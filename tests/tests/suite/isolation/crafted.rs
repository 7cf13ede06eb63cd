//! A file that somebody made up to reach into another workspace: an export with its ids, its digests and its paths, and
//! an old database whose paths lead out. Neither gets anything.

use std::path::Path;

use rusqlite::Connection;
use tests::process;

use super::{SECRET, Scene, assert_untouched, belongings, said, said_plain, scene};

/// The lines of one's own export.
fn own_lines(scene: &Scene) -> Vec<String> {
    let out = process::run(scene.bed.tocli(["workspace", "export"]).current_dir(&scene.own)).ok();
    out.text().lines().map(str::to_owned).collect()
}

fn finished(lines: &[String]) -> String {
    let mut all: String = lines
        .iter()
        .filter(|line| !line.starts_with("{\"end\""))
        .map(|line| format!("{line}\n"))
        .collect();
    let (digest, count) = (blake3::hash(all.as_bytes()), all.lines().count() + 1);
    all.push_str(&format!(
        "{{\"end\":{{\"lines\":{count},\"digest\":\"{digest}\"}}}}\n"
    ));
    all
}

fn import(scene: &Scene, folder: &Path, text: &str) -> process::Said {
    let file = scene.bed.work().join("crafted");
    std::fs::write(&file, text).expect("written");
    let words = [
        "workspace",
        "import",
        file.to_str().expect("UTF-8"),
        "--json",
        "--actor",
        "owner",
    ];
    process::run(scene.bed.tocli(words).current_dir(folder))
}

#[test]
fn a_crafted_export_names_what_belongs_to_another_workspace_and_gets_nothing() {
    let scene = scene();
    let file = scene.own.join("mine.txt");
    let file = file.to_str().expect("text");
    said(&scene.bed, &scene.own, &["artifact", "store", "mine", file]);
    let secret = format!("{}\n", SECRET).len() - 1;
    let theirs = blake3::hash(SECRET.as_bytes()).to_hex();
    let mine = blake3::hash(b"mine").to_hex();
    let third = scene.bed.project("third");
    tests::git::init(&third);
    let lines = own_lines(&scene);
    let before = belongings(&scene);
    // Its digest, without its bytes: the daemon has an object of that name, and does not lend it.
    let named: Vec<String> = lines
        .iter()
        .map(|line| {
            if line.starts_with("{\"artifact") {
                line.replace(mine.as_str(), theirs.as_str())
                    .replace("\"size\":4", &format!("\"size\":{secret}"))
            } else {
                line.clone()
            }
        })
        .collect();
    let refused = import(&scene, &third, &finished(&named)).ends(4);
    assert!(refused.err.contains("does not hold its contents"), "{refused:?}");
    // The same, with a content line that says so and brings other bytes, or none.
    for pieces in [&["{\"piece\":\"bWluZQ==\"}"][..], &[]] {
        let mut claimed = named.clone();
        claimed.retain(|line| !line.starts_with("{\"content") && !line.starts_with("{\"piece"));
        let content = format!("{{\"content\":{{\"digest\":\"{theirs}\",\"size\":{secret}}}}}");
        let mut more = vec![content];
        more.extend(pieces.iter().map(|piece| (*piece).to_owned()));
        claimed.splice(1..1, more);
        import(&scene, &third, &finished(&claimed)).ends(4);
    }
    // Records of the other's workspace: its id in the first line, its ids in the others.
    let other = scene.workspace();
    let own = said_plain(&scene.bed, &scene.own, &["workspace", "show"])["id"].clone();
    let own = own.as_str().expect("an id");
    let as_other: Vec<String> = lines
        .iter()
        .map(|line| line.replace(own, &other).replace("\"mine\"", "\"theirs\""))
        .collect();
    let came = import(&scene, &third, &finished(&as_other));
    if came.code == 0 {
        let shown = said_plain(&scene.bed, &third, &["task", "show", "theirs"]).to_string();
        assert!(shown.contains("Mine") && !shown.contains(SECRET), "{shown}");
    }
    for path in ["../other/x", "/etc/passwd", "..%2f/../other", "link/../../other"] {
        for (kind, field) in [("artifact", "name"), ("artifact", "folder"), ("task", "id")] {
            let begin = format!("{{\"{kind}\":");
            let crafted: Vec<String> = lines
                .iter()
                .map(|line| match line.strip_prefix(&begin) {
                    Some(_) => {
                        let mut value: serde_json::Value = serde_json::from_str(line).expect("JSON");
                        let old = value[kind][field].to_string();
                        value[kind][field] = path.into();
                        line.replacen(
                            &format!("\"{field}\":{old}"),
                            &format!("\"{field}\":\"{path}\""),
                            1,
                        )
                    }
                    None => line.clone(),
                })
                .collect();
            import(&scene, &third, &finished(&crafted)).ends(4);
        }
    }
    // A folder of artifacts that is a link into the other's.
    let fourth = scene.bed.project("fourth");
    tests::git::init(&fourth);
    std::fs::create_dir(fourth.join(".task_orchestrator")).expect("made");
    for name in ["artifacts", "decisions", "roles"] {
        std::os::unix::fs::symlink(
            scene.other.join(".task_orchestrator").join(name),
            fourth.join(".task_orchestrator").join(name),
        )
        .expect("linked");
    }
    let came = import(&scene, &fourth, &finished(&lines));
    assert!(!came.text().contains(SECRET), "{came:?}");
    assert_untouched(&scene, &before);
    let passed = said_plain(&scene.bed, &scene.own, &["workspace", "validate-isolation"]);
    assert_eq!(passed["passed"], true, "{passed}");
}

#[test]
fn an_old_database_with_crafted_paths_brings_nothing_of_another_workspace() {
    let scene = scene();
    let old = scene.bed.project("old");
    let folder = old.join(".task_orchestrator/artifacts");
    std::fs::create_dir_all(&folder).expect("made");
    let within = format!("{SECRET}.txt");
    let outside = scene.other.join(&within);
    std::os::unix::fs::symlink(&outside, folder.join("link.txt")).expect("linked");
    std::os::unix::fs::symlink(&scene.other, folder.join("linked")).expect("linked");
    let paths = [
        format!("../../other/{within}"),
        format!("../../../other/{within}"),
        outside.display().to_string(),
        ".task_orchestrator/artifacts/link.txt".to_owned(),
        format!(".task_orchestrator/artifacts/linked/{within}"),
        format!(".task_orchestrator/artifacts/../../../other/{within}"),
        format!("file://{}", outside.display()),
        "/etc/passwd".to_owned(),
    ];
    let listed = serde_json::to_string(&paths).expect("JSON").replace('\'', "''");
    let sql = format!(
        "CREATE TABLE task_breakdowns (parent_task_id TEXT, description TEXT, complexity TEXT, context TEXT, created_at TEXT);
         CREATE TABLE subtasks (task_id TEXT, parent_task_id TEXT, title TEXT, description TEXT, specialist_type TEXT, dependencies TEXT,
         estimated_effort TEXT, status TEXT, results TEXT, artifacts TEXT, created_at TEXT, completed_at TEXT);
         INSERT INTO task_breakdowns VALUES ('../../p','Top','simple','','2026-01-01 00:00:00');
         INSERT INTO subtasks VALUES ('theirs','../../p','A','D','../coder','[\"../../other/theirs\"]','','completed','','{listed}',
         '2026-01-01 00:00:00','2026-01-01 01:00:00');"
    );
    Connection::open(old.join(".task_orchestrator/task_orchestrator.db"))
        .and_then(|old| old.execute_batch(&sql))
        .expect("written");
    let before = belongings(&scene);
    let old = old.to_str().expect("UTF-8").to_owned();
    let report = said(&scene.bed, &scene.own, &["import", "legacy", &old]);
    let list = said_plain(&scene.bed, &scene.own, &["artifact", "list", "--limit", "1000"]);
    for artifact in list["artifacts"].as_array().expect("a list") {
        let id = artifact["artifact_id"].as_str().expect("an id");
        let got = process::run(scene.bed.tocli(["artifact", "get", id]).current_dir(&scene.own)).ok();
        assert!(
            !got.text().contains(SECRET) && !got.text().contains("root:"),
            "{artifact}\n{report}"
        );
    }
    let shown = said_plain(&scene.bed, &scene.own, &["task", "list", "--all"]).to_string();
    assert!(!shown.contains(SECRET), "{shown}");
    assert_untouched(&scene, &before);
}
