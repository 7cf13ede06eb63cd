//! What a workspace holds, counted now.
//!
//! Asked by the door for `list` and `show`. What must stay true: every figure is counted in the database or on the
//! disk when it is asked for, and a count that stopped early says so.

use std::path::{Path, PathBuf};

use proto::error::Result;
use proto::workspace::Totals;

use super::folder::Folder;
use super::registry::Registry;
use super::store;
use crate::world::{FileKind, World};

/// The most files looked at for one workspace.
const MOST: usize = 20_000;
/// The most names in one folder.
const MOST_NAMES: usize = 20_000;
/// The deepest folder looked into.
const DEEPEST: usize = 16;

/// The totals of a workspace.
///
/// # Errors
/// When the database cannot be read.
pub(super) fn count(registry: &Registry<'_>, id: &str, folder: &Folder) -> Result<Totals> {
    let mut totals = Totals {
        tasks: (registry.tasks)(id)?,
        ..Totals::default()
    };
    for (space, what) in store::BY_WORKSPACE {
        match what {
            "artifacts" => totals.artifacts = store::count(registry.db, space, id)?,
            "decisions" => totals.decisions = store::count(registry.db, space, id)?,
            _ => {}
        }
    }
    let mut walk = Walk {
        world: registry.world,
        base: &folder.base,
        left: MOST,
        bytes: 0,
        partial: false,
    };
    walk.folder(&folder.relative, 0);
    (totals.bytes, totals.bytes_at_least) = (walk.bytes, walk.partial);
    Ok(totals)
}

struct Walk<'a> {
    world: &'a dyn World,
    base: &'a Path,
    left: usize,
    bytes: u64,
    partial: bool,
}

impl Walk<'_> {
    fn folder(&mut self, relative: &Path, depth: usize) {
        let entries = match self.world.list_beneath(self.base, relative, MOST_NAMES) {
            Ok(entries) => entries,
            Err(error) => {
                self.partial |= error.kind() != std::io::ErrorKind::NotFound;
                return;
            }
        };
        for entry in entries {
            let path: PathBuf = relative.join(&entry.name);
            let Some(left) = self.left.checked_sub(1) else {
                self.partial = true;
                return;
            };
            self.left = left;
            match entry.kind {
                Some(FileKind::Dir) if depth < DEEPEST => self.folder(&path, depth + 1),
                Some(FileKind::Dir) => self.partial = true,
                // A link is no file of ours, and where it leads is not either.
                Some(FileKind::Link | FileKind::Other) => {}
                Some(FileKind::File) | None => match self.world.stat_beneath(self.base, &path) {
                    Ok(stat) if stat.kind == FileKind::File => {
                        self.bytes = self.bytes.saturating_add(stat.size)
                    }
                    Ok(_) => {}
                    Err(_) => self.partial = true,
                },
            }
        }
    }
}
