//! `tocli remember`, `recall` and `forget`: who asks is found out here, and the answer shown.

use client::Options;
use proto::{Answer, Caller, Error};

use crate::args::Question;
use crate::end::End;
use crate::out::Out;
use crate::render::context;
use crate::talk;
use crate::voice::Voice;

/// Asks in the name of `actor` and shows the answer.
pub(crate) fn run(
    options: Options,
    (caller, actor): (Caller, Option<&str>),
    question: Question,
    (out, voice): (&mut Out, &Voice),
) -> Result<(), End> {
    let caller = Caller {
        actor: client::actor(actor)?,
        ..caller
    };
    match talk::whole(options, &talk::ask(question, caller), voice)? {
        Answer::Context(answer) => Ok(context::answer(out, voice, &answer)?),
        _ => Err(End::Failed(Error::bug("the answer is of another room"))),
    }
}
