//! One of every answer.

use proto::message::Answer;
use proto::{RawPath, config, daemon, detect, index, migrate, role, workspace};

/// One of each answer, with its name.
pub fn answers() -> Vec<(&'static str, Answer)> {
    let mut all: Vec<(&'static str, Answer)> = detections();
    all.extend(workspace_answers().map(|(name, answer)| (name, Answer::Workspace(answer))));
    all.extend(config_answers().map(|(name, answer)| (name, Answer::Config(answer))));
    all.extend(role_answers().map(|(name, answer)| (name, Answer::Role(answer))));
    all.extend(index_answers().map(|(name, answer)| (name, Answer::Index(answer))));
    all.extend(migrate_answers().map(|(name, answer)| (name, Answer::Migrate(answer))));
    all.extend(daemon_answers().map(|(name, answer)| (name, Answer::Daemon(answer))));
    all
}

fn detections() -> Vec<(&'static str, Answer)> {
    use detect::Method::{ClientDirectory, CurrentDirectory, Explicit, ProjectMarker, UserHome, VcsRoot};
    let found = |method| {
        Answer::Detect(detect::Detection {
            led_from: None,
            root: "/p".into(),
            package: Some("/p/sub".into()),
            method,
            confidence: 8,
            project_types: vec!["rust".into(), "git".into()],
            markers: vec![detect::Marker {
                name: "Cargo.toml".into(),
                project_type: "rust".into(),
                confidence: 9,
            }],
            vcs: Some(detect::Vcs {
                kind: "git".into(),
                branch: Some("main".into()),
                main_root: Some("/m".into()),
                superproject: Some("/s".into()),
            }),
            writable: true,
            warnings: vec!["w".into()],
            cached: false,
            micros: 12,
        })
    };
    vec![
        ("detect::Detection/explicit", found(Explicit)),
        ("detect::Detection/vcs-root", found(VcsRoot)),
        ("detect::Detection/project-marker", found(ProjectMarker)),
        ("detect::Detection/client-directory", found(ClientDirectory)),
        ("detect::Detection/current-directory", found(CurrentDirectory)),
        ("detect::Detection/user-home", found(UserHome)),
    ]
}

fn workspace_answers() -> impl Iterator<Item = (&'static str, workspace::Answer)> {
    let one = || workspace::Workspace {
        id: "ws_0123456789ab".into(),
        name: "n".into(),
        root: "/p".into(),
        method: detect::Method::VcsRoot,
        confidence: 8,
        project_type: Some("rust".into()),
        created: 1,
        last_access: 2,
        trees: vec!["/t".into()],
        forgotten: Some(3),
        present: true,
        totals: workspace::Totals {
            tasks: vec![("ready".into(), 4)],
            artifacts: 5,
            decisions: 6,
            bytes: 7,
            bytes_at_least: true,
        },
        warnings: vec!["w".into()],
    };
    let location = workspace::Answer::Location {
        id: "ws_0123456789ab".into(),
        root: "/p".into(),
        folder: "/p/.task_orchestrator".into(),
        made: true,
        state_dir: "/s".into(),
    };
    let finding = workspace::Finding {
        check: "c".into(),
        passed: true,
        details: vec!["d".into()],
    };
    [
        (
            "workspace::Answer::Workspaces",
            workspace::Answer::Workspaces(vec![one()]),
        ),
        (
            "workspace::Answer::Workspace",
            workspace::Answer::Workspace(Box::new(one())),
        ),
        ("workspace::Answer::Location", location),
        (
            "workspace::Answer::Isolation",
            workspace::Answer::Isolation(vec![finding]),
        ),
    ]
    .into_iter()
}

fn config_answers() -> impl Iterator<Item = (&'static str, config::Answer)> {
    use config::Layer::{BuiltIn, Environment, Project, User, Workspace};
    let setting = |layer| config::Setting {
        key: "tasks.lease_minutes".into(),
        value: "15".into(),
        layer,
        file: Some("/c.yaml".into()),
        line: Some(3),
    };
    let settings = [BuiltIn, User, Project, Workspace, Environment]
        .map(setting)
        .to_vec();
    let written = config::Answer::Written {
        file: "/c.yaml".into(),
        now: Some(setting(User)),
        kept: Some("/c.yaml.1".into()),
    };
    [
        (
            "config::Answer::Setting",
            config::Answer::Setting {
                setting: setting(User),
                warnings: vec!["w".into()],
            },
        ),
        (
            "config::Answer::Settings",
            config::Answer::Settings {
                settings,
                warnings: vec!["w".into()],
            },
        ),
        ("config::Answer::Written", written),
    ]
    .into_iter()
}

fn role_answers() -> impl Iterator<Item = (&'static str, role::Answer)> {
    let one = || role::Role {
        name: "tester".into(),
        role_definition: "d".into(),
        expertise: vec!["e".into()],
        approach: vec!["a".into()],
        output_format: "o".into(),
        context_awareness: vec![("k".into(), "1".into())],
        layer: config::Layer::BuiltIn,
        file: Some("/r.yaml".into()),
    };
    [
        (
            "role::Answer::Roles",
            role::Answer::Roles {
                roles: vec![one()],
                warnings: vec!["w".into()],
            },
        ),
        ("role::Answer::Role", role::Answer::Role(one())),
        (
            "role::Answer::Written",
            role::Answer::Written {
                file: "/r.yaml".into(),
                roles: vec!["tester".into()],
            },
        ),
    ]
    .into_iter()
}

fn watches() -> index::Watches {
    let advice = |urgency| index::Advice {
        urgency,
        what: "a".into(),
        why: "b".into(),
        commands: vec!["c".into()],
    };
    index::Watches {
        used: 1,
        detection: 2,
        remembered: 19,
        refreshed: 20,
        max_watches: 300,
        limits: index::Limits {
            max_user_watches: Some(4),
            max_user_instances: Some(5),
            max_queued_events: None,
            namespace_watches: Some(6),
        },
        overflows: 7,
        others: index::Others {
            watches: 8,
            instances: 9,
            unreadable: 10,
            is_partial: true,
            most: vec![index::Holder {
                pid: 11,
                name: "n".into(),
                instances: 12,
                watches: 13,
            }],
        },
        trees: vec![index::TreeWatches {
            workspace: Some("ws_1".into()),
            root: "/p".into(),
            state: index::TreeState::Polling,
            backend: "inotify".into(),
            why: "w".into(),
            directories: 14,
            watches: 15,
            unwatched: 16,
            largest: vec![index::Subtree {
                path: "s".into(),
                directories: 17,
                files: 18,
            }],
        }],
        advice: vec![advice(index::Urgency::Trouble), advice(index::Urgency::Hint)],
    }
}

fn index_answers() -> impl Iterator<Item = (&'static str, index::Answer)> {
    let (root, clock) = (|| RawPath::from("/p"), || "c:1:2:3".to_owned());
    let changes = index::Answer::Changes {
        root: root(),
        clock: clock(),
        fresh_instance: true,
        fresh_why: Some("the clock is of another index".into()),
        unsynced: false,
        unverified: true,
    };
    [
        (
            "index::Answer::Files",
            index::Answer::Files {
                root: root(),
                clock: clock(),
                unsynced: true,
                unverified: false,
            },
        ),
        (
            "index::Answer::Clock",
            index::Answer::Clock {
                root: root(),
                clock: clock(),
                unsynced: true,
                unverified: false,
            },
        ),
        ("index::Answer::Changes", changes),
        (
            "index::Answer::Watches",
            index::Answer::Watches(Box::new(watches())),
        ),
        (
            "index::Answer::FilesPage",
            index::Answer::FilesPage {
                root: root(),
                clock: clock(),
                left: 300,
                unsynced: true,
                unverified: false,
            },
        ),
    ]
    .into_iter()
}

fn migrate_answers() -> impl Iterator<Item = (&'static str, migrate::Answer)> {
    let step = migrate::Step {
        number: 1,
        name: "first".into(),
        checksum: "c".into(),
        applied_at: Some(4),
    };
    let status = migrate::Answer::Status {
        schema: 1,
        target: 2,
        steps: vec![step],
        backup: Some("/backups/1".into()),
    };
    let check = migrate::Answer::Check {
        from: 1,
        to: 2,
        records: 3,
        passed: vec!["p".into()],
    };
    [
        ("migrate::Answer::Status", status),
        ("migrate::Answer::Check", check),
    ]
    .into_iter()
}

fn daemon_answers() -> impl Iterator<Item = (&'static str, daemon::Answer)> {
    use index::TreeState::{
        Asleep, Checkout, Crawling, Polling, Rescanning, Unreachable, Unverified, Watching,
    };
    let tree = |state| index::TreeStatus {
        root: "/p".into(),
        state,
        reason: Some("r".into()),
        files: 1,
        dirs: 2,
        watches: 3,
        clock: "c:1:2:3".into(),
    };
    let states = [
        Crawling,
        Unverified,
        Watching,
        Polling,
        Rescanning,
        Checkout,
        Asleep,
        Unreachable,
    ];
    let status = daemon::Status {
        pid: 1,
        version: "0.1.0".into(),
        generation: 2,
        protocol: 3,
        schema: 4,
        uptime_s: 5,
        socket: "/r/tod.sock".into(),
        state_dir: "/s".into(),
        rss_bytes: 6,
        connections: 7,
        accepted: 13,
        reconnected: 14,
        requests: 8,
        watches: daemon::Watches {
            used: 9,
            limit: 10,
            backend: "inotify".into(),
        },
        database: daemon::Database {
            bytes: 11,
            writable: true,
            note: Some("n".into()),
        },
        workspaces: vec![daemon::Workspace {
            id: "ws_0123456789ab".into(),
            root: "/p".into(),
            trees: states.map(tree).to_vec(),
        }],
        warnings: vec!["w".into()],
    };
    [
        ("daemon::Answer::Status", daemon::Answer::Status(Box::new(status))),
        (
            "daemon::Answer::Reloaded",
            daemon::Answer::Reloaded {
                warnings: vec!["w".into()],
            },
        ),
        ("daemon::Answer::Stopping", daemon::Answer::Stopping { pid: 12 }),
        (
            "daemon::Answer::Rebooted",
            daemon::Answer::Rebooted(Box::new(reboot(daemon::Outcome::Done))),
        ),
        (
            "daemon::Answer::Rehearsed",
            daemon::Answer::Rehearsed(daemon::Rehearsed {
                binary: "/b".into(),
                version: "2".into(),
                schema: 3,
                schema_now: 2,
                passed: vec!["p".into()],
                took_ms: 300,
            }),
        ),
        (
            "daemon::Answer::Reboots",
            daemon::Answer::Reboots {
                under_way: Some("u".into()),
                history: [
                    daemon::Outcome::Done,
                    daemon::Outcome::Refused,
                    daemon::Outcome::RolledBack,
                    daemon::Outcome::Guarded,
                ]
                .map(reboot)
                .to_vec(),
            },
        ),
    ]
    .into_iter()
}

fn reboot(outcome: daemon::Outcome) -> daemon::Reboot {
    daemon::Reboot {
        at: 5,
        outcome,
        why: Some("w".into()),
        reason: None,
        binary: "/b".into(),
        from_version: "1".into(),
        to_version: "2".into(),
        from_schema: 2,
        to_schema: 3,
        pid: 12,
        generation: 4,
        connections: 32,
        pause_us: 300,
        took_ms: 400,
    }
}
