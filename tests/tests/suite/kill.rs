//! What was acknowledged is there, whenever and however often the daemon is killed. `TOD_FULL=1` makes a thousand writes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::process::Signal;
use tests::ask::times;
use tests::chance::Chance;
use tests::daemon::Bed;
use tests::process;
use tests::wire::Peer;

/// Writers at the same time.
const WRITERS: usize = 4;

/// What the writers were told.
#[derive(Default)]
struct Told {
    /// Acknowledged: id and name.
    done: BTreeMap<String, String>,
    /// Not known: the daemon was killed twice under one request, which the client repeats once. What it would be named.
    open: BTreeSet<String>,
}

/// One writer: a workspace made anew, or the last one renamed, until `count` writes were acknowledged.
fn write(bed: &Bed, writer: usize, count: usize, told: &Mutex<Told>) {
    let mut last: Option<String> = None;
    let mut acknowledged = 0;
    for number in 0.. {
        if acknowledged == count {
            break;
        }
        let name = format!("w{writer}-{number}");
        let folder = bed.project(&name);
        let folder = folder.to_str().expect("UTF-8");
        let line = match last.take() {
            Some(id) if number % 2 == 1 => ["workspace", "rename", &id, &name].map(str::to_owned).to_vec(),
            _ => ["workspace", "create", "--explicit", folder, "--name", &name]
                .map(str::to_owned)
                .to_vec(),
        };
        let said = bed.run(line.iter().map(String::as_str).chain(["--json"]));
        let mut told = told.lock().expect("whole");
        if said.code == 6 {
            told.open.insert(name);
            if let [_, verb, id, _] = &line[..]
                && verb == "rename"
            {
                // It has the old name or the new one.
                told.done.remove(id);
            }
            continue;
        }
        assert_eq!(said.code, 0, "{line:?}: {said:?}");
        let json = said.json();
        let id = json["id"]
            .as_str()
            .unwrap_or_else(|| panic!("{line:?}: {json}"))
            .to_owned();
        assert_eq!(json["name"], name.as_str());
        told.done.insert(id.clone(), name);
        last = Some(id);
        acknowledged += 1;
    }
}

#[test]
fn every_acknowledged_write_survives_the_daemon_being_killed_at_random() {
    let bed = Bed::new();
    let told = Mutex::new(Told::default());
    let over = AtomicBool::new(false);
    let killed = std::thread::scope(|scope| {
        let killer = scope.spawn(|| {
            let mut chance = Chance::new(7);
            let mut killed = 0;
            while !over.load(Ordering::Relaxed) {
                let wait = Duration::from_millis(chance.number() % 300);
                // One that serves: what is killed while it starts has acknowledged nothing.
                if !Peer::is_served(&bed.socket()) {
                    continue;
                }
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
        killed >= times(3, 20),
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
    for (id, name) in &told.done {
        assert_eq!(
            listed.get(id.as_str()),
            Some(&name.as_str()),
            "of {} after {killed} kills",
            told.done.len()
        );
    }
    // What is there beside them was asked for, and a repeated request made nothing twice.
    assert!(listed.len() <= told.done.len() + told.open.len(), "{listed:?}");
    let names: BTreeSet<&str> = listed.values().copied().collect();
    assert_eq!(names.len(), listed.len(), "{listed:?}");
    let status = bed.run(["daemon", "status", "--json"]).ok().json();
    assert_eq!(status["database"]["writable"], true, "{status}");
}
