//! `migrate`: which steps the database has taken, and whether it could take those of this build.
//!
//! What must stay true: a check touches nothing but a copy in a scratch folder, which is gone afterwards.

use proto::error::Result;
use proto::migrate::{Answer, Request, Step};

use crate::dispatch::Desk;

/// The door.
///
/// # Errors
/// What the store says; `refused` when the steps do not apply to a copy.
pub fn answer(desk: &Desk<'_>, request: &Request) -> Result<proto::Answer> {
    let answer = match request {
        Request::Status => status(desk)?,
        Request::Check => check(desk)?,
    };
    Ok(proto::Answer::Migrate(answer))
}

fn status(desk: &Desk<'_>) -> Result<Answer> {
    let applied = desk.ctx.db.steps_applied()?;
    let steps: Vec<Step> = migrations::steps()
        .iter()
        .map(|step| Step {
            number: step.number,
            name: step.name.to_owned(),
            checksum: blake3::Hash::from(step.checksum()).to_hex().to_string(),
            applied_at: applied
                .iter()
                .find(|applied| applied.number == step.number)
                .map(|step| step.applied_at),
        })
        .collect();
    Ok(Answer::Status {
        schema: applied.last().map_or(0, |step| step.number),
        target: migrations::steps().last().map_or(0, |step| step.number),
        steps,
        backup: desk.ctx.db.newest_backup()?.map(Into::into),
    })
}

fn check(desk: &Desk<'_>) -> Result<Answer> {
    let rehearsal = desk.ctx.db.rehearse(desk.ctx.world.now())?;
    Ok(Answer::Check {
        from: rehearsal.report.from,
        to: rehearsal.report.to,
        records: rehearsal.records,
        passed: vec![
            format!(
                "{} records were exported and read back by their digests",
                rehearsal.records
            ),
            format!(
                "{} steps applied to the copy and were validated",
                rehearsal.report.applied.len()
            ),
        ],
    })
}
