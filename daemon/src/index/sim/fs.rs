//! A file system in memory with watches like the kernel's: one queue in order, equal neighbours merged, an overflow mark
//! when it is full, inode numbers used again at once. Everything is decided by one seeded generator.
//!
//! What must stay true: an event is queued in the same step as its cause; a handle stays with its directory wherever
//! that is moved, and after it was removed.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::chance::Chance;
use super::oracle::Known;
use super::roots::Script;
use super::shortage::Shortage;
use crate::watch::{Event, Hint, Wd};
use crate::world::FileKind;
use crate::world::dir::Meta;

/// A file or directory, for as long as the simulation runs.
pub(super) type Obj = u64;

#[derive(Debug)]
pub(super) struct Thing {
    pub(super) meta: Meta,
    pub(super) data: Vec<u8>,
    pub(super) children: BTreeMap<Vec<u8>, Obj>,
    /// How many names it has.
    names: usize,
}

/// A directory, a name in it, and what that names.
pub(super) type Name = (Obj, Vec<u8>, Obj);

/// Something that was done to a file with several names.
#[derive(Debug)]
pub(super) struct Done {
    /// By which of its names.
    pub(super) name: Name,
    /// Whether somebody had seen it in the tree.
    pub(super) was_known: bool,
}

#[derive(Debug)]
pub(super) struct Fs {
    things: HashMap<Obj, Thing>,
    next: Obj,
    free_inos: Vec<u64>,
    time: i64,
    watches: BTreeMap<Obj, Wd>,
    next_wd: Wd,
    pub(super) queue: Vec<Event>,
    /// Events that fit.
    pub(super) capacity: usize,
    pub(super) watch_limit: usize,
    cookie: u32,
    pub(super) chance: Chance,
    /// Operations that may still happen between the engine's own calls.
    pub(super) budget: usize,
    /// One happens after so many of those calls.
    pub(super) pause: usize,
    /// What happens before which of the engine's calls, counted down to nothing.
    pub(super) script: Script,
    /// Where the engine is while one happens.
    pub(super) near: Option<Obj>,
    pub(super) shortage: Shortage,
    /// Operations that have happened.
    pub(super) steps: usize,
    /// What was done, for a failure's message.
    pub(super) trace: Vec<String>,
    is_traced: bool,
    /// How often each directory is open.
    open: BTreeMap<Obj, usize>,
    /// Removed while they are open.
    ending: BTreeSet<Obj>,
    has_silent: bool,
    /// Whether files get second names, and folders become submodules.
    pub(super) has_links: bool,
    /// Files with several names that something was done to by one of them, and by which.
    pub(super) by_one_name: Vec<Done>,
    /// What was shown at the last sync, and where it is ever since.
    pub(super) known: Known,
}

pub(super) const ROOT: Obj = 0;

impl Fs {
    pub(super) fn new(seed: u64, has_links: bool) -> Self {
        let mut fs = Self {
            things: HashMap::new(),
            next: 0,
            free_inos: Vec::new(),
            time: 1,
            watches: BTreeMap::new(),
            next_wd: 1,
            queue: Vec::new(),
            capacity: usize::MAX,
            watch_limit: usize::MAX,
            cookie: 0,
            chance: Chance::new(seed),
            budget: 0,
            pause: 4,
            script: Vec::new(),
            near: None,
            shortage: Shortage::default(),
            steps: 0,
            trace: Vec::new(),
            open: BTreeMap::new(),
            ending: BTreeSet::new(),
            has_silent: seed % 4 == 3,
            has_links,
            is_traced: super::seeds().count() == 1,
            by_one_name: Vec::new(),
            known: Known::default(),
        };
        assert_eq!(fs.thing(FileKind::Dir), ROOT);
        fs
    }

    /// Whether something happens before the engine's next call.
    pub(super) fn happens(&mut self) -> bool {
        let pause = self.pause;
        self.chance.below(pause) == 0
    }

    /// Another of the engine's calls begins: what is written down for it happens.
    pub(super) fn follow_script(&mut self) {
        for at in 0..self.script.len() {
            let (count, act) = &mut self.script[at];
            let (now, act) = (*count == 1, *act);
            *count = count.saturating_sub(1);
            if now {
                act(self);
            }
        }
    }

    fn thing(&mut self, kind: FileKind) -> Obj {
        let obj = self.next;
        self.next += 1;
        let ino = self.free_inos.pop().unwrap_or(1000 + obj);
        self.time += 1;
        let (size, mtime, ctime) = (0, self.time, self.time);
        let meta = Meta {
            kind,
            mode: 0o755,
            size,
            mtime,
            ctime,
            ino,
            dev: 1,
            is_linked: false,
        };
        self.things.insert(
            obj,
            Thing {
                meta,
                data: Vec::new(),
                children: BTreeMap::new(),
                names: 1,
            },
        );
        obj
    }

    pub(super) fn get(&self, obj: Obj) -> &Thing {
        &self.things[&obj]
    }

    fn get_mut(&mut self, obj: Obj) -> &mut Thing {
        self.things.get_mut(&obj).unwrap()
    }

    pub(super) fn time(&self) -> i64 {
        self.time
    }

    pub(super) fn is_dir(&self, obj: Obj) -> bool {
        self.get(obj).meta.kind == FileKind::Dir
    }

    /// What a path names from a directory; no link is followed.
    pub(super) fn find(&self, from: Obj, path: &[u8]) -> Option<Obj> {
        let mut names = path.split(|&byte| byte == b'/').filter(|name| !name.is_empty());
        names.try_fold(from, |at, name| self.get(at).children.get(name).copied())
    }

    fn touch(&mut self, obj: Obj) {
        self.time += 1;
        let time = self.time;
        let meta = &mut self.get_mut(obj).meta;
        (meta.mtime, meta.ctime) = (time, time);
    }

    fn push(&mut self, event: Event) {
        if self.queue.last() == Some(&event) || self.queue.last() == Some(&Event::Overflow) {
            return;
        }
        let is_full = self.queue.len() >= self.capacity;
        self.queue.push(if is_full { Event::Overflow } else { event });
    }

    fn tell(&mut self, dir: Obj, name: &[u8], is_dir: bool, hint: Hint) {
        if let Some(&wd) = self.watches.get(&dir) {
            self.push(Event::Name {
                wd,
                name: name.to_vec(),
                is_dir,
                hint,
            });
        }
    }

    pub(super) fn watch(&mut self, obj: Obj) -> Option<Wd> {
        if let Some(&wd) = self.watches.get(&obj) {
            return Some(wd);
        }
        if self.watches.len() >= self.watch_limit {
            return None;
        }
        self.next_wd += 1;
        self.watches.insert(obj, self.next_wd);
        Some(self.next_wd)
    }

    pub(super) fn unwatch(&mut self, wd: Wd) {
        if let Some(obj) = self
            .watches
            .iter()
            .find(|&(_, &other)| other == wd)
            .map(|(&obj, _)| obj)
        {
            self.watches.remove(&obj);
            self.push(Event::Ended { wd });
        }
    }

    /// Whether a directory lies on a file system that tells nothing: under every fourth seed some do.
    pub(super) fn is_silent(&self, obj: Obj) -> bool {
        self.has_silent && obj % 5 == 3
    }

    /// Watched directories, by object.
    pub(super) fn watched(&self) -> Vec<Obj> {
        self.watches.keys().copied().collect()
    }

    fn path(&self, obj: Obj) -> String {
        let parent = self.things.iter().find_map(|(&parent, thing)| {
            let name = thing.children.iter().find(|&(_, &child)| child == obj)?.0;
            Some((parent, String::from_utf8_lossy(name).into_owned()))
        });
        parent.map_or(String::new(), |(parent, name)| self.path(parent) + "/" + &name)
    }

    pub(super) fn is_traced(&self) -> bool {
        self.is_traced
    }

    /// Writes an event into the trace as it is delivered.
    pub(super) fn explain(&mut self, event: &Event) {
        if !self.is_traced {
            return;
        }
        let line = match event {
            Event::Name { wd, name, hint, .. } => {
                let dir = self
                    .watches
                    .iter()
                    .find(|&(_, other)| other == wd)
                    .map(|(&obj, _)| self.path(obj));
                format!("   event {hint:?} {wd} {dir:?} {}", String::from_utf8_lossy(name))
            }
            other => format!("   event {other:?}"),
        };
        self.trace.push(line);
    }

    pub(super) fn tell_reading(&mut self, dir: Obj) {
        if self.is_traced {
            let line = format!("   list {}", self.path(dir));
            self.trace.push(line);
        }
    }

    fn note(&mut self, what: &str, dir: Obj, name: &[u8]) {
        if !self.is_traced {
            return;
        }
        let line = format!("{what} {}/{}", self.path(dir), String::from_utf8_lossy(name));
        self.trace.push(line);
    }

    /// Writes a file whole, making it when it is not there.
    pub(super) fn write(&mut self, dir: Obj, name: &[u8], data: &[u8]) {
        let obj = match self.get(dir).children.get(name) {
            Some(&obj) if self.get(obj).meta.kind == FileKind::File => obj,
            Some(_) => return,
            None => self.make(dir, name, FileKind::File),
        };
        self.note(&format!("write {:?}", String::from_utf8_lossy(data)), dir, name);
        self.touch(obj);
        self.by_one_name(dir, name, obj);
        let thing = self.get_mut(obj);
        thing.data = data.to_vec();
        thing.meta.size = data.len() as u64;
        self.tell(dir, name, false, Hint::Changed);
    }

    /// Makes a thing where there is none.
    pub(super) fn make(&mut self, dir: Obj, name: &[u8], kind: FileKind) -> Obj {
        if let Some(&there) = self.get(dir).children.get(name) {
            return there;
        }
        self.note(&format!("make {kind:?}"), dir, name);
        let obj = self.thing(kind);
        self.get_mut(dir).children.insert(name.to_vec(), obj);
        self.touch(dir);
        self.tell(dir, name, kind == FileKind::Dir, Hint::Created);
        obj
    }

    /// Removes a name, with all beneath.
    pub(super) fn remove(&mut self, dir: Obj, name: &[u8]) {
        let Some(&obj) = self.get(dir).children.get(name) else {
            return;
        };
        for child in self.get(obj).children.keys().cloned().collect::<Vec<_>>() {
            self.remove(obj, &child);
        }
        self.note("remove", dir, name);
        self.get_mut(dir).children.remove(name);
        self.touch(dir);
        let is_dir = self.is_dir(obj);
        self.lose_name(dir, name, obj);
        self.tell(dir, name, is_dir, Hint::Changed);
    }

    /// Gives a file another name, where there is none.
    pub(super) fn link(&mut self, obj: Obj, (to, new): (Obj, &[u8])) {
        if self.is_dir(obj) || self.get(to).children.contains_key(new) {
            return;
        }
        self.note(&format!("link {}", self.path(obj)), to, new);
        self.get_mut(to).children.insert(new.to_vec(), obj);
        self.touch(to);
        self.count_names(obj, 1);
        self.by_one_name(to, new, obj);
        self.tell(to, new, false, Hint::Created);
    }

    /// What is done by one name is told in the directory of that name alone.
    fn by_one_name(&mut self, dir: Obj, name: &[u8], obj: Obj) {
        if self.get(obj).meta.is_linked {
            let name = (dir, name.to_vec(), obj);
            let was_known = self.known.names.contains(&name);
            self.by_one_name.push(Done { name, was_known });
        }
    }

    fn count_names(&mut self, obj: Obj, by: isize) {
        self.time += 1;
        let time = self.time;
        let thing = self.get_mut(obj);
        thing.names = thing.names.saturating_add_signed(by);
        (thing.meta.is_linked, thing.meta.ctime) = (thing.names > 1, time);
    }

    fn lose_name(&mut self, dir: Obj, name: &[u8], obj: Obj) {
        if self.get(obj).names > 1 {
            self.by_one_name(dir, name, obj);
            self.count_names(obj, -1);
        } else {
            self.free(obj);
        }
    }

    /// Somebody looks at a file by every name it has, so that whoever watches one of them hears of it.
    pub(super) fn tell_every_name(&mut self, obj: Obj) {
        let names: Vec<(Obj, Vec<u8>)> = self
            .things
            .iter()
            .flat_map(|(&dir, thing)| {
                thing
                    .children
                    .iter()
                    .map(move |(name, &child)| (dir, name, child))
            })
            .filter(|&(_, _, child)| child == obj)
            .map(|(dir, name, _)| (dir, name.clone()))
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect();
        for (dir, name) in names {
            self.tell(dir, &name, false, Hint::Changed);
        }
    }

    pub(super) fn open(&mut self, obj: Obj) {
        *self.open.entry(obj).or_default() += 1;
    }

    pub(super) fn close(&mut self, obj: Obj) {
        let count = self.open.get_mut(&obj).unwrap();
        *count -= 1;
        if *count == 0 {
            self.open.remove(&obj);
            if self.ending.remove(&obj) {
                self.free(obj);
            }
        }
    }

    /// Handles that are open.
    pub(super) fn opened(&self) -> usize {
        self.open.values().sum()
    }

    fn free(&mut self, obj: Obj) {
        if self.open.contains_key(&obj) {
            self.ending.insert(obj);
            return;
        }
        self.free_inos.push(self.get(obj).meta.ino);
        if let Some(wd) = self.watches.remove(&obj) {
            self.push(Event::Ended { wd });
        }
    }

    fn is_within(&self, obj: Obj, of: Obj) -> bool {
        obj == of
            || self
                .get(of)
                .children
                .values()
                .any(|&child| self.is_within(obj, child))
    }

    /// `rename(2)`: replaces a file by a file and an empty directory by a directory.
    pub(super) fn rename(&mut self, (from, name): (Obj, &[u8]), (to, new): (Obj, &[u8])) -> bool {
        let Some(&obj) = self.get(from).children.get(name) else {
            return false;
        };
        let there = self.get(to).children.get(new).copied();
        if there == Some(obj) || self.is_within(to, obj) {
            return false;
        }
        if let Some(there) = there {
            if self.is_dir(there) != self.is_dir(obj) || !self.get(there).children.is_empty() {
                return false;
            }
            self.get_mut(to).children.remove(new);
            self.lose_name(to, new, there);
        }
        self.note("rename", from, name);
        self.note("  to", to, new);
        self.get_mut(from).children.remove(name);
        self.get_mut(to).children.insert(new.to_vec(), obj);
        self.touch(from);
        self.touch(to);
        self.time += 1;
        let time = self.time;
        self.get_mut(obj).meta.ctime = time;
        self.by_one_name(from, name, obj);
        self.by_one_name(to, new, obj);
        self.cookie += 1;
        let (cookie, is_dir) = (self.cookie, self.is_dir(obj));
        self.tell(from, name, is_dir, Hint::MovedFrom(cookie));
        self.tell(to, new, is_dir, Hint::MovedTo(cookie));
        if let Some(&wd) = self.watches.get(&obj) {
            self.push(Event::Moved { wd });
        }
        true
    }

    /// Takes the events out, as the kernel may give them: causes in different directories may have come to the queue in
    /// either order when they were made at the same time.
    pub(super) fn take(&mut self) -> Vec<Event> {
        let mut events = std::mem::take(&mut self.queue);
        for at in 1..events.len() {
            let swaps = match (&events[at - 1], &events[at]) {
                (
                    Event::Name {
                        wd: one, hint: first, ..
                    },
                    Event::Name {
                        wd: two,
                        hint: second,
                        ..
                    },
                ) => {
                    let is_pair = matches!((first, second), (Hint::MovedFrom(a), Hint::MovedTo(b)) if a == b);
                    one != two && !is_pair
                }
                _ => false,
            };
            if swaps && self.chance.below(4) == 0 {
                events.swap(at - 1, at);
            }
        }
        events
    }
}
