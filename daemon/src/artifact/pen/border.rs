//! Artifacts that go to another workspace: taken over there, let go here, in one batch.
//!
//! Asked by `moving.rs`. What must stay true: a file leaves the project only under a name by which the next load of the
//! catalogue finds it, and puts it back or removes it, as the records say.

use proto::Kind;
use proto::artifact::Copy;
use proto::error::{Error, Result};

use super::super::catalog::Entry;
use super::super::copies::{self, Placing};
use super::super::rules;
use super::super::store::{Card, Head};
use super::{Pen, Whole};
use crate::db::Batch;

impl Pen<'_> {
    /// Takes an artifact over from another workspace, with its id and all its versions. Where its name or its place is
    /// taken it gets another.
    ///
    /// # Errors
    /// `Conflict` when the id is taken; as [`Pen::put_back`].
    pub(in crate::artifact) fn take_over(&self, batch: &mut Batch, whole: Whole) -> Result<Card> {
        let Whole { card, editions } = whole;
        let (id, task) = (card.id.as_str(), card.task.as_deref());
        let (name, folder) = self.slot.with(|catalog| {
            if catalog.find(id).is_some() {
                return Err(Error::conflict(format!(
                    "there is an artifact `{id}` in the other workspace already"
                )));
            }
            let free = |name: &String| catalog.named(task, name).is_none();
            let mut others = (2..1000).map(|n| rules::numbered(&card.name, n));
            let name = match free(&card.name) {
                true => Some(card.name.clone()),
                false => others.find(free),
            };
            let name =
                name.ok_or_else(|| Error::refused(format!("too many artifacts are called `{}`", card.name)))?;
            let free = |folder: &String| catalog.at(folder, &name).is_none();
            let mut others = (2..1000).map(|n| format!("{}-{n}", card.folder));
            let folder = match free(&card.folder) {
                true => Some(card.folder.clone()),
                false => others.find(free),
            };
            let folder =
                folder.ok_or_else(|| Error::refused(format!("too many artifacts are called `{name}`")))?;
            Ok((name, folder))
        })?;
        let card = Card { name, folder, ..card };
        let whole = Whole { card, editions };
        match self.put_back(batch, &whole)? {
            true => Ok(whole.card),
            false => Err(Error::bug("an artifact was refused a free place")),
        }
    }

    /// Lets an artifact go from here: its records leave with the batch, and its file lies aside until that is decided.
    ///
    /// # Errors
    /// `Refused` when the file was changed by hand, or where the project cannot be written to; `Conflict` while the file is
    /// being put there; `Unavailable` when the records cannot be read.
    pub(in crate::artifact) fn let_go(&self, batch: &mut Batch, entry: &Entry) -> Result<()> {
        let (home, card) = (&self.home, &entry.card);
        let path = home.path(card);
        match copies::look(&*self.ctx.world, home, entry).0 {
            Copy::Good => {
                // Before it is done: one of which nobody knows whether it was is put back, too.
                self.placings.borrow_mut().push(Placing::empty(card.clone()));
                copies::lay_aside(&*self.ctx.world, home, card)?;
            }
            Copy::Modified => {
                return Err(
                    Error::refused(format!("`{}` was changed by hand", path.display()))
                        .why("it would stay behind without its record")
                        .next(format!(
                            "store it as a new version, or run `tocli artifact restore {} --force`",
                            card.id
                        )),
                );
            }
            Copy::Placing => {
                return Err(Error::conflict(format!(
                    "`{}` is just being put into the project",
                    path.display()
                ))
                .next("repeat it in a moment"));
            }
            Copy::None => {}
            // A disk that does not say is not one that has nothing.
            Copy::Missing => match self.ctx.world.stat(&path) {
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                _ => {
                    return Err(Error::refused(format!(
                        "`{}` cannot be looked at",
                        path.display()
                    )));
                }
            },
        }
        self.records().remove(batch, &card.id)?;
        let mut mark = [0; 8];
        self.ctx.world.random(&mut mark);
        let head = Head {
            mark: u64::from_be_bytes(mark),
            ..self.records().head()?
        };
        self.records().put_head(batch, head)
    }

    /// After the commit that let artifacts go: what lies aside of them goes.
    pub(in crate::artifact) fn let_gone(self) {
        *self.slot.write() = None;
        copies::forget(&*self.ctx.world, &self.home, &self.placings.take());
    }

    /// When that change came to nothing: what lies aside comes back, unless nobody knows; then the next load of the
    /// catalogue finds out.
    pub(in crate::artifact) fn kept_after(self, error: &Error) {
        if error.kind != Kind::Unavailable {
            copies::lay_back(&*self.ctx.world, &self.home, &self.placings.take());
        }
        *self.slot.write() = None;
    }
}
