//! Artifacts: results of tasks, kept as files, whatever their size.

use proto::artifact::{Answer, Call, Filter, MAX_PIECE, NewArtifact, Request, Search, Source, Type};
use proto::error::Result;
use proto::task::{Force, NextAction};
use proto::workspace::Which;
use proto::{Error, RawPath, Request as Room};
use rmcp::model::Resource;

use crate::declare::Form::{Flag, Number, Word};
use crate::declare::{Args, Hints, Needs, Param, Tool};
use crate::reply::{MAX_TEXT, Reply};
use crate::resources::{Address, What, here};
use crate::talk::{Talk, foreign};

/// The most entries of a page, and how many without a word.
const PAGE: (u32, u32) = (100, 30);

const TYPES: &[&str] = &[
    "code",
    "documentation",
    "analysis",
    "design",
    "test",
    "config",
    "general",
];

/// Asks something about the artifacts of a workspace.
pub(crate) fn ask_of(talk: &mut Talk<'_>, at: Which, what: Request) -> Result<Answer> {
    match talk.ask(Room::Artifact(Box::new(Call { at, what })))? {
        proto::Answer::Artifact(answer) => Ok(answer),
        _ => Err(foreign()),
    }
}

fn ask(talk: &mut Talk<'_>, what: Request) -> Result<Answer> {
    let at = talk.which();
    ask_of(talk, at, what)
}

/// An answer about artifacts, with the names of `tocli --json`.
pub(crate) fn reply(answer: &Answer) -> Reply {
    match answer {
        Answer::Detail(detail) => Reply::of(detail.as_ref(), "").flat("artifact"),
        Answer::Artifacts { .. } => Reply::of_variant(answer, "").sparse("artifacts"),
        Answer::Completed { .. } => Reply::of_variant(answer, "").flat("task"),
        _ => Reply::of_variant(answer, ""),
    }
}

pub(super) static ARTIFACT: Tool = Tool {
    name: "orchestrator_artifact",
    about: "Results of tasks, kept for you. `store` a text (or `mirror` a project file) under a name; `get` it \
            in parts; `search` contents by pattern.",
    hints: Hints::Adds,
    needs: Needs::Project,
    params: &[
        Param::new("action", Word(&["store", "get", "list", "show", "search"]), "").required(),
        Param::text("task", "Its id"),
        Param::text("name", "A file name"),
        Param::text("text", "The content, or the pattern"),
        Param::text("artifact", "Its id"),
        Param::new("offset", Number, "get: bytes"),
        Param::new("type", Word(TYPES), ""),
        Param::text("mirror", "A path in the project"),
        Param::text("summary", "").full(),
        Param::new("version", Number, "").full(),
        Param::new("length", Number, "get: at most so many bytes").full(),
        Param::new("ignore_case", Flag, "").full(),
        Param::new("context", Number, "search: lines around").full(),
        Param::new("limit", Number, "").full(),
        Param::text("cursor", "The last `next_cursor`").full(),
    ],
    returns: &[],
    run: artifact,
};

fn artifact(talk: &mut Talk<'_>, args: &Args) -> Result<Reply> {
    match args.need("action")? {
        "store" => store(talk, args),
        "get" => get(talk, args),
        "show" => {
            let id = args.need("artifact")?.to_owned();
            Ok(reply(&ask(talk, Request::Show { id })?))
        }
        "search" => {
            let lines = u32::try_from(args.number("context").unwrap_or_default()).unwrap_or(u32::MAX);
            let what = Search {
                pattern: args.need("text")?.to_owned(),
                ignore_case: args.flag("ignore_case"),
                filter: filter(args),
                before: lines,
                after: lines,
                limit: args.limit(PAGE.1, PAGE.0),
            };
            let search = Request::Search {
                what: Box::new(what),
                cursor: args.owned("cursor"),
            };
            Ok(reply(&ask(talk, search)?))
        }
        _ => {
            let list = Request::List {
                filter: Box::new(Filter {
                    text: args.owned("text"),
                    ..filter(args)
                }),
                limit: args.limit(PAGE.1, PAGE.0),
                cursor: args.owned("cursor"),
            };
            Ok(reply(&ask(talk, list)?))
        }
    }
}

fn filter(args: &Args) -> Filter {
    Filter {
        task: args.owned("task"),
        kind: args.text("type").and_then(Type::parse),
        name: args.owned("name"),
        ..Filter::default()
    }
}

fn store(talk: &mut Talk<'_>, args: &Args) -> Result<Reply> {
    let new = |name: String| -> Result<NewArtifact> {
        Ok(NewArtifact {
            task: args.need("task")?.to_owned(),
            name,
            kind: args.text("type").and_then(Type::parse),
            summary: args.owned("summary").unwrap_or_default(),
        })
    };
    let what = match (args.text("text"), args.text("mirror")) {
        (Some(text), None) => {
            let new = new(args.need("name")?.to_owned())?;
            if text.len() <= MAX_PIECE {
                let bytes = text.as_bytes().to_vec();
                Source::Here { new, bytes }
            } else {
                let draft = draft(talk, new, text.as_bytes())?;
                Source::Draft { draft }
            }
        }
        (None, Some(path)) => {
            let last = path.rsplit('/').next().unwrap_or(path);
            let new = new(args.text("name").unwrap_or(last).to_owned())?;
            let path = client::absolute(talk.caller().cwd.as_path(), path.as_ref());
            let path = path.ok_or_else(|| {
                Error::usage("`mirror` is relative, and there is no directory to begin from")
            })?;
            Source::Project {
                new,
                path: RawPath::from(path),
            }
        }
        (Some(_), Some(_)) => {
            return Err(Error::usage("`text` and `mirror` are both given").next("give one of them"));
        }
        (None, None) => {
            return Err(Error::usage("there is nothing to store").next("give `text`, or `mirror`"));
        }
    };
    keep(talk, what)
}

/// Keeps it, and says where it can be read.
pub(crate) fn keep(talk: &mut Talk<'_>, what: Source) -> Result<Reply> {
    let stored = ask(talk, Request::Store(Box::new(what)))?;
    let Answer::Stored(stored) = stored else {
        return Err(foreign());
    };
    let link = link(talk, &stored.id, &stored.name)?;
    Ok(Reply::of(stored.as_ref(), "").link(link))
}

/// The address under which the whole can be read.
fn link(talk: &mut Talk<'_>, id: &str, name: &str) -> Result<Resource> {
    let address = Address {
        workspace: here(talk)?,
        what: What::Artifact(id.to_owned()),
    };
    Ok(Resource::new(address.to_string(), name))
}

/// Sends a content in pieces; the draft that holds it.
fn draft(talk: &mut Talk<'_>, new: NewArtifact, bytes: &[u8]) -> Result<String> {
    let begin = Request::Stage {
        new: Box::new(new),
        size: u64::try_from(bytes.len()).ok(),
        digest: None,
    };
    let Answer::Upload { draft, .. } = ask(talk, begin)? else {
        return Err(foreign());
    };
    let mut offset = 0;
    for piece in bytes.chunks(MAX_PIECE) {
        let append = Request::Append {
            draft: draft.clone(),
            offset,
            bytes: piece.to_vec(),
        };
        let Answer::Upload { received, .. } = ask(talk, append)? else {
            return Err(foreign());
        };
        offset = received;
    }
    Ok(draft)
}

/// A part of a content: what is cut at its end is whole letters.
fn get(talk: &mut Talk<'_>, args: &Args) -> Result<Reply> {
    let id = args.need("artifact")?.to_owned();
    let most = u32::try_from(MAX_TEXT).unwrap_or(u32::MAX);
    let length = args.number("length").map_or(most, |length| {
        u32::try_from(length).unwrap_or(most).clamp(4, most)
    });
    let offset = args.number("offset").unwrap_or_default();
    let version = args
        .number("version")
        .and_then(|version| u32::try_from(version).ok());
    let read = Request::Read {
        id: id.clone(),
        version,
        offset,
        length,
    };
    let Answer::Piece {
        version,
        size,
        digest,
        bytes,
    } = ask(talk, read)?
    else {
        return Err(foreign());
    };
    let text = text_of(&bytes).ok_or_else(|| {
        Error::refused(format!("`{id}` is not text here"))
            .why("its bytes are not UTF-8")
            .next("read it as a resource, or with `tocli artifact get`")
    })?;
    let end = offset + u64::try_from(text.len()).unwrap_or_default();
    let more = (end < size).then_some(end);
    let fields = serde_json::json!({
        "artifact_id": id,
        "version": version,
        "size": size,
        "digest": digest,
        "offset": offset,
        "next_offset": more,
        "text": text,
    });
    let link = link(talk, &id, &id)?;
    Ok(Reply::of(&fields, "").link(link))
}

/// The text in bytes that may end within a letter.
fn text_of(bytes: &[u8]) -> Option<&str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Some(text),
        Err(error) if error.error_len().is_none() && error.valid_up_to() > 0 => {
            std::str::from_utf8(bytes.get(..error.valid_up_to())?).ok()
        }
        Err(_) => None,
    }
}

/// Ends a task with its summary and a content, together or not at all.
pub(crate) fn complete_with(
    talk: &mut Talk<'_>,
    (new, bytes): (NewArtifact, &[u8]),
    summary: String,
    next_action: NextAction,
) -> Result<Reply> {
    let id = new.task.clone();
    let draft = draft(talk, new, bytes)?;
    let complete = Request::Complete {
        id,
        if_revision: None,
        summary,
        next_action,
        force: Force::No,
        drafts: vec![draft],
    };
    Ok(reply(&ask(talk, complete)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_ends_with_a_whole_letter() {
        assert_eq!(text_of("aä".as_bytes()), Some("aä"));
        assert_eq!(text_of(&"aä".as_bytes()[..2]), Some("a"));
        assert_eq!(text_of(b"a\xffb"), None);
        assert_eq!(text_of(b""), Some(""));
    }
}
