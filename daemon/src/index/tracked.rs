//! What git's index adds to the rules: tracked paths that the rules alone would hide, and submodules.
//!
//! Asked by the crawl and by the engine. During a full look it holds the whole index; afterwards only the paths that
//! are not in the tree by the rules ("forced"), so that a tree of many tracked files costs nothing here; where
//! `core.ignoreCase` is set all names are kept besides. What must stay true: a path that is tracked and hidden by the rules is in here, whether it exists on disk or not.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::ops::Bound;

use super::gitindex::Entries;
use super::saved::bytes::{Reader, Writer};
use super::tree::{Kind, Tree};
use super::wildmatch::Case;

type Path = Box<[u8]>;

/// The tracked paths that matter.
#[derive(Debug, Default)]
pub(super) struct Tracked {
    whole: Option<Entries>,
    forced: BTreeSet<Path>,
    links: BTreeSet<Path>,
    /// Folders whose ignore file need not be in the checkout, and its id in git's store.
    stored: BTreeMap<Path, Path>,
    /// Directories that the index holds as one entry each.
    sparse: BTreeSet<Path>,
    /// Where git knows no case: all there is.
    folded: Option<Box<Folded>>,
    /// What was known before this index was read.
    before: Option<Box<Tracked>>,
}

/// All of an index, by names as they are and by names in lower case.
#[derive(Debug, Default, PartialEq, Eq)]
struct Folded {
    exact: HashSet<Path>,
    files: HashSet<Path>,
    /// Directories above them.
    dirs: HashSet<Path>,
    links: HashSet<Path>,
}

impl Folded {
    fn of(entries: &Entries) -> Box<Self> {
        let mut all = Self::default();
        for number in 0..entries.len() {
            let path = entries.get(number);
            let lower = path.to_ascii_lowercase();
            let mut end = lower.len();
            while let Some(slash) = lower[..end].iter().rposition(|&byte| byte == b'/') {
                if !all.dirs.insert(lower[..slash].into()) {
                    break;
                }
                end = slash;
            }
            if entries.is_link(number) {
                all.links.insert(lower.as_slice().into());
            }
            all.exact.insert(path.into());
            all.files.insert(lower.into());
        }
        Box::new(all)
    }
}

impl Tracked {
    /// All of an index.
    #[must_use]
    pub(super) fn whole(entries: Entries, case: Case) -> Self {
        let links = (0..entries.len())
            .filter(|&n| entries.is_link(n))
            .map(|n| entries.get(n).into())
            .collect();
        let folder = |path: &[u8]| Path::from(path.strip_suffix(b".gitignore").map_or(path, without_slash));
        let stored = entries.ignores().iter();
        let sparse = entries.sparse().iter();
        Self {
            stored: stored.map(|(path, id)| (folder(path), id.clone())).collect(),
            sparse: sparse.map(|(dir, _)| dir.as_slice().into()).collect(),
            folded: (case == Case::Folded).then(|| Folded::of(&entries)),
            whole: Some(entries),
            links,
            ..Self::default()
        }
    }

    /// Writes what [`Tracked::narrow`] has left, for a saved index.
    pub(super) fn save(&self, writer: &mut Writer) {
        for paths in [&self.forced, &self.links] {
            writer.count(paths.len());
            paths.iter().for_each(|path| writer.text(path));
        }
    }

    /// Reads what [`Tracked::save`] wrote.
    pub(super) fn load(reader: &mut Reader<'_>) -> Option<Self> {
        let mut paths = || {
            let count = reader.count(8)?;
            (0..count)
                .map(|_| reader.text().map(Path::from))
                .collect::<Option<BTreeSet<Path>>>()
        };
        Some(Self {
            forced: paths()?,
            links: paths()?,
            ..Self::default()
        })
    }

    /// Whether the whole index is at hand, so that an answer is right for every path.
    #[must_use]
    pub(super) fn is_whole(&self) -> bool {
        self.whole.is_some()
    }

    /// Keeps what was known before, for [`Tracked::narrow`] to compare with.
    pub(super) fn remember(&mut self, before: Self) {
        self.before = Some(Box::new(before));
    }

    /// Whether the path is tracked (and hidden by the rules, once narrowed).
    #[must_use]
    pub(super) fn has(&self, path: &[u8]) -> bool {
        match &self.whole {
            Some(entries) => {
                let at = entries.lower_bound(path);
                at < entries.len() && entries.get(at) == path
            }
            None => self.forced.contains(path),
        }
    }

    /// Whether something tracked lies beneath the directory.
    #[must_use]
    pub(super) fn has_beneath(&self, dir: &[u8]) -> bool {
        let prefix = [dir, b"/"].concat();
        let begins = |paths: &BTreeSet<Path>| {
            let from = (Bound::Included(prefix.as_slice()), Bound::Unbounded);
            let next = paths.range::<[u8], _>(from).next();
            next.is_some_and(|path| path.starts_with(&prefix))
        };
        if self.is_sparse(dir) || begins(&self.sparse) {
            return true;
        }
        match &self.whole {
            Some(entries) => {
                let at = entries.lower_bound(&prefix);
                at < entries.len() && entries.get(at).starts_with(&prefix)
            }
            None => begins(&self.forced),
        }
    }

    /// The id in git's store of a folder's ignore file, when that need not be in the checkout.
    #[must_use]
    pub(super) fn stored(&self, dir: &[u8]) -> Option<&[u8]> {
        self.stored.get(dir).map(|id| &**id)
    }

    /// Folders whose ignore file in git's store is another one than before this index was read.
    pub(super) fn stored_anew(&self) -> Vec<Vec<u8>> {
        let none = BTreeMap::new();
        let before = self.before.as_ref().map_or(&none, |before| &before.stored);
        let all = before.keys().chain(self.stored.keys());
        let is_other = |dir: &&Path| before.get(*dir) != self.stored.get(*dir);
        all.filter(is_other).map(|dir| dir.to_vec()).collect()
    }

    /// Whether the index holds a directory as one entry, so that what is tracked in it is not known.
    #[must_use]
    pub(super) fn is_sparse(&self, dir: &[u8]) -> bool {
        self.sparse.contains(dir)
    }

    /// Whether an answer may need more than is kept of the index: what is saved must be read again.
    #[must_use]
    pub(super) fn has_more(&self) -> bool {
        !self.stored.is_empty() || !self.sparse.is_empty()
    }

    /// Whether something beneath the directory was shown only because it was tracked, before this index was read.
    #[must_use]
    pub(super) fn had_beneath(&self, dir: &[u8]) -> bool {
        self.before.as_ref().is_some_and(|before| before.has_beneath(dir))
    }

    /// Whether git takes a name for another one that is tracked and differs in case alone, and therefore does not show it.
    #[must_use]
    pub(super) fn has_in_other_case(&self, path: &[u8]) -> bool {
        self.folded.as_ref().is_some_and(|all| {
            !all.exact.contains(path) && all.files.contains(path.to_ascii_lowercase().as_slice())
        })
    }

    /// Whether git takes a directory for a submodule whose name differs in case alone.
    #[must_use]
    pub(super) fn has_link_in_other_case(&self, dir: &[u8]) -> bool {
        self.folded.as_ref().is_some_and(|all| {
            let lower = dir.to_ascii_lowercase();
            !all.exact.contains(dir)
                && all.links.contains(lower.as_slice())
                && !all.dirs.contains(lower.as_slice())
        })
    }

    /// Whether something tracked lies beneath the directory, in whatever case.
    #[must_use]
    pub(super) fn has_beneath_in_any_case(&self, dir: &[u8]) -> bool {
        let is_dir = |all: &Folded| all.dirs.contains(dir.to_ascii_lowercase().as_slice());
        self.folded.as_deref().is_some_and(is_dir) || self.has_beneath(dir)
    }

    /// Whether case is not told apart.
    #[must_use]
    pub(super) fn is_folded(&self) -> bool {
        self.folded.is_some()
    }

    /// Whether other names than in another index are taken for tracked ones.
    #[must_use]
    pub(super) fn folds_as(&self, other: &Self) -> bool {
        self.folded == other.folded
    }

    /// Whether the path is a submodule.
    #[must_use]
    pub(super) fn is_link(&self, path: &[u8]) -> bool {
        self.links.contains(path)
    }

    /// Keeps what is not in the tree by the rules. To be called when the tree holds what is on disk. Returns the paths of
    /// which something else is known than before.
    pub(super) fn narrow(&mut self, tree: &Tree) -> Vec<Vec<u8>> {
        let Some(entries) = self.whole.take() else {
            return Vec::new();
        };
        let all = (0..entries.len()).map(|n| entries.get(n));
        self.forced = all
            .filter(|&path| self.links.contains(path) || !is_shown_by_rules(tree, path))
            .map(Path::from)
            .collect();
        let Some(before) = self.before.take() else {
            return Vec::new();
        };
        let forced = self.forced.symmetric_difference(&before.forced);
        forced
            .chain(self.links.symmetric_difference(&before.links))
            .map(|path| path.to_vec())
            .collect()
    }
}

fn without_slash(path: &[u8]) -> &[u8] {
    path.strip_suffix(b"/").unwrap_or(path)
}

/// A submodule never is: what is on disk is a directory, and the index alone makes it one entry. It is not asked about,
/// because what it was before has its place in the tree until the batch ends.
fn is_shown_by_rules(tree: &Tree, path: &[u8]) -> bool {
    let is_plain = |id| !matches!(tree.kind(id), Kind::Dir | Kind::Nested | Kind::Submodule);
    tree.find(path)
        .is_some_and(|id| !tree.is_forced(id) && is_plain(id))
}
