//! The artifacts of a workspace in memory: by age, by id, by task and name, by the place of their file.
//!
//! One per workspace in use, in [`Cabinet`]. What must stay true: it is derived from the records: before each change and
//! each read its mark is compared with theirs, and one that has seen something else is loaded anew.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use proto::artifact::Copy;
use proto::error::{Error, Result};

use super::copies::{Home, Seen};
use super::due::Look;
use super::rules;
use super::store::{Artifacts, Card, Head};
use super::upload::Uploads;
use super::vigil::Vigil;
use crate::db::Db;
use crate::dispatch::hold;
use crate::task::rules::shown;

/// A card and what is known of its file.
#[derive(Clone, Debug)]
pub struct Entry {
    /// As recorded.
    pub card: Card,
    /// What words are looked for in.
    pub text: Box<str>,
    /// How its file is, as of the last look.
    pub copy: Copy,
    /// What the file was at the last look at its bytes.
    pub seen: Option<Seen>,
    /// Whether it has been looked at in this run of the daemon.
    pub looked: bool,
}

/// All of a workspace.
#[derive(Debug, Default)]
pub struct Catalog {
    /// What it has seen.
    pub head: Head,
    entries: BTreeMap<u64, Entry>,
    ids: HashMap<String, u64>,
    names: HashMap<(Option<String>, String), u64>,
    places: HashMap<String, u64>,
}

impl Catalog {
    /// What the records say.
    #[must_use]
    pub fn of(cards: Vec<Card>, head: Head) -> Self {
        let mut catalog = Self {
            head,
            ..Self::default()
        };
        for card in cards {
            catalog.put(card);
        }
        // What was on its way when the daemon ended is finished or gone: the next look says how it is.
        for entry in catalog.entries.values_mut() {
            if entry.copy == Copy::Placing {
                entry.copy = Copy::Good;
            }
        }
        catalog
    }

    /// Takes a card over, in place of the one with its id.
    pub fn put(&mut self, card: Card) {
        let (born, id) = (card.born, card.id.clone());
        self.names.insert((card.task.clone(), card.name.clone()), born);
        self.places.insert(rules::place(&card.folder, &card.name), born);
        let copy = match (card.archived, card.stamp) {
            (Some(_), _) => Copy::None,
            (None, Some(_)) => Copy::Good,
            (None, None) => Copy::Placing,
        };
        let entry = Entry {
            text: rules::spoken(&card),
            card,
            copy,
            seen: None,
            looked: false,
        };
        self.entries.insert(born, entry);
        self.ids.insert(id, born);
    }

    /// One by id.
    ///
    /// # Errors
    /// `NotFound`, with the nearest id that exists.
    pub fn entry(&self, id: &str) -> Result<&Entry> {
        self.find(id).ok_or_else(|| {
            let error = Error::not_found(format!("no artifact `{}` in this workspace", shown(id)));
            let mut near = self
                .ids
                .keys()
                .filter(|known| known.eq_ignore_ascii_case(id) || (id.len() >= 4 && known.starts_with(id)));
            match (near.next(), near.next()) {
                (Some(near), None) => error.next(format!("did you mean `{near}`?")),
                _ => error.next("`tocli artifact list` shows them"),
            }
        })
    }

    /// One by id, if there is one.
    #[must_use]
    pub fn find(&self, id: &str) -> Option<&Entry> {
        self.entries.get(self.ids.get(id)?)
    }

    /// Changes what is known of a file; nothing happens when the artifact is at another version by now.
    pub fn note(&mut self, (id, version): (&str, u32), copy: Copy, seen: Option<Seen>) {
        if let Some(born) = self.ids.get(id)
            && let Some(entry) = self.entries.get_mut(born)
            && entry.card.version == version
            && entry.card.archived.is_none()
        {
            (entry.copy, entry.seen, entry.looked) = (copy, seen, true);
        }
    }

    /// One by task and name.
    #[must_use]
    pub fn named(&self, task: Option<&str>, name: &str) -> Option<&Entry> {
        let key = (task.map(str::to_owned), name.to_owned());
        self.entries.get(self.names.get(&key)?)
    }

    /// One by the place of its file.
    #[must_use]
    pub fn at(&self, folder: &str, name: &str) -> Option<&Entry> {
        self.entries.get(self.places.get(&rules::place(folder, name))?)
    }

    /// All, oldest first.
    pub fn all(&self) -> impl DoubleEndedIterator<Item = &Entry> {
        self.entries.values()
    }

    /// Those made before the one with this order, youngest first.
    pub fn down_from(&self, born: Option<u64>) -> impl Iterator<Item = &Entry> {
        let end = born.unwrap_or(u64::MAX);
        self.entries.range(..end).rev().map(|(_, entry)| entry)
    }

    /// Those made after the one with this order, oldest first.
    pub fn up_from(&self, born: Option<u64>) -> impl Iterator<Item = &Entry> {
        let from = born.map_or(0, |born| born.saturating_add(1));
        self.entries.range(from..).map(|(_, entry)| entry)
    }
}

/// The place of one workspace's catalogue; empty until it is needed.
#[derive(Debug, Default)]
pub struct Slot {
    catalog: RwLock<Option<Catalog>>,
    /// Held while files are put in their places.
    pub placing: Mutex<()>,
    /// Where its files are, as the last request had it.
    home: Mutex<Option<Home>>,
    /// What is being uploaded.
    pub uploads: Uploads,
    /// Who looks after its files.
    pub vigil: Vigil,
}

/// All catalogues.
#[derive(Debug, Default)]
pub struct Cabinet {
    slots: Mutex<HashMap<String, Arc<Slot>>>,
    /// When files that are due are looked for next; none before the first time.
    next: Mutex<Option<Duration>>,
}

impl Cabinet {
    /// The place of a workspace's catalogue.
    #[must_use]
    pub fn slot(&self, workspace: &str) -> Arc<Slot> {
        Arc::clone(hold(&self.slots).entry(workspace.to_owned()).or_default())
    }

    /// Whether files that are due are to be looked for now, and how.
    #[must_use]
    pub fn looks_for_due(&self, now: Duration, pause: Duration) -> Option<Look> {
        let mut next = hold(&self.next);
        let look = match *next {
            None => Look::First,
            Some(next) if now >= next => Look::Again,
            Some(_) => return None,
        };
        *next = Some(now + pause);
        Some(look)
    }

    /// All places with the ids of their workspaces.
    #[must_use]
    pub fn slots(&self) -> Vec<(String, Arc<Slot>)> {
        let slots = hold(&self.slots);
        slots
            .iter()
            .map(|(id, slot)| (id.clone(), Arc::clone(slot)))
            .collect()
    }
}

impl Slot {
    /// The catalogue for reading, if it is loaded.
    pub fn read(&self) -> RwLockReadGuard<'_, Option<Catalog>> {
        self.catalog.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The catalogue for changing, if it is loaded.
    pub fn write(&self) -> RwLockWriteGuard<'_, Option<Catalog>> {
        self.catalog.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where its files are, as the last request had it.
    #[must_use]
    pub fn home(&self) -> Option<Home> {
        hold(&self.home).clone()
    }

    /// Takes over where its files are.
    pub fn set_home(&self, home: &Home) {
        let mut kept = hold(&self.home);
        if kept.as_ref() != Some(home) {
            *kept = Some(home.clone());
        }
    }

    /// Whether the catalogue has seen all that the records have.
    ///
    /// # Errors
    /// `Unavailable` when the database cannot be read.
    pub fn is_current(&self, db: &Db, workspace: &str) -> Result<bool> {
        let head = Artifacts::new(db, workspace).head()?;
        Ok(self.read().as_ref().is_some_and(|catalog| catalog.head == head))
    }

    /// Loads the catalogue when it is not there or has seen something else than the records; whether it did. Under the
    /// workspace's lock only.
    ///
    /// # Errors
    /// `Unavailable` when the records cannot be read.
    pub fn load(&self, db: &Db, workspace: &str) -> Result<bool> {
        if self.is_current(db, workspace)? {
            return Ok(false);
        }
        let records = Artifacts::new(db, workspace);
        let catalog = Catalog::of(records.cards()?, records.head()?);
        *self.write() = Some(catalog);
        Ok(true)
    }

    /// Asks something of the loaded catalogue.
    ///
    /// # Errors
    /// `Unavailable` when it is being loaded anew, and what `ask` says.
    pub fn with<T>(&self, ask: impl FnOnce(&Catalog) -> Result<T>) -> Result<T> {
        match self.read().as_ref() {
            Some(catalog) => ask(catalog),
            None => Err(Error::unavailable("the artifacts are being loaded anew").next("repeat it")),
        }
    }

    /// Changes what is known of a file.
    pub fn note(&self, which: (&str, u32), copy: Copy, seen: Option<Seen>) {
        if let Some(catalog) = self.write().as_mut() {
            catalog.note(which, copy, seen);
        }
    }
}
