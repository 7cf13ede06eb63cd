//! The files in the project: putting them there, and looking how they are.
//!
//! Asked by the writing door after a commit, by reads, and by the daemon's tick. Object first, record second, file in
//! the project third: before the commit a copy is made under a name of its own in [`rules::DRAFTS`], after it that file
//! is renamed into place. What must stay true: whatever stops in between, the next load of the catalogue finishes or
//! removes what is left; a file that somebody changed by hand is never overwritten, but set aside.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use proto::RawPath;
use proto::artifact::Copy;
use proto::error::{Error, Result};
use proto::places::Places;

use super::catalog::{Entry, Slot};
use super::rules;
use super::store::Card;
use crate::db::Db;
use crate::dispatch::hold;
use crate::objects::{Digest, Objects};
use crate::workspace::config::Storage;
use crate::workspace::folder::{Folder, cannot_write};
use crate::world::{FileKind, Stat, World};

/// Copies up to this size (16 MiB) are made before the commit, under the workspace's lock.
const SOON: u64 = 16 << 20;
/// Copies up to this size (64 MiB) are made before the answer; larger ones after it.
const BEFORE_ANSWER: u64 = 64 << 20;
/// The most copies left by a crash that are looked at.
const MOST_LEFT: usize = 10_000;
/// How much of a file is read at a time.
const STEP: usize = 256 << 10;

/// Where the files of a workspace are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Home {
    /// `ws_<12 hex>`.
    pub workspace: String,
    /// Its root.
    pub root: PathBuf,
    /// Whether they are in the project.
    pub storage: Storage,
    /// The user's places.
    pub places: Places,
}

impl Home {
    /// The folder of one of its checkouts; of the root without one.
    #[must_use]
    pub fn folder(&self, tree: Option<&RawPath>) -> Folder {
        let tree = tree.map_or(self.root.as_path(), RawPath::as_path);
        Folder::of(self.storage, tree, &self.workspace, &self.places)
    }

    /// The folder of a card's file, and the way from its base to the file.
    #[must_use]
    pub fn way(&self, card: &Card) -> (Folder, PathBuf) {
        let folder = self.folder(card.tree.as_ref());
        let way = folder.within(Path::new(rules::FOLDER).join(&card.folder).join(&card.name));
        (folder, way)
    }

    /// The whole path of a card's file.
    #[must_use]
    pub fn path(&self, card: &Card) -> PathBuf {
        let (folder, way) = self.way(card);
        folder.base.join(way)
    }
}

/// What a file was when its bytes were last known to be right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    ino: u64,
    size: u64,
    mtime: i64,
    ctime: i64,
}

impl From<Stat> for Seen {
    fn from(stat: Stat) -> Self {
        Self {
            ino: stat.ino,
            size: stat.size,
            mtime: stat.mtime,
            ctime: stat.ctime,
        }
    }
}

/// A copy on its way into the project.
#[derive(Clone, Debug)]
pub struct Placing {
    /// The card it is of.
    pub card: Card,
    /// Whether its bytes are there already.
    filled: bool,
}

impl Placing {
    /// One for which nothing has been made ready.
    #[must_use]
    pub fn empty(card: Card) -> Self {
        Self { card, filled: false }
    }
}

fn draft_of(card: &Card) -> String {
    format!("{}-{}", card.id, card.version)
}

fn draft_way(folder: &Folder, name: &str) -> PathBuf {
    folder.within(Path::new(rules::FOLDER).join(rules::DRAFTS).join(name))
}

/// Makes a copy ready before the commit; a small one with its bytes, a larger one as a sign that it is to come. Gives the
/// card the file's stamp, where it is known.
///
/// # Errors
/// `refused` where the project cannot be written to.
pub fn prepare(world: &dyn World, objects: &Objects, home: &Home, card: &mut Card) -> Result<Placing> {
    let (folder, way) = home.way(card);
    let draft = draft_way(&folder, &draft_of(card));
    let failed = |error| cannot_write(&folder.base.join(&way), &error);
    // A folder in the place of the file, or a link on the way to it, is found before anything is recorded.
    let above = way.parent().unwrap_or(Path::new(""));
    world.make_dir(&folder.base, above).map_err(failed)?;
    if world
        .stat(&folder.base.join(&way))
        .is_ok_and(|stat| stat.kind == FileKind::Dir)
    {
        return Err(failed(std::io::ErrorKind::AlreadyExists.into()).next("move that folder away"));
    }
    let filled = card.size <= SOON;
    if filled {
        let stat = fill(world, objects, &folder, (&draft, card.object()))?;
        card.stamp = Some((stat.ino, stat.mtime));
    } else {
        world.write(&folder.base, &draft, b"").map_err(failed)?;
        card.stamp = None;
    }
    Ok(Placing {
        card: card.clone(),
        filled,
    })
}

fn fill(
    world: &dyn World,
    objects: &Objects,
    folder: &Folder,
    (draft, digest): (&Path, Digest),
) -> Result<Stat> {
    let failed = |error| cannot_write(&folder.base.join(draft), &error);
    let object = objects.open(&digest)?;
    match object.plain() {
        Some(file) => world.copy_in(file, &folder.base, draft).map_err(failed),
        None => {
            let unpacked = objects.unpacked(object)?;
            world.copy_in(&unpacked, &folder.base, draft).map_err(failed)
        }
    }
}

/// Takes the copies of a change that was not made away again.
pub fn forget(world: &dyn World, home: &Home, placings: &[Placing]) {
    for placing in placings {
        let (folder, _) = home.way(&placing.card);
        if let Err(error) = world.remove(&folder.base, &draft_way(&folder, &draft_of(&placing.card))) {
            tracing::debug!(%error, "a copy that is not needed stays until the next load");
        }
    }
}

/// Gives the file of an artifact that is to go the name of a copy that is to come: whatever stops from here on, the next
/// load of the catalogue puts it back, or removes it when there is no record of it any more.
///
/// # Errors
/// `refused` where the project cannot be written to.
pub fn lay_aside(world: &dyn World, home: &Home, card: &Card) -> Result<()> {
    let (folder, way) = home.way(card);
    world
        .put_in_place(&folder.base, &way, &draft_way(&folder, &draft_of(card)))
        .map_err(|error| cannot_write(&folder.base.join(&way), &error))
}

/// Gives such files their names again.
pub fn lay_back(world: &dyn World, home: &Home, placings: &[Placing]) {
    for placing in placings {
        let (folder, way) = home.way(&placing.card);
        if let Err(error) =
            world.put_in_place(&folder.base, &draft_way(&folder, &draft_of(&placing.card)), &way)
        {
            tracing::debug!(%error, "a file that lies aside stays there until the next load");
        }
    }
}

/// What putting files in place stands on; may outlive the request.
#[derive(Clone)]
pub struct Hand {
    /// Files and the clock.
    pub world: Arc<dyn World>,
    /// All records.
    pub db: Db,
    /// The catalogue.
    pub slot: Arc<Slot>,
    /// Where the files are.
    pub home: Home,
}

impl Hand {
    /// Puts the copies of a committed change in their places; what its caller should know. Large ones follow later.
    pub fn place_all(&self, placings: Vec<Placing>) -> Vec<String> {
        let mut warnings = Vec::new();
        let (now, later): (Vec<_>, Vec<_>) = placings
            .into_iter()
            .partition(|placing| placing.card.size <= BEFORE_ANSWER);
        for placing in now {
            warnings.extend(self.place(&placing));
        }
        for placing in later {
            let hand = self.clone();
            let work = move || {
                for warning in hand.place(&placing) {
                    tracing::warn!("{warning}");
                }
            };
            match tokio::runtime::Handle::try_current() {
                Ok(runtime) => drop(runtime.spawn_blocking(work)),
                Err(_) => work(),
            }
        }
        warnings
    }

    /// Puts one copy in its place, unless a newer version has come meanwhile.
    fn place(&self, placing: &Placing) -> Vec<String> {
        let card = &placing.card;
        // What takes long happens beside whoever places something else.
        let filled = match placing.filled {
            true => Ok(()),
            false => self.filled(card),
        };
        let _one_at_a_time = hold(&self.slot.placing);
        let newest =
            self.slot.with(|catalog| {
                let entry = catalog.find(&card.id);
                Ok(entry
                    .is_some_and(|entry| entry.card.version == card.version && entry.card.archived.is_none()))
            });
        if !newest.unwrap_or(true) {
            forget(&*self.world, &self.home, std::slice::from_ref(placing));
            return Vec::new();
        }
        match filled.and_then(|()| self.put(card)) {
            Ok((seen, warnings)) => {
                self.slot.note((&card.id, card.version), Copy::Good, Some(seen));
                warnings
            }
            Err(error) => {
                self.slot.note((&card.id, card.version), Copy::Missing, None);
                vec![format!(
                    "the artifact is kept, but its file is not in the project: {error}; `tocli artifact restore {}` tries again",
                    card.id
                )]
            }
        }
    }

    fn filled(&self, card: &Card) -> Result<()> {
        let (folder, _) = self.home.way(card);
        let draft = draft_way(&folder, &draft_of(card));
        fill(&*self.world, &self.db.objects(), &folder, (&draft, card.object())).map(drop)
    }

    fn put(&self, card: &Card) -> Result<(Seen, Vec<String>)> {
        let world = &*self.world;
        let (folder, way) = self.home.way(card);
        let draft = draft_way(&folder, &draft_of(card));
        let failed = |error| cannot_write(&folder.base.join(&way), &error);
        let aside = self.set_aside(&folder, &way, card)?;
        world.put_in_place(&folder.base, &draft, &way).map_err(failed)?;
        let stat = world.stat_beneath(&folder.base, &way).map_err(failed)?;
        Ok((stat.into(), aside))
    }

    /// What somebody has changed by hand gets another name, so that nobody's work is lost.
    fn set_aside(&self, folder: &Folder, way: &Path, card: &Card) -> Result<Vec<String>> {
        let path = folder.base.join(way);
        let Ok(stat) = self.world.stat(&path) else {
            return Ok(Vec::new());
        };
        if stat.kind != FileKind::File || self.is_ours(folder, way, (card, stat))? {
            return Ok(Vec::new());
        }
        for n in 1..100 {
            let name = rules::by_hand(&card.name, n);
            match self.world.set_aside(&folder.base, way, Path::new(&name)) {
                Ok(()) => {
                    return Ok(vec![format!(
                        "`{}` had been changed by hand: that is `{name}` beside it now",
                        path.display()
                    )]);
                }
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(cannot_write(&path, &error)),
            }
        }
        Err(
            Error::refused(format!("`{}` was changed by hand too often", path.display()))
                .next("remove the files `…by-hand…` beside it"),
        )
    }

    /// Whether what stands in an artifact's place is another version of it: one that a newer one was to take the place of.
    ///
    /// # Errors
    /// `Unavailable` when the records cannot be read.
    pub fn is_behind(&self, card: &Card) -> Result<bool> {
        let (folder, way) = self.home.way(card);
        match self.world.stat(&folder.base.join(&way)) {
            Ok(stat) if stat.kind == FileKind::File => self.is_ours(&folder, &way, (card, stat)),
            _ => Ok(false),
        }
    }

    /// Whether a file holds the bytes of a version of its artifact.
    fn is_ours(&self, folder: &Folder, way: &Path, (card, stat): (&Card, Stat)) -> Result<bool> {
        let records = super::store::Artifacts::new(&self.db, &self.home.workspace);
        let editions = records.editions(&card.id)?;
        if !editions.iter().any(|edition| edition.size == stat.size) {
            return Ok(false);
        }
        let Ok(digest) = digest(&*self.world, folder, way) else {
            return Ok(false);
        };
        Ok(editions
            .iter()
            .any(|edition| edition.digest == *digest.as_bytes()))
    }

    /// Finishes or removes what a crash left between a commit and its files. With the catalogue loaded.
    pub fn settle(&self) {
        let Ok(cards) = self.slot.with(|catalog| {
            Ok(catalog
                .all()
                .map(|entry| entry.card.clone())
                .collect::<Vec<Card>>())
        }) else {
            return;
        };
        let mut trees: Vec<Option<&RawPath>> = cards.iter().map(|card| card.tree.as_ref()).collect();
        trees.push(None);
        trees.sort();
        trees.dedup();
        for folder in trees.into_iter().map(|tree| self.home.folder(tree)) {
            let drafts = folder.within(Path::new(rules::FOLDER).join(rules::DRAFTS));
            let left = self
                .world
                .list_beneath(&folder.base, &drafts, MOST_LEFT)
                .unwrap_or_default();
            for name in left.into_iter().filter_map(|entry| entry.name.into_string().ok()) {
                let card = cards.iter().find(|card| {
                    draft_of(card) == name
                        && card.archived.is_none()
                        && self.home.folder(card.tree.as_ref()) == folder
                });
                match card {
                    // Its bytes may have been cut off by a power cut: they come from the object again.
                    Some(card) => drop(self.place(&Placing {
                        card: card.clone(),
                        filled: false,
                    })),
                    None => {
                        let gone = self.world.remove(&folder.base, &drafts.join(&name));
                        tracing::info!(?gone, name, "a copy that was never recorded is removed");
                    }
                }
            }
        }
    }
}

/// The digest of a file beneath a folder's base.
fn digest(world: &dyn World, folder: &Folder, way: &Path) -> std::io::Result<Digest> {
    let mut file = world.open_beneath(&folder.base, way)?;
    let mut hasher = blake3::Hasher::new();
    let mut bytes = vec![0; STEP];
    loop {
        match file.read(&mut bytes) {
            Ok(0) => return Ok(Digest::from(*hasher.finalize().as_bytes())),
            Ok(count) => drop(hasher.update(&bytes[..count])),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// How an artifact's file is now. Its bytes are read only when its stamp is not the one on record.
#[must_use]
pub fn look(world: &dyn World, home: &Home, entry: &Entry) -> (Copy, Option<Seen>) {
    let card = &entry.card;
    if card.archived.is_some() {
        return (Copy::None, None);
    }
    if entry.copy == Copy::Placing {
        return (Copy::Placing, None);
    }
    let (folder, way) = home.way(card);
    let Ok(stat) = world.stat(&folder.base.join(&way)) else {
        return (Copy::Missing, None);
    };
    let seen = Seen::from(stat);
    if stat.kind != FileKind::File || stat.size != card.size {
        return (Copy::Modified, None);
    }
    if entry.seen == Some(seen) {
        return (Copy::Good, Some(seen));
    }
    let on_record = entry.seen.is_none() && card.stamp == Some((stat.ino, stat.mtime));
    if on_record || digest(world, &folder, &way).is_ok_and(|digest| digest == card.object()) {
        return (Copy::Good, Some(seen));
    }
    (Copy::Modified, None)
}

/// Looks how a file is, and notes it, unless it is just being put in its place.
pub fn look_again(world: &dyn World, slot: &Slot, home: &Home, entry: &Entry) -> Copy {
    // Whoever places holds this while it does, and notes what came of it.
    let at_rest = slot.placing.try_lock();
    let (copy, seen) = look(world, home, entry);
    let news = (copy, seen) != (entry.copy, entry.seen) || !entry.looked;
    if at_rest.is_ok() && news && copy != Copy::Placing {
        slot.note((&entry.card.id, entry.card.version), copy, seen);
    }
    copy
}
