//! The fake's calls beneath a root: no link is followed, and a rename moves all that lies below.
//!
//! `fake` asks. What must stay true: it is stricter than the real world, never more lenient, so that what passes here
//! passes there.

use std::io;
use std::path::{Path, PathBuf};

use super::FakeWorld;
use crate::world::FileKind;

impl FakeWorld {
    /// Refuses a path that leaves its root and one that meets a link.
    pub(super) fn no_links(&self, root: &Path, relative: &Path) -> io::Result<()> {
        let plain = |part: std::path::Component<'_>| matches!(part, std::path::Component::Normal(_));
        if !relative.components().all(plain) {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let inner = self.inner();
        for above in root.join(relative).ancestors().take_while(|at| *at != root) {
            let kind = inner.nodes.get(above).map(|node| node.stat.kind);
            if kind == Some(FileKind::Link) {
                let what = format!("`{}` is a symbolic link", above.display());
                return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
            }
        }
        Ok(())
    }

    pub(super) fn renamed(&self, path: &Path, new_name: &Path) -> io::Result<()> {
        let mut inner = self.enter(path)?;
        let to = path.with_file_name(new_name);
        if inner.nodes.contains_key(&to) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        inner.node(path)?;
        let moved: Vec<PathBuf> = inner
            .nodes
            .keys()
            .filter(|at| at.starts_with(path))
            .cloned()
            .collect();
        for from in moved {
            if let (Some(node), Ok(rest)) = (inner.nodes.remove(&from), from.strip_prefix(path)) {
                let place = if rest.as_os_str().is_empty() {
                    to.clone()
                } else {
                    to.join(rest)
                };
                inner.nodes.insert(place, node);
            }
        }
        if let Some(parent) = to.parent() {
            inner.touch(parent);
        }
        Ok(())
    }
}
