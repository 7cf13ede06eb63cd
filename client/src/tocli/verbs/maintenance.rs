//! `tocli audit` and `tocli import`: the answer is shown, and what is not whole is a failure of the command.

use client::{Client, Options};
use proto::maintenance::{Answer, MirrorState};
use proto::{Caller, Error};

use crate::args::Question;
use crate::end::End;
use crate::out::Out;
use crate::talk::{self, Manner};
use crate::voice::Voice;

/// Asks and shows the answer.
pub(crate) fn run(
    options: Options,
    (question, caller): (Question, Caller),
    actor: Option<&str>,
    shown: (&mut Out, &Voice),
) -> Result<(), End> {
    let caller = Caller {
        actor: client::actor(actor)?,
        ..caller
    };
    let asked = (question, caller);
    let answer = talk::answer(&mut Client::new(options), asked, shown, Manner::default())?;
    match answer {
        proto::Answer::Maintenance(answer) => verdict(&answer),
        _ => Err(End::Failed(Error::bug("the answer is about something else"))),
    }
}

fn verdict(answer: &Answer) -> Result<(), End> {
    let Answer::AuditVerified {
        broken_at,
        mirror_state,
        mirror_line,
        ..
    } = answer
    else {
        return Ok(());
    };
    if let Some(seq) = broken_at {
        return Err(End::Failed(
            Error::conflict(format!("the audit trail is broken at event {seq}"))
                .why("an event was changed, taken out or cut off in the database")
                .next("compare it with the mirror file and with `tocli audit list`"),
        ));
    }
    if *mirror_state == MirrorState::Differs {
        let line = mirror_line.unwrap_or(1);
        return Err(End::Failed(
            Error::conflict(format!(
                "the mirror of the audit trail differs from line {line} on"
            ))
            .why("the file was changed by somebody else; the trail itself is whole")
            .next("it is written anew from the trail with the next change"),
        ));
    }
    Ok(())
}
