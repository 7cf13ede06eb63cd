//! Projects: which one a place belongs to, and the registry of them.

use proto::error::Result;
use proto::workspace::{Answer, Request, Seed, Which};
use proto::{Error, RawPath, Request as Room};

use super::{daemon, settings};
use crate::declare::Form::{Flag, Word};
use crate::declare::{Args, Hints, Needs, Param, Tool};
use crate::reply::Reply;
use crate::talk::{Talk, foreign};

fn ask(talk: &mut Talk<'_>, request: Request) -> Result<Reply> {
    match talk.ask(Room::Workspace(request))? {
        proto::Answer::Workspace(answer) => Ok(reply(&answer)),
        _ => Err(foreign()),
    }
}

fn reply(answer: &Answer) -> Reply {
    match answer {
        Answer::Workspaces(_) => Reply::of_variant(answer, "workspaces"),
        Answer::Isolation(findings) => {
            let passed = findings.iter().all(|finding| finding.passed);
            Reply::of_variant(answer, "findings").with("passed", passed)
        }
        _ => Reply::of_variant(answer, ""),
    }
}

pub(super) static WORKSPACE: Tool = Tool {
    name: "orchestrator_workspace",
    about: "Which project this is: `detect` (root, type, branch), `show` (totals), `list` (all projects), `roles` and `role` \
            (kinds of workers), `settings`, `status` (the daemon).",
    hints: Hints::Reads,
    needs: Needs::Nothing,
    params: &[
        Param::new(
            "action",
            Word(&["detect", "show", "list", "roles", "role", "settings", "status"]),
            "Default detect",
        ),
        Param::text("name", "Of a role, or of another workspace to show"),
    ],
    returns: &[],
    run: workspace,
};

fn workspace(talk: &mut Talk<'_>, args: &Args) -> Result<Reply> {
    match args.text("action").unwrap_or("detect") {
        "show" => {
            let which = args.owned("name").map_or_else(|| talk.which(), Which::Named);
            ask(talk, Request::Show(which))
        }
        "list" => ask(talk, Request::List { forgotten: false }),
        "roles" => settings::roles(talk),
        "role" => settings::role(talk, args.need("name")?),
        "settings" => settings::list(talk),
        "status" => daemon::status(talk),
        _ => Ok(Reply::of(&talk.detect()?, "")),
    }
}

pub(super) static REGISTRY: Tool = Tool {
    name: "orchestrator_registry",
    about: "Change the registry of projects. `forget` keeps the records for 30 days, `restore` brings them back.",
    hints: Hints::Changes,
    needs: Needs::Nothing,
    params: &[
        Param::new(
            "action",
            Word(&[
                "create",
                "rename",
                "relocate",
                "forget",
                "restore",
                "location",
                "validate_isolation",
                "list_forgotten",
            ]),
            "",
        )
        .required(),
        Param::text("workspace", "By id or name; default: that of `cwd`"),
        Param::text("name", "create, rename: the display name"),
        Param::text("template", "create: begin with its settings and roles"),
        Param::text("from_existing", "create: begin with those of this workspace"),
        Param::text("to", "relocate: where it is now"),
        Param::new(
            "confirmed",
            Flag,
            "relocate: although the directory is not the one on record",
        ),
    ],
    returns: &[],
    run: registry,
};

fn registry(talk: &mut Talk<'_>, args: &Args) -> Result<Reply> {
    let which = args.owned("workspace").map_or_else(|| talk.which(), Which::Named);
    let request = match args.need("action")? {
        "create" => Request::Create {
            at: talk.from(),
            name: args.owned("name"),
            seed: seed(args)?,
        },
        "rename" => Request::Rename {
            which,
            name: args.need("name")?.to_owned(),
        },
        "relocate" => Request::Relocate {
            which,
            to: absolute(talk, args.need("to")?)?,
            confirmed: args.flag("confirmed"),
        },
        "forget" => Request::Forget(which),
        "restore" => Request::Restore {
            id: args.need("workspace")?.to_owned(),
        },
        "location" => Request::ShowLocation(which),
        "validate_isolation" => Request::ValidateIsolation,
        _ => Request::List { forgotten: true },
    };
    ask(talk, request)
}

fn seed(args: &Args) -> Result<Seed> {
    match (args.owned("template"), args.owned("from_existing")) {
        (None, None) => Ok(Seed::Empty),
        (Some(template), None) => Ok(Seed::Template(template)),
        (None, Some(existing)) => Ok(Seed::Existing(existing)),
        (Some(_), Some(_)) => {
            Err(Error::usage("`template` and `from_existing` are both given").next("give one of them"))
        }
    }
}

fn absolute(talk: &Talk<'_>, path: &str) -> Result<RawPath> {
    client::absolute(talk.caller().cwd.as_path(), path.as_ref())
        .map(RawPath::from)
        .ok_or_else(|| {
            Error::usage("the path is relative, and there is no directory to begin from")
                .next("give an absolute one")
        })
}
