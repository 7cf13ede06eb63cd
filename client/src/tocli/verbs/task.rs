//! `tocli task` and `tocli next`: who asks is found out here, and the answer shown.
//!
//! What must stay true: a mutation carries the request id that was given, or one of its own.

use client::Options;
use proto::{Answer, Caller, Error};

use crate::args::Question;
use crate::end::End;
use crate::out::Out;
use crate::render::task;
use crate::talk;
use crate::voice::Voice;

/// Asks in the name of `actor` and shows the answer.
pub(crate) fn run(
    options: Options,
    (caller, actor): (Caller, Option<&str>),
    question: Question,
    fields: &[String],
    (out, voice): (&mut Out, &Voice),
) -> Result<(), End> {
    let caller = Caller {
        actor: client::actor(actor)?,
        ..caller
    };
    let answer = talk::whole(options, &talk::ask(question, caller), voice)?;
    match answer {
        Answer::Task(answer) => Ok(task::answer(out, voice, &answer, fields)?),
        _ => Err(End::Failed(Error::bug("the answer is not about tasks"))),
    }
}
