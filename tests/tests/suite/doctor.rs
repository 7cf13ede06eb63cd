//! What `tocli doctor` finds, by the words a user types, and whether what it advises helps.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tests::daemon::{Bed, program};
use tests::skip::skip;
use tests::{deadline, git, process};

/// A project with that many folders in `web/node_modules` and a few others.
fn project(bed: &Bed, name: &str, folders: usize) -> PathBuf {
    let root = bed.project(name);
    for number in 0..folders {
        let folder = root.join(format!("web/node_modules/{number}"));
        fs::create_dir_all(&folder).expect("made");
        fs::write(folder.join("f"), "1").expect("written");
    }
    fs::create_dir_all(root.join("src/deep")).expect("made");
    fs::write(root.join("src/deep/a.rs"), "1").expect("written");
    git::init(&root);
    root
}

/// What the doctor says of watches, with this exit code.
fn examined(bed: &Bed, code: i32) -> Value {
    bed.run(["doctor", "watch", "--json"]).ends(code).json()
}

fn indexed(bed: &Bed, root: &Path) {
    process::run(bed.tocli(["files"]).current_dir(root)).ok();
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("not a number: {value}"))
}

/// Types the commands of the first advice.
fn obey(bed: &Bed, said: &Value) {
    for command in said["advice"][0]["commands"].as_array().expect("commands") {
        let command = command.as_str().expect("a command");
        let (tocli, rest) = command.split_once(' ').expect("words");
        assert_eq!(tocli, "tocli", "{command}");
        let line = format!("exec '{}' {rest}", program("tocli").display());
        let mut shell = bed.command("sh");
        process::run(shell.args(["-ec", &line])).ok();
    }
}

#[test]
fn watches_are_counted_by_project_by_program_and_by_subtree() {
    let bed = Bed::new();
    let _daemon = bed.start();
    let root = project(&bed, "project", 30);
    indexed(&bed, &root);
    // Another program with watches: a daemon of another home.
    let other = Bed::new();
    let beside = other.start();
    let second = project(&other, "second", 40);
    indexed(&other, &second);

    let said = examined(&bed, 0);
    let tree = &said["trees"][0];
    assert_eq!(said["trees"].as_array().map(Vec::len), Some(1), "{said}");
    assert_eq!(tree["root"], root.to_str().expect("UTF-8"));
    assert_eq!(
        (&tree["backend"], &tree["unwatched"]),
        (&"inotify".into(), &0.into())
    );
    assert!(
        tree["workspace"].as_str().is_some_and(|id| id.starts_with("ws_")),
        "{tree}"
    );
    // The root, `src`, `src/deep`, `web`, `node_modules` and what lies in that.
    assert_eq!(number(&tree["directories"]), 35);
    let (watches, used) = (number(&tree["watches"]), number(&said["used"]));
    assert!(watches >= 35 && used == watches, "{said}");
    assert_eq!(tree["largest"][0]["path"], "web/node_modules");
    assert_eq!(
        (
            number(&tree["largest"][0]["directories"]),
            number(&tree["largest"][0]["files"])
        ),
        (31, 30)
    );
    assert_eq!(tree["largest"][1]["path"], "src");
    let limit = fs::read_to_string("/proc/sys/fs/inotify/max_user_watches").expect("Linux");
    assert_eq!(said["limits"]["max_user_watches"].to_string(), limit.trim());
    assert!(number(&said["others"]["watches"]) >= 40, "{said}");
    let most = said["others"]["most"].as_array().expect("programs");
    let found = most.iter().find(|holder| holder["pid"] == beside.pid());
    // On a machine with many programs it may not be among the first.
    if let Some(found) = found {
        assert!(number(&found["watches"]) >= 40, "{found}");
    } else {
        assert_eq!(most.len(), 10, "{said}");
    }
    let text = bed.run(["doctor", "watch"]).ok().text();
    let line = format!("{watches}\t35\t0\tinotify\t{}\t", root.display());
    assert!(text.contains(&line), "{line:?} in {text}");
    assert_eq!(
        bed.run(["doctor"]).ok().text().lines().next(),
        text.lines().next()
    );
}

#[test]
fn a_limit_of_the_settings_that_is_reached_is_trouble_and_the_advice_ends_it() {
    let bed = Bed::new();
    fs::create_dir_all(bed.home().join(".config/task-orchestrator")).expect("made");
    let _daemon = bed.start();
    let root = project(&bed, "project", 60);
    bed.run(["config", "set", "--user", "watch.max_watches", "40"])
        .ok();
    indexed(&bed, &root);
    let said = examined(&bed, 5);
    assert_eq!(said["advice"][0]["urgency"], "trouble", "{said}");
    assert_eq!((number(&said["used"]), number(&said["max_watches"])), (40, 40));
    let tree = &said["trees"][0];
    assert_eq!(
        (&tree["backend"], &tree["state"]),
        (&"inotify, polling".into(), &"polling".into())
    );
    let without = number(&tree["unwatched"]);
    assert!(
        without > 0
            && tree["why"]
                .as_str()
                .is_some_and(|why| why.contains(&without.to_string())),
        "{tree}"
    );
    let ignore = said["advice"][1]["commands"][0].as_str().expect("a command");
    assert!(ignore.contains("\"/web/node_modules/\""), "{said}");
    obey(&bed, &said);
    indexed(&bed, &root);
    let said = examined(&bed, 0);
    assert_eq!(said["trees"][0]["unwatched"], 0, "{said}");
    assert_eq!(said["advice"].as_array().map(Vec::len), Some(0), "{said}");
}

#[test]
fn what_is_advised_to_be_ignored_is_ignored_when_that_is_obeyed() {
    let bed = Bed::new();
    let _daemon = bed.start();
    let root = project(&bed, "project", 250);
    indexed(&bed, &root);
    let said = examined(&bed, 0);
    assert_eq!(said["advice"][0]["urgency"], "hint", "{said}");
    obey(&bed, &said);
    indexed(&bed, &root);
    let files = process::run(bed.tocli(["files"]).current_dir(&root)).ok().text();
    assert_eq!(files, ".task_orchestrator/config.yaml\nsrc/deep/a.rs\n");
    let said = examined(&bed, 0);
    assert_eq!(said["advice"].as_array().map(Vec::len), Some(0), "{said}");
    assert!(number(&said["used"]) < 20, "{said}");
}

#[test]
fn a_limit_of_the_system_that_is_reached_is_trouble_with_the_sysctl_to_raise() {
    let bed = Bed::new();
    let lowered = |words: &str| {
        let mut command = bed.command("unshare");
        command.args(["--user", "--map-root-user", "sh", "-ec"]);
        command
            .arg(format!("echo 70 >/proc/sys/user/max_inotify_watches\n{words}"))
            .arg("sh");
        command
    };
    let probe = std::panic::catch_unwind(|| process::run(&mut lowered("")).code);
    if !matches!(probe, Ok(0)) {
        return skip(
            "userns",
            "the limit of watches cannot be lowered in a user namespace",
        );
    }
    let daemon = bed.start_by(lowered("exec \"$@\"").arg(program("tod")).arg("run"));
    let root = project(&bed, "project", 90);
    indexed(&bed, &root);
    let said = examined(&bed, 5);
    assert_eq!(said["limits"]["namespace_watches"], 70, "{said}");
    let first = &said["advice"][0];
    assert_eq!(first["urgency"], "trouble", "{said}");
    let commands: Vec<&str> = first["commands"]
        .as_array()
        .expect("commands")
        .iter()
        .flat_map(Value::as_str)
        .collect();
    let [now, always] = commands[..] else {
        panic!("{commands:?}")
    };
    let setting = now.strip_prefix("sudo sysctl ").expect("a sysctl");
    let value = setting
        .strip_prefix("user.max_inotify_watches=")
        .expect("the limit that is reached");
    assert!(
        always.contains(&format!("echo '{setting}' | sudo tee /etc/sysctl.d/")),
        "{always}"
    );
    let errors = bed.run(["doctor", "watch"]).ends(5).err;
    assert!(errors.contains("not watched as it should be"), "{errors}");
    // The same number, where the daemon lives.
    let mut raise = Command::new("nsenter");
    raise.args([
        "--user",
        "--preserve-credentials",
        "--target",
        &daemon.pid().to_string(),
    ]);
    process::run(raise.args([
        "sh",
        "-ec",
        &format!("echo {value} >/proc/sys/user/max_inotify_watches"),
    ]))
    .ok();
    indexed(&bed, &root);
    let said = examined(&bed, 0);
    assert_eq!(
        (&said["trees"][0]["backend"], &said["trees"][0]["unwatched"]),
        (&"inotify".into(), &0.into())
    );
}

#[test]
fn a_root_that_is_gone_is_said_with_what_to_do_about_it() {
    let bed = Bed::new();
    let _daemon = bed.start();
    let root = project(&bed, "project", 1);
    indexed(&bed, &root);
    assert_eq!(examined(&bed, 0)["trees"][0]["backend"], "inotify");
    fs::rename(&root, bed.work().join("elsewhere")).expect("moved");
    let said = deadline::until("the root is missed", || {
        let said = examined(&bed, 0);
        (said["trees"][0]["state"] == "unreachable").then_some(said)
    });
    assert_eq!(said["trees"][0]["backend"], "none", "{said}");
    let advice = &said["advice"][0];
    assert_eq!(advice["urgency"], "hint", "{said}");
    assert!(
        advice["what"]
            .as_str()
            .is_some_and(|what| what.contains("is gone"))
            && advice["why"]
                .as_str()
                .is_some_and(|why| why.contains("`tocli workspace relocate`")),
        "{said}"
    );
}

#[test]
fn without_a_watcher_to_be_had_everything_is_looked_at_until_there_is_one() {
    let bed = Bed::new();
    let without = |words: &str| {
        let mut command = bed.command("unshare");
        command.args(["--user", "--map-root-user", "sh", "-ec"]);
        command
            .arg(format!("echo 0 >/proc/sys/user/max_inotify_instances\n{words}"))
            .arg("sh");
        command
    };
    let probe = std::panic::catch_unwind(|| process::run(&mut without("")).code);
    if !matches!(probe, Ok(0)) {
        return skip(
            "userns",
            "the limit of watchers cannot be lowered in a user namespace",
        );
    }
    let daemon = bed.start_by(without("exec \"$@\"").arg(program("tod")).arg("run"));
    let root = project(&bed, "project", 3);
    let shows = |name: &str| {
        let said = process::run(bed.tocli(["files", name]).current_dir(&root)).ok();
        !said.text().is_empty()
    };
    assert!(shows("a.rs"));
    fs::write(root.join("src/deep/b.rs"), "1").expect("written");
    assert!(shows("b.rs"), "it is not looked at");
    let said = examined(&bed, 5);
    assert_eq!(said["trees"][0]["backend"], "polling", "{said}");
    let command = said["advice"][0]["commands"][0].as_str().expect("a command");
    assert!(
        command.starts_with("sudo sysctl fs.inotify.max_user_instances="),
        "{said}"
    );
    let status = bed.run(["daemon", "status"]).ok().text();
    assert!(status.contains("`fs.inotify.max_user_instances`"), "{status}");
    let mut raise = Command::new("nsenter");
    raise.args([
        "--user",
        "--preserve-credentials",
        "--target",
        &daemon.pid().to_string(),
    ]);
    process::run(raise.args(["sh", "-ec", "echo 100 >/proc/sys/user/max_inotify_instances"])).ok();
    deadline::until("there is a watcher", || {
        assert!(shows("b.rs"));
        let said = bed.run(["doctor", "watch", "--json"]).json();
        (said["trees"][0]["backend"] == "inotify").then_some(())
    });
    // And it is heard: nothing is asked of the disk here.
    fs::write(root.join("src/deep/c.rs"), "1").expect("written");
    deadline::until("the change is heard of", || {
        let said = process::run(bed.tocli(["files", "c.rs", "--no-sync"]).current_dir(&root)).ok();
        (!said.text().is_empty()).then_some(())
    });
}
