//! Artifacts while the power of the disk is cut: what was acknowledged is there to the byte, no record is without its
//! contents, and an upload that was under way goes on from what was synced.

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustix::process::Signal;
use tests::ask::times;
use tests::daemon::Bed;
use tests::skip::{skip, tool};
use tests::{deadline, git, process};

use crate::store::mounts::{ALONE, Mount, alone, run, text};

/// In a record, in an object, in one piece, in several.
const SIZES: [usize; 4] = [40, 20_000, 300_000, 1_500_000];

/// The bytes of the `number`-th artifact: no two are the same.
fn bytes(number: usize) -> Vec<u8> {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&number.to_le_bytes());
    let mut bytes = vec![0; SIZES[number % SIZES.len()]];
    hasher.finalize_xof().fill(&mut bytes);
    bytes
}

/// Stores until nobody takes anything any more: what was acknowledged.
fn store(bed: &Bed, (state, repo): (&Path, &Path), next: &AtomicUsize, told: &Mutex<Vec<(String, usize)>>) {
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        let name = format!("n{}.bin", number % 7);
        let file = bed.work().join(format!("body{number}"));
        std::fs::write(&file, bytes(number)).expect("written");
        let words = [
            "artifact",
            "store",
            "t",
            text(&file),
            "--name",
            &name,
            "--json",
            "--no-start",
        ];
        let mut command = bed.tocli(words);
        command
            .env("TOD_STATE_DIR", state)
            .env("TO_ACTOR", "me")
            .current_dir(repo);
        let said = process::run(&mut command);
        std::fs::remove_file(&file).expect("removed");
        if said.code != 0 {
            return;
        }
        let stored = said.json();
        let id = stored["artifact_id"].as_str().expect("an id");
        let which = format!("{id} --version {}", stored["version"]);
        told.lock().expect("whole").push((which, number));
    }
}

#[test]
fn a_power_cut_while_artifacts_are_stored_loses_nothing_that_was_acknowledged() {
    let Some(tool) = tool("powercut.py") else {
        return skip(
            "powercut",
            "`powercut.py` is neither in `TOD_TOOLS` nor in `../shared/tools`",
        );
    };
    if std::env::var_os(ALONE).is_none() {
        return alone(
            "artifact::power::a_power_cut_while_artifacts_are_stored_loses_nothing_that_was_acknowledged",
        );
    }
    let mount = match Mount::ext4() {
        Ok(mount) => mount,
        Err(why) => return skip("powercut", &why),
    };
    let bed = Bed::new();
    let repo = bed.project("repo");
    git::init(&repo);
    let state = mount.state();
    let say = |words: &[&str]| {
        let mut command = bed.tocli(words);
        command
            .env("TOD_STATE_DIR", &state)
            .env("TO_ACTOR", "me")
            .current_dir(&repo);
        process::run(&mut command)
    };
    let start = || {
        bed.start_with(|command| {
            command.env("TOD_STATE_DIR", &state);
        })
    };
    let next = AtomicUsize::new(0);
    let mut all: Vec<(String, usize)> = Vec::new();
    for round in 0..times(3, 20) {
        let mut daemon = start();
        if round == 0 {
            say(&["task", "add", "T", "--id", "t"]).ok();
        }
        let told = Mutex::new(Vec::new());
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| store(&bed, (&state, &repo), &next, &told));
            }
            deadline::until("some are stored", || {
                (told.lock().expect("whole").len() >= 5 + round % 4).then_some(())
            });
            run("python3", &[text(&tool), text(&mount.at)]).expect("the power can be cut");
            daemon.signal(Signal::KILL);
        });
        daemon.wait();
        mount.again();
        all.extend(told.into_inner().expect("whole"));
        let mut daemon = start();
        let status = say(&["daemon", "status", "--json"]).ok().json();
        assert_eq!(status["database"]["writable"], true, "round {round}: {status}");
        for (which, number) in &all {
            let words: Vec<&str> = ["artifact", "get"].into_iter().chain(which.split(' ')).collect();
            let said = say(&words).ok();
            assert_eq!(
                said.out,
                bytes(*number),
                "round {round}: `{which}`, the {number}th"
            );
        }
        let verified = say(&["artifact", "verify", "--json"]).json();
        let text = verified.to_string();
        assert!(
            !text.contains("\"damaged\"") && !text.contains("\"lost\""),
            "round {round}: {text}"
        );
        // What was under way is given up or goes on; none of it is a record.
        for partial in say(&["artifact", "partials", "--json"]).ok().json()["uploads"]
            .as_array()
            .into_iter()
            .flatten()
        {
            assert!(
                partial["synced"].as_u64() <= partial["received"].as_u64(),
                "{partial}"
            );
        }
        daemon.stop();
    }
    assert!(all.len() > 10, "{all:?}");
}
