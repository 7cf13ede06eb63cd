//! The decisions as files in the project: `decisions/NNNN-title.md`.
//!
//! The records are the truth and the files their copies: first the record, with the digest of what the file is to hold,
//! then the file. What must stay true: a file is replaced only when it holds what we once wrote there; one that was
//! changed by hand is told and left. Whoever dies between record and file leaves a note that the file is due, and
//! the next change of a decision in the workspace writes it.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use proto::decision::{Mirror, MirrorState};
use proto::error::Result;
use proto::{Error, RawPath};

use super::card::Card;
use super::store::Decisions;
use super::{Place, madr, rules};
use crate::ctx::Ctx;
use crate::db::Batch;
use crate::dispatch::hold;
use crate::objects::Digest;
use crate::workspace::folder::cannot_write;

/// The folder within the project's.
pub const FOLDER: &str = "decisions";
/// The most bytes of a file that is read: ours are smaller.
const MOST: usize = 2 << 20;
/// The most names looked at in the folder.
const MOST_NAMES: usize = 100_000;

/// The files of one workspace in one place.
#[derive(Clone, Copy)]
pub struct Files<'a> {
    ctx: &'a Ctx,
    place: &'a Place<'a>,
    decisions: Decisions<'a>,
}

impl<'a> Files<'a> {
    /// Those of a place.
    #[must_use]
    pub fn new(ctx: &'a Ctx, place: &'a Place<'a>) -> Self {
        Self {
            ctx,
            place,
            decisions: Decisions::new(&ctx.db, place.workspace),
        }
    }

    fn within(&self, name: &str) -> PathBuf {
        self.place.folder.within(Path::new(FOLDER).join(name))
    }

    /// Where the file of a decision is or would be.
    #[must_use]
    pub fn path(&self, number: u64, title: &str) -> RawPath {
        let within = self.within(&rules::file_name(number, title));
        RawPath::from(self.place.folder.base.join(within))
    }

    /// The folder, absolute.
    #[must_use]
    pub fn folder(&self) -> RawPath {
        RawPath::from(self.place.folder.path().join(FOLDER))
    }

    /// How the file of a decision is, now.
    ///
    /// # Errors
    /// `Unavailable` when the records cannot be read.
    pub fn state(&self, number: u64, title: &str) -> Result<MirrorState> {
        let within = self.within(&rules::file_name(number, title));
        let read = self
            .ctx
            .world
            .read_beneath(&self.place.folder.base, &within, MOST);
        let bytes = match read {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(MirrorState::Missing),
            Err(error) if error.kind() == ErrorKind::FileTooLarge => return Ok(MirrorState::Edited),
            Err(_) => return Ok(MirrorState::Unreadable),
        };
        let digest = *Digest::of(&bytes).as_bytes();
        let written = self.decisions.written(number)?;
        Ok(match (written.is_newest(&digest), written.knows(&digest)) {
            (true, _) => MirrorState::AsWritten,
            (false, true) => MirrorState::Behind,
            (false, false) => MirrorState::Edited,
        })
    }

    /// Writes what is due. What could not be written is told, a sentence each, and stays due.
    pub fn settle(&self) -> Vec<String> {
        let outcome = self.decisions.due().and_then(|due| match due.is_empty() {
            true => Ok(Vec::new()),
            false => self.write(&due).map(|(_, told)| told),
        });
        outcome.unwrap_or_else(|error| vec![format!("files of decisions were not written: {error}")])
    }

    /// Writes the files of some decisions where they are missing or behind: how many, and what could not be written.
    ///
    /// # Errors
    /// `Unavailable` when the records cannot be read or written.
    pub fn write(&self, numbers: &[u64]) -> Result<(u64, Vec<String>)> {
        let lock = self.ctx.locks.of(self.place.workspace);
        let held = hold(&lock);
        let mut done = Batch::new();
        let (mut count, mut told) = (0, Vec::new());
        for number in numbers {
            let Some(card) = self.decisions.card(*number)? else {
                self.decisions.settled(&mut done, *number);
                continue;
            };
            match self.write_one(&card) {
                Ok(written) => {
                    count += u64::from(written);
                    self.decisions.settled(&mut done, *number);
                }
                Err(Left::Edited(warning)) => {
                    self.decisions.settled(&mut done, *number);
                    told.push(warning);
                }
                Err(Left::Failed(warning)) => told.push(warning),
            }
        }
        // Nobody waits for this: a note too many makes one look too many.
        drop(self.ctx.db.stage(done)?);
        drop(held);
        Ok((count, told))
    }

    fn write_one(&self, card: &Card) -> std::result::Result<bool, Left> {
        let failed = |error: Error| Left::Failed(error.to_string());
        let path = self.path(card.number, &card.title);
        match self.state(card.number, &card.title).map_err(failed)? {
            MirrorState::Edited => {
                return Err(Left::Edited(format!(
                    "`{}` was changed by hand and is left as it is; move it away and run `tocli decision files --write` \
                     for one of ours",
                    path.display()
                )));
            }
            MirrorState::Unreadable => {
                return Err(Left::Failed(format!(
                    "`{}` cannot be read, so it is not replaced",
                    path.display()
                )));
            }
            MirrorState::AsWritten => return Ok(false),
            MirrorState::Missing | MirrorState::Behind | MirrorState::Foreign => {}
        }
        let text = text(self.decisions, card, &[]).map_err(failed)?;
        let digest = *Digest::of(text.as_bytes()).as_bytes();
        if !self
            .decisions
            .written(card.number)
            .map_err(failed)?
            .is_newest(&digest)
        {
            // Another release writes decisions in another way: the record comes first here too.
            let mut batch = Batch::new();
            self.decisions
                .will_write(&mut batch, card.number, text.as_bytes())
                .and_then(|()| self.ctx.db.commit(batch))
                .map_err(failed)?;
        }
        let within = self.within(&rules::file_name(card.number, &card.title));
        self.ctx
            .world
            .write(&self.place.folder.base, &within, text.as_bytes())
            .map_err(|error| failed(cannot_write(path.as_path(), &error)))?;
        Ok(true)
    }

    /// Every decision's file and how it is, then what else lies in the folder.
    ///
    /// # Errors
    /// `Unavailable` when the records cannot be read.
    pub fn all(&self, decisions: impl Iterator<Item = (u64, String)>) -> Result<Vec<Mirror>> {
        let mut found = Vec::new();
        let mut ours = BTreeSet::new();
        for (number, title) in decisions {
            let name = rules::file_name(number, &title);
            found.push(Mirror {
                number: Some(number),
                name: name.as_str().into(),
                state: self.state(number, &title)?,
            });
            ours.insert(name);
        }
        let folder = self.place.folder.within(FOLDER);
        let listed = self
            .ctx
            .world
            .list_beneath(&self.place.folder.base, &folder, MOST_NAMES);
        let mut foreign: Vec<_> = listed
            .unwrap_or_default()
            .into_iter()
            .map(|entry| entry.name)
            .collect();
        foreign.retain(|name| !is_ours(name, &ours));
        foreign.sort();
        found.extend(foreign.into_iter().map(|name| Mirror {
            number: None,
            name: RawPath::from(PathBuf::from(name)),
            state: MirrorState::Foreign,
        }));
        Ok(found)
    }
}

/// Why a file was not written.
enum Left {
    Edited(String),
    Failed(String),
}

fn is_ours(name: &OsStr, ours: &BTreeSet<String>) -> bool {
    name.to_str()
        .is_some_and(|name| ours.contains(name) || name.starts_with(".draft-"))
}

/// The text of a decision's file. `along` are decisions that go on record together with it.
///
/// # Errors
/// `Unavailable` when the records cannot be read.
pub fn text(decisions: Decisions<'_>, card: &Card, along: &[Card]) -> Result<String> {
    let mut names = Vec::new();
    for link in &card.links {
        let here = along.iter().find(|other| other.number == link.number);
        let name = |other: &Card| rules::file_name(other.number, &other.title);
        let name = match here {
            Some(other) => Some(name(other)),
            None => decisions.card(link.number)?.as_ref().map(name),
        };
        names.extend(name.map(|name| (link.number, name)));
    }
    Ok(madr::text(card, &|number| {
        let named = names.iter().find(|(other, _)| *other == number);
        named.map(|(_, name)| name.clone())
    }))
}
