//! What git would say of the simulated disk: a plain walk that knows no events, and of which changes somebody must hear.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::fs::{Done, Fs, Name, Obj, ROOT};
use super::work::{Entry, Index, PROJECT, read_index};
use crate::index::ignore::{Matcher, Rules};
use crate::world::FileKind;
use crate::world::dir::Meta;

/// What whoever looked at the last sync knows since.
#[derive(Debug, Default)]
pub(super) struct Known {
    pub(super) names: BTreeSet<Name>,
    dirs: BTreeSet<Obj>,
}

/// What git would show.
pub(super) fn shown(fs: &Fs) -> BTreeMap<Vec<u8>, Meta> {
    walk(fs).shown
}

/// Has somebody look at a file by all its names where what was done by one of them tells nothing (SPEC 6): nobody could
/// have seen the name in the tree before, and it is not there now. All else must be found.
pub(super) fn tell_what_was_done_unseen(fs: &mut Fs) {
    let done = std::mem::take(&mut fs.by_one_name);
    if done.is_empty() {
        return;
    }
    let shown = walk(fs).names;
    for Done { name, was_known } in done {
        if !was_known && !shown.contains(&name) {
            fs.tell_every_name(name.2);
        }
    }
}

/// After a sync.
pub(super) fn note_names(fs: &mut Fs) {
    let found = walk(fs);
    fs.known = Known {
        names: found.names,
        dirs: found.above.into_keys().collect(),
    };
}

/// After a step that may have hidden names, or carried them to where nobody looked yet: out of the tree, or with their
/// directory into a new one. Whoever looks then knows them no more, and what is done by them there tells nothing until they
/// are seen again.
pub(super) fn forget_names(fs: &mut Fs) {
    let found = walk(fs);
    let Known { names, dirs } = &mut fs.known;
    let is_known = |&(dir, ..): &Name| {
        let mut above = std::iter::successors(Some(dir), |dir| found.above.get(dir).copied().flatten());
        above.all(|dir| dirs.contains(&dir))
    };
    names.retain(|name| found.names.contains(name) && is_known(name));
}

fn walk(fs: &Fs) -> Found {
    let Some(project) = fs.find(ROOT, PROJECT) else {
        return Found::default();
    };
    let exclude = fs
        .find(ROOT, b"r/.git/info/exclude")
        .map(|obj| fs.get(obj).data.clone());
    let rules = match exclude {
        Some(data) => Rules::default().with(Arc::new(Matcher::parse(data)), 0),
        None => Rules::default(),
    };
    let tracked = read_index(fs);
    let mut walk = Walk {
        fs,
        tracked: &tracked,
        is_git: fs.find(project, b".git").is_some(),
        found: Found::default(),
    };
    walk.found.above.insert(project, None);
    walk.dir(project, &mut Vec::new(), &rules, false);
    walk.found
}

/// What a walk finds.
#[derive(Default)]
struct Found {
    /// By path.
    shown: BTreeMap<Vec<u8>, Meta>,
    names: BTreeSet<Name>,
    /// The directories, each with the one that it lies in.
    above: BTreeMap<Obj, Option<Obj>>,
}

struct Walk<'a> {
    fs: &'a Fs,
    tracked: &'a Index,
    is_git: bool,
    found: Found,
}

impl Walk<'_> {
    fn has_beneath(&self, path: &[u8]) -> bool {
        let prefix = [path, b"/"].concat();
        self.tracked.keys().any(|path| path.starts_with(&prefix))
    }

    fn is_repository(&self, dir: Obj) -> bool {
        let Some(git) = self.fs.find(dir, b".git").filter(|&git| self.fs.is_dir(git)) else {
            return false;
        };
        [b"HEAD".as_slice(), b"objects", b"refs"]
            .iter()
            .all(|name| self.fs.find(git, name).is_some())
    }

    fn dir(&mut self, dir: Obj, path: &mut Vec<u8>, outer: &Rules, excluded: bool) {
        let start = path.len();
        let rules = match self.fs.find(dir, b".gitignore").map(|obj| self.fs.get(obj)) {
            // Without a repository nothing is ignored.
            Some(thing) if self.is_git && thing.meta.kind == FileKind::File => {
                outer.with(Arc::new(Matcher::parse(thing.data.clone())), start)
            }
            _ => outer.clone(),
        };
        for (name, &obj) in self
            .fs
            .get(dir)
            .children
            .iter()
            .filter(|(name, _)| *name != b".git")
        {
            path.truncate(start);
            path.extend_from_slice(name);
            let is_dir = self.fs.is_dir(obj);
            let hidden = excluded || rules.hide(path, is_dir);
            if !is_dir {
                if !hidden || self.tracked.contains_key(path.as_slice()) {
                    self.found.shown.insert(path.clone(), self.fs.get(obj).meta);
                    self.found.names.insert((dir, name.clone(), obj));
                }
                continue;
            }
            // What lies in it is its own.
            let there = Meta {
                mode: 0,
                size: 0,
                mtime: 0,
                ctime: 0,
                ..self.fs.get(obj).meta
            };
            if self.tracked.get(path.as_slice()) == Some(&Entry::Submodule) {
                self.found.shown.insert(path.clone(), there);
                continue;
            }
            let beneath = self.has_beneath(path);
            if hidden && !beneath {
                continue;
            }
            if !beneath && self.is_repository(obj) {
                if self.tracked.contains_key(path.as_slice()) {
                    continue;
                }
                self.found.shown.insert([path.as_slice(), b"/"].concat(), there);
                continue;
            }
            path.push(b'/');
            self.found.above.insert(obj, Some(dir));
            self.dir(obj, path, &rules, hidden);
        }
        path.truncate(start);
    }
}
