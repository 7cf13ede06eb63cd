//! Decisions: what was decided, why, and what is in force for a file.

use proto::decision::{Answer, Call, Category, Draft, Filter, Impact, Relation, Request, Verb};
use proto::error::Result;
use proto::workspace::Which;
use proto::{Error, RawPath, Request as Room};

use crate::declare::Form::{Flag, Number, Objects, Texts, Word};
use crate::declare::{Args, Hints, Needs, Param, Tool};
use crate::reply::Reply;
use crate::talk::{Talk, foreign};

/// The most decisions of a page, and how many without a word.
const PAGE: (u32, u32) = (50, 20);

const CATEGORIES: &[&str] = &[
    "architecture",
    "implementation",
    "design",
    "technology",
    "process",
    "quality",
    "security",
    "performance",
];

/// Asks something about the decisions of a workspace.
pub(crate) fn ask_of(talk: &mut Talk<'_>, at: Which, what: Request) -> Result<Answer> {
    match talk.ask(Room::Decision(Box::new(Call { at, what })))? {
        proto::Answer::Decision(answer) => Ok(answer),
        _ => Err(foreign()),
    }
}

/// An answer about decisions, with the names of `tocli --json`.
pub(crate) fn reply(answer: &Answer) -> Reply {
    match answer {
        Answer::Decision { .. } => Reply::of_variant(answer, "").flat("decision"),
        Answer::Detail(detail) => Reply::of(detail.as_ref(), "").flat("brief"),
        Answer::Decisions { .. } => Reply::of_variant(answer, "").sparse("decisions"),
        Answer::Hits(_) => Reply::of_variant(answer, "hits"),
        Answer::Files { .. } => Reply::of_variant(answer, ""),
    }
}

pub(super) static DECISION: Tool = Tool {
    name: "orchestrator_decision",
    about: "Decisions (ADRs). `record` title, decision and rationale; `for` paths: what is in force there; `search` words.",
    hints: Hints::Adds,
    needs: Needs::Project,
    params: &[
        Param::new(
            "action",
            Word(&[
                "record", "for", "search", "list", "show", "accept", "reject", "outcome",
            ]),
            "",
        )
        .required(),
        Param::text("title", ""),
        Param::text("decision", ""),
        Param::text("rationale", ""),
        Param::text("context", ""),
        Param::new("paths", Texts, "Files or folders"),
        Param::text("supersedes", "A number"),
        Param::text("which", "A number or id"),
        Param::text("text", "Words, reason or outcome"),
        Param::new("category", Word(CATEGORIES), "").full(),
        Param::new("impact", Word(&["high", "medium", "low"]), "").full(),
        Param::new("alternatives", Objects, "{name, pros, cons}").full(),
        Param::new("consequences", Texts, "").full(),
        Param::new("risks", Texts, "").full(),
        Param::new("components", Texts, "").full(),
        Param::new("tags", Texts, "").full(),
        Param::text("task", "The task it was made for").full(),
        Param::new("accepted", Flag, "It holds at once").full(),
        Param::text("refines", "A number").full(),
        Param::text("reverses", "A number").full(),
        Param::text("clarifies", "A number").full(),
        Param::new("in_force", Flag, "Only what is to be followed").full(),
        Param::new("limit", Number, "").full(),
        Param::new("cursor", Number, "The last `next_cursor`").full(),
        Param::new("if_revision", Number, "").full(),
    ],
    returns: &[],
    run: decision,
};

fn decision(talk: &mut Talk<'_>, args: &Args) -> Result<Reply> {
    let which = || args.need("which").map(str::to_owned);
    let change = |verb| -> Result<Request> {
        Ok(Request::Change {
            which: which()?,
            if_revision: args.number("if_revision"),
            verb,
        })
    };
    let what = match args.need("action")? {
        "record" => Request::Record {
            draft: Box::new(draft(args)?),
            document: None,
            link: link(args)?,
        },
        "for" => Request::For {
            paths: paths(talk, args),
        },
        "search" => Request::Search {
            words: args.need("text")?.to_owned(),
            filter: Box::new(filter(args)),
            limit: args.limit(PAGE.1, PAGE.0),
        },
        "show" => Request::Show { which: which()? },
        "accept" => change(Verb::Accept)?,
        "reject" => change(Verb::Reject {
            reason: args.owned("text").unwrap_or_default(),
        })?,
        "outcome" => change(Verb::Outcome {
            text: args.need("text")?.to_owned(),
        })?,
        _ => Request::List {
            filter: Box::new(filter(args)),
            limit: args.limit(PAGE.1, PAGE.0),
            cursor: args.number("cursor"),
        },
    };
    let which = talk.which();
    Ok(reply(&ask_of(talk, which, what)?))
}

/// Paths as the call means them: from the directory that it is about.
fn paths(talk: &Talk<'_>, args: &Args) -> Vec<RawPath> {
    let base = talk.caller().cwd.to_path_buf();
    let absolute = |path: String| {
        client::absolute(&base, path.as_ref()).map_or_else(|| RawPath::from(path.as_str()), RawPath::from)
    };
    args.texts("paths").into_iter().map(absolute).collect()
}

fn draft(args: &Args) -> Result<Draft> {
    let alternatives = match args.value("alternatives") {
        None => Vec::new(),
        Some(given) => alternatives(given)?,
    };
    Ok(Draft {
        title: Some(args.need("title")?.to_owned()),
        decision: args.owned("decision"),
        rationale: args.owned("rationale"),
        context: args.owned("context"),
        category: category(args),
        impact: impact(args),
        alternatives,
        consequences: args.texts("consequences"),
        risks: args.texts("risks"),
        paths: args
            .texts("paths")
            .iter()
            .map(|path| RawPath::from(path.as_str()))
            .collect(),
        components: args.texts("components"),
        tags: args.texts("tags"),
        task: args.owned("task"),
        accepted: args.flag("accepted"),
    })
}

fn alternatives(given: &serde_json::Value) -> Result<Vec<proto::decision::Alternative>> {
    let texts = |of: &serde_json::Value| -> Vec<String> {
        let list = of.as_array().into_iter().flatten();
        list.filter_map(serde_json::Value::as_str)
            .map(str::to_owned)
            .collect()
    };
    let one = |given: &serde_json::Value| {
        let name = given.get("name").and_then(serde_json::Value::as_str);
        let name =
            name.ok_or_else(|| Error::usage("an alternative has no `name`").next("give {name, pros, cons}"))?;
        Ok(proto::decision::Alternative {
            name: name.to_owned(),
            pros: given.get("pros").map(texts).unwrap_or_default(),
            cons: given.get("cons").map(texts).unwrap_or_default(),
        })
    };
    given.as_array().into_iter().flatten().map(one).collect()
}

fn category(args: &Args) -> Option<Category> {
    args.text("category").and_then(Category::parse)
}

fn impact(args: &Args) -> Option<Impact> {
    args.text("impact").and_then(Impact::parse)
}

fn link(args: &Args) -> Result<Option<(Relation, String)>> {
    let relations = [
        ("supersedes", Relation::Supersedes),
        ("refines", Relation::Refines),
        ("reverses", Relation::Reverses),
        ("clarifies", Relation::Clarifies),
    ];
    let mut given = relations
        .into_iter()
        .filter_map(|(name, relation)| Some((relation, args.owned(name)?)));
    let first = given.next();
    match given.next() {
        None => Ok(first),
        Some(_) => Err(
            Error::usage("a decision is recorded with one link to an older one")
                .next("give one of supersedes, refines, reverses, clarifies"),
        ),
    }
}

fn filter(args: &Args) -> Filter {
    Filter {
        category: category(args),
        impact: impact(args),
        status: Vec::new(),
        in_force: args.flag("in_force"),
        path: args
            .texts("paths")
            .first()
            .map(|path| RawPath::from(path.as_str())),
        tag: args.texts("tags").into_iter().next(),
        component: args.texts("components").into_iter().next(),
        task: args.owned("task"),
    }
}
