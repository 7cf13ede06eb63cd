//! The folder through which clients in a sandbox ask: made with the project's folder, known again by its inode.
//!
//! Asked by `registry` when it claims a workspace, and by the server, which reads what lies there. What must stay true:
//! only a folder that the daemon itself made counts: a directory with the device and inode on record, mode 0700, its
//! nonce the one on record, reached through no link.

use std::path::{Path, PathBuf};

use proto::spool::{FOLDER, NONCE, NONCE_LENGTH};
use proto::{RawPath, error::Result};
use serde::{Deserialize, Serialize};

use super::folder::NAME;
use super::registry::WorkspaceScope;
use super::store::SPACE;
use crate::db::{Batch, Db, Record, Space};
use crate::world::{FileKind, World};

/// A folder that the daemon made. Version 1, frozen once released.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spool {
    /// The workspace.
    pub workspace: String,
    /// The tree it lies in, absolute.
    pub tree: RawPath,
    /// Its secret, in hex.
    pub nonce: String,
    device: u64,
    inode: u64,
}

impl Record for Spool {
    const SPACE: Space = SPACE;
    const VERSION: u8 = 1;
}

fn key(workspace: &str) -> Vec<u8> {
    format!("spool/{workspace}").into_bytes()
}

/// All of them.
///
/// # Errors
/// When the database cannot be read.
pub fn all(db: &Db) -> Result<Vec<Spool>> {
    db.scan(SPACE, b"spool/")
        .map(|pair| pair.and_then(|(key, bytes)| Spool::decode(&key, &bytes)))
        .collect()
}

/// Takes it off the record.
pub(super) fn erase(batch: &mut Batch, workspace: &str) {
    batch.delete(SPACE, &key(workspace));
}

/// Makes it, where it is missing. It is a help and no promise: a folder that cannot be made fails nothing.
///
/// # Errors
/// When the database cannot be read.
pub(super) fn ready(world: &dyn World, db: &Db, batch: &mut Batch, scope: &WorkspaceScope) -> Result<()> {
    if scope.folder().relative != Path::new(NAME) {
        return Ok(());
    }
    let old: Option<Spool> = db.record(&key(scope.id()))?;
    if old.is_some_and(|old| old.tree.as_path() == scope.tree() && old.is_there(world)) {
        return Ok(());
    }
    match make(world, scope) {
        Ok(new) => {
            batch.put(SPACE, &key(scope.id()), new.encode()?);
        }
        Err(error) => tracing::debug!(%error, "no folder for clients in a sandbox"),
    }
    Ok(())
}

fn make(world: &dyn World, scope: &WorkspaceScope) -> std::io::Result<Spool> {
    let relative = scope.folder().within(FOLDER);
    let mut random = [0; NONCE_LENGTH / 2];
    world.random(&mut random);
    let nonce: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    world.make_dir(scope.tree(), &relative)?;
    world.write(scope.tree(), &relative.join(NONCE), nonce.as_bytes())?;
    let found = world.stat(&scope.tree().join(&relative))?;
    let made = Spool {
        workspace: scope.id().to_owned(),
        tree: scope.tree().into(),
        nonce,
        device: found.dev,
        inode: found.ino,
    };
    match made.is_there(world) {
        true => Ok(made),
        false => Err(std::io::Error::other(
            "what stands in its place is not ours alone",
        )),
    }
}

impl Spool {
    /// Where it is.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.tree.as_path().join(NAME).join(FOLDER)
    }

    /// The way to something in it from the tree.
    #[must_use]
    pub fn within(&self, name: &str) -> PathBuf {
        Path::new(NAME).join(FOLDER).join(name)
    }

    /// Whether it is the folder that the daemon made, as it made it.
    #[must_use]
    pub fn is_there(&self, world: &dyn World) -> bool {
        let dir = |path: &Path| {
            world
                .stat(path)
                .is_ok_and(|stat| stat.kind == FileKind::Dir && stat.uid == world.uid())
        };
        let path = self.path();
        let own = dir(&self.tree.as_path().join(NAME)) && dir(&path);
        let same = world.stat(&path).is_ok_and(|stat| {
            stat.dev == self.device && stat.ino == self.inode && stat.mode & 0o777 == 0o700
        });
        own && same
            && world
                .read(&path.join(NONCE), NONCE_LENGTH)
                .is_ok_and(|nonce| nonce == self.nonce.as_bytes())
    }
}
