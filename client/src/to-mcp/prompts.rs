//! Prompts: resume, plan, handover. A prompt is what the daemon knows, put in front of one request to the model.
//!
//! Asked by the service. What must stay true: a prompt holds nothing that the daemon has not said, and is bounded.

use proto::context::{PRIME_BUDGET, RECOVER_BUDGET, Request as Context};
use proto::error::Result;
use proto::task::{Answer, Request};
use proto::{Error, role};
use rmcp::model::{Prompt, PromptArgument, PromptMessage, Role};
use serde_json::{Map, Value};

use crate::talk::{Talk, foreign};
use crate::tools::context::text as text_of;
use crate::tools::task::{ask, tree};

/// The most bytes of a part of a prompt.
const MAX_PART: usize = 12 << 10;

/// What there is.
pub(crate) fn all() -> Vec<Prompt> {
    let argument = |name: &str, about: &str| PromptArgument::new(name).with_description(about);
    let prompt = |name: &str, about: &str, arguments| Prompt::new(name, Some(about), Some(arguments));
    let all = vec![
        prompt(
            "resume",
            "Get back into the work here: what is open, what you hold, what is next",
            vec![argument("task", "One task; default: all that is open").with_required(false)],
        ),
        prompt(
            "plan",
            "Break a goal down into tasks for the kinds of workers of this project",
            vec![argument("goal", "What is to be reached").with_required(true)],
        ),
        prompt(
            "handover",
            "What somebody else needs to go on with a task",
            vec![argument("task", "Its id").with_required(true)],
        ),
    ];
    #[cfg(feature = "conformance-fixtures")]
    let all = [all, crate::fixtures::prompts()].concat();
    all
}

/// What one says.
pub(crate) fn messages(
    talk: &mut Talk<'_>,
    name: &str,
    given: &Map<String, Value>,
) -> Result<Vec<PromptMessage>> {
    #[cfg(feature = "conformance-fixtures")]
    if let Some(messages) = crate::fixtures::prompt(name, given) {
        return messages;
    }
    Ok(vec![PromptMessage::new_text(
        Role::User,
        text(talk, name, given)?,
    )])
}

fn text(talk: &mut Talk<'_>, name: &str, given: &Map<String, Value>) -> Result<String> {
    let root = talk.detect()?.root;
    let argument = |name: &str| {
        given
            .get(name)
            .and_then(Value::as_str)
            .filter(|text| !text.is_empty())
    };
    let need = |argument_name: &str| {
        argument(argument_name).ok_or_else(|| {
            Error::usage(format!("the prompt `{name}` needs `{argument_name}`"))
                .next(format!("give `{argument_name}`, a text"))
        })
    };
    let head = format!("Project: {}\n\n", root.display());
    let body = match name {
        "resume" => resume(talk, argument("task"))?,
        "plan" => plan(talk, need("goal")?)?,
        "handover" => handover(talk, need("task")?)?,
        other => {
            let known: Vec<String> = all().into_iter().map(|prompt| prompt.name).collect();
            let other = crate::message::shown(other);
            return Err(Error::usage(format!("there is no prompt `{other}`"))
                .next(format!("use {}", known.join(", "))));
        }
    };
    Ok(head + &body)
}

fn part(mut text: String) -> String {
    if text.len() > MAX_PART {
        let end = text.floor_char_boundary(MAX_PART);
        let left = text.len() - end;
        text.truncate(end);
        text.push_str(&format!("\n({left} more bytes are not shown)\n"));
    }
    text
}

fn open(talk: &mut Talk<'_>) -> Result<String> {
    match ask(
        talk,
        Request::Tree {
            root: None,
            all: false,
        },
    )? {
        Answer::Tree { lines, .. } if lines.is_empty() => Ok("Nothing is open.\n".to_owned()),
        Answer::Tree { lines, .. } => Ok(part(tree(&lines))),
        _ => Err(foreign()),
    }
}

fn resume(talk: &mut Talk<'_>, task: Option<&str>) -> Result<String> {
    let what = match task {
        Some(task) => Context::Recover {
            task: task.to_owned(),
            budget: RECOVER_BUDGET,
        },
        None => Context::Prime { budget: PRIME_BUDGET },
    };
    let known = text_of(talk, what)?;
    Ok(format!(
        "{known}\nGo on with what you hold, else take the best ready task with `orchestrator_next` (`claim: true`) and read it \
         with `orchestrator_tasks` (`action: execute`).\n"
    ))
}

fn plan(talk: &mut Talk<'_>, goal: &str) -> Result<String> {
    let at = talk.from();
    let roles = match talk.ask(proto::Request::Role(role::Request::List { at }))? {
        proto::Answer::Role(role::Answer::Roles { roles, .. }) => roles,
        _ => return Err(foreign()),
    };
    let workers: String = roles
        .iter()
        .map(|role| {
            let what = role.role_definition.lines().next().unwrap_or_default();
            format!("- {}: {what}\n", role.name)
        })
        .collect();
    let open = open(talk)?;
    Ok(format!(
        "Goal: {}\n\nKinds of workers:\n{}\nAlready open:\n{open}\nBreak the goal down into tasks that one worker can end \
         with a result, say what waits for what, and make them in one step with `orchestrator_plan`.\n",
        part(goal.to_owned()),
        part(workers)
    ))
}

fn handover(talk: &mut Talk<'_>, task: &str) -> Result<String> {
    let what = Context::Handover {
        task: Some(task.to_owned()),
        budget: RECOVER_BUDGET,
    };
    let known = text_of(talk, what)?;
    Ok(format!(
        "Hand the task `{task}` over: write what somebody else needs to go on with it.\n\n{known}\n"
    ))
}
