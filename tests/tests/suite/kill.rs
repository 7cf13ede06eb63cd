//! What was acknowledged is there, whenever and however often the daemon is killed. `TOD_FULL=1` makes a thousand writes.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::process::Signal;
use tests::ask::times;
use tests::chance::Chance;
use tests::daemon::Bed;
use tests::process;

/// Writers at the same time.
const WRITERS: usize = 4;

/// One writer: a workspace made anew, or the last one renamed. What was acknowledged goes into `told`.
fn write(bed: &Bed, writer: usize, count: usize, told: &Mutex<BTreeMap<String, String>>) {
    let mut last: Option<String> = None;
    for number in 0..count {
        let name = format!("w{writer}-{number}");
        let folder = bed.project(&name);
        let folder = folder.to_str().expect("UTF-8");
        let line = match &last {
            Some(id) if number % 2 == 1 => vec!["workspace", "rename", id, &name, "--json"],
            _ => vec![
                "workspace",
                "create",
                "--explicit",
                folder,
                "--name",
                &name,
                "--json",
            ],
        };
        // A client survives the daemon's death by itself: it starts another one and repeats its request.
        let said = bed.run(&line);
        assert_eq!(said.code, 0, "{line:?}: {said:?}");
        let json = said.json();
        let id = json["id"]
            .as_str()
            .unwrap_or_else(|| panic!("{line:?}: {json}"))
            .to_owned();
        assert_eq!(json["name"], name.as_str());
        told.lock().expect("whole").insert(id.clone(), name);
        last = Some(id);
    }
}

#[test]
fn every_acknowledged_write_survives_the_daemon_being_killed_at_random() {
    let bed = Bed::new();
    let told = Mutex::new(BTreeMap::new());
    let over = AtomicBool::new(false);
    let killed = std::thread::scope(|scope| {
        let killer = scope.spawn(|| {
            let mut chance = Chance::new(7);
            let mut killed = 0;
            while !over.load(Ordering::Relaxed) {
                let wait = Duration::from_millis(chance.number() % 150);
                tests::deadline::within(wait, || over.load(Ordering::Relaxed).then_some(()));
                for pid in bed.daemons() {
                    killed += usize::from(process::signal(pid, Some(Signal::KILL)));
                }
            }
            killed
        });
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                let (bed, told) = (&bed, &told);
                scope.spawn(move || write(bed, writer, times(25, 250), told))
            })
            .collect();
        let verdicts: Vec<_> = writers
            .into_iter()
            .map(std::thread::ScopedJoinHandle::join)
            .collect();
        over.store(true, Ordering::Relaxed);
        for verdict in verdicts {
            if let Err(why) = verdict {
                std::panic::resume_unwind(why);
            }
        }
        killer.join().expect("the killer ends")
    });
    assert!(
        killed >= times(3, 50),
        "the daemon was killed {killed} times only"
    );
    let json = bed.run(["workspace", "list", "--json"]).ok().json();
    let listed: BTreeMap<&str, &str> = json["workspaces"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|workspace| Some((workspace["id"].as_str()?, workspace["name"].as_str()?)))
        .collect();
    let told = told.into_inner().expect("whole");
    for (id, name) in &told {
        assert_eq!(
            listed.get(id.as_str()),
            Some(&name.as_str()),
            "of {} after {killed} kills",
            told.len()
        );
    }
    assert_eq!(listed.len(), told.len(), "nothing was done twice");
    let status = bed.run(["daemon", "status", "--json"]).ok().json();
    assert_eq!(status["database"]["writable"], true, "{status}");
}
