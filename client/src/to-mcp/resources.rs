//! What a client may read by address: the task tree, tasks, artifacts, decisions, each with its workspace in the address.
//!
//! Asked by the service. What must stay true: an address names its workspace, so that reading needs no place; what is read is whole
//! or refused with the way to read it in parts.

mod address;

use proto::error::Result;
use proto::task::{Answer as Task, Filter, Request as Ask};
use proto::workspace::{Answer as Registry, Which};
use proto::{Answer, Error, Kind, Request as Room, workspace};
use rmcp::model::{Resource, ResourceContents, ResourceTemplate};

use crate::talk::{Talk, foreign};
use crate::tools::task::{ask_of, reply, tree};
pub(crate) use address::{Address, What};

/// Resources of a page.
const PAGE: u32 = 50;

/// The forms of addresses.
pub(crate) fn templates() -> Vec<ResourceTemplate> {
    let template = |what: &str, name: &str, about: &str, mime: &str| {
        ResourceTemplate::new(format!("{}{{workspace}}/{what}", address::SCHEME), name)
            .with_description(about)
            .with_mime_type(mime)
    };
    let json = "application/json";
    vec![
        template(
            "tasks",
            "task tree",
            "What is open in a workspace, as a tree",
            "text/plain",
        ),
        template("tasks/{task}", "task", "One task with its texts and notes", json),
    ]
}

/// A page of what is in the workspace of the place; nothing where there is no workspace.
pub(crate) fn list(talk: &mut Talk<'_>, cursor: Option<&str>) -> Result<(Vec<Resource>, Option<String>)> {
    let id = match here(talk) {
        Ok(id) => id,
        Err(error) if error.kind == Kind::NotFound => return Ok((Vec::new(), None)),
        Err(error) => return Err(error),
    };
    let which = Which::Named(id.clone());
    let at = |what| Address {
        workspace: id.clone(),
        what,
    };
    let mut found = Vec::new();
    let of_tasks = match cursor {
        None => {
            let tree = Resource::new(at(What::Tree).to_string(), "task tree")
                .with_description("What is open here, as a tree")
                .with_mime_type("text/plain");
            found.push(tree);
            None
        }
        Some(cursor) => Some(cursor.to_owned()),
    };
    let list = Ask::List {
        filter: Box::new(Filter::default()),
        limit: PAGE,
        cursor: of_tasks,
    };
    let Task::Tasks { tasks, next_cursor } = ask_of(talk, which, list)? else {
        return Err(foreign());
    };
    found.extend(tasks.into_iter().map(|task| {
        Resource::new(at(What::Task(task.id.clone())).to_string(), task.id)
            .with_title(task.title)
            .with_mime_type("application/json")
    }));
    Ok((found, next_cursor))
}

/// The id of the workspace of the place.
pub(crate) fn here(talk: &mut Talk<'_>) -> Result<String> {
    let which = talk.which();
    match talk.ask(Room::Workspace(workspace::Request::Show(which)))? {
        Answer::Workspace(Registry::Workspace(found)) => Ok(found.id),
        _ => Err(foreign()),
    }
}

/// What stands at an address.
pub(crate) fn read(talk: &mut Talk<'_>, uri: &str) -> Result<ResourceContents> {
    let address = Address::parse(uri)?;
    let which = Which::Named(address.workspace);
    match address.what {
        What::Tree => {
            let request = Ask::Tree {
                root: None,
                all: false,
            };
            let Task::Tree { lines, left_out } = ask_of(talk, which, request)? else {
                return Err(foreign());
            };
            let mut text = tree(&lines);
            if left_out > 0 {
                text.push_str(&format!("({left_out} more are not shown)\n"));
            }
            Ok(ResourceContents::text(text, uri))
        }
        What::Task(id) => {
            let answer = ask_of(talk, which, Ask::Show { id })?;
            let text = serde_json::Value::Object(reply(&answer).fields()).to_string();
            Ok(ResourceContents::text(text, uri).with_mime_type("application/json"))
        }
    }
}

/// Ids that begin with what has been typed, for an argument of a prompt or of an address.
pub(crate) fn complete(
    talk: &mut Talk<'_>,
    argument: &str,
    typed: &str,
    workspace: Option<String>,
) -> Result<Vec<String>> {
    let begins = |id: &String| id.starts_with(typed);
    match argument {
        "workspace" => match talk.ask(Room::Workspace(workspace::Request::List { forgotten: false }))? {
            Answer::Workspace(Registry::Workspaces(found)) => Ok(found
                .into_iter()
                .map(|workspace| workspace.id)
                .filter(begins)
                .collect()),
            _ => Err(foreign()),
        },
        "task" => {
            let which = workspace.map_or_else(|| talk.which(), Which::Named);
            let filter = Filter {
                text: Some(typed.to_owned()).filter(|typed| !typed.is_empty()),
                ..Filter::default()
            };
            let list = Ask::List {
                filter: Box::new(filter),
                limit: 1000,
                cursor: None,
            };
            let Task::Tasks { tasks, .. } = ask_of(talk, which, list)? else {
                return Err(foreign());
            };
            Ok(tasks.into_iter().map(|task| task.id).filter(begins).collect())
        }
        _ => Ok(Vec::new()),
    }
}

/// There is nothing at an address.
pub(crate) fn unknown(uri: &str) -> Error {
    Error::not_found(format!("nothing stands at `{}`", crate::message::shown(uri)))
        .next("`resources/list` and `resources/templates/list` say what there is")
}
