//! Recording artifacts: into the batch of a change, onto the catalogue, into the project after the commit.
//!
//! Asked by the writing door, and by later rooms that keep an artifact as part of a change of their own. What must stay
//! true: bytes are an object before a record names them; the catalogue takes over what is in the batch, and its mark
//! tells when that batch came to nothing; the audit event is the caller's, one for the whole change.

mod border;

use std::cell::RefCell;
use std::sync::Arc;

use proto::artifact::{Copy, Stored, Type};
use proto::error::{Error, Result};
use proto::{Kind, RawPath};

use super::catalog::{Entry, Slot};
use super::copies::{self, Hand, Home, Placing};
use super::rules;
use super::store::{Artifacts, Card, Edition, Head};
use crate::ctx::Ctx;
use crate::db::Batch;
use crate::objects::Taken;

/// What is said of an artifact when it is kept.
#[derive(Clone, Debug, Default)]
pub struct Given<'a> {
    /// Its id, when it comes with one; none for that of its task and name, or a new one.
    pub id: Option<&'a str>,
    /// The task it is a result of; none for one of the workspace itself.
    pub task: Option<&'a str>,
    /// The specialist of that task: part of the folder's name.
    pub specialist: &'a str,
    /// The name of its file.
    pub name: &'a str,
    /// What it is; none for that of the version before, or `general`.
    pub kind: Option<Type>,
    /// One paragraph about it.
    pub summary: &'a str,
    /// Who keeps it.
    pub actor: &'a str,
    /// When it was made, nanoseconds since 1970 UTC.
    pub time: i64,
    /// The project's file that it is a snapshot of, relative to the root.
    pub source: Option<RawPath>,
}

/// An artifact with all its versions, for an export.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Whole {
    /// As its newest version has it.
    pub card: Card,
    /// All versions, oldest first.
    pub editions: Vec<Edition>,
}

/// Records artifacts within one change of one workspace.
pub struct Pen<'a> {
    ctx: &'a Ctx,
    slot: Arc<Slot>,
    home: Home,
    tree: Option<RawPath>,
    placings: RefCell<Vec<Placing>>,
}

impl<'a> Pen<'a> {
    /// Takes up the pen: under the workspace's lock, once for a change. `tree` is the caller's checkout when that is not
    /// the workspace's root.
    ///
    /// # Errors
    /// `Unavailable` when the records cannot be read.
    pub fn open(ctx: &'a Ctx, home: &Home, tree: Option<RawPath>) -> Result<Self> {
        let slot = ctx.artifacts.slot(&home.workspace);
        slot.set_home(home);
        let loaded = slot.load(&ctx.db, &home.workspace)?;
        let pen = Self {
            ctx,
            slot,
            home: home.clone(),
            tree,
            placings: RefCell::default(),
        };
        if loaded {
            pen.hand().settle();
        }
        Ok(pen)
    }

    pub(super) fn hand(&self) -> Hand {
        Hand {
            world: Arc::clone(&self.ctx.world),
            db: self.ctx.db.clone(),
            slot: Arc::clone(&self.slot),
            home: self.home.clone(),
        }
    }

    fn records(&self) -> Artifacts<'_> {
        Artifacts::new(&self.ctx.db, &self.home.workspace)
    }

    /// Keeps an artifact, or a new version of one, whose bytes are an object already ([`crate::objects::Objects::put`] or
    /// `take_in`). The same bytes as those of its newest version make no new one.
    ///
    /// # Errors
    /// `Usage` for a name, id or summary that cannot be; `refused` where the project cannot be written to; what the store
    /// says.
    pub fn store(&self, batch: &mut Batch, given: &Given<'_>, taken: Taken) -> Result<Stored> {
        rules::summary(given.summary)?;
        let name = self.name_for(given)?;
        let before = self.slot.with(|catalog| {
            Ok(match given.id.and_then(|id| catalog.find(id)) {
                Some(known) => Some(known.clone()),
                None => catalog.named(given.task, &name).cloned(),
            })
        })?;
        if let Some(entry) = &before
            && entry.card.archived.is_none()
            && (entry.card.digest, entry.card.size) == (*taken.digest.as_bytes(), taken.size)
        {
            return self.there_already(entry);
        }
        let head = self.slot.with(|catalog| Ok(catalog.head))?;
        let born = before.as_ref().map_or(head.born + 1, |entry| entry.card.born);
        let mut card = self.card(
            given,
            (&name, born),
            before.as_ref().map(|entry| &entry.card),
            taken,
        )?;
        let placing = copies::prepare(&*self.ctx.world, &self.ctx.db.objects(), &self.home, &mut card)?;
        self.placings.borrow_mut().push(placing);
        let edition = Edition {
            version: card.version,
            size: card.size,
            digest: card.digest,
            actor: card.actor.clone(),
            time: card.updated,
            summary: card.summary.clone(),
            source: card.source.clone(),
        };
        self.records().put_edition(batch, &card.id, &edition)?;
        self.put(batch, card.clone())?;
        Ok(self.said(&card, Vec::new()))
    }

    /// The name a new artifact gets: one that comes with an id of its own does not become a version of another.
    fn name_for(&self, given: &Given<'_>) -> Result<String> {
        rules::name(given.name)?;
        let Some(id) = given.id else {
            return Ok(given.name.to_owned());
        };
        rules::id(id)?;
        self.slot.with(|catalog| {
            if let Some(known) = catalog.find(id) {
                return Ok(known.card.name.clone());
            }
            let mut names = (2..1000).map(|n| rules::numbered(given.name, n));
            let free = |name: &String| catalog.named(given.task, name).is_none();
            std::iter::once(given.name.to_owned())
                .chain(&mut names)
                .find(free)
                .ok_or_else(|| {
                    Error::refused(format!("too many artifacts are called `{}`", given.name))
                        .next("choose another name")
                })
        })
    }

    fn card(
        &self,
        given: &Given<'_>,
        (name, born): (&str, u64),
        before: Option<&Card>,
        taken: Taken,
    ) -> Result<Card> {
        let id = match (before, given.id) {
            (Some(card), _) => card.id.clone(),
            (None, Some(id)) => id.to_owned(),
            (None, None) => self.new_id()?,
        };
        let folder = match before {
            Some(card) => card.folder.clone(),
            None => self.folder_for(given, name)?,
        };
        Ok(Card {
            id,
            born,
            task: given.task.map(str::to_owned),
            name: name.to_owned(),
            kind: given.kind.or(before.map(|card| card.kind)).unwrap_or_default(),
            summary: match (given.summary, before) {
                ("", Some(card)) => card.summary.clone(),
                (summary, _) => summary.to_owned(),
            },
            folder,
            tree: before.map_or_else(|| self.tree.clone(), |card| card.tree.clone()),
            version: before.map_or(1, |card| card.version + 1),
            size: taken.size,
            digest: *taken.digest.as_bytes(),
            actor: given.actor.to_owned(),
            created: before.map_or(given.time, |card| card.created),
            updated: given.time,
            source: given.source.clone(),
            archived: None,
            stamp: None,
        })
    }

    fn new_id(&self) -> Result<String> {
        self.slot.with(|catalog| {
            loop {
                let mut four = [0; 4];
                self.ctx.world.random(&mut four);
                let id = rules::new_id(four);
                if catalog.find(&id).is_none() {
                    return Ok(id);
                }
            }
        })
    }

    /// The folder of a new artifact: another one where the usual has a file of that name.
    fn folder_for(&self, given: &Given<'_>, name: &str) -> Result<String> {
        let usual = rules::folder(given.specialist, given.task);
        self.slot.with(|catalog| {
            (2..1000)
                .map(|n| format!("{usual}-{n}"))
                .fold(
                    catalog.at(&usual, name).is_none().then(|| usual.clone()),
                    |found, other| found.or_else(|| catalog.at(&other, name).is_none().then_some(other)),
                )
                .ok_or_else(|| Error::refused(format!("too many artifacts are called `{name}`")))
        })
    }

    /// The newest version has these bytes: nothing is recorded, but a file that is gone comes back.
    fn there_already(&self, entry: &Entry) -> Result<Stored> {
        let mut warnings = Vec::new();
        match copies::look_again(&*self.ctx.world, &self.slot, &self.home, entry) {
            Copy::Missing => {
                let mut card = entry.card.clone();
                let placing = copies::prepare(&*self.ctx.world, &self.ctx.db.objects(), &self.home, &mut card)?;
                self.placings.borrow_mut().push(placing);
            }
            Copy::Modified => warnings.push(format!(
                "its file in the project was changed by hand and stays so; `tocli artifact restore {} --force` puts it back",
                entry.card.id
            )),
            _ => {}
        }
        let said = self.said(&entry.card, warnings);
        Ok(Stored {
            already_there: true,
            ..said
        })
    }

    /// Makes a version the newest one again, and puts its file back: with `card` as it will be.
    pub(super) fn put_again(&self, batch: &mut Batch, mut card: Card) -> Result<Card> {
        let placing = copies::prepare(&*self.ctx.world, &self.ctx.db.objects(), &self.home, &mut card)?;
        self.placings.borrow_mut().push(placing);
        self.put(batch, card.clone())?;
        Ok(card)
    }

    /// Records a card, and lets the catalogue take it over.
    pub(super) fn put(&self, batch: &mut Batch, card: Card) -> Result<()> {
        self.records().put(batch, &card)?;
        let mut mark = [0; 8];
        self.ctx.world.random(&mut mark);
        if let Some(catalog) = self.slot.write().as_mut() {
            let head = Head {
                mark: u64::from_be_bytes(mark),
                born: catalog.head.born.max(card.born),
            };
            catalog.head = head;
            catalog.put(card);
            self.records().put_head(batch, head)?;
        }
        Ok(())
    }

    /// Puts an artifact of an export back, with its id and all its versions; false when its id is taken. Its bytes are
    /// objects already.
    ///
    /// # Errors
    /// `NotFound` when an object is missing; as [`Pen::store`].
    pub fn put_back(&self, batch: &mut Batch, whole: &Whole) -> Result<bool> {
        let Whole { card, editions } = whole;
        rules::id(&card.id)?;
        rules::name(&card.name)?;
        rules::name(&card.folder)?;
        rules::summary(&card.summary)?;
        let newest = editions.iter().find(|edition| edition.version == card.version);
        if newest.is_none_or(|edition| (edition.digest, edition.size) != (card.digest, card.size)) {
            return Err(Error::usage(format!(
                "the versions of `{}` do not fit to it",
                card.id
            )));
        }
        for edition in editions {
            let digest = crate::objects::Digest::from(edition.digest);
            if !self.ctx.db.objects().has(&digest, edition.size) {
                return Err(Error::not_found(format!(
                    "version {} of `{}` has lost its contents `{digest}`",
                    edition.version, card.id
                )));
            }
        }
        let (taken, head) = self.slot.with(|catalog| {
            let taken = catalog.find(&card.id).is_some()
                || catalog.named(card.task.as_deref(), &card.name).is_some()
                || catalog.at(&card.folder, &card.name).is_some();
            Ok((taken, catalog.head))
        })?;
        if taken {
            return Ok(false);
        }
        let mut card = Card {
            born: head.born + 1,
            tree: None,
            stamp: None,
            ..card.clone()
        };
        for edition in editions {
            self.records().put_edition(batch, &card.id, edition)?;
        }
        if card.archived.is_none() {
            let placing = copies::prepare(&*self.ctx.world, &self.ctx.db.objects(), &self.home, &mut card)?;
            self.placings.borrow_mut().push(placing);
        }
        self.put(batch, card)?;
        Ok(true)
    }

    /// Puts files that stand nowhere in the project into it: after an import, whose records came first. How many there
    /// are, also those that are being put there, and what could not be put, a sentence each.
    #[must_use]
    pub fn place_missing(&self) -> (usize, Vec<String>) {
        let world = &*self.ctx.world;
        let entries = self.slot.with(|catalog| {
            let here = catalog.all().filter(|entry| entry.card.archived.is_none());
            Ok(here.cloned().collect::<Vec<Entry>>())
        });
        let (mut count, mut missing) = (0, Vec::new());
        for entry in entries.unwrap_or_default() {
            let found = world.stat(&self.home.path(&entry.card));
            if found.is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound) {
                count += 1;
                // Two at the same copy would spoil it.
                if entry.copy != Copy::Placing {
                    self.slot
                        .note((&entry.card.id, entry.card.version), Copy::Placing, None);
                    missing.push(Placing::empty(entry.card));
                }
            }
        }
        (count, self.hand().place_all(missing))
    }

    pub(super) fn said(&self, card: &Card, warnings: Vec<String>) -> Stored {
        Stored {
            id: card.id.clone(),
            version: card.version,
            path: RawPath::from(self.home.path(card)),
            digest: card.object().to_string(),
            size: card.size,
            already_there: false,
            task: card.task.clone(),
            name: card.name.clone(),
            warnings,
        }
    }

    /// The catalogue.
    pub(super) fn slot(&self) -> &Slot {
        &self.slot
    }

    /// Where the files are.
    pub(super) fn home(&self) -> &Home {
        &self.home
    }

    /// After the commit: puts the files in their places; what the caller should know.
    #[must_use]
    pub fn committed(self) -> Vec<String> {
        let mut placings = self.placings.take();
        // Of the same contents given twice there is one copy.
        let mut seen = std::collections::BTreeSet::new();
        placings.retain(|placing| seen.insert((placing.card.id.clone(), placing.card.version)));
        self.hand().place_all(placings)
    }

    /// When the change came to nothing, or nobody knows what it came to: takes its copies away, or leaves them to the next
    /// load of the catalogue, which finds out.
    pub fn gave_up_for(self, error: &Error) {
        *self.slot.write() = None;
        if error.kind != Kind::Unavailable {
            copies::forget(&*self.ctx.world, &self.home, &self.placings.take());
        }
    }
}
