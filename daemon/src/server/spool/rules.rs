//! Which requests may come through files: those of one workspace that neither run anything nor reach outside it.
//!
//! Pure. What must stay true: a request that this list does not know is refused.

use proto::detect::From;
use proto::error::{Error, Result};
use proto::workspace::Which;
use proto::{Request, config, detect, index, role, task, workspace};

/// Which project a request speaks of; the server looks whether it is the one in whose folder it lay.
///
/// # Errors
/// `refused` for what may not come this way.
pub(super) fn allowed(request: &Request) -> Result<&From> {
    let at = match request {
        Request::Detect(detect::Request::Find(from)) => from,
        Request::Workspace(workspace::Request::Show(at) | workspace::Request::ShowLocation(at)) => here(at)?,
        Request::Config(config::Request::Get { at, .. } | config::Request::List { at }) => at,
        Request::Role(role::Request::List { at } | role::Request::Show { at, .. }) => at,
        Request::Index(request) => match request {
            index::Request::Files { at, .. }
            | index::Request::FilesPage { at, .. }
            | index::Request::Clock { at, .. }
            | index::Request::Changes { at, .. } => at,
            index::Request::Watch { .. } => return Err(refused("a subscription has no end")),
            index::Request::Watches => return Err(refused("it is about all projects")),
        },
        Request::Task(call) => match &call.what {
            task::Request::Move { .. } => return Err(refused("it reaches into another workspace")),
            _ => here(&call.at)?,
        },
        Request::Artifact(call) => here(&call.at)?,
        Request::Decision(call) => here(&call.at)?,
        Request::Context(call) => here(&call.at)?,
        Request::Workspace(_)
        | Request::Config(_)
        | Request::Role(_)
        | Request::Maintenance(_)
        | Request::Migrate(_)
        | Request::Daemon(_) => return Err(refused("it reaches beyond the workspace or runs something")),
    };
    match at {
        From::Caller | From::Start(_) => Ok(at),
        From::Explicit(_) => Err(refused("it names a root by itself")),
    }
}

fn here(at: &Which) -> Result<&From> {
    match at {
        Which::At(from) => Ok(from),
        Which::Named(_) => Err(refused("it names a workspace by itself")),
    }
}

fn refused(why: &str) -> Error {
    Error::refused("this request is not taken from a sandbox's spool")
        .why(why)
        .next("run the command outside of the sandbox")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proto::daemon;

    #[test]
    fn what_reaches_outside_or_runs_something_is_refused() {
        for request in [
            Request::Daemon(daemon::Request::Stop),
            Request::Migrate(proto::migrate::Request::Status),
            Request::Detect(detect::Request::Find(From::Explicit("/etc".into()))),
            Request::Workspace(workspace::Request::List { forgotten: true }),
            Request::Workspace(workspace::Request::Show(Which::Named("other".into()))),
            Request::Config(config::Request::Reset {
                at: From::Caller,
                layer: config::Layer::User,
            }),
        ] {
            assert!(allowed(&request).is_err(), "{request:?}");
        }
        let own = Request::Workspace(workspace::Request::Show(Which::At(From::Caller)));
        assert_eq!(allowed(&own), Ok(&From::Caller));
    }
}
