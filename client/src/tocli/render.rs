//! Answers as people and scripts read them: one file per room.
//!
//! Asked by `main`. What must stay true: the names of JSON fields are those of the messages, and never change their
//! meaning without a new `schema_version`.

pub(crate) mod artifact;
mod config;
pub(crate) mod context;
mod daemon;
mod decision;
mod detect;
pub(crate) mod doctor;
pub(crate) mod index;
mod maintenance;
mod migrate;
mod role;
pub(crate) mod task;
pub(crate) mod workspace;

use std::io;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use proto::Answer;

use crate::out::{Form, Out};
use crate::voice::Voice;

/// What the words asked to see beyond the answer itself.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Wishes {
    /// Who set a setting.
    pub(crate) origin: bool,
    /// How many entries of a history; none for all.
    pub(crate) most: Option<usize>,
}

/// Writes an answer that came in one piece.
pub(crate) fn answer(out: &mut Out, voice: &Voice, answer: &Answer, wishes: Wishes) -> io::Result<()> {
    match answer {
        Answer::Detect(answer) => detect::answer(out, voice, answer),
        Answer::Workspace(answer) => workspace::answer(out, voice, answer),
        Answer::Config(answer) => config::answer(out, voice, answer, wishes),
        Answer::Role(answer) => role::answer(out, voice, answer),
        Answer::Index(answer) => index::answer(out, voice, answer),
        Answer::Migrate(answer) => migrate::answer(out, answer),
        Answer::Daemon(answer) => daemon::answer(out, voice, (answer, wishes.most)),
        Answer::Task(answer) => task::answer(out, voice, answer, &[]),
        Answer::Artifact(answer) => artifact::answer(out, voice, answer),
        Answer::Context(answer) => context::answer(out, voice, answer),
        Answer::Decision(answer) => decision::answer(out, voice, answer),
        Answer::Maintenance(answer) => maintenance::answer(out, voice, answer),
    }
}

/// A time in nanoseconds since 1970 UTC: local for eyes, RFC 3339 in UTC for pipes.
fn time(out: &Out, nanoseconds: i64) -> Vec<u8> {
    let Ok(time) = Timestamp::from_nanosecond(nanoseconds.into()) else {
        return nanoseconds.to_string().into_bytes();
    };
    let text = if out.form() == Form::Terminal {
        let local = time.to_zoned(TimeZone::system());
        local.strftime("%Y-%m-%d %H:%M:%S").to_string()
    } else {
        time.to_string()
    };
    text.into_bytes()
}

/// Bytes: rounded for eyes, a number for pipes.
fn bytes(out: &Out, count: u64) -> Vec<u8> {
    if out.form() != Form::Terminal || count < 1024 {
        return count.to_string().into_bytes();
    }
    let (mut value, mut unit) = (count, 0);
    let units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
    while value >= 10 * 1024 && unit + 1 < units.len() {
        value /= 1024;
        unit += 1;
    }
    if unit == 0 {
        return format!("{count} B").into_bytes();
    }
    format!("{value} {}", units[unit]).into_bytes()
}

/// A word of the protocol as its JSON has it, so that every form uses one spelling.
fn word(value: &impl serde::Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        _ => String::new(),
    }
}
