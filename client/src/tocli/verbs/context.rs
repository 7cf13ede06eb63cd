//! `tocli context`, `handover`, `session`, `remember`, `recall` and `forget`: who asks is found out here, and the answer shown.

use client::{Client, Options};
use proto::artifact::{self, Source};
use proto::detect::From;
use proto::index::Since;
use proto::{Answer, Caller, Error, context};

use super::artifact::Line;
use crate::args::context::Handover;
use crate::args::{self, Command, Question};
use crate::end::End;
use crate::out::Out;
use crate::render;
use crate::talk;
use crate::voice::Voice;

/// Asks in the name of whoever the words or the environment name, and shows the answer.
pub(crate) fn run(
    options: Options,
    caller: Caller,
    command: &Command,
    (out, voice): (&mut Out, &Voice),
) -> Result<(), End> {
    let (question, actor) = match command {
        Command::Context(words) => (words.question(&caller)?, &words.common.actor),
        Command::Handover(words) if words.store => return kept(options, caller, words, (out, voice)),
        Command::Handover(words) => (words.question(&caller)?, &words.common.actor),
        Command::Session(words) => (words.question(&caller)?, &words.common().actor),
        Command::Remember(words) => (words.question(&caller)?, &words.whose.actor),
        Command::Recall(words) => (words.question(&caller)?, &words.whose.actor),
        Command::Forget(words) => (words.question(&caller)?, &words.whose.actor),
        _ => return Err(End::Failed(Error::bug("a command that nobody carries out"))),
    };
    let answer = asked(options, (caller, actor.as_deref()), question, voice)?;
    Ok(render::context::answer(out, voice, &answer)?)
}

/// Keeps what a handover says, as a new version of the one before.
fn kept(
    options: Options,
    caller: Caller,
    words: &Handover,
    (out, voice): (&mut Out, &Voice),
) -> Result<(), End> {
    let actor = words.common.actor.as_deref();
    let question = words.question(&caller)?;
    let whose = (caller.clone(), actor);
    let context::Answer::Text { text, .. } = asked(options.clone(), whose, question, voice)? else {
        return Err(End::Failed(Error::bug("the answer is no text")));
    };
    let mut line = Line {
        client: Client::new(options),
        at: words.common.at(&caller)?,
        caller: Caller {
            actor: client::actor(actor)?,
            ..caller
        },
        request_id: words.common.request_id.clone(),
    };
    let new = artifact::handover(words.task.as_deref());
    let bytes = text.into_bytes();
    let stored = line.ask(
        artifact::Request::Store(Box::new(Source::Here { new, bytes })),
        "",
    )?;
    Ok(render::artifact::answer(out, voice, &stored)?)
}

fn asked(
    options: Options,
    (caller, actor): (Caller, Option<&str>),
    question: Question,
    voice: &Voice,
) -> Result<context::Answer, Error> {
    let caller = Caller {
        actor: client::actor(actor)?,
        ..caller
    };
    match talk::whole(options, &talk::ask(question, caller), voice)? {
        Answer::Context(answer) => Ok(answer),
        _ => Err(Error::bug("the answer is of another room")),
    }
}

/// Since when a session or a task of the project of a place has been going on.
pub(crate) fn begun(
    options: Options,
    caller: &Caller,
    (at, of): (From, &str),
    voice: &Voice,
) -> Result<Since, Error> {
    match asked(
        options,
        (caller.clone(), None),
        args::context::moment(at, of),
        voice,
    )? {
        context::Answer::Moment { time, .. } => Ok(Since::Time(time)),
        _ => Err(Error::bug("the answer is no moment")),
    }
}
