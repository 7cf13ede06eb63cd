//! What is asked in somebody's name: who asks is found out here, and the answer shown.
//!
//! What must stay true: a mutation carries the request id that was given, or one of its own.

use client::{Client, Options};
use proto::Caller;

use crate::args::Question;
use crate::end::End;
use crate::out::Out;
use crate::render::{self, Wishes};
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
    let answer = Client::new(options).call(&talk::ask(question, caller))?;
    Ok(render::answer(out, voice, &answer, Wishes::default())?)
}
