//! The list of files, in the order of their bytes, held compactly: all, those that a glob chooses, or a page of them.
//!
//! What must stay true: a path looks exactly as git prints it, with the slash after a nested repository; a page costs
//! what it shows and what follows it, never what was shown before.

use proto::RawPath;
use proto::index::{Change, ChangeKind};

use super::glob::{Glob, Reach};
use super::journal;
use super::tree::{Id, Kind, Tree};

/// Paths as of one clock, held compactly.
#[derive(Clone, Debug, Default)]
pub struct FileList {
    bytes: Vec<u8>,
    ends: Vec<usize>,
    left: u64,
}

/// What is wished of a tree.
#[derive(Debug)]
pub(super) struct Wish<'a> {
    pub(super) glob: Option<&'a Glob>,
    /// Only what comes after this path.
    pub(super) after: Option<&'a [u8]>,
    /// No more than so many.
    pub(super) limit: usize,
}

/// An entry that may be shown, or something beneath it.
type Entry = (Id, Option<Reach>);

impl Wish<'_> {
    /// Everything.
    pub(super) const ALL: Wish<'static> = Wish {
        glob: None,
        after: None,
        limit: usize::MAX,
    };

    fn start(&self) -> Option<Reach> {
        self.glob.map(Glob::start)
    }

    /// What there may be to show in a directory, the last first: in the order of their paths' bytes, in which a
    /// directory's name has its slash.
    fn entries(&self, tree: &Tree, dir: Entry, path: &mut Vec<u8>) -> Vec<Entry> {
        let mut entries = self.chosen(tree, dir, path);
        let key = |id: Id| {
            let slash: &[u8] = if matches!(tree.kind(id), Kind::Dir | Kind::Nested) {
                b"/"
            } else {
                b""
            };
            tree.name(id).iter().chain(slash)
        };
        entries.sort_unstable_by(|&(one, _), &(two, _)| key(two).cmp(key(one)));
        entries
    }

    /// The same in no order. `path` is that of the directory, with its slash.
    fn chosen(&self, tree: &Tree, (id, reach): Entry, path: &mut Vec<u8>) -> Vec<Entry> {
        let (Some(glob), Some(reach)) = (self.glob, reach.filter(|reach| *reach != Reach::All)) else {
            return tree.children(id).map(|id| (id, None)).collect();
        };
        let length = path.len();
        let mut judge = |id: Id| {
            path.truncate(length);
            path.extend_from_slice(tree.name(id));
            match tree.kind(id) {
                Kind::Dir => glob
                    .judge(reach, (path, length), true)
                    .below
                    .map(|below| (id, Some(below))),
                kind => glob
                    .judge(reach, (path, length), kind == Kind::Nested)
                    .is_match
                    .then_some((id, None)),
            }
        };
        match glob.only_name(reach) {
            Some(name) => tree.child(id, name).and_then(&mut judge).into_iter().collect(),
            None => tree.children(id).filter_map(judge).collect(),
        }
    }
}

/// How much there is to show in these and beneath them.
fn count(tree: &Tree, wish: &Wish<'_>, entries: Vec<Entry>, path: &mut Vec<u8>) -> u64 {
    let (mut count, begin) = (0, path.len());
    let mut stack = vec![(entries, begin)];
    while let Some((entries, length)) = stack.last_mut() {
        path.truncate(*length);
        let Some((id, below)) = entries.pop() else {
            stack.pop();
            continue;
        };
        if tree.kind(id) != Kind::Dir {
            count += 1;
            continue;
        }
        path.extend_from_slice(tree.name(id));
        path.push(b'/');
        let length = path.len();
        stack.push((wish.chosen(tree, (id, below), path), length));
    }
    path.truncate(begin);
    count
}

impl FileList {
    /// All that a tree shows, or what is wished of it.
    pub(super) fn of(tree: &Tree, wish: &Wish<'_>) -> Self {
        let mut list = Self::default();
        list.add(tree, wish);
        list
    }

    fn add(&mut self, tree: &Tree, wish: &Wish<'_>) {
        let mut path = Vec::new();
        // Not by recursion: a hostile project may be thousands of levels deep.
        let mut stack = vec![(wish.entries(tree, (Tree::ROOT, wish.start()), &mut path), 0)];
        let mut after = wish.after;
        while let Some((entries, length)) = stack.last_mut() {
            path.truncate(*length);
            let Some((id, below)) = entries.pop() else {
                stack.pop();
                continue;
            };
            path.extend_from_slice(tree.name(id));
            let kind = tree.kind(id);
            if matches!(kind, Kind::Dir | Kind::Nested) {
                path.push(b'/');
            }
            if after.is_some_and(|after| path.as_slice() <= after) {
                // Only a directory that the page began in goes on.
                if kind != Kind::Dir || !after.is_some_and(|after| after.starts_with(&path)) {
                    continue;
                }
            }
            if kind == Kind::Dir {
                let length = path.len();
                stack.push((wish.entries(tree, (id, below), &mut path), length));
                continue;
            }
            after = None;
            if self.ends.len() == wish.limit {
                self.left += 1;
                for (entries, length) in stack.into_iter().rev() {
                    path.truncate(length);
                    self.left += count(tree, wish, entries, &mut path);
                }
                return;
            }
            self.bytes.extend_from_slice(&path);
            self.ends.push(self.bytes.len());
        }
    }

    /// How many more there would have been.
    #[must_use]
    pub fn left(&self) -> u64 {
        self.left
    }

    /// Number of paths.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Each path, relative to the root.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts
            .zip(&self.ends)
            .map(|(start, &end)| &self.bytes[start..end])
    }

    /// The paths in parts of about `bytes` bytes, as they go over the wire.
    pub fn chunks(&self, bytes: usize) -> impl Iterator<Item = Vec<RawPath>> {
        let mut paths = self.iter().peekable();
        std::iter::from_fn(move || {
            paths.peek()?;
            let mut part = Vec::new();
            let mut size = 0;
            while size < bytes {
                let Some(path) = paths.next() else { break };
                size += path.len() + 2;
                part.push(RawPath::from(path));
            }
            Some(part)
        })
    }
}

/// All that a tree shows, as created.
pub(super) fn everything(tree: &Tree) -> Vec<Change> {
    let list = FileList::of(tree, &Wish::ALL);
    let nodes = list
        .iter()
        .map(|path| (path, tree.find(path.strip_suffix(b"/").unwrap_or(path))));
    nodes
        .filter_map(|(path, id)| {
            id.map(|id| journal::change(tree, id, ChangeKind::Created, (path.to_vec(), None)))
        })
        .collect()
}
