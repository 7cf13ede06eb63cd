//! The tools about tasks.

use std::collections::HashMap;

use proto::artifact::{NewArtifact, Type};
use proto::error::Result;
use proto::task::{Answer, Filter, Request, Verb};
use proto::{Error, role};
use serde_json::{Map, Value, json};

use crate::declare::Form::{Flag, Text, Texts, Word};
use crate::declare::{Args, Hints, Needs, Param, Tool, WORKING_DIRECTORY};
use crate::reply::Reply;
use crate::talk::{Talk, foreign};
use crate::tools::artifact::complete_with;
use crate::tools::task::{ask, next_action, reply};

/// Tasks that the status shows.
const MOST: u32 = 100;

pub(super) static INITIALIZE_SESSION: Tool = Tool {
    name: "orchestrator_initialize_session",
    about: "Which project this is, what is open in it, and which specialists there are. Nothing is made by looking",
    hints: Hints::Reads,
    needs: Needs::Project,
    params: &[Param::text(
        WORKING_DIRECTORY,
        "The project's directory; default: where the client works",
    )],
    returns: &[("specialists", Texts)],
    run: |talk, _| {
        let found = talk.detect()?;
        let at = talk.from();
        let roles = match talk.ask(proto::Request::Role(role::Request::List { at }))? {
            proto::Answer::Role(role::Answer::Roles { roles, .. }) => roles,
            _ => return Err(foreign()),
        };
        let stats = match ask(talk, Request::Stats)? {
            Answer::Stats(stats) => stats,
            _ => return Err(foreign()),
        };
        let names: Vec<&str> = roles.iter().map(|role| role.name.as_str()).collect();
        let answer = json!({
            "project": found,
            "tasks": stats,
            "specialists": names,
            "instructions": "Break the work down with orchestrator_plan_task, read each subtask with \
                orchestrator_execute_subtask, end it with orchestrator_complete_subtask, and put the results together with \
                orchestrator_synthesize_results.",
        });
        Ok(Reply::of(&answer, ""))
    },
};

pub(super) static PLAN_TASK: Tool = Tool {
    name: "orchestrator_plan_task",
    about: "Make a breakdown of subtasks in one step",
    hints: Hints::Adds,
    needs: Needs::Project,
    params: &[
        Param::text("description", "The whole task").required(),
        Param::text(
            "subtasks_json",
            "A JSON array; each with title, description, specialist_type, and optionally task_id, dependencies, \
             estimated_effort",
        )
        .required(),
        Param::new(
            "complexity_level",
            Word(&["simple", "moderate", "complex", "very_complex"]),
            "Default moderate",
        ),
        Param::text("context", ""),
    ],
    returns: &[("task_id", Text)],
    run: |talk, args| {
        let text = plan(args)?.to_string();
        Ok(reply(&ask(talk, Request::Plan { text })?))
    },
};

/// The original's form as a plan: its ids are names here, because ids are unique in a workspace.
fn plan(args: &Args) -> Result<Value> {
    let wrong = |why: String| {
        Error::usage("`subtasks_json` is not a list of subtasks")
            .why(why)
            .next("give a JSON array of objects with `title`, `description` and `specialist_type`")
    };
    let subtasks: Vec<Map<String, Value>> =
        serde_json::from_str(args.need("subtasks_json")?).map_err(|error| wrong(error.to_string()))?;
    let field = |subtask: &Map<String, Value>, name: &str| {
        subtask.get(name).and_then(Value::as_str).map(str::to_owned)
    };
    let mut names: HashMap<String, String> = HashMap::new();
    for (number, subtask) in (1..).zip(&subtasks) {
        let name = format!("subtask_{number}");
        for known in [
            field(subtask, "task_id"),
            field(subtask, "title"),
            Some(name.clone()),
        ]
        .into_iter()
        .flatten()
        {
            names.entry(known).or_insert_with(|| name.clone());
        }
    }
    let mut tasks = Vec::new();
    for (number, subtask) in (1..).zip(&subtasks) {
        let title =
            field(subtask, "title").ok_or_else(|| wrong(format!("subtask {number} has no `title`")))?;
        let dependencies = subtask.get("dependencies").and_then(Value::as_array);
        let after: Vec<String> = dependencies
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .map(|name| names.get(name).cloned().unwrap_or_else(|| name.to_owned()))
            .collect();
        let mut task = json!({ "name": format!("subtask_{number}"), "title": title, "after": after });
        for (theirs, ours) in [
            ("description", "description"),
            ("specialist_type", "specialist"),
            ("estimated_effort", "effort"),
        ] {
            if let Some(text) = field(subtask, theirs) {
                task[ours] = text.into();
            }
        }
        tasks.push(task);
    }
    let description = args.need("description")?;
    let first = description.lines().next().unwrap_or_default();
    let title = first
        .get(..first.floor_char_boundary(proto::task::MAX_TITLE))
        .unwrap_or_default();
    let mut plan = json!({
        "title": title,
        "description": description,
        "complexity": args.text("complexity_level").unwrap_or("moderate"),
        "tasks": tasks,
    });
    if let Some(context) = args.text("context") {
        plan["context"] = context.into();
    }
    Ok(plan)
}

pub(super) static EXECUTE_SUBTASK: Tool = Tool {
    name: "orchestrator_execute_subtask",
    about: "The specialist's prompt for a subtask, with the results of those before it",
    hints: Hints::Reads,
    needs: Needs::Project,
    params: &[Param::text("task_id", "The subtask").required()],
    returns: &[("task_id", Text), ("prompt", Text)],
    run: |talk, args| {
        let id = args.need("task_id")?.to_owned();
        Ok(reply(&ask(talk, Request::Execute { id, budget: 32 << 10 })?))
    },
};

pub(super) static COMPLETE_SUBTASK: Tool = Tool {
    name: "orchestrator_complete_subtask",
    about: "End a subtask with its summary, and keep the detailed work as an artifact",
    hints: Hints::Changes,
    needs: Needs::Project,
    params: &[
        Param::text("task_id", "The subtask").required(),
        Param::text("summary", "What was done, in short").required(),
        Param::text("detailed_work", "The whole result, kept as an artifact").required(),
        Param::new(
            "next_action",
            Word(&["continue", "needs_revision", "blocked", "complete"]),
            "What follows",
        )
        .required(),
        Param::new("file_paths", Texts, "The files that it is about"),
        Param::new(
            "artifact_type",
            Word(&[
                "code",
                "documentation",
                "analysis",
                "design",
                "test",
                "config",
                "general",
            ]),
            "Default general",
        ),
        Param::new("legacy_artifacts", Texts, "Names of results, for the record"),
    ],
    returns: &[("task_id", Text)],
    run: complete,
};

fn complete(talk: &mut Talk<'_>, args: &Args) -> Result<Reply> {
    let detailed = args.need("detailed_work")?;
    if !detailed.is_empty() {
        let mut summary = args.need("summary")?.to_owned();
        for (head, list) in [
            ("Files", args.texts("file_paths")),
            ("Results", args.texts("legacy_artifacts")),
        ] {
            if !list.is_empty() {
                summary.push_str(&format!("\n{head}: {}", list.join(", ")));
            }
        }
        let new = NewArtifact {
            task: args.need("task_id")?.to_owned(),
            name: "detailed_work.md".to_owned(),
            kind: args.text("artifact_type").and_then(Type::parse),
            summary: String::new(),
        };
        let next = next_action(args.text("next_action"));
        return complete_with(talk, (new, detailed.as_bytes()), summary, next);
    }
    let verb = Verb::Complete {
        summary: args.need("summary")?.to_owned(),
        next_action: next_action(args.text("next_action")),
        force: proto::task::Force::No,
    };
    let change = Request::Change {
        id: args.need("task_id")?.to_owned(),
        if_revision: None,
        verb,
    };
    Ok(reply(&ask(talk, change)?))
}

pub(super) static SYNTHESIZE_RESULTS: Tool = Tool {
    name: "orchestrator_synthesize_results",
    about: "What below a task is really done and what is not",
    hints: Hints::Reads,
    needs: Needs::Project,
    params: &[Param::text("parent_task_id", "The breakdown").required()],
    returns: &[("finished", Flag)],
    run: |talk, args| {
        let id = args.need("parent_task_id")?.to_owned();
        Ok(reply(&ask(talk, Request::Synthesize { id })?))
    },
};

pub(super) static GET_STATUS: Tool = Tool {
    name: "orchestrator_get_status",
    about: "The tasks of the project and how far they are",
    hints: Hints::Reads,
    needs: Needs::Project,
    params: &[Param::new("include_completed", Flag, "Default false")],
    returns: &[],
    run: |talk, args| {
        let stats = match ask(talk, Request::Stats)? {
            Answer::Stats(stats) => stats,
            _ => return Err(foreign()),
        };
        let filter = Filter {
            all: args.flag("include_completed"),
            ..Filter::default()
        };
        let list = Request::List {
            filter: Box::new(filter),
            limit: MOST,
            cursor: None,
        };
        let stats = serde_json::to_value(stats).unwrap_or_default();
        Ok(reply(&ask(talk, list)?).with("stats", stats))
    },
};
