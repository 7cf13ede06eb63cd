//! Settings and roles.

use proto::config::{Layer, Request as Config};
use proto::error::Result;
use proto::role::Request as Role;
use proto::{Answer, Request as Room, config};
use serde_json::{Value, json};

use crate::declare::Form::Word;
use crate::declare::{Args, Hints, Needs, Param, Tool};
use crate::reply::Reply;
use crate::talk::{Talk, foreign};

/// Every setting in force.
pub(super) fn list(talk: &mut Talk<'_>) -> Result<Reply> {
    let at = talk.from();
    config(talk, Config::List { at })
}

fn config(talk: &mut Talk<'_>, request: Config) -> Result<Reply> {
    match talk.ask(Room::Config(request))? {
        // The values travel as text, because the wire knows no untyped ones.
        Answer::Config(config::Answer::Settings { settings, warnings }) => {
            let settings: Vec<Value> = settings.iter().map(setting).collect();
            Ok(Reply::of(
                &json!({ "settings": settings, "warnings": warnings }),
                "",
            ))
        }
        Answer::Config(config::Answer::Setting {
            setting: found,
            warnings,
        }) => Ok(Reply::of(&setting(&found), "").with("warnings", warnings)),
        Answer::Config(config::Answer::Written { file, now, kept }) => {
            let now = now.as_ref().map(setting);
            Ok(Reply::of(&json!({ "file": file, "now": now, "kept": kept }), ""))
        }
        _ => Err(foreign()),
    }
}

fn setting(setting: &config::Setting) -> Value {
    let value: Value = serde_json::from_str(&setting.value).unwrap_or_else(|_| setting.value.clone().into());
    json!({
        "key": setting.key,
        "value": value,
        "layer": setting.layer,
        "file": setting.file,
        "line": setting.line,
    })
}

pub(super) static SETTINGS: Tool = Tool {
    name: "orchestrator_settings",
    about: "Settings in force, who set them, and changing them in the user's or the workspace's file.",
    hints: Hints::Changes,
    needs: Needs::Nothing,
    params: &[
        Param::new(
            "action",
            Word(&["list", "get", "set", "unset", "reset"]),
            "Default list",
        ),
        Param::text("key", "`section.key`"),
        Param::text("value", "As YAML"),
        Param::new("layer", Word(&["workspace", "user"]), "Default workspace"),
    ],
    returns: &[],
    run: settings,
};

fn settings(talk: &mut Talk<'_>, args: &Args) -> Result<Reply> {
    let at = talk.from();
    let layer = match args.text("layer") {
        Some("user") => Layer::User,
        _ => Layer::Workspace,
    };
    let key = || args.need("key").map(str::to_owned);
    let request = match args.text("action").unwrap_or("list") {
        "get" => Config::Get { at, key: key()? },
        "set" => Config::Set {
            at,
            layer,
            key: key()?,
            value: args.need("value")?.to_owned(),
        },
        "unset" => Config::Unset {
            at,
            layer,
            key: key()?,
        },
        "reset" => Config::Reset { at, layer },
        _ => Config::List { at },
    };
    config(talk, request)
}

/// All kinds of workers, by name and what they are.
pub(super) fn roles(talk: &mut Talk<'_>) -> Result<Reply> {
    let at = talk.from();
    match talk.ask(Room::Role(Role::List { at }))? {
        Answer::Role(proto::role::Answer::Roles { roles, warnings }) => {
            let roles: Vec<Value> = roles
                .iter()
                .map(|role| {
                    let first = role.role_definition.lines().next().unwrap_or_default();
                    json!({ "name": role.name, "role_definition": first, "layer": role.layer })
                })
                .collect();
            Ok(Reply::of(&json!({ "roles": roles, "warnings": warnings }), ""))
        }
        _ => Err(foreign()),
    }
}

/// One kind of worker, whole.
pub(super) fn role(talk: &mut Talk<'_>, name: &str) -> Result<Reply> {
    let at = talk.from();
    let name = name.to_owned();
    answer(talk, Role::Show { at, name })
}

fn answer(talk: &mut Talk<'_>, request: Role) -> Result<Reply> {
    match talk.ask(Room::Role(request))? {
        Answer::Role(answer) => Ok(Reply::of_variant(&answer, "")),
        _ => Err(foreign()),
    }
}

pub(super) static ROLES: Tool = Tool {
    name: "orchestrator_roles",
    about: "The kinds of workers with their texts; `init` writes a role file for a project type into the workspace.",
    hints: Hints::Adds,
    needs: Needs::Nothing,
    params: &[
        Param::new("action", Word(&["list", "show", "init"]), "Default list"),
        Param::text("name", "show: which"),
        Param::text("project_type", "init: default the detected one"),
    ],
    returns: &[],
    run: |talk, args| match args.text("action").unwrap_or("list") {
        "show" => role(talk, args.need("name")?),
        "init" => {
            let (at, project_type) = (talk.from(), args.owned("project_type"));
            answer(talk, Role::Init { at, project_type })
        }
        _ => roles(talk),
    },
};
