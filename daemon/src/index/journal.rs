//! What changed when: a bounded log over the tree, and the difference between any two of its moments.
//!
//! The engine writes, queries fold. What must stay true: a record is only dropped together with all older ones, and the
//! floor then rises, so that an answer is either complete or says `fresh_instance`; and a dead node is released only
//! when the record of its death is dropped.

mod saved;
mod told;

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

use proto::index::{Change, ChangeKind};

pub(super) use self::told::{change, shown};
use self::told::{deleted, with_path};
use super::names::Name;
use super::node::ById;
use super::tree::{Id, Kind, Tree};

/// Records kept at least where nobody says otherwise; a tree of many files keeps as many as a quarter of its files.
pub(super) const KEPT: usize = 1 << 16;

#[derive(Clone, Copy, Debug)]
enum What {
    Created,
    Modified,
    Deleted,
    /// Was at this place before.
    Moved(Id, Name),
}

#[derive(Clone, Copy, Debug)]
struct Record {
    tick: u32,
    node: Id,
    what: What,
}

/// The log.
#[derive(Debug)]
pub(super) struct Journal {
    tick: u32,
    /// Nothing older than this can be answered.
    floor: u32,
    log: VecDeque<Record>,
    /// When each tick that changed something was settled.
    times: VecDeque<(u32, i64)>,
    /// The ticks of what happened while nobody watched, in order.
    away: VecDeque<u32>,
    /// Whether the open tick is one of them.
    is_away: bool,
    /// Whether the open tick has records.
    open: bool,
    kept: usize,
}

impl Journal {
    /// A log that begins now, with what is in the tree already as its base.
    #[must_use]
    pub(super) fn new(now: i64) -> Self {
        let times = VecDeque::from([(1, now)]);
        Self {
            tick: 1,
            floor: 1,
            log: VecDeque::new(),
            times,
            away: VecDeque::new(),
            is_away: false,
            open: false,
            kept: KEPT,
        }
    }

    /// Keeps so many records at least, from the next tick on.
    pub(super) fn keep(&mut self, records: usize) {
        self.kept = records;
    }

    /// The last settled tick.
    #[must_use]
    pub(super) fn tick(&self) -> u32 {
        self.tick
    }

    fn push(&mut self, node: Id, what: What) {
        self.open = true;
        self.log.push_back(Record {
            tick: self.tick + 1,
            node,
            what,
        });
    }

    pub(super) fn created(&mut self, node: Id) {
        self.push(node, What::Created);
    }

    pub(super) fn modified(&mut self, node: Id) {
        self.push(node, What::Modified);
    }

    pub(super) fn deleted(&mut self, node: Id) {
        self.push(node, What::Deleted);
    }

    pub(super) fn moved(&mut self, node: Id, from: (Id, Name)) {
        self.push(node, What::Moved(from.0, from.1));
    }

    /// What is recorded up to the end of the open tick happened while nobody watched.
    pub(super) fn begin_away(&mut self) {
        self.is_away = true;
    }

    /// Ends the open tick; none when nothing happened in it. Drops what is too old.
    pub(super) fn settle(&mut self, tree: &mut Tree, now: i64) -> Option<u32> {
        let is_away = std::mem::take(&mut self.is_away);
        if !std::mem::take(&mut self.open) {
            return None;
        }
        self.tick += 1;
        if is_away {
            self.away.push_back(self.tick);
        }
        self.times.push_back((self.tick, now));
        let bound = self
            .kept
            .max(usize::try_from(tree.files() / 4).unwrap_or(usize::MAX));
        if self.log.len() > bound.saturating_mul(2) {
            self.trim(tree, bound);
        }
        tree.tidy_names(self.log.iter_mut().filter_map(|record| match &mut record.what {
            What::Moved(_, name) => Some(name),
            _ => None,
        }));
        Some(self.tick)
    }

    /// Forgets all that was: older clocks are answered with `fresh_instance` from now on.
    pub(super) fn restart(&mut self, tree: &mut Tree, now: i64) -> u32 {
        (self.open, self.is_away) = (false, false);
        self.away.clear();
        self.tick += 1;
        while let Some(record) = self.log.pop_front() {
            drop_record(tree, record);
        }
        self.floor = self.tick;
        self.times = VecDeque::from([(self.tick, now)]);
        self.tick
    }

    fn trim(&mut self, tree: &mut Tree, bound: usize) {
        while self.log.len() > bound {
            let Some(record) = self.log.pop_front() else { break };
            self.floor = record.tick;
            drop_record(tree, record);
        }
        // A tick is kept whole or not at all.
        while self.log.front().is_some_and(|record| record.tick <= self.floor) {
            if let Some(record) = self.log.pop_front() {
                drop_record(tree, record);
            }
        }
        while self.times.front().is_some_and(|&(tick, _)| tick < self.floor) {
            self.times.pop_front();
        }
        while self.away.front().is_some_and(|&tick| tick < self.floor) {
            self.away.pop_front();
        }
    }

    /// The fault: the last record says that its file is new.
    #[cfg(test)]
    pub(super) fn mistake_last_for_new(&mut self) {
        if let Some(last) = self.log.back_mut() {
            last.what = What::Created;
        }
    }

    /// What is recorded since, for a failure's message.
    #[cfg(test)]
    pub(super) fn describe(&self, tree: &Tree, tick: u32) -> String {
        let lines = self.log.iter().filter(|record| record.tick > tick).map(|record| {
            let path = |id: Id| String::from_utf8_lossy(&tree.path(id)).into_owned();
            let from = match record.what {
                What::Moved(parent, name) => {
                    format!(
                        "{}/{}",
                        path(parent),
                        String::from_utf8_lossy(tree.name_bytes(name))
                    )
                }
                _ => String::new(),
            };
            let (node, kind) = (record.node, tree.kind(record.node));
            format!(
                "   record {} {node:?} {kind:?} live {} now {} {:?} {from}\n",
                record.tick,
                tree.is_live(node),
                path(node),
                record.what
            )
        });
        lines.collect()
    }

    /// Whether all that changed since `tick` is known.
    #[must_use]
    pub(super) fn reaches(&self, tick: u32) -> bool {
        (self.floor..=self.tick).contains(&tick)
    }

    /// The last tick that was settled at or before a time; none when that is before the log.
    #[must_use]
    pub(super) fn tick_at(&self, time: i64) -> Option<u32> {
        let after = self.times.partition_point(|&(_, at)| at <= time);
        after.checked_sub(1).map(|at| self.times[at].0)
    }

    /// How much there is to read for [`Journal::since`].
    pub(super) fn records_since(&self, tick: u32) -> usize {
        self.log.len() - self.log.partition_point(|record| record.tick <= tick)
    }

    /// The difference between a tick that [`Journal::reaches`] and now, by path.
    #[must_use]
    pub(super) fn since(&self, tree: &Tree, tick: u32) -> Vec<Change> {
        let from = self.log.partition_point(|record| record.tick <= tick);
        if from == self.log.len() {
            return Vec::new();
        }
        let mut fold = Fold {
            tree,
            away: &self.away,
            places: ById::default(),
            touched: ById::with_capacity_and_hasher(self.log.len() - from, Default::default()),
            dirs: HashSet::new(),
            ghosts: Vec::new(),
        };
        for record in self.log.range(from..).rev() {
            fold.undo(record);
        }
        fold.expand();
        fold.difference()
    }
}

fn drop_record(tree: &mut Tree, record: Record) {
    match record.what {
        What::Deleted => tree.release(record.node),
        What::Moved(_, name) if tree.place(record.node).1 != name => tree.release_name(name),
        _ => {}
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Touched {
    existed: bool,
    modified: bool,
    away: bool,
}

/// The log played backwards from now: `places` says where nodes were at the moment reached.
struct Fold<'a> {
    tree: &'a Tree,
    away: &'a VecDeque<u32>,
    places: ById<(Id, Name)>,
    touched: ById<Touched>,
    /// Directories that moved.
    dirs: HashSet<Id>,
    /// Paths at which something was in between, and whether that was while nobody watched.
    ghosts: Vec<(Vec<u8>, bool)>,
}

impl Fold<'_> {
    fn undo(&mut self, record: &Record) {
        let node = record.node;
        let is_dir = self.tree.kind(node) == Kind::Dir;
        let touched = self.touched.entry(node).or_default();
        let away = self.away.binary_search(&record.tick).is_ok();
        touched.existed = true;
        touched.away |= away;
        match record.what {
            What::Created => touched.existed = false,
            What::Modified => touched.modified = true,
            What::Deleted if is_dir => {}
            What::Deleted => {
                let path = shown(self.tree.kind(node), self.path_then(node));
                self.ghosts.push((path, away));
            }
            What::Moved(parent, name) => {
                self.places.insert(node, (parent, name));
                if is_dir {
                    self.dirs.insert(node);
                } else {
                    let path = shown(self.tree.kind(node), self.path_then(node));
                    self.ghosts.push((path, away));
                }
            }
        }
    }

    /// What lies in a directory that moved has moved.
    fn expand(&mut self) {
        let moved: Vec<Id> = self
            .dirs
            .iter()
            .copied()
            .filter(|&dir| self.tree.is_live(dir))
            .collect();
        let mut seen = HashSet::new();
        let mut queue = moved;
        while let Some(dir) = queue.pop() {
            if !seen.insert(dir) {
                continue;
            }
            for child in self.tree.children(dir) {
                if self.tree.kind(child) == Kind::Dir {
                    queue.push(child);
                } else {
                    self.touched.entry(child).or_insert(Touched {
                        existed: true,
                        ..Touched::default()
                    });
                }
            }
        }
    }

    fn path_then(&self, id: Id) -> Vec<u8> {
        let mut chain = Vec::new();
        let mut at = id;
        // A saved log may lie: no path is longer than there are nodes.
        while at != Tree::ROOT && chain.len() < self.tree.ids() as usize {
            let (parent, name) = self
                .places
                .get(&at)
                .copied()
                .unwrap_or_else(|| self.tree.place(at));
            chain.push(name);
            at = parent;
        }
        let mut path = Vec::with_capacity(chain.iter().map(|name| usize::from(name.len) + 1).sum());
        for &name in chain.iter().rev() {
            if !path.is_empty() {
                path.push(b'/');
            }
            path.extend_from_slice(self.tree.name_bytes(name));
        }
        path
    }

    fn difference(mut self) -> Vec<Change> {
        // By path, which is put into each in the end.
        let mut now: Vec<(Vec<u8>, Change)> = Vec::with_capacity(self.touched.len());
        let mut gone: Vec<(Vec<u8>, Id, Touched)> = Vec::new();
        let mut sources: HashMap<Vec<u8>, (Id, bool)> = HashMap::new();
        for (&id, touched) in &self.touched {
            let kind = self.tree.kind(id);
            if kind == Kind::Dir {
                continue;
            }
            let then = || shown(kind, self.path_then(id));
            if !self.tree.is_live(id) {
                gone.extend(touched.existed.then(|| (then(), id, *touched)));
                continue;
            }
            let path = shown(kind, self.tree.path(id));
            // Where nothing has moved, all is where it was.
            let elsewhere = (touched.existed && !self.places.is_empty())
                .then(then)
                .filter(|then| *then != path);
            let (what, from) = match elsewhere {
                _ if !touched.existed => (ChangeKind::Created, None),
                None if !touched.modified => continue,
                None => (ChangeKind::Modified, None),
                Some(then) => {
                    sources.insert(then.clone(), (id, touched.modified));
                    (ChangeKind::Renamed, Some(then))
                }
            };
            let change = Change {
                while_away: touched.away,
                ..change(self.tree, id, what, (Vec::new(), from))
            };
            now.push((path, change));
        }
        if gone.is_empty() && sources.is_empty() && self.ghosts.is_empty() {
            // No place has seen two of them.
            now.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
            return now.into_iter().map(with_path).collect();
        }
        let mut now: BTreeMap<Vec<u8>, Change> = now.into_iter().collect();
        self.tell_links(&mut now, &sources);
        for (path, id, touched) in gone {
            match now.get_mut(&path) {
                // It was out of sight for a while, and nothing happened to it.
                Some(there)
                    if there.kind == ChangeKind::Created && !touched.modified && self.is_same(id, &path) =>
                {
                    now.remove(&path);
                }
                // So it was, and what was seen to come here is another name of it, which has gone.
                Some(there)
                    if there.kind == ChangeKind::Renamed && !touched.modified && self.is_same(id, &path) =>
                {
                    if let Some(from) = now.remove(&path).and_then(|there| there.from) {
                        now.entry(from.as_bytes().to_vec())
                            .or_insert_with(|| deleted(touched.away));
                    }
                }
                Some(there) => {
                    if there.kind == ChangeKind::Created {
                        there.kind = ChangeKind::Modified;
                    }
                    there.while_away |= touched.away;
                }
                None => {
                    now.insert(path, deleted(touched.away));
                }
            }
        }
        for (path, away) in std::mem::take(&mut self.ghosts) {
            if !now.contains_key(&path) && !sources.contains_key(&path) && self.shown_at(&path).is_none() {
                now.insert(path, deleted(away));
            }
        }
        now.into_iter().map(with_path).collect()
    }

    /// A file that was out of sight for a while, and seen by another of its names meanwhile, is where it was: the other
    /// name is new, and nothing was renamed.
    fn tell_links(&self, now: &mut BTreeMap<Vec<u8>, Change>, sources: &HashMap<Vec<u8>, (Id, bool)>) {
        for (from, &(id, modified)) in sources {
            let there = now.get(from).filter(|there| there.kind == ChangeKind::Created);
            let is_one = there.and_then(|_| self.shown_at(from)).is_some_and(|there| {
                self.tree.ino(there) == self.tree.ino(id) && self.tree.kind(there) == self.tree.kind(id)
            });
            if !is_one {
                continue;
            }
            let to = shown(self.tree.kind(id), self.tree.path(id));
            if let Some(other) = now.get_mut(&to) {
                (other.kind, other.from) = (ChangeKind::Created, None);
            }
            match now.get_mut(from) {
                Some(there) if modified => there.kind = ChangeKind::Modified,
                _ => drop(now.remove(from)),
            }
        }
    }

    fn is_same(&self, old: Id, path: &[u8]) -> bool {
        let new = self.shown_at(path);
        new.is_some_and(|new| !self.tree.differs(new, self.tree.kind(old), &self.tree.meta(old)))
    }

    /// What is shown at a path now.
    fn shown_at(&self, path: &[u8]) -> Option<Id> {
        let id = self.tree.find(path.strip_suffix(b"/").unwrap_or(path))?;
        let kind = self.tree.kind(id);
        (kind != Kind::Dir && (kind == Kind::Nested) == path.ends_with(b"/")).then_some(id)
    }
}
