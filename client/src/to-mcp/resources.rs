//! What a client may read by address: the task tree, tasks, artifacts, decisions, each with its workspace in the address.
//!
//! Asked by the service. What must stay true: an address names its workspace, so that reading needs no place; what is read is whole
//! or refused with the way to read it in parts.

mod address;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use proto::error::Result;
use proto::task::{Answer as Task, Filter, Request as Ask};
use proto::workspace::{Answer as Registry, Which};
use proto::{Answer, Error, Kind, Request as Room, workspace};
use rmcp::model::{Resource, ResourceContents, ResourceTemplate};

use crate::talk::{Talk, foreign};
use crate::tools::task::{ask_of, reply, tree};
use crate::tools::{artifact, decision};
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
    let all = vec![
        template(
            "tasks",
            "task tree",
            "What is open in a workspace, as a tree",
            "text/plain",
        ),
        template("tasks/{task}", "task", "One task with its texts and notes", json),
        template(
            "decisions/{decision}",
            "decision",
            "One decision with its texts",
            json,
        ),
        ResourceTemplate::new(
            format!("{}{{workspace}}/artifacts/{{artifact}}", address::SCHEME),
            "artifact",
        )
        .with_description("The content of an artifact"),
    ];
    #[cfg(feature = "conformance-fixtures")]
    let all = [all, crate::fixtures::templates()].concat();
    all
}

/// What a list goes through, one after the other; a cursor begins with the letter of where it goes on.
const PARTS: [char; 3] = ['t', 'a', 'd'];

/// A page of what is in the workspace of the place; nothing where there is no workspace.
pub(crate) fn list(talk: &mut Talk<'_>, cursor: Option<&str>) -> Result<(Vec<Resource>, Option<String>)> {
    let id = match here(talk) {
        Ok(id) => id,
        Err(error) if error.kind == Kind::NotFound => return Ok((Vec::new(), None)),
        Err(error) => return Err(error),
    };
    let mut letters = cursor.unwrap_or("t").chars();
    let part = letters
        .next()
        .and_then(|letter| PARTS.iter().position(|part| *part == letter));
    let mut part = part.ok_or_else(|| Error::usage("the cursor is not one of an earlier answer"))?;
    let mut within = Some(letters.as_str())
        .filter(|rest| !rest.is_empty())
        .map(str::to_owned);
    let mut found = Vec::new();
    if cursor.is_none() {
        #[cfg(feature = "conformance-fixtures")]
        found.extend(crate::fixtures::resources());
        let tree = Resource::new(address(&id, What::Tree), "task tree")
            .with_description("What is open here, as a tree")
            .with_mime_type("text/plain");
        found.push(tree);
    }
    // What does not fill a page is followed by what comes next.
    while let Some(letter) = PARTS.get(part) {
        let (page, next) = match letter {
            't' => tasks(talk, &id, within.take())?,
            'a' => artifacts(talk, &id, within.take())?,
            _ => decisions(talk, &id, within.take())?,
        };
        found.extend(page);
        if let Some(next) = next {
            return Ok((found, Some(format!("{letter}{next}"))));
        }
        part += 1;
        if found.len() > PAGE as usize {
            break;
        }
    }
    Ok((found, PARTS.get(part).map(char::to_string)))
}

fn address(workspace: &str, what: What) -> String {
    let workspace = workspace.to_owned();
    Address { workspace, what }.to_string()
}

type Page = (Vec<Resource>, Option<String>);

fn tasks(talk: &mut Talk<'_>, id: &str, cursor: Option<String>) -> Result<Page> {
    let list = Ask::List {
        filter: Box::new(Filter::default()),
        limit: PAGE,
        cursor,
    };
    let Task::Tasks { tasks, next_cursor } = ask_of(talk, Which::Named(id.to_owned()), list)? else {
        return Err(foreign());
    };
    let shown = tasks.into_iter().map(|task| {
        Resource::new(address(id, What::Task(task.id.clone())), task.id)
            .with_title(task.title)
            .with_mime_type("application/json")
    });
    Ok((shown.collect(), next_cursor))
}

fn artifacts(talk: &mut Talk<'_>, id: &str, cursor: Option<String>) -> Result<Page> {
    let list = proto::artifact::Request::List {
        filter: Box::default(),
        limit: PAGE,
        cursor,
    };
    let found = artifact::ask_of(talk, Which::Named(id.to_owned()), list)?;
    let proto::artifact::Answer::Artifacts {
        artifacts,
        next_cursor,
        ..
    } = found
    else {
        return Err(foreign());
    };
    let shown = artifacts.into_iter().map(|found| {
        Resource::new(address(id, What::Artifact(found.id)), found.name)
            .with_description(found.summary)
            .with_size(found.size)
    });
    Ok((shown.collect(), next_cursor))
}

fn decisions(talk: &mut Talk<'_>, id: &str, cursor: Option<String>) -> Result<Page> {
    let list = proto::decision::Request::List {
        filter: Box::default(),
        limit: PAGE,
        cursor: cursor.and_then(|cursor| cursor.parse().ok()),
    };
    let found = decision::ask_of(talk, Which::Named(id.to_owned()), list)?;
    let proto::decision::Answer::Decisions {
        decisions,
        next_cursor,
    } = found
    else {
        return Err(foreign());
    };
    let shown = decisions.into_iter().map(|found| {
        Resource::new(
            address(id, What::Decision(found.number.to_string())),
            format!("decision {}", found.number),
        )
        .with_title(found.title)
        .with_mime_type("application/json")
    });
    Ok((shown.collect(), next_cursor.map(|next| next.to_string())))
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
    #[cfg(feature = "conformance-fixtures")]
    if let Some(found) = crate::fixtures::read(uri) {
        return Ok(found);
    }
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
        What::Artifact(id) => content(talk, which, id, uri),
        What::Decision(one) => {
            let answer = decision::ask_of(talk, which, proto::decision::Request::Show { which: one })?;
            let text = serde_json::Value::Object(decision::reply(&answer).fields()).to_string();
            Ok(ResourceContents::text(text, uri).with_mime_type("application/json"))
        }
    }
}

/// A content, whole: text as it is, other bytes in base64.
fn content(talk: &mut Talk<'_>, which: Which, id: String, uri: &str) -> Result<ResourceContents> {
    let mut whole = Vec::new();
    let mut of = None;
    loop {
        let read = proto::artifact::Request::Read {
            id: id.clone(),
            // A version that is stored meanwhile must not be mixed in.
            version: of,
            offset: u64::try_from(whole.len()).unwrap_or(u64::MAX),
            length: u32::try_from(proto::artifact::MAX_PIECE).unwrap_or(u32::MAX),
        };
        let found = artifact::ask_of(talk, which.clone(), read)?;
        let proto::artifact::Answer::Piece {
            version, size, bytes, ..
        } = found
        else {
            return Err(foreign());
        };
        if size > MAX_CONTENT {
            return Err(Error::too_large(format!("`{id}` has {size} bytes"))
                .why(format!("a resource is read whole, up to {MAX_CONTENT} bytes"))
                .next("read it in parts: `orchestrator_artifact` with `action: get` and `offset`"));
        }
        of = Some(version);
        let ended = bytes.is_empty();
        whole.extend(bytes);
        if ended || u64::try_from(whole.len()).is_ok_and(|had| had >= size) {
            break;
        }
    }
    Ok(match String::from_utf8(whole) {
        Ok(text) => ResourceContents::text(text, uri),
        Err(error) => ResourceContents::blob(BASE64_STANDARD.encode(error.as_bytes()), uri)
            .with_mime_type("application/octet-stream"),
    })
}

/// The most bytes of a content that is read as a resource.
const MAX_CONTENT: u64 = 2 << 20;

/// Ids that begin with what has been typed, for an argument of a prompt or of an address.
pub(crate) fn complete(
    talk: &mut Talk<'_>,
    argument: &str,
    typed: &str,
    workspace: Option<String>,
) -> Result<Vec<String>> {
    #[cfg(feature = "conformance-fixtures")]
    if let Some(found) = crate::fixtures::completes(argument, typed) {
        return Ok(found);
    }
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
        "artifact" => {
            let which = workspace.map_or_else(|| talk.which(), Which::Named);
            let list = proto::artifact::Request::List {
                filter: Box::default(),
                limit: 1000,
                cursor: None,
            };
            let proto::artifact::Answer::Artifacts { artifacts, .. } = artifact::ask_of(talk, which, list)?
            else {
                return Err(foreign());
            };
            Ok(artifacts
                .into_iter()
                .map(|found| found.id)
                .filter(begins)
                .collect())
        }
        "decision" => {
            let which = workspace.map_or_else(|| talk.which(), Which::Named);
            let list = proto::decision::Request::List {
                filter: Box::default(),
                limit: 1000,
                cursor: None,
            };
            let proto::decision::Answer::Decisions { decisions, .. } = decision::ask_of(talk, which, list)?
            else {
                return Err(foreign());
            };
            Ok(decisions
                .into_iter()
                .map(|found| found.number.to_string())
                .filter(begins)
                .collect())
        }
        _ => Ok(Vec::new()),
    }
}

/// There is nothing at an address.
pub(crate) fn unknown(uri: &str) -> Error {
    Error::not_found(format!("nothing stands at `{}`", crate::message::shown(uri)))
        .next("`resources/list` and `resources/templates/list` say what there is")
}
