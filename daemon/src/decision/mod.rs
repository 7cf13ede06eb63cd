//! `decision`: architectural decision records, numbered per workspace.
//!
//! Asked by `dispatch`. Later rooms ask [`in_force_for`], [`newest`], [`each`], [`take_in`], [`write_files`] and [`due`].
//! **Invariants**: numbers have no gap; what a decision says never changes; a file in the project that was changed by
//! hand is told and left; no request of one workspace reads a record of another.

pub mod book;
pub mod card;
pub mod document;
pub mod lend;
pub mod madr;
pub mod mirror;
pub mod paths;
mod read;
pub mod rules;
pub mod search;
pub mod store;
#[cfg(test)]
mod tests;
mod write;

use std::path::Path;

use proto::decision::{Call, Request};
use proto::error::{Error, Result};

use crate::db::Batch;
use crate::dispatch::Desk;
use crate::workspace::{self, Folder};
pub use book::{Book, Books};
pub use card::Card;
pub use lend::{Taken, each, in_force_for, newest, take_in, write_files};
pub use store::due;

/// The workspace that a request speaks of.
pub struct Place<'a> {
    /// `ws_<12 hex>`.
    pub workspace: &'a str,
    /// The root of the caller's checkout: paths are named from there.
    pub tree: &'a Path,
    /// Where that checkout keeps its things.
    pub folder: &'a Folder,
    /// Makes the folder ready for the first file.
    pub enter: &'a dyn Fn(&mut Batch) -> Result<()>,
    /// What the caller should know of the workspace.
    pub warnings: &'a [String],
}

/// The door: finds the workspace.
///
/// # Errors
/// What detection, the registry, the rules and the store say.
pub fn answer(desk: &Desk<'_>, call: Call) -> Result<proto::Answer> {
    let whole = proto::Request::Decision(Box::new(call));
    workspace::with_registry(desk, &whole, |registry| {
        let scope = workspace::scope(registry, &of(&whole)?.at)?;
        let place = Place {
            workspace: scope.id(),
            tree: scope.tree(),
            folder: scope.folder(),
            enter: &|batch: &mut Batch| registry.claim(batch, &scope).map(drop),
            warnings: scope.warnings(),
        };
        answer_in(desk, &place, &whole)
    })
}

fn of(whole: &proto::Request) -> Result<&Call> {
    match whole {
        proto::Request::Decision(call) => Ok(call),
        _ => Err(Error::bug("a request came to a room that it does not belong to")),
    }
}

/// The same, for a workspace that has been found.
///
/// # Errors
/// What the rules and the store say.
pub fn answer_in(desk: &Desk<'_>, place: &Place<'_>, whole: &proto::Request) -> Result<proto::Answer> {
    let call = of(whole)?;
    match &call.what {
        Request::Record { .. } | Request::Change { .. } => write::answer(desk, place, (whole, &call.what)),
        Request::Files { write: true } => write::files(desk, place, whole),
        _ => read::answer(desk, place, &call.what).map(proto::Answer::Decision),
    }
}
