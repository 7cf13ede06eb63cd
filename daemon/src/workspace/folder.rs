//! The folder of a project's things: where it is, how it is made, what `workspace.json` in it says.
//!
//! Asked by `registry` and the doors. What must stay true: it is made by the first write and by nothing else; never
//! through a link; its `.gitignore` stands before anything that git should not see.

use std::io;
use std::path::{Path, PathBuf};

use proto::places::Places;
use proto::{Error, error::Result};
use serde::{Deserialize, Serialize};

use super::config::Storage;
use super::rules::{self, Identity, Mirror};
use super::store::Row;
use crate::world::World;

/// The folder's name within a project.
pub const NAME: &str = ".task_orchestrator";
/// The mirror of the registry's record.
pub const MIRROR: &str = "workspace.json";
/// What stood in its place and was none of ours.
const KEPT: &str = "workspace.json.old";
/// The largest mirror that is read, in bytes: ours has a few hundred.
const MIRROR_LIMIT: usize = 16 * 1024;

/// Keeps all but the settings, the roles and the decisions out of git.
const GITIGNORE: &str = "\
# Made by Task Orchestrator: settings, roles and decisions belong to the project, the rest to this checkout.
/*
!/config.yaml
!/roles/
!/decisions/
.draft-*
";

/// Where a project's things are: `base` is trusted, `relative` is never followed through a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folder {
    /// The root of the tree, or the state folder.
    pub base: PathBuf,
    /// The way from there.
    pub relative: PathBuf,
}

impl Folder {
    /// The folder of a tree of a workspace.
    #[must_use]
    pub fn of(storage: Storage, tree: &Path, id: &str, places: &Places) -> Self {
        match storage {
            Storage::Project => Self {
                base: tree.to_path_buf(),
                relative: NAME.into(),
            },
            Storage::User => Self {
                base: places.state_dir.clone(),
                relative: Path::new("projects").join(id),
            },
        }
    }

    /// The whole path.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.base.join(&self.relative)
    }

    /// The way from the base to something within.
    #[must_use]
    pub fn within(&self, name: impl AsRef<Path>) -> PathBuf {
        self.relative.join(name)
    }

    /// Whether it has been made.
    #[must_use]
    pub fn made(&self, world: &dyn World) -> bool {
        world
            .stat_beneath(&self.base, &self.relative)
            .is_ok_and(|stat| stat.kind == crate::world::FileKind::Dir)
    }

    /// Makes it, where it is missing, and puts the mirror right.
    ///
    /// # Errors
    /// `refused` for a link in the way or a place where nothing may be written; `unavailable` for a full disk.
    pub fn make(&self, world: &dyn World, row: &Row, identity: Identity) -> Result<()> {
        let failed = |error| cannot_write(&self.path(), &error);
        world.make_dir(&self.base, &self.relative).map_err(failed)?;
        if self.relative == Path::new(NAME) {
            let ignore = self.within(".gitignore");
            if let Err(error) = world.stat_beneath(&self.base, &ignore) {
                if error.kind() != io::ErrorKind::NotFound {
                    return Err(failed(error));
                }
                world
                    .write(&self.base, &ignore, GITIGNORE.as_bytes())
                    .map_err(failed)?;
            }
        }
        let wanted = Written::of(row, identity).text()?;
        let mirror = self.within(MIRROR);
        let now = world.read_beneath(&self.base, &mirror, MIRROR_LIMIT);
        let foreign = match &now {
            Ok(bytes) if *bytes == wanted => return Ok(()),
            Ok(bytes) => serde_json::from_slice::<Written>(bytes).is_err(),
            Err(error) => error.kind() == io::ErrorKind::FileTooLarge,
        };
        if foreign {
            // An older program's folder has the same name: what is none of ours is not lost. Where one was kept before,
            // that one stays.
            drop(world.set_aside(&self.base, &mirror, Path::new(KEPT)));
        }
        world.write(&self.base, &mirror, &wanted).map_err(failed)
    }

    /// Writes a file in it.
    ///
    /// # Errors
    /// As [`Folder::make`].
    pub fn write(&self, world: &dyn World, name: &Path, bytes: &[u8]) -> Result<()> {
        let path = self.within(name);
        world
            .write(&self.base, &path, bytes)
            .map_err(|error| cannot_write(&self.base.join(&path), &error))
    }

    /// What its mirror says; nothing when there is none that makes sense.
    #[must_use]
    pub fn mirror(&self, world: &dyn World) -> Option<Mirror> {
        let bytes = world
            .read_beneath(&self.base, &self.within(MIRROR), MIRROR_LIMIT)
            .ok()?;
        let written: Written = serde_json::from_slice(&bytes).ok()?;
        let identity = Identity {
            device: written.device,
            inode: written.inode,
            born: written.born,
        };
        rules::is_id(&written.id).then_some(Mirror {
            id: written.id,
            identity,
        })
    }
}

/// `workspace.json`.
#[derive(Serialize, Deserialize)]
struct Written {
    schema_version: u32,
    id: String,
    name: String,
    created: i64,
    device: u64,
    inode: u64,
    #[serde(default)]
    born: Option<i64>,
}

impl Written {
    fn of(row: &Row, identity: Identity) -> Self {
        Self {
            schema_version: 1,
            id: row.id.clone(),
            name: row.name.clone(),
            created: row.created,
            device: identity.device,
            inode: identity.inode,
            born: identity.born,
        }
    }

    fn text(&self) -> Result<Vec<u8>> {
        let mut text = serde_json::to_vec_pretty(self)
            .map_err(|error| Error::bug("`workspace.json` could not be written as JSON").why(error))?;
        text.push(b'\n');
        Ok(text)
    }
}

/// What a failed write means to whoever asked for it.
#[must_use]
pub fn cannot_write(path: &Path, error: &io::Error) -> Error {
    let what = format!("`{}` could not be written", path.display());
    match error.kind() {
        io::ErrorKind::InvalidInput | io::ErrorKind::NotADirectory => Error::refused(what)
            .why(error)
            .next("remove what stands in its place"),
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => Error::refused(what)
            .why(error)
            .next("make the folder writable, or run `tocli config set --user workspace.storage user` to keep its things elsewhere"),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            Error::unavailable(what).why(error).next("make room and repeat it")
        }
        io::ErrorKind::AlreadyExists => Error::conflict(what).why(error),
        _ => Error::unavailable(what).why(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proto::Kind;

    #[test]
    fn a_failed_write_says_who_must_act() {
        for (kind, told, word) in [
            (io::ErrorKind::InvalidInput, Kind::Refused, "in its place"),
            (
                io::ErrorKind::PermissionDenied,
                Kind::Refused,
                "workspace.storage user",
            ),
            (
                io::ErrorKind::ReadOnlyFilesystem,
                Kind::Refused,
                "workspace.storage user",
            ),
            (io::ErrorKind::StorageFull, Kind::Unavailable, "make room"),
            (io::ErrorKind::QuotaExceeded, Kind::Unavailable, "make room"),
        ] {
            let error = cannot_write(Path::new("/p/x"), &kind.into());
            assert_eq!(error.kind, told, "{kind:?}");
            assert!(error.what.contains("`/p/x`"), "{error}");
            assert!(error.next.is_some_and(|next| next.contains(word)), "{kind:?}");
        }
    }
}
