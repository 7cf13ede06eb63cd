//! `tocli context`, `handover`, `session`, `remember`, `recall` and `forget`: who asks is found out here, and the answer shown.

use client::Options;
use proto::detect::From;
use proto::index::Since;
use proto::{Answer, Caller, Error, context};

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
