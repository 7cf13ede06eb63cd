//! A successor that brings the database to another schema: on real data, half-way, and back.

use proto::Kind;
use proto::daemon::Outcome;
use tests::daemon::{Bed, chmod};
use tests::namespace;
use tests::wire::Peer;

use super::{done, history, reboot, successor, until};
use crate::life::report;

/// Some records that must be there afterwards.
fn fill(bed: &Bed) -> Vec<String> {
    let project = bed.project("filled");
    let path = project.to_str().expect("UTF-8");
    bed.run(["workspace", "create", "--explicit", path]).ok();
    (0..20)
        .map(|number| {
            let title = format!("task {number} {}", "x".repeat(300));
            let said = bed
                .run(["task", "add", &title, "--path", path, "--json"])
                .ok()
                .json();
            said["task"]["task_id"]
                .as_str()
                .or(said["task_id"].as_str())
                .unwrap_or_else(|| panic!("{said}"))
                .to_owned()
        })
        .collect()
}

fn all_there(bed: &Bed, tasks: &[String]) {
    let path = bed.project("filled");
    let path = path.to_str().expect("UTF-8");
    let said = bed
        .run(["task", "list", "--path", path, "--limit", "1000", "--json"])
        .ok();
    for task in tasks {
        assert!(said.text().contains(task), "{task} is not in {}", said.text());
    }
}

fn schema(peer: &mut Peer) -> u32 {
    report(peer).schema
}

#[test]
fn a_successor_with_a_later_schema_takes_over_and_the_way_back_is_refused() {
    let bed = Bed::new();
    let daemon = bed.start();
    let tasks = fill(&bed);
    let mut peer = bed.peer();
    let before = schema(&mut peer);
    let more = successor(&bed, "schema-more");
    match peer.call(reboot(Some(&more))) {
        Ok(proto::Answer::Daemon(proto::daemon::Answer::Rebooted(told))) => {
            assert_eq!((told.from_schema, told.to_schema), (before, before + 1));
            assert_eq!((told.pid, told.outcome), (daemon.pid(), Outcome::Done));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(schema(&mut peer), before + 1);
    all_there(&bed, &tasks);
    let backups = std::fs::read_dir(bed.state().join("backups")).expect("listed");
    assert!(
        backups
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .any(|name| name.starts_with("before-")),
        "the database before it is kept"
    );
    let real = more.with_file_name("real");
    let error = peer.call(reboot(Some(&real))).expect_err("the way back");
    assert_eq!(error.kind, Kind::Refused);
    let why = error.why.unwrap_or_default();
    assert!(why.contains("newer") || why.contains("schema"), "{why}");
    assert_eq!(schema(&mut peer), before + 1);
    assert_eq!(report(&mut peer).pid, daemon.pid());
    all_there(&bed, &tasks);
}

#[test]
fn a_step_that_fails_is_refused_before_anything_changes() {
    let bed = Bed::new();
    let daemon = bed.start();
    let tasks = fill(&bed);
    let mut peer = bed.peer();
    let before = schema(&mut peer);
    let error = peer
        .call(reboot(Some(&successor(&bed, "schema-fails"))))
        .expect_err("refused");
    assert_eq!(error.kind, Kind::Refused);
    assert!(
        error.why.as_deref().unwrap_or_default().contains("on purpose"),
        "the reason is told: {error:?}"
    );
    assert_eq!((schema(&mut peer), report(&mut peer).pid), (before, daemon.pid()));
    all_there(&bed, &tasks);
    done(&mut peer);
}

#[test]
fn a_migration_that_fails_half_way_after_its_rehearsal_is_rolled_back_within_the_process() {
    let bed = Bed::new();
    let daemon = bed.start();
    let tasks = fill(&bed);
    let mut peer = bed.peer();
    let mut idle = bed.peer();
    let before = schema(&mut peer);
    let error = peer
        .call(reboot(Some(&successor(&bed, "schema-late"))))
        .expect_err("rolled back");
    assert_eq!(error.kind, Kind::Refused, "{error:?}");
    assert!(error.to_string().contains("on purpose"), "{error:?}");
    let status = report(&mut idle);
    assert_eq!(
        (status.schema, status.pid, status.generation),
        (before, daemon.pid(), 0)
    );
    all_there(&bed, &tasks);
    until("the history is written", || !history(&mut peer).is_empty());
    assert_eq!(history(&mut peer)[0].outcome, Outcome::RolledBack);
    done(&mut peer);
    all_there(&bed, &tasks);
}

#[test]
fn without_room_for_the_backup_the_reboot_is_refused_and_everything_goes_on() {
    let bed = Bed::new();
    let state = bed.state();
    std::fs::create_dir_all(state.join("backups")).expect("made");
    chmod(&state, 0o700);
    let full = "mount -t tmpfs -o size=4k none \"$HOME/.local/state/task-orchestrator/backups\"";
    let Some(mut command) = namespace::mounting(&bed, full) else {
        return;
    };
    let daemon = bed.start_by(command.arg(tests::daemon::program("tod")).arg("run"));
    let tasks = fill(&bed);
    let mut peer = bed.peer();
    let mut idle = bed.peer();
    let before = schema(&mut peer);
    let error = peer
        .call(reboot(Some(&successor(&bed, "schema-more"))))
        .expect_err("refused");
    assert_eq!(error.kind, Kind::Refused, "{error:?}");
    assert!(error.to_string().contains("backed up"), "{error:?}");
    let status = report(&mut idle);
    assert_eq!((status.schema, status.pid), (before, daemon.pid()));
    all_there(&bed, &tasks);
    done(&mut peer);
    assert_eq!(report(&mut idle).generation, 1);
}
