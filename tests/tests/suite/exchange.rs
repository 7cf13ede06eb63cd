//! `workspace export` and `workspace import` through the built programs: everything comes back as it was, nothing comes
//! twice, a file that is not whole or not ours changes nothing, and neither does a daemon that is killed in between.

mod broken;

use std::path::{Path, PathBuf};

use rustix::process::Signal;
use serde_json::Value;
use tests::chance::Chance;
use tests::daemon::Bed;
use tests::process::{self, Said};
use tests::wire::Peer;
use tests::{ask::times, git};

fn project(bed: &Bed, name: &str) -> PathBuf {
    let folder = bed.project(name);
    git::init(&folder);
    folder
}

fn say(bed: &Bed, folder: &Path, line: &[&str]) -> Said {
    process::run(bed.tocli(line).env("TO_ACTOR", "me").current_dir(folder))
}

fn json(bed: &Bed, folder: &Path, line: &[&str]) -> Value {
    let words: Vec<&str> = line.iter().copied().chain(["--json"]).collect();
    say(bed, folder, &words).ok().json()
}

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

/// What is said of a workspace in one text: what an import must have brought.
fn told(bed: &Bed, folder: &Path) -> Vec<Value> {
    [
        &["task", "list", "--all", "--limit", "1000"][..],
        &["task", "show", "a"],
        &["task", "history", "a"],
        &["decision", "list"],
        &["decision", "show", "1"],
        &["recall"],
        &["recall", "--gone"],
    ]
    .iter()
    .map(|line| {
        let mut said = json(bed, folder, line);
        // Where the file of a decision is differs with the root.
        if let Some(decision) = said.as_object_mut() {
            decision.remove("file");
        }
        said
    })
    .collect()
}

/// A workspace with something of every kind.
fn furnished(bed: &Bed) -> PathBuf {
    let folder = project(bed, "first");
    let plan =
        "title: Whole\ntasks:\n- {name: a, title: A, specialist: coder}\n- {name: b, title: B, after: [a]}\n";
    let plan = process::run_with_input(
        bed.tocli(["task", "plan", "-f", "-", "--json"])
            .current_dir(&folder),
        plan.as_bytes(),
    );
    plan.ok();
    let long = "long ".repeat(4000);
    for line in [
        &[
            "task",
            "add",
            "Alone",
            "--id",
            "a",
            "--description",
            long.as_str(),
        ][..],
        &[
            "task", "add", "Second", "--id", "b", "--after", "a", "--label", "x",
        ],
        &[
            "task",
            "update",
            "a",
            "--title",
            "Alone now",
            "--description",
            "short",
        ],
        &["task", "note", "a", "for you", "--to", "you"],
        &["task", "start", "a"],
        &[
            "decision",
            "record",
            "One",
            "-d",
            "we do",
            "--rationale",
            "r",
            "--path",
            "src",
        ],
        &["decision", "supersede", "1", "Two", "-d", "we do not"],
        &["remember", "kept", "--tag", "t", "--path", "src"],
        &["remember", "gone"],
        &["forget", "note_2"],
        &["config", "set", "tasks.lease_minutes", "30"],
        &["session", "start"],
        &["session", "end"],
    ] {
        say(bed, &folder, line).ok();
    }
    let bytes: Vec<u8> = (0..700_000_u32)
        .map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()[2])
        .collect();
    let body = bed.work().join("body.bin");
    for version in [&bytes[..], b"two", b"", &bytes[..300_000]] {
        std::fs::write(&body, version).expect("written");
        say(
            bed,
            &folder,
            &["artifact", "store", "a", text(&body), "--name", "r.bin"],
        )
        .ok();
    }
    let stored = json(
        bed,
        &folder,
        &["artifact", "store", "b", text(&body), "--name", "ä ö.md"],
    );
    // What a hand does to the copy in the project is no version, and does not travel.
    let copy = stored["path"].as_str().expect("a path");
    std::fs::write(copy, "by hand").expect("written");
    folder
}

/// A file without what two exports of the same may differ in: the first line, and the import's own event with the last.
fn same(file: &Path, events: u64) -> String {
    let text = std::fs::read_to_string(file).expect("read");
    let own = format!("{{\"event\":{{\"seq\":{}", events + 1);
    text.lines()
        .skip(1)
        .filter(|line| !line.starts_with(&own) && !line.starts_with("{\"end\""))
        .fold(String::new(), |all, line| all + line + "\n")
}

#[test]
fn what_was_exported_comes_back_to_the_byte_in_another_home() {
    let (one, two) = (Bed::new(), Bed::new());
    let first = furnished(&one);
    let file = one.work().join("all.jsonl");
    let said = json(&one, &first, &["workspace", "export", text(&file)]);
    assert_eq!(said["counts"]["versions"], 5, "{said}");
    assert_eq!(said["counts"]["sessions"], 1, "{said}");
    assert_eq!(said["warnings"], serde_json::json!([]), "{said}");
    let second = project(&two, "second");
    let dry = json(&two, &second, &["workspace", "import", text(&file), "--dry-run"]);
    assert!(
        !second.join(".task_orchestrator").exists(),
        "a dry run makes nothing"
    );
    let came = json(&two, &second, &["workspace", "import", text(&file)]);
    assert_eq!(came["found"], came["imported"], "{came}");
    assert_eq!(
        (&dry["imported"], &dry["dry_run"]),
        (&came["imported"], &Value::Bool(true))
    );
    let again = json(&two, &second, &["workspace", "import", text(&file)]);
    assert_eq!(again["found"], again["already_there"], "{again}");
    let back = two.work().join("back.jsonl");
    say(&two, &second, &["workspace", "export", text(&back)]).ok();
    let events = said["counts"]["events"].as_u64().expect("counted");
    assert_eq!(same(&file, events), same(&back, events));
    let (here, there) = (told(&one, &first), told(&two, &second));
    for (here, there) in here.iter().zip(&there) {
        let (here, there) = (here.to_string(), there.to_string());
        // A lease is counted in the time of its own daemon.
        let plain = |text: &str| text.split("\"expires").next().unwrap_or_default().to_owned();
        assert_eq!(plain(&here), plain(&there));
    }
    // The files are there, those that hands changed as they were stored.
    let list = json(&two, &second, &["artifact", "list"]);
    let states: Vec<&Value> = list["artifacts"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|one| &one["copy"])
        .collect();
    assert_eq!(states, ["good", "good"], "{list}");
    let verified = json(&two, &second, &["artifact", "verify"]);
    assert_eq!(
        verified["damaged"].as_array().map_or(0, Vec::len),
        0,
        "{verified}"
    );
    let audit = json(&two, &second, &["audit", "verify"]);
    assert_eq!(
        (&audit["whole"], &audit["events"]),
        (&Value::Bool(true), &Value::from(events + 1))
    );
    assert!(second.join(".task_orchestrator/decisions/0001-one.md").is_file());
    assert!(second.join(".task_orchestrator/config.yaml").is_file());
    // And life goes on there.
    say(&two, &second, &["task", "complete", "a", "--summary", "done"]).ok();
    let note = json(&two, &second, &["remember", "next"]);
    assert_eq!(note["note_id"], "note_3", "{note}");
    say(&two, &second, &["task", "undo", "a"]).ok();
    let different = say(&two, &second, &["workspace", "import", text(&file)]).ends(5);
    assert!(
        different.err.contains("task `a` is another one here"),
        "{different:?}"
    );
}

#[test]
fn an_export_goes_through_a_pipe_and_an_import_reads_one() {
    let bed = Bed::new();
    let (first, second) = (project(&bed, "first"), project(&bed, "second"));
    say(&bed, &first, &["task", "add", "One", "--id", "one"]).ok();
    let out = say(&bed, &first, &["workspace", "export"]).ok();
    assert!(out.out.starts_with(b"{\"workspace_export\":"), "{out:?}");
    let words = ["workspace", "import", "-", "--json", "--actor", "me"];
    let came = process::run_with_input(bed.tocli(words).current_dir(&second), &out.out);
    assert_eq!(came.ok().json()["imported"]["tasks"], 1);
    let wrong = process::run_with_input(bed.tocli(words).current_dir(&second), b"nothing of ours\n").ends(4);
    assert!(
        wrong.err.contains("`-`") && !wrong.err.contains("tocli-import"),
        "{}",
        wrong.err
    );
    // What has no end is not kept in the hope of one: the limit is for the machine, if it were.
    let mut endless = bed.command("sh");
    endless.args(["-c", "ulimit -f 64; exec \"$0\" workspace import /dev/zero"]);
    let endless = process::run(endless.arg(tests::daemon::program("tocli")).current_dir(&second)).ends(4);
    assert!(
        endless.err.contains("`/dev/zero` is no export"),
        "{}",
        endless.err
    );
    let file = bed.work().join("file");
    let said = json(&bed, &first, &["workspace", "export", text(&file)]);
    assert_eq!(
        (&said["counts"]["contents"], &said["counts"]["tasks"]),
        (&0.into(), &1.into())
    );
    say(&bed, &first, &["workspace", "export", text(&file)]).ends(5);
    say(&bed, &first, &["workspace", "export", text(&file), "--force"]).ok();
    say(&bed, &first, &["workspace", "export", "-", "--json"]).ends(2);
    say(&bed, &first, &["workspace", "export", "/nowhere/file"]).ends(6);
    say(&bed, &first, &["workspace", "import", "/nowhere/file"]).ends(3);
    say(&bed, &first, &["workspace", "import", text(&first)]).ends(2);
    let left: Vec<_> = std::fs::read_dir(bed.work())
        .expect("read")
        .filter_map(Result::ok)
        .collect();
    assert!(
        left.iter()
            .all(|entry| !entry.file_name().to_string_lossy().starts_with(".export")),
        "{left:?}"
    );
}

#[test]
fn a_workspace_with_a_trail_of_its_own_takes_in_the_rest_and_says_so() {
    let bed = Bed::new();
    let (first, second) = (project(&bed, "first"), project(&bed, "second"));
    say(&bed, &first, &["task", "add", "One", "--id", "one"]).ok();
    say(&bed, &first, &["task", "note", "one", "a note"]).ok();
    say(&bed, &second, &["session", "start"]).ok();
    let file = bed.work().join("file");
    say(&bed, &first, &["workspace", "export", text(&file)]).ok();
    let came = json(&bed, &second, &["workspace", "import", text(&file)]);
    assert_eq!(
        (&came["imported"]["tasks"], &came["skipped_counts"]["events"]),
        (&1.into(), &2.into())
    );
    assert_eq!(came["skipped"][0]["what"], "events", "{came}");
    let again = json(&bed, &second, &["workspace", "import", text(&file)]);
    assert_eq!(
        (&again["imported"]["tasks"], &again["already_there"]["tasks"]),
        (&0.into(), &1.into())
    );
    say(&bed, &second, &["task", "note", "one", "another"]).ok();
    say(&bed, &second, &["task", "note", "one", "a third"]).ok();
    let shown = json(&bed, &second, &["task", "show", "one"]);
    assert_eq!(shown["notes"].as_array().map(Vec::len), Some(3), "{shown}");
    assert_eq!(json(&bed, &second, &["audit", "verify"])["whole"], true);
    // One that holds something else in the same places is left alone.
    let third = project(&bed, "third");
    say(&bed, &third, &["task", "add", "Other", "--id", "other"]).ok();
    let refused = say(&bed, &third, &["workspace", "import", text(&file)]).ends(5);
    assert!(
        refused
            .err
            .contains("`one` has the order 1, which `other` has here"),
        "{refused:?}"
    );
    assert_eq!(
        json(&bed, &third, &["task", "list"])["tasks"]
            .as_array()
            .map(Vec::len),
        Some(1)
    );
}

#[test]
fn a_daemon_killed_at_any_moment_of_an_import_leaves_all_of_it_or_nothing() {
    let bed = Bed::new();
    let first = project(&bed, "first");
    // More than one batch holds.
    let long = "x".repeat(8000);
    for part in 0..12 {
        let tasks: String = (0..100)
            .map(|n| format!("- {{title: T{n}, description: {long}}}\n"))
            .collect();
        let plan = format!("title: Part {part}\ntasks:\n{tasks}");
        process::run_with_input(
            bed.tocli(["task", "plan", "-f", "-", "--json"])
                .current_dir(&first),
            plan.as_bytes(),
        )
        .ok();
    }
    let owed = ["config.yaml", "roles/welder.yaml"];
    let home = first.join(".task_orchestrator");
    std::fs::create_dir_all(home.join("roles")).expect("made");
    std::fs::write(home.join(owed[0]), "workspace:\n  project_type: rust\n").expect("written");
    std::fs::write(home.join(owed[1]), "primary_directive: Weld.\n").expect("written");
    let file = bed.work().join("file");
    say(&bed, &first, &["workspace", "export", text(&file)]).ok();
    let mut chance = Chance::new(11);
    let (mut none, mut all) = (0, 0);
    for round in 0..times(3, 60) {
        let folder = project(&bed, &format!("round{round}"));
        say(&bed, &folder, &["workspace", "create"]).ok();
        let mut import = bed.tocli(["workspace", "import", text(&file), "--actor", "me"]);
        import
            .current_dir(&folder)
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null());
        let mut child = import.spawn().expect("started");
        let wait = std::time::Duration::from_millis(100 + chance.number() % 1500);
        tests::deadline::within(wait, || child.try_wait().expect("asked"));
        // The client too, or it would have the daemon do it again.
        drop(child.kill());
        for pid in bed.daemons() {
            process::signal(pid, Some(Signal::KILL));
        }
        child.wait().expect("ended");
        tests::deadline::until("the end of the daemon", || {
            (!Peer::is_served(&bed.socket())).then_some(())
        });
        let shown = json(&bed, &folder, &["task", "stats"]);
        match shown["total"].as_u64() {
            Some(0) => {
                none += 1;
                let files = owed.map(|name| folder.join(".task_orchestrator").join(name).exists());
                assert_eq!(files, [false; 2], "files without records");
            }
            Some(1212) => {
                all += 1;
                for name in owed {
                    tests::deadline::until("the files follow their records", || {
                        let found = std::fs::read(folder.join(".task_orchestrator").join(name));
                        let right = std::fs::read(home.join(name)).expect("read");
                        found.ok().filter(|found| *found == right)
                    });
                }
            }
            _ => panic!("half: {shown}"),
        }
        let audit = json(&bed, &folder, &["audit", "verify"]);
        assert_eq!(audit["whole"], true, "{audit}");
        let came = json(&bed, &folder, &["workspace", "import", text(&file)]);
        let count = |part: &str| came[part]["tasks"].as_u64().unwrap_or_default();
        assert_eq!(count("imported") + count("already_there"), 1212, "{came}");
    }
    assert!(none + all > 0, "{none} with nothing, {all} with all");
}
