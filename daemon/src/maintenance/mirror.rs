//! The audit trail as files in the project's folder, brought up from the database.
//!
//! Asked by the daemon's tick after there was a change, once an hour for all, and by `audit verify`, which only compares.
//! What must stay true: no request waits for it; only what would survive a power cut is written; a file that was cut,
//! edited or lost is made again from the database; at most [`rules::FILES`] files are kept.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, TryLockError};

use proto::error::{Error, Result};
use proto::maintenance::MirrorState;

use super::rules::{self, Found, NEWEST};
use crate::audit;
use crate::ctx::Ctx;
use crate::db::{Batch, Db};
use crate::workspace::{self, Folder};
use crate::world::{Stat, World};

/// The most names of the folder that are looked at.
const MOST_NAMES: usize = 10_000;

/// What is known of all mirrors.
#[derive(Debug, Default)]
pub struct Mirrors(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// The number of the last batch that the mirrors know of.
    sequence: Option<u64>,
    by_workspace: HashMap<String, Known>,
}

/// What was written last.
#[derive(Clone, Copy, Debug)]
struct Known {
    /// The newest event that was looked at.
    seq: u64,
    /// The newest file as it was left; none when it was not written.
    left: Option<Stat>,
}

/// How far a look goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Care {
    /// What changed.
    New,
    /// Everything, as if nothing were known.
    All,
}

/// Brings the mirrors up. One at a time: who finds another at it leaves it to them, because a mount may hang.
pub fn bring_up(ctx: &Ctx, care: Care) {
    let mut state = match ctx.mirrors.0.try_lock() {
        Ok(state) => state,
        Err(TryLockError::Poisoned(broken)) => broken.into_inner(),
        Err(TryLockError::WouldBlock) => return,
    };
    let sequence = ctx.db.sequence();
    if care == Care::New && state.sequence == Some(sequence) {
        return;
    }
    if care == Care::All {
        state.by_workspace.clear();
    }
    state.sequence = Some(sequence);
    if let Err(error) = all(ctx, &mut state) {
        tracing::warn!(%error, "the mirrors of the audit trails could not be brought up");
    }
}

fn all(ctx: &Ctx, state: &mut State) -> Result<()> {
    let world = &*ctx.world;
    for standing in workspace::standing(world, &ctx.places, &ctx.db, &ctx.config)? {
        let head = audit::head(&ctx.db, standing.id())?;
        let known = state.by_workspace.get(standing.id()).copied();
        if head.seq == 0 || known.is_some_and(|known| known.seq == head.seq) {
            continue;
        }
        // What a power cut could still take away stands in no file.
        ctx.db.commit(Batch::new())?;
        let trail = Trail {
            db: &ctx.db,
            workspace: standing.id(),
        };
        let place = Spot {
            folder: &standing.folder,
            make: &|| standing.make(world),
        };
        let left = trail.bring_up(world, &place, known, head.seq);
        let left = left.unwrap_or_else(|error| {
            let folder = standing.folder.path();
            tracing::warn!(%error, folder = %folder.display(), "the mirror of the audit trail could not be written");
            None
        });
        let now = Known { seq: head.seq, left };
        state.by_workspace.insert(standing.id().to_owned(), now);
    }
    Ok(())
}

/// Where the mirror of one workspace stands.
struct Spot<'a> {
    folder: &'a Folder,
    /// Makes the folder.
    make: &'a dyn Fn() -> Result<()>,
}

/// The events of one workspace.
#[derive(Clone, Copy)]
pub struct Trail<'a> {
    /// All records.
    pub db: &'a Db,
    /// `ws_<12 hex>`.
    pub workspace: &'a str,
}

impl Trail<'_> {
    /// The lines of the events `from` to `to`, both counted.
    fn lines(self, from: u64, to: u64) -> Result<Vec<u8>> {
        let count = usize::try_from((to + 1).saturating_sub(from)).unwrap_or(usize::MAX);
        let mut bytes = Vec::new();
        for event in audit::events(self.db, self.workspace, from - 1, count)? {
            bytes.extend_from_slice(&rules::line(&event)?);
        }
        Ok(bytes)
    }

    /// Writes what is missing; the newest file as it is then.
    fn bring_up(
        self,
        world: &dyn World,
        spot: &Spot<'_>,
        known: Option<Known>,
        head: u64,
    ) -> Result<Option<Stat>> {
        let (folder, file) = (spot.folder, rules::file_of(head));
        if let Some(known) = known
            && let Some(left) = known.left
            && rules::file_of(known.seq) == file
            && let Some(length) = self.grown(world, folder, (known.seq, left), head)?
        {
            return Ok(as_left(world, folder, length));
        }
        if !folder.made(world) {
            // Whoever removed the folder gets it back with the next change, not by looking.
            if known.is_none() {
                return Ok(None);
            }
            (spot.make)()?;
        }
        let same_file = known.is_none_or(|known| rules::file_of(known.seq) == file);
        let length = self.newest(world, folder, head, same_file)?;
        for old in rules::kept(file) {
            let last = rules::first_of(old + 1) - 1;
            let wanted = self.lines(rules::first_of(old), last)?;
            mended(world, folder, &rules::older(old), &wanted)?;
        }
        thinned(world, folder, file)?;
        Ok(as_left(world, folder, length))
    }

    /// Adds lines to a file that nobody has touched, and gives its length; none when somebody has.
    fn grown(
        self,
        world: &dyn World,
        folder: &Folder,
        (seq, left): (u64, Stat),
        head: u64,
    ) -> Result<Option<u64>> {
        if stat(world, folder) != Some(left) {
            return Ok(None);
        }
        let lines = self.lines(seq + 1, head)?;
        let added = world.append(&folder.base, &at(folder, NEWEST), left.size, &lines);
        Ok(added.is_ok().then_some(left.size + lines.len() as u64))
    }

    fn newest(self, world: &dyn World, folder: &Folder, head: u64, same_file: bool) -> Result<u64> {
        let wanted = self.lines(rules::first_of(rules::file_of(head)), head)?;
        let other = mended(world, folder, NEWEST, &wanted)?;
        if let Some(line) = other.filter(|_| same_file) {
            let path = folder.base.join(at(folder, NEWEST));
            tracing::warn!(path = %path.display(), line, "the mirror of the audit trail said something else; it was written anew");
        }
        Ok(wanted.len() as u64)
    }

    /// How the newest file stands to the trail, and the line from which it differs. Changes nothing.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn compare(self, world: &dyn World, folder: &Folder) -> Result<(MirrorState, Option<u64>)> {
        let found = match read(world, folder, NEWEST, usize::MAX) {
            Ok(found) => found,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok((MirrorState::Missing, None));
            }
            Err(_) => return Ok((MirrorState::Unreadable, None)),
        };
        // Read after the file, so that the file is never ahead of it.
        let head = audit::head(self.db, self.workspace)?.seq;
        // Events may have come since, and the file may be the one before: what is there decides which it should be.
        let files = rules::file_of(head).saturating_sub(1)..=rules::file_of(head);
        let mut worst = (MirrorState::Differs, Some(1));
        for file in files.rev() {
            let last = head.min(rules::first_of(file + 1) - 1);
            match rules::compared(&found, &self.lines(rules::first_of(file), last)?) {
                Found::Same if last == head => return Ok((MirrorState::Whole, None)),
                Found::Same | Found::Shorter => return Ok((MirrorState::Behind, None)),
                Found::Other(line) => worst.1 = worst.1.max(Some(line)),
            }
        }
        Ok(worst)
    }
}

fn at(folder: &Folder, name: &str) -> PathBuf {
    folder.within(Path::new(rules::FOLDER).join(name))
}

/// The newest file of a mirror.
#[must_use]
pub fn path(folder: &Folder) -> PathBuf {
    folder.base.join(at(folder, NEWEST))
}

fn stat(world: &dyn World, folder: &Folder) -> Option<Stat> {
    world.stat_beneath(&folder.base, &at(folder, NEWEST)).ok()
}

/// The newest file as it was left; none when somebody else has changed it since, which its length shows in time.
fn as_left(world: &dyn World, folder: &Folder, length: u64) -> Option<Stat> {
    stat(world, folder).filter(|stat| stat.size == length)
}

/// A file of the mirror, at most a little larger than it should be.
fn read(world: &dyn World, folder: &Folder, name: &str, wanted: usize) -> io::Result<Vec<u8>> {
    /// Far more than the lines of one file take.
    const LARGEST: usize = 64 << 20;
    world.read_beneath(&folder.base, &at(folder, name), wanted.min(LARGEST))
}

/// Makes a file say what it should; the line from which it said something else.
fn mended(world: &dyn World, folder: &Folder, name: &str, wanted: &[u8]) -> Result<Option<u64>> {
    let found = read(world, folder, name, wanted.len());
    let other = match found.as_deref().map(|found| rules::compared(found, wanted)) {
        Ok(Found::Same) => return Ok(None),
        Ok(Found::Other(line)) => Some(line),
        Err(error) if error.kind() == io::ErrorKind::FileTooLarge => Some(1),
        Ok(Found::Shorter) | Err(_) => None,
    };
    world
        .write(&folder.base, &at(folder, name), wanted)
        .map_err(|error| workspace::folder::cannot_write(&folder.base.join(at(folder, name)), &error))?;
    Ok(other)
}

/// Removes the files that are too old.
fn thinned(world: &dyn World, folder: &Folder, newest: u64) -> Result<()> {
    let logs = folder.within(rules::FOLDER);
    let cannot = |error: io::Error| Error::unavailable("old audit files cannot be removed").why(error);
    let names = world
        .list_beneath(&folder.base, &logs, MOST_NAMES)
        .map_err(cannot)?;
    for entry in names {
        let number = entry.name.to_str().and_then(rules::number);
        if number.is_some_and(|number| !rules::kept(newest).contains(&number)) {
            world
                .remove(&folder.base, &logs.join(&entry.name))
                .map_err(cannot)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::Said;
    use crate::db::Options;
    use crate::world::FakeWorld;

    const WS: &str = "ws_1";

    fn say(db: &Db, count: u64) {
        for _ in 0..count {
            let mut batch = Batch::new();
            let said = Said {
                time: 1,
                actor: "me",
                op: "task.add",
                target: "x",
                count: 1,
            };
            audit::append(db, &mut batch, WS, said).expect("appended");
            // Nobody cuts the power here: what is applied is enough.
            drop(db.stage(batch).expect("staged"));
        }
    }

    struct Scene {
        _state: tempfile::TempDir,
        db: Db,
        world: FakeWorld,
        folder: Folder,
        known: Option<Known>,
    }

    impl Scene {
        fn new() -> Self {
            let state = tempfile::tempdir().expect("a folder");
            let db = Db::open(state.path(), Options::new(1)).expect("opened").db;
            let world = FakeWorld::new();
            world.dir("/p/.task_orchestrator");
            let folder = Folder {
                base: "/p".into(),
                relative: ".task_orchestrator".into(),
            };
            Self {
                _state: state,
                db,
                world,
                folder,
                known: None,
            }
        }

        fn bring_up(&mut self) -> Result<()> {
            let seq = audit::head(&self.db, WS)?.seq;
            let trail = Trail {
                db: &self.db,
                workspace: WS,
            };
            let spot = Spot {
                folder: &self.folder,
                make: &|| Ok(()),
            };
            let left = trail.bring_up(&self.world, &spot, self.known, seq);
            let failed = left.as_ref().err().cloned();
            self.known = Some(Known {
                seq,
                left: left.unwrap_or_default(),
            });
            failed.map_or(Ok(()), Err)
        }

        /// Every file there is, by name.
        fn files(&self) -> Vec<(String, Vec<u8>)> {
            let logs = Path::new("/p/.task_orchestrator/logs");
            let names = self.world.list(logs, 100).expect("listed");
            let mut files: Vec<_> = names
                .into_iter()
                .map(|entry| {
                    let bytes = self.world.read(&logs.join(&entry.name), 64 << 20).expect("read");
                    (entry.name.to_string_lossy().into_owned(), bytes)
                })
                .collect();
            files.sort();
            files
        }

        /// What they should be.
        fn wanted(&self) -> Vec<(String, Vec<u8>)> {
            let head = audit::head(&self.db, WS).expect("read").seq;
            let trail = Trail {
                db: &self.db,
                workspace: WS,
            };
            let newest = rules::file_of(head);
            let mut files: Vec<_> = rules::kept(newest)
                .map(|file| {
                    let lines = trail.lines(rules::first_of(file), rules::first_of(file + 1) - 1);
                    (rules::older(file), lines.expect("lines"))
                })
                .collect();
            let lines = trail.lines(rules::first_of(newest), head).expect("lines");
            files.push((NEWEST.to_owned(), lines));
            files.sort();
            files
        }
    }

    #[test]
    fn a_trail_of_any_length_is_mirrored_in_files_that_follow_each_other() {
        let mut scene = Scene::new();
        say(&scene.db, rules::PER_FILE - 1);
        for count in [1, 1, 1, rules::PER_FILE, 2] {
            scene.bring_up().expect("brought up");
            say(&scene.db, count);
        }
        scene.bring_up().expect("brought up");
        assert_eq!(scene.files(), scene.wanted());
        assert_eq!(scene.files().len(), 3);
        say(&scene.db, 20 * rules::PER_FILE);
        scene.bring_up().expect("brought up");
        assert_eq!(scene.files(), scene.wanted());
        assert_eq!(scene.files().len() as u64, rules::FILES, "the oldest are gone");
        // Older files that were lost are back after a look at everything.
        scene
            .world
            .delete("/p/.task_orchestrator/logs")
            .file("/p/.task_orchestrator/logs/audit.jsonl", "cut");
        scene.known = None;
        scene.bring_up().expect("brought up");
        assert_eq!(scene.files(), scene.wanted());
    }

    #[test]
    fn whichever_call_to_the_disk_fails_the_next_look_puts_the_mirror_right() {
        for n in 1.. {
            let mut scene = Scene::new();
            say(&scene.db, rules::PER_FILE - 1);
            scene.bring_up().expect("brought up");
            say(&scene.db, 2);
            let before = scene.world.calls();
            scene.world.fail_at(n);
            let outcome = scene.bring_up();
            let over = scene.world.calls() < before + n;
            say(&scene.db, 1);
            scene.bring_up().expect("brought up");
            assert_eq!(scene.files(), scene.wanted(), "call {n}");
            if over {
                assert!(outcome.is_ok() && n > 5, "{n} calls only");
                return;
            }
        }
    }
}
