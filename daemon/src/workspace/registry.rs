//! Recognising a project and entering it in the registry.
//!
//! Asked by every room that works for a workspace. A mere detection enters nothing; the first use by a room enters a
//! record in the database, and only a write into the project makes its folder. What must stay true: a
//! [`WorkspaceScope`] is made here alone, for a workspace that stands in the registry.

use std::path::{Path, PathBuf};
use std::sync::Mutex;

use proto::detect::{Detection, From, Method};
use proto::places::Places;
use proto::{Answer, Caller, Error, RawPath, error::Result};

use super::Entered;
use super::config::{Config, Project, Settings, Storage};
use super::folder::Folder;
use super::rules::{self, Identity, Seen, Verdict};
use super::spool;
use super::store::{self, Row, Tree};
use crate::db::{Batch, Db};
use crate::world::{FileKind, World};

/// What the doors of this room stand on.
#[derive(Clone, Copy)]
pub struct Registry<'a> {
    /// Files, clock, chance.
    pub world: &'a dyn World,
    /// The user's places.
    pub places: &'a Places,
    /// All records.
    pub db: &'a Db,
    /// All settings files.
    pub config: &'a Config,
    /// Who asks.
    pub caller: &'a Caller,
    /// Which workspace each tree in use belongs to.
    pub entered: &'a Entered,
    /// Finds a project.
    pub find: &'a dyn Fn(&From) -> Result<Detection>,
    /// How many tasks of each status a workspace has, which only their own room can tell.
    pub tasks: &'a dyn Fn(&str) -> Result<ByStatus>,
    /// Held while workspaces are entered; the lock of [`REGISTRY`].
    pub entering: &'a Mutex<()>,
    /// Makes a change under the lock of a scope and answers when it is kept.
    pub change: &'a dyn Fn(&str, Change<'_>) -> Result<Answer>,
}

/// Tasks counted: the word of a status, and how many have it.
pub(super) type ByStatus = Vec<(String, u64)>;

/// Gathers, decides, puts its records into the batch and answers.
pub type Change<'c> = Box<dyn FnOnce(&mut Batch) -> Result<Answer> + 'c>;

/// A workspace that a request may touch, and the tree it came from. Only the registry makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkspaceScope {
    id: String,
    root: PathBuf,
    tree: PathBuf,
    folder: Folder,
    warnings: Vec<String>,
}

impl WorkspaceScope {
    /// `ws_<12 hex>`.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The root on record; the main checkout when there are several trees.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The root of the caller's tree.
    #[must_use]
    pub fn tree(&self) -> &Path {
        &self.tree
    }

    /// Where the caller's tree keeps its things.
    #[must_use]
    pub fn folder(&self) -> &Folder {
        &self.folder
    }

    /// What its owner should know, a sentence each.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// The beginning of every key of this workspace's records.
    #[must_use]
    pub fn prefix(&self) -> Vec<u8> {
        format!("{}/", self.id).into_bytes()
    }
}

/// A project as it was seen, before anything is entered.
pub(super) struct Sight {
    seen: Seen,
    tree: PathBuf,
    rows: Vec<Row>,
    pub(super) verdict: Verdict,
    warnings: Vec<String>,
}

impl Registry<'_> {
    /// The project that a request is about.
    ///
    /// # Errors
    /// What detection says.
    pub fn detect(&self, from: &From) -> Result<Detection> {
        (self.find)(from)
    }

    /// Where the user wants projects to keep their things.
    #[must_use]
    pub fn storage(&self) -> Storage {
        self.config.settings(self.world, None, &[]).storage()
    }

    /// The settings in force for the caller in a workspace.
    #[must_use]
    pub fn settings(&self, scope: &WorkspaceScope) -> Settings {
        let project = Project {
            root: &scope.tree,
            folder: Some(&scope.folder),
        };
        self.config.settings(self.world, Some(project), &self.caller.vars)
    }

    /// The workspace of a detected project when it is on record and where it was. Writes nothing.
    ///
    /// # Errors
    /// When the database or the root cannot be read.
    pub fn known(&self, detection: &Detection) -> Result<Option<WorkspaceScope>> {
        let sight = self.look(detection)?;
        Ok(match &sight.verdict {
            Verdict::Known(id) | Verdict::Again(id) => Some(self.scope(id, sight.seen.root.clone(), &sight)),
            Verdict::Adopt(_) | Verdict::New { .. } => None,
        })
    }

    /// The workspace that a request is about, entered in the registry at its first use.
    ///
    /// # Errors
    /// What detection says; when the database or the root cannot be read.
    pub fn activate(&self, from: &From) -> Result<WorkspaceScope> {
        self.activate_found(&self.detect(from)?)
    }

    /// The workspace of a detected project, entered in the registry at its first use.
    ///
    /// # Errors
    /// When the database or the root cannot be read.
    pub fn activate_found(&self, detection: &Detection) -> Result<WorkspaceScope> {
        if let Some(scope) = self.at_hand(detection)? {
            self.entered.note(&scope);
            return Ok(scope);
        }
        let entering = crate::dispatch::hold(self.entering);
        let mut batch = Batch::new();
        let scope = self.enter(&mut batch, detection)?;
        let staged = self.db.stage(batch)?;
        drop(entering);
        staged.durable()?;
        self.entered.note(&scope);
        Ok(scope)
    }

    /// The scope when nothing about this use needs to be written.
    fn at_hand(&self, detection: &Detection) -> Result<Option<WorkspaceScope>> {
        let sight = self.look(detection)?;
        let Verdict::Known(id) = &sight.verdict else {
            return Ok(None);
        };
        let Some(row) = sight.rows.iter().find(|row| row.id == *id) else {
            return Ok(None);
        };
        let listed = sight.tree == sight.seen.root
            || store::has_tree(self.db, id, &RawPath::from(sight.tree.as_path()))?;
        let same = self.renewed(row, &sight, detection, self.world.now()) == *row;
        Ok((same && listed).then(|| self.scope(id, sight.seen.root.clone(), &sight)))
    }

    /// As [`Registry::activate_found`], for whoever holds the lock of [`REGISTRY`] and commits.
    ///
    /// # Errors
    /// When the database or the root cannot be read.
    fn enter(&self, batch: &mut Batch, detection: &Detection) -> Result<WorkspaceScope> {
        let now = self.world.now();
        let sight = self.look(detection)?;
        let row = match &sight.verdict {
            Verdict::Known(id) | Verdict::Again(id) => {
                let old = sight.rows.iter().find(|row| row.id == *id);
                let old = old.ok_or_else(|| Error::bug("a workspace vanished while it was recognised"))?;
                let new = self.renewed(old, &sight, detection, now);
                if new != *old {
                    new.put(batch)?;
                }
                new
            }
            Verdict::Adopt(id) => self.first(id.clone(), &sight, detection, batch)?,
            Verdict::New { .. } => self.first(self.new_id(&sight.rows), &sight, detection, batch)?,
        };
        if sight.tree != sight.seen.root {
            let root = RawPath::from(sight.tree.as_path());
            if !store::has_tree(self.db, &row.id, &root)? {
                store::put_tree(batch, &row.id, &Tree { root, since: now })?;
            }
        }
        Ok(self.scope(&row.id, row.root.to_path_buf(), &sight))
    }

    /// Makes the folder of a workspace for its first write, and notes that it holds something now. The caller holds the
    /// workspace's lock.
    ///
    /// # Errors
    /// What [`Folder::make`] says; when the database cannot be read.
    pub fn claim(&self, batch: &mut Batch, scope: &WorkspaceScope) -> Result<Row> {
        let row = store::row(self.db, &scope.id)?;
        let identity = identity(self.world, &scope.tree)?;
        scope.folder.make(self.world, &row, identity)?;
        store::put_used(batch, &scope.id);
        spool::ready(self.world, self.db, batch, scope)?;
        Ok(row)
    }

    /// As [`Registry::claim`], once: for records, which need the folder to be there and not to be looked after.
    ///
    /// # Errors
    /// As [`Registry::claim`].
    pub fn claim_once(&self, batch: &mut Batch, scope: &WorkspaceScope) -> Result<()> {
        match store::is_used(self.db, &scope.id)? {
            true => spool::ready(self.world, self.db, batch, scope),
            false => self.claim(batch, scope).map(drop),
        }
    }

    fn look(&self, detection: &Detection) -> Result<Sight> {
        let tree = detection.root.to_path_buf();
        let mut warnings = Vec::new();
        if detection.method == Method::UserHome {
            warnings
                .push("no project was found here: this is the workspace of the home directory".to_owned());
        }
        let root = match detection.vcs.as_ref().and_then(|vcs| vcs.main_root.as_ref()) {
            Some(main) if main.as_path() != tree => match linked(self.world, &tree, main.as_path()) {
                Ok(()) => main.to_path_buf(),
                Err(why) => {
                    warnings.push(format!("it is taken as a project of its own: {why}"));
                    tree.clone()
                }
            },
            _ => tree.clone(),
        };
        let identity = identity(self.world, &root)?;
        let mirror = match self.storage() {
            Storage::Project => Folder::of(Storage::Project, &root, "", self.places).mirror(self.world),
            Storage::User => None,
        };
        let seen = Seen {
            root,
            identity,
            mirror,
        };
        let now = self.world.now();
        let mut rows = store::rows(self.db)?;
        rows.retain(|row| !rules::expired(row.forgotten, now));
        let used = store::used(self.db)?;
        let known: Vec<_> = rows.iter().map(|row| row.known(&used)).collect();
        let verdict = rules::recognise(&known, &seen);
        if let Verdict::New { note: Some(note) } = &verdict {
            warnings.push(note.clone());
        }
        Ok(Sight {
            seen,
            tree,
            rows,
            verdict,
            warnings,
        })
    }

    /// The record of a known workspace after this use.
    fn renewed(&self, old: &Row, sight: &Sight, detection: &Detection, now: i64) -> Row {
        let mut row = old.clone();
        let moved = old.root.as_path() != sight.seen.root;
        // The same directory can be seen at two paths (a bind mount): then it has not moved.
        let still_there =
            moved && identity(self.world, old.root.as_path()).is_ok_and(|now| now.is(&old.identity));
        if !still_there {
            row.root = RawPath::from(sight.seen.root.as_path());
            row.identity = sight.seen.identity;
        }
        if sight.tree == sight.seen.root {
            row.method = detection.method;
            row.confidence = detection.confidence;
            row.project_type = detection.project_types.first().cloned();
        }
        if now.saturating_sub(old.last_access) >= rules::ACCESS_STEP || row != *old {
            row.last_access = now;
        }
        row
    }

    fn first(&self, id: String, sight: &Sight, detection: &Detection, batch: &mut Batch) -> Result<Row> {
        let now = self.world.now();
        let row = Row {
            id,
            root: RawPath::from(sight.seen.root.as_path()),
            name: rules::name_of(&sight.seen.root),
            method: detection.method,
            confidence: detection.confidence,
            project_type: detection.project_types.first().cloned(),
            created: now,
            last_access: now,
            identity: sight.seen.identity,
            forgotten: None,
        };
        row.put(batch)?;
        Ok(row)
    }

    fn new_id(&self, rows: &[Row]) -> String {
        loop {
            let mut random = [0; 6];
            self.world.random(&mut random);
            let id = rules::id(random);
            if !rows.iter().any(|row| row.id == id) {
                return id;
            }
        }
    }

    fn scope(&self, id: &str, root: PathBuf, sight: &Sight) -> WorkspaceScope {
        self.made_scope(id, root, sight.tree.clone(), sight.warnings.clone())
    }

    pub(super) fn scope_of(&self, row: &Row) -> WorkspaceScope {
        let root = row.root.to_path_buf();
        self.made_scope(&row.id, root.clone(), root, Vec::new())
    }

    fn made_scope(&self, id: &str, root: PathBuf, tree: PathBuf, warnings: Vec<String>) -> WorkspaceScope {
        let folder = Folder::of(self.storage(), &tree, id, self.places);
        WorkspaceScope {
            id: id.to_owned(),
            root,
            tree,
            folder,
            warnings,
        }
    }
}

/// The lock under which workspaces are entered.
pub const REGISTRY: &str = "workspace";

/// Which directory a path is.
///
/// # Errors
/// When it is no directory or cannot be looked at.
pub(super) fn identity(world: &dyn World, root: &Path) -> Result<Identity> {
    let failed = |error: std::io::Error| {
        Error::not_found(format!("`{}` cannot be looked at", root.display())).why(error)
    };
    let stat = world.stat(root).map_err(failed)?;
    if stat.kind != FileKind::Dir {
        return Err(Error::usage(format!("`{}` is no directory", root.display())));
    }
    let born = world.born(root).map_err(failed)?;
    Ok(Identity {
        device: stat.dev,
        inode: stat.ino,
        born,
    })
}

/// The most bytes of git's one-line files.
const LINE_LIMIT: usize = 16 * 1024;

/// Whether the main checkout knows a linked worktree: anybody can write a `.git` file that names somebody else's
/// repository, but only that repository can name the worktree back.
fn linked(world: &dyn World, tree: &Path, main: &Path) -> std::result::Result<(), String> {
    use std::os::unix::ffi::OsStrExt;
    let line = |path: &Path| -> std::result::Result<PathBuf, String> {
        let bytes = world
            .read(path, LINE_LIMIT)
            .map_err(|error| format!("`{}`: {error}", path.display()))?;
        let text = bytes.strip_prefix(b"gitdir: ").unwrap_or(&bytes).trim_ascii_end();
        Ok(PathBuf::from(std::ffi::OsStr::from_bytes(text)))
    };
    let admin = tree.join(line(&tree.join(".git"))?);
    let back = admin.join(line(&admin.join("gitdir"))?);
    let same = |one: &Path, two: &Path| match (world.stat(one), world.stat(two)) {
        (Ok(one), Ok(two)) => (one.dev, one.ino) == (two.dev, two.ino),
        _ => false,
    };
    let mut homes = vec![main.join(".git/worktrees"), main.join("worktrees")];
    // The main checkout may itself keep its repository elsewhere.
    homes.extend(
        line(&main.join(".git"))
            .ok()
            .map(|elsewhere| main.join(elsewhere).join("worktrees")),
    );
    let within = admin
        .parent()
        .is_some_and(|folder| homes.iter().any(|home| same(folder, home)));
    match within && same(&back, &tree.join(".git")) {
        true => Ok(()),
        false => Err(format!("`{}` does not list it as a worktree", main.display())),
    }
}
