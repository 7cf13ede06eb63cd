//! The audit trail through the built programs: every change is in it, its mirror is a file that says the same and can be
//! verified alone, and is put right when somebody cut, edited or removed it.

use std::path::{Path, PathBuf};

use rustix::process::Signal;
use serde_json::Value;
use tests::ask::times;
use tests::chance::Chance;
use tests::daemon::Bed;
use tests::process::{self, Said};
use tests::{deadline, git};

fn bed() -> (Bed, PathBuf) {
    let bed = Bed::new();
    let repo = bed.project("repo");
    git::init(&repo);
    (bed, repo)
}

fn at(bed: &Bed, folder: &Path, line: &str) -> Said {
    process::run(bed.tocli(line.split(' ').chain(["--json"])).current_dir(folder))
}

fn json(bed: &Bed, folder: &Path, line: &str) -> Value {
    at(bed, folder, line).ok().json()
}

fn mirror(repo: &Path) -> PathBuf {
    repo.join(".task_orchestrator/logs/audit.jsonl")
}

/// The whole trail, the oldest first, page by page.
fn trail(bed: &Bed, repo: &Path) -> Vec<Value> {
    let mut all = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = json(bed, repo, &format!("audit list --limit 7{cursor}"));
        all.extend(page["events"].as_array().expect("a list").iter().cloned());
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!(" --cursor {next}"),
            None => break,
        }
    }
    all.reverse();
    all
}

fn lines(path: &Path) -> Option<Vec<Value>> {
    let text = std::fs::read_to_string(path).ok()?;
    let whole = text.is_empty() || text.ends_with('\n');
    whole.then(|| {
        text.lines()
            .map(|line| serde_json::from_str(line).expect("a line"))
            .collect()
    })
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("no number: {value}"))
}

/// Seven bits a byte, the lowest first.
fn varint(mut value: u64, out: &mut Vec<u8>) {
    loop {
        let low = u8::try_from(value & 0x7f).expect("seven bits");
        value >>= 7;
        if value == 0 {
            return out.push(low);
        }
        out.push(low | 0x80);
    }
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).expect("hex"))
        .collect()
}

/// The digest of a line by the recipe in ARCHITECTURE.md, which needs nothing of the program.
fn digest(line: &Value) -> String {
    let (seconds, rest) = line["time"]
        .as_str()
        .expect("a time")
        .split_once('.')
        .expect("a fraction");
    let seconds = std::process::Command::new("date")
        .args(["-u", "-d", &format!("{seconds}Z"), "+%s"])
        .output()
        .expect("date runs");
    let seconds: i64 = String::from_utf8_lossy(&seconds.stdout)
        .trim()
        .parse()
        .expect("seconds");
    let nanoseconds: i64 = rest.trim_end_matches('Z').parse().expect("nine digits");
    let time = seconds * 1_000_000_000 + nanoseconds;
    let mut bytes = vec![1];
    varint(number(&line["seq"]), &mut bytes);
    varint(((time << 1) ^ (time >> 63)).cast_unsigned(), &mut bytes);
    for name in ["actor", "op", "target"] {
        let text = line[name].as_str().expect("a text");
        varint(text.len() as u64, &mut bytes);
        bytes.extend_from_slice(text.as_bytes());
    }
    varint(number(&line["count"]), &mut bytes);
    bytes.extend(unhex(line["previous"].as_str().expect("hex")));
    blake3::hash(&bytes).to_hex().to_string()
}

/// Waits until the mirror says what the trail says.
fn settled(bed: &Bed, repo: &Path) -> Vec<Value> {
    let trail = trail(bed, repo);
    deadline::until("the mirror says what the trail says", || {
        let found = lines(&mirror(repo))?;
        let same = found.len() == trail.len()
            && found.iter().zip(&trail).all(|(line, event)| {
                ["seq", "actor", "op", "target", "count"]
                    .iter()
                    .all(|name| line[name] == event[name])
            });
        same.then_some(found)
    })
}

#[test]
fn every_change_is_in_the_trail_and_a_filter_finds_it() {
    let (bed, repo) = bed();
    json(&bed, &repo, "task add One --id a --actor me");
    json(&bed, &repo, "task add Two --id b --actor you");
    json(&bed, &repo, "task start a --actor me");
    json(&bed, &repo, "task note b hello --actor me");
    let said = |line: &str| -> Vec<String> {
        let page = json(&bed, &repo, line);
        let events = page["events"].as_array().expect("a list").iter();
        events
            .map(|event| {
                format!(
                    "{} {}",
                    event["op"].as_str().expect("a word"),
                    event["target"].as_str().expect("an id")
                )
            })
            .collect()
    };
    assert_eq!(
        said("audit"),
        ["task.note b", "task.start a", "task.add b", "task.add a"]
    );
    assert_eq!(said("audit list --actor you"), ["task.add b"]);
    assert_eq!(said("audit --op task.add --limit 1"), ["task.add b"]);
    assert_eq!(said("audit --op task --target a"), ["task.start a", "task.add a"]);
    assert_eq!(said("audit --since 1h").len(), 4);
    assert_eq!(trail(&bed, &repo).len(), 4);
    let found = json(&bed, &repo, "audit verify");
    assert_eq!(
        (found["whole"].clone(), number(&found["events"])),
        (true.into(), 4)
    );
    let other = bed.project("other");
    git::init(&other);
    assert_eq!(
        json(&bed, &other, "audit")["events"],
        serde_json::json!([]),
        "of another workspace"
    );
    assert!(
        !other.join(".task_orchestrator").exists(),
        "reading makes nothing"
    );
}

#[test]
fn the_mirror_can_be_verified_alone() {
    let (bed, repo) = bed();
    for number in 0..5 {
        json(&bed, &repo, &format!("task add T{number} --actor grün"));
    }
    let found = settled(&bed, &repo);
    let mut before = "0".repeat(64);
    for line in &found {
        assert_eq!(line["previous"], before.as_str());
        before = line["digest"].as_str().expect("hex").to_owned();
        assert_eq!(before, digest(line), "{line}");
    }
    let verified = json(&bed, &repo, "audit verify");
    assert_eq!(verified["head"], before.as_str());
    assert_eq!(verified["mirror"]["state"], "whole");
}

#[test]
fn a_mirror_that_was_cut_edited_or_lost_is_made_again_by_the_next_change_and_not_by_looking() {
    let (bed, repo) = bed();
    for number in 0..4 {
        json(&bed, &repo, &format!("task add T{number} --actor me"));
    }
    settled(&bed, &repo);
    let path = mirror(&repo);
    let whole = std::fs::read(&path).expect("read");
    let edited = String::from_utf8(whole.clone())
        .expect("UTF-8")
        .replacen("\"me\"", "\"you\"", 2);
    let cases: [(&str, Option<&[u8]>, i32); 4] = [
        ("behind", Some(&whole[..whole.len() / 2]), 0),
        ("differs", Some(edited.as_bytes()), 5),
        ("differs", Some(b"\xff\0 nothing of ours"), 5),
        ("missing", None, 0),
    ];
    for (state, bytes, code) in cases {
        match bytes {
            Some(bytes) => std::fs::write(&path, bytes).expect("written"),
            None => std::fs::remove_dir_all(path.parent().expect("a folder")).expect("removed"),
        }
        let said = at(&bed, &repo, "audit verify");
        assert_eq!(
            (said.code, said.json()["mirror"]["state"].clone()),
            (code, state.into()),
            "{said:?}"
        );
        assert_eq!(
            std::fs::read(&path).ok().as_deref(),
            bytes,
            "looking writes nothing"
        );
        json(
            &bed,
            &repo,
            "task note --actor me T hello"
                .replace(" T ", &format!(" {} ", first(&bed, &repo)))
                .as_str(),
        );
        settled(&bed, &repo);
        let again = std::fs::read(&path).expect("read");
        assert!(again.starts_with(&whole), "{state}");
    }
    assert_eq!(json(&bed, &repo, "audit verify")["mirror"]["state"], "whole");
}

fn first(bed: &Bed, repo: &Path) -> String {
    let listed = json(bed, repo, "task list --limit 1");
    listed["tasks"][0]["task_id"].as_str().expect("an id").to_owned()
}

#[test]
fn after_the_daemon_was_killed_at_random_the_mirror_is_what_the_trail_is() {
    let (bed, repo) = bed();
    let mut chance = Chance::new(11);
    for round in 0..times(8, 60) {
        let mut adding: Vec<_> = (0..3)
            .map(|number| {
                let words = ["task", "add", "T", "--actor", "me", "--json"];
                let mut command = bed.tocli(words);
                command
                    .current_dir(&repo)
                    .arg("--label")
                    .arg(format!("r{round}-{number}"));
                command
                    .stdout(std::process::Stdio::null())
                    .stderr(std::process::Stdio::null())
                    .spawn()
                    .expect("started")
            })
            .collect();
        let wait = std::time::Duration::from_millis(chance.number() % 1200);
        deadline::within(wait, || None::<()>);
        for pid in bed.daemons() {
            process::signal(pid, Some(Signal::KILL));
        }
        for child in &mut adding {
            child.wait().expect("ended");
        }
    }
    // What is asked now starts a daemon, which finds its mirror behind, torn or ahead.
    let found = settled(&bed, &repo);
    let numbers: Vec<u64> = found.iter().map(|line| number(&line["seq"])).collect();
    assert_eq!(numbers, (1..=found.len() as u64).collect::<Vec<_>>());
    assert_eq!(json(&bed, &repo, "audit verify")["whole"], true);
}

#[test]
fn a_long_trail_is_split_over_files_of_a_bounded_number() {
    let (bed, repo) = bed();
    json(&bed, &repo, "task add One --id a --actor me");
    settled(&bed, &repo);
    let logs = mirror(&repo).parent().expect("a folder").to_path_buf();
    // Files that a longer trail would have left behind go; what is not ours stays.
    std::fs::write(logs.join("audit-0000008193.jsonl"), "old").expect("written");
    std::fs::write(logs.join("mine.txt"), "mine").expect("written");
    std::fs::write(mirror(&repo), "x").expect("written");
    json(&bed, &repo, "task note a hello --actor me");
    settled(&bed, &repo);
    deadline::until("the old file is gone and no other", || {
        let listed = std::fs::read_dir(&logs).expect("listed");
        let mut names: Vec<_> = listed.map(|entry| entry.expect("entry").file_name()).collect();
        names.sort();
        (names == ["audit.jsonl", "mine.txt"]).then_some(())
    });
}

#[test]
fn with_the_users_own_storage_the_mirror_leaves_the_project_alone() {
    let (bed, repo) = bed();
    json(&bed, &repo, "config set --user workspace.storage user");
    json(&bed, &repo, "task add One --id a --actor me");
    let verified = json(&bed, &repo, "audit verify");
    let path = PathBuf::from(verified["mirror"]["path"].as_str().expect("a path"));
    assert!(path.starts_with(bed.state()), "{path:?}");
    deadline::until("the mirror is written", || {
        lines(&path).filter(|lines| lines.len() == 1)
    });
    assert!(!repo.join(".task_orchestrator").exists());
}
