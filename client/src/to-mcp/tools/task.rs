//! Tasks: plan, look, take, work, report.

use proto::error::Result;
use proto::task::{
    Answer, Call, Complexity, Detail, Edit, Filter, Force, Link, NewTask, NextAction, Priority, Request,
    Status, Verb,
};
use proto::workspace::Which;
use proto::{Error, Request as Room};

use crate::declare::Form::{Flag, Number, Object, Objects, Text, Texts, Word};
use crate::declare::{Args, Hints, Needs, Param, Tool};
use crate::reply::Reply;
use crate::talk::{Talk, foreign};

/// The most tasks of a page, and how many without a word.
const PAGE: (u32, u32) = (100, 30);
/// What `execute` may take: a result holds a little more.
const PROMPT: (u32, u32) = (56 << 10, 32 << 10);

const STATUSES: &[&str] = &[
    "pending",
    "active",
    "needs_revision",
    "blocked",
    "completed",
    "failed",
    "cancelled",
    "archived",
];
const PRIORITIES: &[&str] = &["critical", "high", "medium", "low"];

/// Asks something about the tasks of the call's workspace.
pub(crate) fn ask(talk: &mut Talk<'_>, what: Request) -> Result<Answer> {
    let at = talk.which();
    ask_of(talk, at, what)
}

/// The same of a workspace by its name.
pub(crate) fn ask_of(talk: &mut Talk<'_>, at: Which, what: Request) -> Result<Answer> {
    match talk.ask(Room::Task(Box::new(Call { at, what })))? {
        proto::Answer::Task(answer) => Ok(answer),
        _ => Err(foreign()),
    }
}

/// An answer about tasks, with the names of `tocli --json`.
pub(crate) fn reply(answer: &Answer) -> Reply {
    match answer {
        Answer::Task { .. } => Reply::of_variant(answer, "").flat("task"),
        Answer::Detail(detail) => whole(detail),
        Answer::Next { task, others } => whole(task).with("others", *others),
        Answer::Prompt {
            prompt,
            shortened,
            task,
        } => Reply::of_variant(answer, "")
            .flat("task")
            .prose(prompt_text(prompt, shortened, &task.id)),
        Answer::Tasks { .. } => Reply::of_variant(answer, "").sparse("tasks"),
        Answer::History(_) => Reply::of_variant(answer, "history").sparse("history"),
        Answer::Templates(_) => Reply::of_variant(answer, "templates"),
        Answer::Tree { lines, .. } => {
            let text = tree(lines);
            Reply::of_variant(answer, "").sparse("lines").with("tree", text)
        }
        _ => Reply::of_variant(answer, ""),
    }
}

fn whole(detail: &Detail) -> Reply {
    Reply::of(detail, "")
        .renamed("children", "children_ids")
        .flat("task")
}

fn prompt_text(prompt: &str, shortened: &[String], id: &str) -> String {
    let mut text = format!("task: {id}\n\n{}", prompt.trim_end());
    for said in shortened {
        text.push_str("\n(");
        text.push_str(said);
        text.push(')');
    }
    text
}

/// A tree as people write one.
pub(crate) fn tree(lines: &[proto::task::TreeLine]) -> String {
    let mut text = String::new();
    for line in lines {
        for _ in 0..line.depth {
            text.push_str("  ");
        }
        let state = if line.ready { "ready" } else { line.status.word() };
        text.push_str(&format!(
            "- {} [{state}] {} ({})",
            line.id, line.title, line.specialist
        ));
        if let Some(actor) = &line.actor {
            text.push_str(&format!(", held by {actor}"));
        }
        text.push('\n');
    }
    text
}

pub(super) static PLAN: Tool = Tool {
    name: "orchestrator_plan",
    about: "Break work down into tasks, in one step. `plan`: {title, tasks: [{name, title, description, specialist, after: \
            [names], tasks: [...]}]}. `add` makes one task.",
    hints: Hints::Adds,
    needs: Needs::Project,
    params: &[
        Param::new(
            "action",
            Word(&["plan", "add", "templates", "template", "import"]),
            "Default plan",
        ),
        Param::new("plan", Object, ""),
        Param::text("text", "A plan as YAML or JSON").full(),
        Param::text("title", ""),
        Param::text("description", ""),
        Param::text("specialist", ""),
        Param::text("parent", ""),
        Param::new("after", Texts, "Task ids to wait for"),
        Param::text("template", "Its name"),
        Param::new("priority", Word(PRIORITIES), "").full(),
        Param::text("id", "An id of your own").full(),
        Param::text("context", "What one needs to know for it").full(),
        Param::new(
            "complexity",
            Word(&["simple", "moderate", "complex", "very_complex"]),
            "",
        )
        .full(),
        Param::text("effort", "").full(),
        Param::new("labels", Texts, "").full(),
        Param::new("values", Object, "Values for the template's variables").full(),
        Param::new("issues", Objects, "For import: issues of a tracker").full(),
    ],
    returns: &[],
    run: plan,
};

fn plan(talk: &mut Talk<'_>, args: &Args) -> Result<Reply> {
    let what = match args.text("action").unwrap_or("plan") {
        "add" => Request::Add(Box::new(new_task(args)?)),
        "templates" => Request::Templates,
        "template" => Request::Apply {
            name: args.need("template")?.to_owned(),
            title: args.need("title")?.to_owned(),
            values: values(args)?,
        },
        "import" => Request::Import {
            text: args
                .value("issues")
                .map(ToString::to_string)
                .ok_or_else(no_issues)?,
        },
        _ => Request::Plan {
            text: plan_text(args)?,
        },
    };
    Ok(reply(&ask(talk, what)?))
}

fn no_issues() -> Error {
    Error::usage("`issues` is missing for `import`").next("give a list of issues, each with `id` and `title`")
}

fn plan_text(args: &Args) -> Result<String> {
    match (args.value("plan"), args.text("text")) {
        (Some(plan), None) => Ok(plan.to_string()),
        (None, Some(text)) => Ok(text.to_owned()),
        (Some(_), Some(_)) => Err(Error::usage("`plan` and `text` are both given").next("give one of them")),
        (None, None) => Err(Error::usage("`plan` is missing")
            .next("give an object with `title` and `tasks`, or use `action: add` for one task")),
    }
}

fn values(args: &Args) -> Result<Vec<(String, String)>> {
    let given = args.value("values").and_then(serde_json::Value::as_object);
    given
        .into_iter()
        .flatten()
        .map(|(name, value)| match value.as_str() {
            Some(value) => Ok((name.clone(), value.to_owned())),
            None => Err(Error::usage("`values` holds something that is not a text").next("give texts")),
        })
        .collect()
}

fn new_task(args: &Args) -> Result<NewTask> {
    Ok(NewTask {
        id: args.owned("id"),
        title: args.need("title")?.to_owned(),
        description: args.owned("description").unwrap_or_default(),
        context: args.owned("context").unwrap_or_default(),
        specialist: args.owned("specialist"),
        parent: args.owned("parent"),
        after: args.texts("after"),
        priority: priority(args).unwrap_or_default(),
        complexity: args.text("complexity").and_then(Complexity::parse),
        effort: args.owned("effort"),
        labels: args.texts("labels"),
        links: Vec::new(),
    })
}

fn priority(args: &Args) -> Option<Priority> {
    args.text("priority").and_then(Priority::parse)
}

pub(super) static TASKS: Tool = Tool {
    name: "orchestrator_tasks",
    about: "Look at tasks. `list` and `tree`: what is open; `show`: one with its notes; `execute`: the prompt to do it with, \
            results of earlier tasks included; `synthesize`: what below it is really done.",
    hints: Hints::Reads,
    needs: Needs::Project,
    params: &[
        Param::new(
            "action",
            Word(&[
                "list",
                "tree",
                "show",
                "execute",
                "synthesize",
                "history",
                "stats",
            ]),
            "Default list",
        ),
        Param::text("task", "Its id"),
        Param::new("status", Word(STATUSES), ""),
        Param::new("ready", Flag, ""),
        Param::text("text", "Words to look for"),
        Param::new("limit", Number, ""),
        Param::text("cursor", "The last `next_cursor`"),
        Param::new("all", Flag, "Also what is closed").full(),
        Param::new("waiting", Flag, "Only what waits for something").full(),
        Param::text("specialist", "").full(),
        Param::text("parent", "").full(),
        Param::text("label", "").full(),
        Param::text("actor", "Only what this actor holds or made").full(),
        Param::text("changed_since", "A time or a time ago").full(),
        Param::text("changed_before", "A time or a time ago").full(),
        Param::new("budget", Number, "For execute: at most so many bytes").full(),
    ],
    returns: &[],
    run: tasks,
};

fn tasks(talk: &mut Talk<'_>, args: &Args) -> Result<Reply> {
    let id = || args.need("task").map(str::to_owned);
    let what = match args.text("action").unwrap_or("list") {
        "tree" => Request::Tree {
            root: args.owned("task"),
            all: args.flag("all"),
        },
        "show" => Request::Show { id: id()? },
        "execute" => Request::Execute {
            id: id()?,
            budget: budget(args),
        },
        "synthesize" => Request::Synthesize { id: id()? },
        "history" => Request::History {
            id: id()?,
            limit: args.limit(PAGE.1, PAGE.0),
        },
        "stats" => Request::Stats,
        _ => Request::List {
            filter: Box::new(filter(args)?),
            limit: args.limit(PAGE.1, PAGE.0),
            cursor: args.owned("cursor"),
        },
    };
    Ok(reply(&ask(talk, what)?))
}

fn budget(args: &Args) -> u32 {
    let (most, usual) = PROMPT;
    args.number("budget")
        .map_or(usual, |given| u32::try_from(given).unwrap_or(most).min(most))
}

fn filter(args: &Args) -> Result<Filter> {
    let status = args
        .text("status")
        .and_then(|word| Status::ALL.into_iter().find(|status| status.word() == word));
    Ok(Filter {
        status: status.into_iter().collect(),
        all: args.flag("all"),
        ready: args.flag("ready"),
        waiting: args.flag("waiting"),
        specialist: args.owned("specialist"),
        parent: args.owned("parent"),
        label: args.owned("label"),
        text: args.owned("text"),
        actor: args.owned("actor"),
        changed_before: time(args, "changed_before")?,
        changed_since: time(args, "changed_since")?,
    })
}

fn time(args: &Args, name: &str) -> Result<Option<i64>> {
    let Some(text) = args.text(name) else {
        return Ok(None);
    };
    match client::time::since(text) {
        Ok(proto::index::Since::Time(time)) => Ok(Some(time)),
        Ok(proto::index::Since::Clock(_)) => {
            Err(Error::usage(format!("`{name}` is a clock")).next("give a time"))
        }
        Err(why) => Err(Error::usage(format!("`{name}` is not a time"))
            .why(why)
            .next("give `2h` or `2026-11-21T08:00:00Z`")),
    }
}

pub(super) static NEXT: Tool = Tool {
    name: "orchestrator_next",
    about: "The best task that is ready; `claim` holds it for you in the same step.",
    hints: Hints::Adds,
    needs: Needs::Project,
    params: &[
        Param::new("claim", Flag, ""),
        Param::text("specialist", "Only for this kind of worker"),
        Param::new("specialists", Texts, "Only for one of these").full(),
    ],
    returns: &[("task_id", Text), ("title", Text), ("others", Number)],
    run: next,
};

fn next(talk: &mut Talk<'_>, args: &Args) -> Result<Reply> {
    let mut specialists = args.texts("specialists");
    specialists.extend(args.owned("specialist"));
    let what = Request::Next {
        specialists,
        claim: args.flag("claim"),
    };
    Ok(reply(&ask(talk, what)?))
}

pub(super) static TASK: Tool = Tool {
    name: "orchestrator_task",
    about: "Work on a task. `text` is the summary of `complete`, the reason of `block`, `fail` and `cancel`, the remark of \
            `note`. `complete` says what is ready now.",
    hints: Hints::Changes,
    needs: Needs::Project,
    params: &[
        Param::new(
            "action",
            Word(&[
                "start", "note", "complete", "block", "fail", "cancel", "release", "reopen", "update",
                "undo", "delete", "move",
            ]),
            "",
        )
        .required(),
        Param::text("task", "Its id").required(),
        Param::text("text", ""),
        Param::new(
            "next_action",
            Word(&["continue", "needs_revision", "blocked", "complete"]),
            "",
        ),
        Param::new("force", Flag, "Although another holds it, or it waits"),
        Param::new("if_revision", Number, "Only at this revision").full(),
        Param::text("to", "note: for whom; move: which workspace").full(),
        Param::text("title", "").full(),
        Param::text("description", "").full(),
        Param::text("context", "").full(),
        Param::text("specialist", "").full(),
        Param::text("parent", "Empty takes it out of its group").full(),
        Param::new("after", Texts, "To wait for as well").full(),
        Param::new("not_after", Texts, "Not to wait for any more").full(),
        Param::new("priority", Word(PRIORITIES), "").full(),
        Param::text("effort", "").full(),
        Param::new("labels", Texts, "To add").full(),
        Param::new("not_labels", Texts, "To take away").full(),
        Param::new("links", Objects, "To add: {kind, to}").full(),
    ],
    returns: &[("task_id", Text)],
    run: task,
};

fn task(talk: &mut Talk<'_>, args: &Args) -> Result<Reply> {
    let id = args.need("task")?.to_owned();
    let if_revision = args.number("if_revision");
    let reason = || args.owned("text").unwrap_or_default();
    let force = if args.flag("force") { Force::Yes } else { Force::No };
    let verb = match args.need("action")? {
        "note" => {
            let (text, to) = (args.need("text")?.to_owned(), args.owned("to"));
            return Ok(reply(&ask(talk, Request::Note { id, text, to })?));
        }
        "move" => {
            let to = Which::Named(args.need("to")?.to_owned());
            let moved = ask(
                talk,
                Request::Move {
                    id: id.clone(),
                    if_revision,
                    to,
                },
            )?;
            return Ok(reply(&moved).with("task_id", id));
        }
        "start" => Verb::Start(force),
        "complete" => Verb::Complete {
            summary: reason(),
            next_action: next_action(args.text("next_action")),
            force,
        },
        "block" => Verb::Block {
            reason: args.need("text")?.to_owned(),
        },
        "fail" => Verb::Fail {
            reason: reason(),
            force,
        },
        "cancel" => Verb::Cancel { reason: reason() },
        "release" => Verb::Release,
        "reopen" => Verb::Reopen,
        "undo" => Verb::Undo,
        "delete" => Verb::Delete,
        _ => Verb::Update(Box::new(edit(args)?)),
    };
    Ok(reply(&ask(
        talk,
        Request::Change {
            id,
            if_revision,
            verb,
        },
    )?))
}

/// What completing leads to, by its word.
pub(crate) fn next_action(word: Option<&str>) -> NextAction {
    match word {
        Some("needs_revision") => NextAction::NeedsRevision,
        Some("blocked") => NextAction::Blocked,
        Some("complete") => NextAction::Complete,
        _ => NextAction::Continue,
    }
}

fn edit(args: &Args) -> Result<Edit> {
    Ok(Edit {
        title: args.owned("title"),
        description: args.owned("description"),
        context: args.owned("context"),
        summary: args.owned("text"),
        specialist: args.owned("specialist"),
        parent: args
            .owned("parent")
            .map(|parent| Some(parent).filter(|parent| !parent.is_empty())),
        add_after: args.texts("after"),
        remove_after: args.texts("not_after"),
        priority: priority(args),
        complexity: None,
        effort: args.owned("effort"),
        add_labels: args.texts("labels"),
        remove_labels: args.texts("not_labels"),
        add_links: links(args)?,
    })
}

fn links(args: &Args) -> Result<Vec<Link>> {
    let given = args.value("links").and_then(serde_json::Value::as_array);
    given
        .into_iter()
        .flatten()
        .map(|link| {
            serde_json::from_value(link.clone()).map_err(|error| {
                Error::usage("a link of `links` is not of its form")
                    .why(error)
                    .next("give {kind, to}, with `kind` one of commit, branch, issue, discovered-from")
            })
        })
        .collect()
}
