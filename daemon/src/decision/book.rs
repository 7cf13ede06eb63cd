//! The decisions of each workspace in use, in memory: what lists, `for` and searches are answered from.
//!
//! All books of the daemon, in `Ctx`. What must stay true: a book is what the records say: it names the changes it has
//! seen, and is loaded anew when the records have seen others. Texts stay in the records; of them the book holds only
//! which words stand where, once somebody has searched.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use proto::decision::{Decision, Filter};
use proto::error::{Error, Result};

use super::paths::Pattern;
use super::rules;
use super::search::{Hit, Index};
use super::store::{Decisions, Head};
use crate::db::Db;
use crate::task::rules::shown;

/// All books.
#[derive(Debug, Default)]
pub struct Books(Mutex<HashMap<String, Arc<Book>>>);

/// The decisions of one workspace as of one moment.
#[derive(Debug)]
pub struct Book {
    head: Head,
    entries: BTreeMap<u64, Entry>,
    numbers: HashMap<String, u64>,
    index: OnceLock<Index>,
}

#[derive(Debug)]
struct Entry {
    decision: Decision,
    patterns: Vec<Pattern>,
}

impl Books {
    /// The book of a workspace.
    ///
    /// # Errors
    /// `Unavailable` when the records cannot be read.
    pub fn book(&self, db: &Db, workspace: &str) -> Result<Arc<Book>> {
        let decisions = Decisions::new(db, workspace);
        let head = decisions.head()?;
        if let Some(book) = self.held().get(workspace)
            && book.head == head
        {
            return Ok(Arc::clone(book));
        }
        let book = Arc::new(Book::load(decisions, head)?);
        self.held().insert(workspace.to_owned(), Arc::clone(&book));
        Ok(book)
    }

    /// Lets go of a book: a batch that it may have seen was not kept.
    pub fn drop(&self, workspace: &str) {
        self.held().remove(workspace);
    }

    fn held(&self) -> std::sync::MutexGuard<'_, HashMap<String, Arc<Book>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Book {
    fn load(decisions: Decisions<'_>, head: Head) -> Result<Self> {
        let mut book = Self {
            head,
            entries: BTreeMap::new(),
            numbers: HashMap::new(),
            index: OnceLock::new(),
        };
        for card in decisions.all() {
            let card = card?;
            let entry = Entry {
                decision: card.brief(),
                patterns: card.paths.iter().map(|path| Pattern::new(path)).collect(),
            };
            book.numbers.insert(card.id, card.number);
            book.entries.insert(card.number, entry);
        }
        Ok(book)
    }

    /// The number of the newest; 0 when there is none.
    #[must_use]
    pub fn last(&self) -> u64 {
        self.head.last
    }

    /// All their numbers, oldest first.
    #[must_use]
    pub fn numbers(&self) -> Vec<u64> {
        self.entries.keys().copied().collect()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The number of one that is named by number or id.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn number(&self, which: &str) -> Result<u64> {
        let found = match rules::number(which) {
            Some(number) => self.entries.contains_key(&number).then_some(number),
            None => self.numbers.get(which).copied(),
        };
        found.ok_or_else(|| {
            let what = format!("there is no decision `{}` in this workspace", shown(which));
            Error::not_found(what).next("see `tocli decision list`")
        })
    }

    /// Whether an id is taken, and by which number.
    #[must_use]
    pub fn taken(&self, id: &str) -> Option<u64> {
        self.numbers.get(id).copied()
    }

    /// One of them.
    #[must_use]
    pub fn get(&self, number: u64) -> Option<&Decision> {
        self.entries.get(&number).map(|entry| &entry.decision)
    }

    /// All that a filter lets pass, newest first, beginning below `before`. `path` is the filter's, from the root.
    pub fn newest<'b>(
        &'b self,
        filter: &'b Filter,
        path: Option<&'b str>,
        before: Option<u64>,
    ) -> impl Iterator<Item = &'b Decision> + 'b {
        let below = self.entries.range(..before.unwrap_or(u64::MAX)).rev();
        below
            .map(|(_, entry)| entry)
            .filter(move |entry| entry.fits(filter, path))
            .map(|entry| &entry.decision)
    }

    /// Those to be followed for at least one of some paths (from the root), newest first.
    pub fn in_force_for<'b>(&'b self, paths: &'b [String]) -> impl Iterator<Item = &'b Decision> + 'b {
        let concerned =
            |entry: &&Entry| entry.decision.in_force && paths.iter().any(|path| entry.concerns(path));
        self.entries
            .values()
            .rev()
            .filter(concerned)
            .map(|entry| &entry.decision)
    }

    /// Those that fit words best, of those that a filter lets pass.
    ///
    /// # Errors
    /// `Unavailable` when the texts cannot be read.
    pub fn search(
        &self,
        decisions: Decisions<'_>,
        words: &str,
        filter: &Filter,
        path: Option<&str>,
    ) -> Result<Vec<Hit>> {
        if self.index.get().is_none() {
            let mut index = Index::default();
            for card in decisions.all() {
                index.add(&card?);
            }
            // Another reader may have been first: both have read the same.
            drop(self.index.set(index));
        }
        let wanted = |number| {
            let entry = self.entries.get(&number);
            entry.is_some_and(|entry| entry.fits(filter, path))
        };
        Ok(self
            .index
            .get()
            .map_or_else(Vec::new, |index| index.search(words, wanted)))
    }
}

impl Entry {
    fn concerns(&self, path: &str) -> bool {
        self.patterns.iter().any(|pattern| pattern.concerns(path))
    }

    fn fits(&self, filter: &Filter, path: Option<&str>) -> bool {
        let found = &self.decision;
        let holds = |list: &[String], wanted: &Option<String>| {
            let same = |wanted: &String| list.iter().any(|one| one.eq_ignore_ascii_case(wanted));
            wanted.as_ref().is_none_or(same)
        };
        filter.category.is_none_or(|wanted| found.category == wanted)
            && filter.impact.is_none_or(|wanted| found.impact == wanted)
            && (filter.status.is_empty() || filter.status.contains(&found.status))
            && (!filter.in_force || found.in_force)
            && holds(&found.tags, &filter.tag)
            && holds(&found.components, &filter.component)
            && filter
                .task
                .as_ref()
                .is_none_or(|task| found.task.as_ref() == Some(task))
            && path.is_none_or(|path| self.concerns(path))
    }
}
