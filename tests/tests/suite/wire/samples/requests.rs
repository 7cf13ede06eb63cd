//! One of every request.

use proto::{config, daemon, detect, index, migrate, role, workspace};

fn at() -> detect::From {
    detect::From::Start("/p".into())
}

/// One of each, with its name.
pub fn detect_requests() -> Vec<(&'static str, detect::Request)> {
    vec![
        (
            "detect::Request::Find/caller",
            detect::Request::Find(detect::From::Caller),
        ),
        ("detect::Request::Find/start", detect::Request::Find(at())),
        (
            "detect::Request::Find/explicit",
            detect::Request::Find(detect::From::Explicit("/x".into())),
        ),
    ]
}

/// One of each, with its name.
pub fn workspace_requests() -> Vec<(&'static str, workspace::Request)> {
    let which = || workspace::Which::Named("ws_0123456789ab".into());
    let create = |seed| workspace::Request::Create {
        at: at(),
        name: Some("n".into()),
        seed,
    };
    vec![
        (
            "workspace::Request::List",
            workspace::Request::List { forgotten: true },
        ),
        (
            "workspace::Request::Show",
            workspace::Request::Show(workspace::Which::At(at())),
        ),
        (
            "workspace::Request::ShowLocation",
            workspace::Request::ShowLocation(which()),
        ),
        ("workspace::Request::Create/empty", create(workspace::Seed::Empty)),
        (
            "workspace::Request::Create/template",
            create(workspace::Seed::Template("t".into())),
        ),
        (
            "workspace::Request::Create/existing",
            create(workspace::Seed::Existing("e".into())),
        ),
        (
            "workspace::Request::Rename",
            workspace::Request::Rename {
                which: which(),
                name: "new".into(),
            },
        ),
        (
            "workspace::Request::Relocate",
            workspace::Request::Relocate {
                which: which(),
                to: "/to".into(),
                confirmed: true,
            },
        ),
        ("workspace::Request::Forget", workspace::Request::Forget(which())),
        (
            "workspace::Request::Restore",
            workspace::Request::Restore {
                id: "ws_0123456789ab".into(),
            },
        ),
        (
            "workspace::Request::ValidateIsolation",
            workspace::Request::ValidateIsolation,
        ),
    ]
}

/// One of each, with its name.
pub fn config_requests() -> Vec<(&'static str, config::Request)> {
    let key = || "tasks.lease_minutes".to_owned();
    let layer = config::Layer::User;
    vec![
        (
            "config::Request::Get",
            config::Request::Get { at: at(), key: key() },
        ),
        ("config::Request::List", config::Request::List { at: at() }),
        (
            "config::Request::Set",
            config::Request::Set {
                at: at(),
                layer,
                key: key(),
                value: "20".into(),
            },
        ),
        (
            "config::Request::Unset",
            config::Request::Unset {
                at: at(),
                layer,
                key: key(),
            },
        ),
        (
            "config::Request::Reset",
            config::Request::Reset {
                at: at(),
                layer: config::Layer::Workspace,
            },
        ),
    ]
}

/// One of each, with its name.
pub fn role_requests() -> Vec<(&'static str, role::Request)> {
    vec![
        ("role::Request::List", role::Request::List { at: at() }),
        (
            "role::Request::Show",
            role::Request::Show {
                at: at(),
                name: "tester".into(),
            },
        ),
        (
            "role::Request::Init",
            role::Request::Init {
                at: at(),
                project_type: Some("rust".into()),
            },
        ),
    ]
}

/// One of each, with its name.
pub fn index_requests() -> Vec<(&'static str, index::Request)> {
    let cookie = index::Sync::Cookie;
    let since = index::Since::Clock("c:1:2:3".into());
    vec![
        (
            "index::Request::Files",
            index::Request::Files {
                at: at(),
                glob: Some("*.rs".into()),
                sync: cookie,
            },
        ),
        (
            "index::Request::Clock",
            index::Request::Clock {
                at: at(),
                sync: index::Sync::No,
            },
        ),
        (
            "index::Request::Changes/clock",
            index::Request::Changes {
                at: at(),
                since: since.clone(),
                wait: true,
                sync: cookie,
            },
        ),
        (
            "index::Request::Changes/time",
            index::Request::Changes {
                at: at(),
                since: index::Since::Time(-1),
                wait: false,
                sync: cookie,
            },
        ),
        (
            "index::Request::Watch",
            index::Request::Watch {
                at: at(),
                since: Some(since),
            },
        ),
        ("index::Request::Watches", index::Request::Watches),
        (
            "index::Request::FilesPage",
            index::Request::FilesPage {
                at: at(),
                glob: Some("*.rs".into()),
                after: Some("src/a.rs".into()),
                limit: 300,
                sync: cookie,
            },
        ),
    ]
}

/// One of each, with its name.
pub fn migrate_requests() -> Vec<(&'static str, migrate::Request)> {
    vec![
        ("migrate::Request::Status", migrate::Request::Status),
        ("migrate::Request::Check", migrate::Request::Check),
    ]
}

/// One of each, with its name.
pub fn daemon_requests() -> Vec<(&'static str, daemon::Request)> {
    vec![
        ("daemon::Request::Status", daemon::Request::Status),
        ("daemon::Request::Reload", daemon::Request::Reload),
        ("daemon::Request::Stop", daemon::Request::Stop),
        (
            "daemon::Request::Reboot",
            daemon::Request::Reboot {
                binary: Some("/b".into()),
                limit_ms: 300,
                reason: Some("r".into()),
            },
        ),
        (
            "daemon::Request::Rehearse",
            daemon::Request::Rehearse {
                binary: None,
                limit_ms: 0,
            },
        ),
        ("daemon::Request::Reboots", daemon::Request::Reboots),
        ("daemon::Request::LastReboot", daemon::Request::LastReboot),
    ]
}
