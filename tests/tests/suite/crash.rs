//! After a crash clients come back by themselves: every write that was acknowledged is there, once. `TOD_FULL=1` kills the
//! daemon two hundred times.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::time::Duration;

use rustix::process::Signal;
use tests::ask::times;
use tests::chance::Chance;
use tests::daemon::{Bed, program};
use tests::wire::Peer;
use tests::{deadline, process};

const CLIENTS: usize = 16;

#[test]
fn clients_of_a_daemon_that_is_killed_at_random_lose_nothing_and_do_nothing_twice() {
    let bed = Bed::new();
    let project = bed.project("crashing");
    std::fs::write(project.join("Cargo.toml"), "").expect("written");
    let mut command = bed.command(program("crash-clients"));
    command.arg(CLIENTS.to_string()).current_dir(&project);
    let mut clients = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the clients start");
    let lines = BufReader::new(clients.stdout.take().expect("piped"));
    let told = std::thread::spawn(move || lines.lines().map_while(Result::ok).collect::<Vec<_>>());

    let kills = times(8, 200);
    let mut chance = Chance::new(23);
    let mut killed = 0;
    while killed < kills {
        // One that serves: what is killed while it starts has acknowledged nothing.
        deadline::until("a daemon serves", || Peer::is_served(&bed.socket()).then_some(()));
        let wait = Duration::from_millis(chance.number() % 400);
        deadline::within(wait, || None::<()>);
        if let Some(lock) = bed.lock_file() {
            killed += usize::from(process::signal(lock.pid, Some(Signal::KILL)));
        }
    }
    drop(clients.stdin.take());
    let status = process::wait(&mut clients, 2 * deadline::LIMIT).expect("the clients end");
    assert!(status.success(), "{status}");
    let told = told.join().expect("heard");

    let mut there: BTreeMap<String, usize> = BTreeMap::new();
    let mut cursor: Option<String> = None;
    loop {
        let mut words = vec!["task", "list", "--json", "--limit", "1000"];
        if let Some(cursor) = &cursor {
            words.extend(["--cursor", cursor]);
        }
        let page = process::run(bed.tocli(words).current_dir(&project)).ok().json();
        for task in page["tasks"].as_array().expect("a list") {
            let title = task["title"].as_str().expect("a title").to_owned();
            *there.entry(title).or_default() += 1;
        }
        cursor = page["next_cursor"].as_str().map(str::to_owned);
        if cursor.is_none() {
            break;
        }
    }
    let (mut done, mut open) = (0, Vec::new());
    for line in &told {
        match line.split_once(' ') {
            Some(("done", title)) => {
                done += 1;
                assert_eq!(there.remove(title), Some(1), "`{title}` after {killed} kills");
            }
            Some(("open", rest)) => {
                let title = rest.split(' ').next().unwrap_or_default();
                assert!(there.remove(title).unwrap_or_default() <= 1, "{line}");
                open.push(line);
            }
            _ => panic!("{line}"),
        }
    }
    assert!(there.is_empty(), "nobody was told of {there:?}");
    assert!(done > killed, "{done} acknowledged");
    assert!(
        open.is_empty(),
        "a client gave up although another daemon came: {open:?}"
    );
    eprintln!("{killed} kills, {done} acknowledged, each there once");
}
