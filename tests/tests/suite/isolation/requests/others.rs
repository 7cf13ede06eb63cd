//! Settings, roles and files; and the requests that name the workspace they mean, or know none.

use proto::detect::From;
use proto::{Request, config, daemon, detect, index, migrate, role, workspace};

/// Settings and roles: keys and names are no paths.
pub fn settings(name: &str, secret: &str) -> Vec<Request> {
    let at = || From::Caller;
    let key = || name.to_owned();
    let layer = config::Layer::Workspace;
    let configs = vec![
        config::Request::Get { at: at(), key: key() },
        config::Request::List { at: at() },
        config::Request::Set {
            at: at(),
            layer,
            key: key(),
            value: key(),
        },
        config::Request::Unset {
            at: at(),
            layer,
            key: key(),
        },
        config::Request::Reset { at: at(), layer },
    ];
    configs.iter().for_each(|request| match request {
        config::Request::Get { .. }
        | config::Request::List { .. }
        | config::Request::Set { .. }
        | config::Request::Unset { .. }
        | config::Request::Reset { .. } => {}
    });
    let roles = vec![
        role::Request::List { at: at() },
        role::Request::Show {
            at: at(),
            name: key(),
        },
        role::Request::Show {
            at: at(),
            name: secret.into(),
        },
        role::Request::Init {
            at: at(),
            project_type: Some(key()),
        },
    ];
    roles.iter().for_each(|request| match request {
        role::Request::List { .. } | role::Request::Show { .. } | role::Request::Init { .. } => {}
    });
    let all = configs.into_iter().map(Request::Config);
    all.chain(roles.into_iter().map(Request::Role)).collect()
}

/// What is asked about files: a pattern of one's own index.
pub fn files(path: &str) -> Vec<Request> {
    use index::{Request as Index, Since, Sync};
    let sync = Sync::Cookie;
    let at = || From::Caller;
    let all = vec![
        Index::Files {
            at: at(),
            glob: Some(path.to_owned()),
            sync,
        },
        Index::Files {
            at: at(),
            glob: None,
            sync,
        },
        Index::FilesPage {
            at: at(),
            glob: None,
            after: None,
            limit: 100,
            sync,
        },
        Index::Clock { at: at(), sync },
        Index::Changes {
            at: at(),
            since: Since::Time(0),
            wait: false,
            sync,
        },
        Index::Changes {
            at: at(),
            since: Since::Clock(path.to_owned()),
            wait: false,
            sync,
        },
    ];
    all.iter().for_each(|request| match request {
        Index::Files { .. } | Index::FilesPage { .. } | Index::Clock { .. } | Index::Changes { .. } => {}
        // The user's own watches, by number; of a tree only where its directories are.
        Index::Watches => {}
        // A subscription is the same look at the same tree, kept open.
        Index::Watch { .. } => {}
    });
    all.into_iter().map(Request::Index).collect()
}

/// Whole rooms that know no workspace, or of which each request names the one it means: why none of theirs is tried.
pub fn is_tried(request: &Request) -> bool {
    match request {
        Request::Task(_)
        | Request::Artifact(_)
        | Request::Decision(_)
        | Request::Context(_)
        | Request::Maintenance(_)
        | Request::Config(_)
        | Request::Role(_)
        | Request::Index(_) => true,
        // Says where a path belongs, and reads no record.
        Request::Detect(detect::Request::Find(_)) => false,
        // The registry is the user's own list; a record of a workspace is reached by naming it.
        Request::Workspace(
            workspace::Request::List { .. }
            | workspace::Request::Show(_)
            | workspace::Request::ShowLocation(_)
            | workspace::Request::Create { .. }
            | workspace::Request::Rename { .. }
            | workspace::Request::Relocate { .. }
            | workspace::Request::Forget(_)
            | workspace::Request::Restore { .. }
            | workspace::Request::ValidateIsolation,
        ) => false,
        // The daemon itself and its database as a whole.
        Request::Migrate(migrate::Request::Status | migrate::Request::Check) => false,
        Request::Daemon(
            daemon::Request::Status
            | daemon::Request::Reload
            | daemon::Request::Stop
            | daemon::Request::Reboot { .. }
            | daemon::Request::Rehearse { .. }
            | daemon::Request::Reboots
            | daemon::Request::LastReboot,
        ) => false,
    }
}
