//! The list of files, in the order of their bytes, held compactly; and the globs that choose among them.
//!
//! What must stay true: a path looks exactly as git prints it, with the slash after a nested repository.

use std::path::Path;

use ::ignore::gitignore::{Gitignore, GitignoreBuilder};
use proto::index::{Change, ChangeKind};
use proto::{Error, RawPath};

use super::journal;
use super::tree::{Id, Kind, Tree};

/// Paths as of one clock, held compactly.
#[derive(Clone, Debug, Default)]
pub struct FileList {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl FileList {
    /// All that a tree shows, or what matches.
    pub(super) fn of(tree: &Tree, glob: Option<&Glob>) -> Self {
        let mut list = Self::default();
        let mut path = Vec::new();
        list.add(tree, Tree::ROOT, &mut path, glob);
        list
    }

    fn add(&mut self, tree: &Tree, root: Id, path: &mut Vec<u8>, glob: Option<&Glob>) {
        // Not by recursion: a hostile project may be thousands of levels deep.
        let mut stack = vec![(sorted(tree, root), 0)];
        while let Some((children, length)) = stack.last_mut() {
            path.truncate(*length);
            let Some(id) = children.pop() else {
                stack.pop();
                continue;
            };
            path.extend_from_slice(tree.name(id));
            match tree.kind(id) {
                Kind::Dir => {
                    path.push(b'/');
                    let length = path.len();
                    stack.push((sorted(tree, id), length));
                    continue;
                }
                Kind::Nested => path.push(b'/'),
                _ => {}
            }
            if glob.is_none_or(|glob| glob.matches(path)) {
                self.bytes.extend_from_slice(path);
                self.ends.push(self.bytes.len());
            }
        }
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

/// The children in reverse order of their paths' bytes, in which a directory's name has its slash.
fn sorted(tree: &Tree, id: Id) -> Vec<Id> {
    let mut children: Vec<Id> = tree.children(id).collect();
    let key = |id: Id| {
        let slash: &[u8] = if matches!(tree.kind(id), Kind::Dir | Kind::Nested) {
            b"/"
        } else {
            b""
        };
        tree.name(id).iter().chain(slash)
    };
    children.sort_unstable_by(|&one, &two| key(two).cmp(key(one)));
    children
}

/// A gitignore-style glob, relative to the root: a name matches at any depth, a folder stands for all in it.
#[derive(Debug)]
pub(super) struct Glob(Gitignore);

impl Glob {
    pub(super) fn parse(text: &str) -> Result<Self, Error> {
        let refuse = |error: ::ignore::Error| Error::usage(format!("`{text}` is not a glob")).why(error);
        if let Some(why) = matches_nothing(text) {
            return Err(Error::usage(format!("`{text}` is not a glob")).why(why));
        }
        let mut builder = GitignoreBuilder::new("");
        builder.add_line(None, text).map_err(refuse)?;
        Ok(Self(builder.build().map_err(refuse)?))
    }

    fn matches(&self, path: &[u8]) -> bool {
        use std::os::unix::ffi::OsStrExt;
        let (path, is_dir) = match path.strip_suffix(b"/") {
            Some(path) => (path, true),
            None => (path, false),
        };
        let path = Path::new(std::ffi::OsStr::from_bytes(path));
        self.0.matched_path_or_any_parents(path, is_dir).is_ignore()
    }
}

/// Why a glob can match no file, when that is so: it was meant otherwise.
fn matches_nothing(text: &str) -> Option<&'static str> {
    match text.trim() {
        "" | "/" | "!" => Some("it is empty"),
        text if text.starts_with('#') => Some("it begins with `#`, as a comment does; write `\\#`"),
        text if text.starts_with('!') => {
            Some("it begins with `!`, and there is nothing to take away from; write `\\!`")
        }
        _ if has_open_class(text.as_bytes()) => Some("a `[` has no `]`; write `\\[` for the letter"),
        _ => None,
    }
}

fn has_open_class(mut text: &[u8]) -> bool {
    while let Some((&byte, rest)) = text.split_first() {
        text = match byte {
            b'\\' => rest.get(1..).unwrap_or_default(),
            b'[' => {
                let rest = rest
                    .strip_prefix(b"!")
                    .or(rest.strip_prefix(b"^"))
                    .unwrap_or(rest);
                // Directly behind the bracket it is a letter.
                match rest.iter().skip(1).position(|&byte| byte == b']') {
                    Some(end) => &rest[end + 2..],
                    None => return true,
                }
            }
            _ => rest,
        };
    }
    false
}

/// All that a tree shows, as created.
pub(super) fn everything(tree: &Tree) -> Vec<Change> {
    let list = FileList::of(tree, None);
    let nodes = list
        .iter()
        .map(|path| (path, tree.find(path.strip_suffix(b"/").unwrap_or(path))));
    nodes
        .filter_map(|(path, id)| {
            id.map(|id| journal::change(tree, id, ChangeKind::Created, (path.to_vec(), None)))
        })
        .collect()
}
