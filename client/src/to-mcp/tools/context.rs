//! Getting back into work: what is known, notes and sessions.

use proto::artifact::Source;
use proto::context::{Answer, Call, NewNote, PRIME_BUDGET, RECOVER_BUDGET, Request, Wanted};
use proto::error::Result;
use proto::{RawPath, Request as Room};

use crate::declare::Form::{Flag, Number, Texts, Word};
use crate::declare::{Args, Hints, Needs, Param, Tool};
use crate::reply::Reply;
use crate::talk::{Talk, foreign};
use crate::tools::artifact;

/// The most entries of a page, and how many without a word.
const PAGE: (u32, u32) = (100, 20);

fn ask(talk: &mut Talk<'_>, what: Request) -> Result<Reply> {
    let at = talk.which();
    match talk.ask(Room::Context(Box::new(Call { at, what })))? {
        proto::Answer::Context(answer) => Ok(reply(&answer)),
        _ => Err(foreign()),
    }
}

fn reply(answer: &Answer) -> Reply {
    match answer {
        Answer::Note { .. } => Reply::of_variant(answer, "").flat("note"),
        Answer::Notes { .. } => Reply::of_variant(answer, "").sparse("notes"),
        Answer::Session { .. } => Reply::of_variant(answer, "").flat("session"),
        Answer::Sessions { .. } => Reply::of_variant(answer, "").sparse("sessions"),
        Answer::Moment { .. } => Reply::of_variant(answer, ""),
        Answer::Text { text, left_out, .. } => {
            let left: Vec<String> = left_out
                .iter()
                .map(|(what, count)| format!("{count} {what}"))
                .collect();
            let fields = serde_json::json!({ "text": text, "left_out": left });
            Reply::of(&fields, "").prose(text)
        }
    }
}

pub(super) static CONTEXT: Tool = Tool {
    name: "orchestrator_context",
    about: "Get back into work: `prime` says all, `context` and `handover` of a `task` (`store` it). Notes: `remember`, \
            `recall`, `forget`.",
    hints: Hints::Changes,
    needs: Needs::Project,
    params: &[
        Param::new(
            "action",
            Word(&[
                "prime", "context", "handover", "recall", "remember", "forget", "restore",
            ]),
            "Default prime",
        ),
        Param::text("text", ""),
        Param::text("note", "Its id"),
        Param::text("task", ""),
        Param::new("tags", Texts, ""),
        Param::new("store", Flag, ""),
        Param::new("budget", Number, "At most so many tokens").full(),
        Param::text("path", "The file a note is about").full(),
        Param::new("expires_in_s", Number, "").full(),
        Param::new("gone", Flag, "Notes that were forgotten or have expired").full(),
        Param::new("limit", Number, "").full(),
        Param::text("cursor", "The last `next_cursor`").full(),
    ],
    returns: &[],
    run: context,
};

/// What prime, recover and handover say, as text.
pub(crate) fn text(talk: &mut Talk<'_>, what: Request) -> Result<String> {
    let at = talk.which();
    match talk.ask(Room::Context(Box::new(Call { at, what })))? {
        proto::Answer::Context(Answer::Text { text, .. }) => Ok(text),
        _ => Err(foreign()),
    }
}

fn context(talk: &mut Talk<'_>, args: &Args) -> Result<Reply> {
    let path = path(talk, args);
    let id = || args.need("note").map(str::to_owned);
    let budget = |usual| {
        args.number("budget").map_or(usual, |given| {
            u32::try_from(given).unwrap_or(usual).min(RECOVER_BUDGET)
        })
    };
    let what = match args.text("action").unwrap_or("prime") {
        "prime" => Request::Prime {
            budget: budget(PRIME_BUDGET),
        },
        "context" => Request::Recover {
            task: args.need("task")?.to_owned(),
            budget: budget(RECOVER_BUDGET),
        },
        "handover" => {
            let what = Request::Handover {
                task: args.owned("task"),
                budget: budget(RECOVER_BUDGET),
            };
            return match args.flag("store") {
                true => keep(talk, args.text("task"), what),
                false => ask(talk, what),
            };
        }
        "remember" => Request::Remember(Box::new(NewNote {
            text: args.need("text")?.to_owned(),
            task: args.owned("task"),
            tags: args.texts("tags"),
            paths: path.into_iter().collect(),
            expires_in: args.number("expires_in_s"),
        })),
        "forget" => Request::Forget { id: id()? },
        "restore" => Request::Restore { id: id()? },
        _ => Request::Recall {
            wanted: Box::new(Wanted {
                words: args.owned("text").unwrap_or_default(),
                tag: args.texts("tags").into_iter().next(),
                task: args.owned("task"),
                path,
                gone: args.flag("gone"),
            }),
            limit: args.limit(PAGE.1, PAGE.0),
            cursor: args.owned("cursor"),
        },
    };
    ask(talk, what)
}

/// A handover that is kept, as a new version of the one before.
pub(crate) fn keep(talk: &mut Talk<'_>, task: Option<&str>, what: Request) -> Result<Reply> {
    let text = text(talk, what)?;
    let bytes = text.clone().into_bytes();
    let new = proto::artifact::handover(task);
    let kept = artifact::keep(talk, Source::Here { new, bytes })?;
    let id = kept
        .field("artifact_id")
        .and_then(|id| id.as_str())
        .unwrap_or_default();
    let shown = format!("{text}\n(kept as artifact `{id}`)\n");
    Ok(kept.with("text", text).prose(shown))
}

fn path(talk: &Talk<'_>, args: &Args) -> Option<RawPath> {
    let path = args.text("path")?;
    client::absolute(talk.caller().cwd.as_path(), path.as_ref()).map(RawPath::from)
}

pub(super) static SESSION: Tool = Tool {
    name: "orchestrator_session",
    about: "Stretches of work: name yours and say what kind of worker you are, end it, list them.",
    hints: Hints::Adds,
    needs: Needs::Project,
    params: &[
        Param::new("action", Word(&["start", "end", "list"]), "Default list"),
        Param::text("name", "start: what to call it"),
        Param::new(
            "specialists",
            Texts,
            "start: what `orchestrator_next` takes tasks for first",
        ),
        Param::text("session", "end: another one's id"),
        Param::new("open", Flag, "list: only those that last"),
        Param::new("limit", Number, ""),
        Param::text("cursor", "The last `next_cursor`"),
    ],
    returns: &[],
    run: |talk, args| {
        let what = match args.text("action").unwrap_or("list") {
            "start" => Request::SessionStart {
                name: args.owned("name"),
                specialists: args.texts("specialists"),
            },
            "end" => Request::SessionEnd {
                id: args.owned("session"),
            },
            _ => Request::SessionList {
                open: args.flag("open"),
                limit: args.limit(PAGE.1, PAGE.0),
                cursor: args.owned("cursor"),
            },
        };
        ask(talk, what)
    },
};
