//! What happens on the simulated disk: random operations.
//!
//! What must stay true: git's index is always one that git could have written.

use std::collections::BTreeMap;

use super::fs::{Fs, Obj, ROOT};
use super::oracle;
use crate::world::FileKind;

const DIRS: [&[u8]; 5] = [b"a", b"b", b"c", b"out", b"x.d"];
const FILES: [&[u8]; 6] = [b"f", b"g", b"h.o", b"k.log", b"a", b"out"];
const PATTERNS: [&str; 12] = [
    "*.o", "*.log", "out", "out/", "/a", "a/b", "!k.log", "*", "!*/", "x.d/*", "**/c", "!out",
];

/// What git's index says of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Entry {
    File,
    Submodule,
}

pub(super) type Index = BTreeMap<Vec<u8>, Entry>;

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
    } else {
        let kind = fs.chance.below(if fs.has_links { 22 } else { 20 });
        act(fs, kind);
        if matches!(kind, 0..=5 | 14) {
            // Nothing is hidden by what is new.
            return;
        }
    }
    if fs.has_links {
        oracle::forget_names(fs);
    }
}

fn act(fs: &mut Fs, kind: usize) {
    match kind {
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
    let project = project(fs);
    if let Some(near) = fs.near
        && fs.chance.below(2) == 0
        && is_of(fs, project, near)
    {
        return near;
    }
    let mut at = project;
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

/// Whether a directory is one of a project's, and none of git's.
fn is_of(fs: &Fs, project: Obj, dir: Obj) -> bool {
    let mut children = fs.get(project).children.iter();
    project == dir
        || children.any(|(name, &child)| name != b".git" && fs.is_dir(child) && is_of(fs, child, dir))
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

pub(super) fn read_index(fs: &Fs) -> Index {
    let Some(file) = fs.find(ROOT, b"r/.git/index").map(|obj| &fs.get(obj).data) else {
        return Index::new();
    };
    let entries = crate::index::gitindex::Entries::parse(file, 20).unwrap();
    let entry = |n| match entries.is_link(n) {
        true => Entry::Submodule,
        false => Entry::File,
    };
    (0..entries.len())
        .map(|n| (entries.get(n).to_vec(), entry(n)))
        .collect()
}
