//! `tocli prime`: what an agent needs, within a deadline that nothing can make longer.
//!
//! The asking is done on a thread of its own, so that a daemon that hangs, starts slowly or cannot be started keeps nobody
//! waiting: the command ends and the thread with it. What must stay true: the exit code is 0; a hook writes nothing to
//! standard error.

use std::ffi::OsString;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use client::{Client, Options};
use proto::context::Answer;
use proto::{Caller, Error};

use crate::args::context::Prime;
use crate::end::End;
use crate::out::{Form, Out};
use crate::render;
use crate::talk;
use crate::voice::Voice;

/// What showing the answer may take of the deadline.
const SHOWING: Duration = Duration::from_millis(15);

/// Whether a command line is that of a hook, also one that cannot be read.
pub(crate) fn is_hook(words: &[OsString]) -> bool {
    let has = |wanted: &str| words.iter().skip(1).any(|word| word == wanted);
    has("prime") && has("--hook")
}

/// Asks for as long as the deadline allows, and shows what came.
pub(crate) fn run(
    options: Result<Options, End>,
    caller: Caller,
    words: &Prime,
    (out, voice): (&mut Out, &Voice),
) -> Result<(), End> {
    let begun = Instant::now();
    if words.hook {
        std::panic::set_hook(Box::new(|_| ()));
    }
    let answer = match options {
        Ok(options) => in_time(options, caller, words, begun),
        Err(End::Failed(error)) => Err(error),
        Err(end) => return Err(end),
    };
    let answer = match answer {
        Ok(answer) => answer,
        Err(error) => {
            if !words.hook {
                voice.note(&format!("nothing to show: {error}"));
            }
            Answer::Text {
                text: String::new(),
                tokens_at_most: 0,
                left_out: Vec::new(),
                root: None,
            }
        }
    };
    match &answer {
        Answer::Text { text, .. } if words.hook => hook(out, text),
        answer => Ok(render::context::answer(out, voice, answer)?),
    }
}

fn in_time(options: Options, caller: Caller, words: &Prime, begun: Instant) -> Result<Answer, Error> {
    let limit = words.limit().saturating_sub(SHOWING);
    let (say, said) = mpsc::channel();
    let words = words.clone();
    let asking = move || {
        // Nobody listens any more when it came too late.
        drop(say.send(asked(options, caller, &words)));
    };
    std::thread::Builder::new()
        .name("prime".to_owned())
        .spawn(asking)
        .map_err(|error| Error::unavailable("no thread could be started").why(error))?;
    let late = || Error::unavailable(format!("no answer came within {} ms", words_of(limit)));
    said.recv_timeout(limit.saturating_sub(begun.elapsed()))
        .unwrap_or_else(|_| Err(late()))
}

fn words_of(limit: Duration) -> u128 {
    (limit + SHOWING).as_millis()
}

fn asked(options: Options, caller: Caller, words: &Prime) -> Result<Answer, Error> {
    let caller = Caller {
        actor: client::actor(words.common.actor.as_deref())?,
        ..caller
    };
    let options = Options {
        patience: words.limit(),
        ..options
    };
    let question = words.question(&caller)?;
    match Client::new(options).call(&talk::ask(question, caller))? {
        proto::Answer::Context(answer @ Answer::Text { .. }) => Ok(answer),
        _ => Err(Error::bug("the answer is of another room")),
    }
}

/// What the session-start hooks of coding agents take: text on standard output, or with `--json` Claude Code's object.
fn hook(out: &mut Out, text: &str) -> Result<(), End> {
    if text.is_empty() {
        return Ok(());
    }
    if out.form() == Form::Json {
        let output = serde_json::json!({ "hookEventName": "SessionStart", "additionalContext": text });
        return Ok(out.json(&serde_json::json!({ "hookSpecificOutput": output }))?);
    }
    Ok(out.raw(text.as_bytes())?)
}
