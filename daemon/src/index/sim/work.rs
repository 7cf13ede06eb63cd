//! What happens on the simulated disk: random operations, and what git would say of the outcome (a plain walk).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::fs::{Fs, Obj, ROOT};
use crate::index::ignore::{Matcher, Rules};
use crate::world::FileKind;
use crate::world::dir::Meta;

const DIRS: [&[u8]; 5] = [b"a", b"b", b"c", b"out", b"x.d"];
const FILES: [&[u8]; 6] = [b"f", b"g", b"h.o", b"k.log", b"a", b"out"];
const PATTERNS: [&str; 12] = [
    "*.o", "*.log", "out", "out/", "/a", "a/b", "!k.log", "*", "!*/", "x.d/*", "**/c", "!out",
];

/// What git's index says of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Entry {
    File,
    Submodule,
}

type Index = BTreeMap<Vec<u8>, Entry>;

/// Path of the project.
pub(super) const PROJECT: &[u8] = b"/r";

/// An empty repository.
pub(super) fn begin(fs: &mut Fs) {
    let project = fs.make(ROOT, b"r", FileKind::Dir);
    fs.make(ROOT, b"t", FileKind::Dir);
    repository(fs, project);
    let git = fs.find(project, b".git").unwrap();
    fs.make(git, b"info", FileKind::Dir);
    write_index(fs, &Index::new());
}

fn repository(fs: &mut Fs, dir: Obj) {
    let git = fs.make(dir, b".git", FileKind::Dir);
    if fs.is_dir(git) {
        fs.make(git, b"objects", FileKind::Dir);
        fs.make(git, b"refs", FileKind::Dir);
        fs.write(git, b"HEAD", b"ref: refs/heads/main\n");
    }
}

pub(super) fn project(fs: &Fs) -> Obj {
    fs.find(ROOT, PROJECT).unwrap()
}

/// Another directory takes the root's place: a new one, with the old one removed or moved away, or one that had it
/// before. For a while there may be none.
fn replace_root(fs: &mut Fs) {
    let aside = fs.find(ROOT, b"t").unwrap();
    if fs.find(ROOT, PROJECT).is_some() {
        match fs.chance.below(2) {
            0 => fs.remove(ROOT, b"r"),
            _ => {
                let free = (0_u8..)
                    .map(|n| vec![b'0' + n])
                    .find(|name| fs.find(aside, name).is_none());
                fs.rename((ROOT, b"r"), (aside, &free.unwrap()));
            }
        }
        if fs.chance.below(3) == 0 {
            return;
        }
    }
    match any_name(fs, aside).filter(|_| fs.chance.below(2) == 0) {
        Some(name) => drop(fs.rename((aside, &name), (ROOT, b"r"))),
        None => begin(fs),
    }
}

/// Has a root there.
pub(super) fn settle_root(fs: &mut Fs) {
    while fs.find(ROOT, PROJECT).is_none() {
        replace_root(fs);
    }
}

/// One random operation.
pub(super) fn step(fs: &mut Fs) {
    fs.steps += 1;
    if fs.find(ROOT, PROJECT).is_none() || fs.chance.below(60) == 0 {
        replace_root(fs);
        return;
    }
    match fs.chance.below(if fs.has_links { 22 } else { 20 }) {
        0..=4 => {
            let (dir, name) = (descend(fs, true), fs.chance.pick(&FILES));
            let data = vec![b'x'; fs.chance.below(50)];
            fs.write(dir, name, &data);
        }
        5 => {
            let dir = descend(fs, true);
            let deep = ["new", "er", "est"].iter().fold(dir, |at, name| {
                if fs.is_dir(at) {
                    fs.make(at, name.as_bytes(), FileKind::Dir)
                } else {
                    at
                }
            });
            if fs.is_dir(deep) {
                fs.write(deep, b"leaf", b"1");
            }
        }
        6 | 7 => {
            let dir = descend(fs, false);
            if let Some(name) = any_name(fs, dir) {
                fs.remove(dir, &name);
            }
        }
        8..=13 => {
            let from = descend(fs, false);
            let Some(name) = any_name(fs, from) else { return };
            let is_dir = fs.find(from, &name).is_some_and(|obj| fs.is_dir(obj));
            let to = descend(fs, true);
            let new = if is_dir {
                fs.chance.pick(&DIRS)
            } else {
                fs.chance.pick(&FILES)
            };
            if fs.rename((from, &name), (to, new)) && fs.chance.below(3) == 0 {
                match fs.find(to, new) {
                    Some(obj) if is_dir => fs.write(obj, b"after", b"1"),
                    // `mv foo bar && ln -s bar foo`
                    _ => drop(fs.make(from, &name, FileKind::Link)),
                }
            }
        }
        14 => {
            let (dir, name) = (descend(fs, true), fs.chance.pick(&FILES));
            fs.make(dir, name, FileKind::Link);
        }
        15 | 16 => {
            let lines: Vec<&str> = (0..fs.chance.below(4))
                .map(|_| fs.chance.pick(&PATTERNS))
                .collect();
            let text = lines.join("\n");
            if fs.chance.below(4) == 0 {
                let info = fs.find(ROOT, b"r/.git/info").unwrap();
                fs.write(info, b"exclude", text.as_bytes());
            } else {
                let dir = descend(fs, false);
                fs.write(dir, b".gitignore", text.as_bytes());
            }
        }
        17 | 18 => track(fs),
        20 => {
            let mut files = all_files(fs, project(fs), Vec::new());
            // One that hides itself has no place in the tree by which another of its names could lead to it.
            files.retain(|path| !path.ends_with(b".gitignore"));
            if !files.is_empty() {
                let path = &files[fs.chance.below(files.len())];
                let obj = fs.find(project(fs), path).unwrap();
                let (to, new) = (descend(fs, true), fs.chance.pick(&FILES));
                fs.link(obj, (to, new));
            }
        }
        21 => track_folder(fs),
        _ => {
            let dir = descend(fs, false);
            if dir == project(fs) {
                return;
            }
            if fs.chance.below(2) == 0 {
                repository(fs, dir)
            } else {
                fs.remove(dir, b".git")
            }
        }
    }
}

/// A directory of the project some way down; made on the way when `make`.
fn descend(fs: &mut Fs, make: bool) -> Obj {
    let mut at = project(fs);
    for _ in 0..fs.chance.below(4) {
        let name = fs.chance.pick(&DIRS);
        match fs.find(at, name) {
            Some(next) if fs.is_dir(next) => at = next,
            None if make => at = fs.make(at, name, FileKind::Dir),
            _ => {}
        }
    }
    at
}

fn any_name(fs: &mut Fs, dir: Obj) -> Option<Vec<u8>> {
    let names: Vec<Vec<u8>> = fs
        .get(dir)
        .children
        .keys()
        .filter(|name| *name != b".git")
        .cloned()
        .collect();
    (!names.is_empty()).then(|| names[fs.chance.below(names.len())].clone())
}

/// Adds to or removes from git's index, as git does: a new file renamed over the old one.
fn track(fs: &mut Fs) {
    let mut index = read_index(fs);
    let files: Vec<Vec<u8>> = all_files(fs, project(fs), Vec::new());
    if let Some(path) = (!files.is_empty()).then(|| files[fs.chance.below(files.len())].clone())
        && fs.chance.below(3) > 0
    {
        add(&mut index, path, Entry::File);
    } else if !index.is_empty() {
        let at = fs.chance.below(index.len());
        let path = index.keys().nth(at).cloned().unwrap();
        index.remove(&path);
    }
    write_index(fs, &index);
}

/// Adds a folder as a submodule, whether a repository is in it (yet) or not.
fn track_folder(fs: &mut Fs) {
    let mut at = project(fs);
    let mut path = Vec::new();
    for _ in 0..1 + fs.chance.below(3) {
        let name = fs.chance.pick(&DIRS);
        let Some(next) = fs.find(at, name).filter(|&next| fs.is_dir(next)) else {
            continue;
        };
        at = next;
        path.extend_from_slice(if path.is_empty() { b"" } else { b"/" });
        path.extend_from_slice(name);
    }
    if !path.is_empty() {
        let mut index = read_index(fs);
        add(&mut index, path, Entry::Submodule);
        write_index(fs, &index);
    }
}

/// Git's index holds nothing beneath a submodule.
fn add(index: &mut Index, path: Vec<u8>, entry: Entry) {
    let lies_in = |path: &[u8], dir: &[u8]| {
        path.strip_prefix(dir)
            .is_some_and(|rest| rest.first() == Some(&b'/'))
    };
    index.retain(|other, is| {
        let is_above = *is == Entry::Submodule && lies_in(&path, other);
        let is_beneath = entry == Entry::Submodule && lies_in(other, &path);
        !is_above && !is_beneath
    });
    index.insert(path, entry);
}

fn all_files(fs: &Fs, dir: Obj, prefix: Vec<u8>) -> Vec<Vec<u8>> {
    let mut files = Vec::new();
    for (name, &obj) in fs.get(dir).children.iter().filter(|(name, _)| *name != b".git") {
        let path = [prefix.as_slice(), name].concat();
        if fs.is_dir(obj) {
            files.extend(all_files(fs, obj, [path.as_slice(), b"/"].concat()));
        } else {
            files.push(path);
        }
    }
    files
}

fn write_index(fs: &mut Fs, index: &Index) {
    let mut file = b"DIRC\0\0\0\x02".to_vec();
    file.extend(u32::try_from(index.len()).unwrap().to_be_bytes());
    for (path, entry) in index {
        let start = file.len();
        file.extend([0; 24]);
        let mode: u32 = match entry {
            Entry::File => 0o100_644,
            Entry::Submodule => 0o160_000,
        };
        file.extend(mode.to_be_bytes());
        file.extend([0; 32]);
        file.extend(u16::try_from(path.len()).unwrap().to_be_bytes());
        file.extend(path);
        file.extend(vec![0; 8 - (file.len() - start) % 8]);
    }
    let git = fs.find(ROOT, b"r/.git").unwrap();
    fs.write(git, b"index.lock", &file);
    fs.rename((git, b"index.lock"), (git, b"index"));
}

fn read_index(fs: &Fs) -> Index {
    let file = &fs.get(fs.find(ROOT, b"r/.git/index").unwrap()).data;
    let entries = crate::index::gitindex::Entries::parse(file, 20).unwrap();
    let entry = |n| match entries.is_link(n) {
        true => Entry::Submodule,
        false => Entry::File,
    };
    (0..entries.len())
        .map(|n| (entries.get(n).to_vec(), entry(n)))
        .collect()
}

/// What git would show, by a plain walk that knows no events.
pub(super) fn oracle(fs: &Fs) -> BTreeMap<Vec<u8>, Meta> {
    walk(fs).0
}

/// A name that is not shown, or was gone before anybody could look, tells nothing of what was done by it (SPEC 6): then
/// somebody looks at the other names as well. What was done by a name that was shown before, or is now, must be found.
pub(super) fn tell_what_was_done_unseen(fs: &mut Fs) {
    let done = std::mem::take(&mut fs.by_one_name);
    if done.is_empty() {
        return;
    }
    let shown = walk(fs).1;
    for (dir, name, obj) in done {
        let is_there = fs.find(dir, &name) == Some(obj);
        let name = (dir, name);
        let is_shown = is_there && shown.contains(&name);
        if !is_shown && !fs.known_names.contains(&name) {
            fs.tell_every_name(obj);
        }
    }
}

/// After a sync.
pub(super) fn note_names(fs: &mut Fs) {
    fs.known_names = walk(fs).1;
}

/// Directories and names in them.
type Names = BTreeSet<(Obj, Vec<u8>)>;

fn walk(fs: &Fs) -> (BTreeMap<Vec<u8>, Meta>, Names) {
    let Some(project) = fs.find(ROOT, PROJECT) else {
        return Default::default();
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
        shown: BTreeMap::new(),
        names: BTreeSet::new(),
    };
    walk.dir(project, &mut Vec::new(), &rules, false);
    (walk.shown, walk.names)
}

struct Walk<'a> {
    fs: &'a Fs,
    tracked: &'a Index,
    shown: BTreeMap<Vec<u8>, Meta>,
    names: BTreeSet<(Obj, Vec<u8>)>,
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
            Some(thing) if thing.meta.kind == FileKind::File => {
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
                    self.shown.insert(path.clone(), self.fs.get(obj).meta);
                    self.names.insert((dir, name.clone()));
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
                self.shown.insert(path.clone(), there);
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
                self.shown.insert([path.as_slice(), b"/"].concat(), there);
                continue;
            }
            path.push(b'/');
            self.dir(obj, path, &rules, hidden);
        }
        path.truncate(start);
    }
}
