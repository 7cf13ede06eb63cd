//! The door of the index: requests about files and changes.
//!
//! Asked by `dispatch`; every request runs as a stream, because the first one of a tree waits for its crawl and says how
//! far that is. What must stay true: an answer names the root it is about and the clock it stands for; a query with a
//! cookie sees all that happened before it was asked, or says `unsynced`.

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use proto::detect::{Detection, From, Method};
use proto::index::{Answer, Request, Since, Sync};
use proto::places::Places;
use proto::{Error, Item, RawPath, error::Result, frame};

use super::{Changes, Tree};
use crate::ctx::{self, Ctx};
use crate::dispatch::{self, Ask, Memory};
use crate::server::Sink;
use crate::workspace;
use crate::world::FileKind;

/// How long a query waits for its cookie before it answers `unsynced` (SPEC 6).
const SYNC_LIMIT: Duration = Duration::from_secs(1);

/// The most files of one page.
const PAGE: u32 = 100_000;

/// How often a first crawl says how far it is.
const PROGRESS: Duration = Duration::from_millis(200);

/// Confidence up to which a directory is not indexed unless it is named (SPEC 4).
const WEAK: u8 = 5;

/// One request.
///
/// # Errors
/// What detection says; `refused` for a directory that is no project and was not named; `usage` for a glob or a clock
/// that is none.
pub async fn answer(ctx: Arc<Ctx>, ask: Ask, request: Request, sink: Sink) -> Result<proto::Answer> {
    let answer = match request {
        Request::Files { at, glob, sync } => {
            let (tree, unsynced) = synced(&ctx, &ask, at, sync, &sink).await?;
            files(&tree, glob, unsynced, &sink).await?
        }
        Request::FilesPage {
            at,
            glob,
            after,
            limit,
            sync,
        } => {
            let (tree, unsynced) = synced(&ctx, &ask, at, sync, &sink).await?;
            let (unverified, limit) = (tree.is_unverified(), limit.clamp(1, PAGE) as usize);
            let from = Arc::clone(&tree);
            let listed = move || {
                let after = after.as_ref().map(RawPath::as_bytes);
                from.page(glob.as_deref(), (after, limit))
            };
            let (clock, list) = dispatch::compute(listed).await?;
            for part in list.chunks(frame::CHUNK) {
                sink.item(Item::Files(part)).await?;
            }
            Answer::FilesPage {
                root: root(&tree),
                clock,
                left: list.left(),
                unsynced,
                unverified,
            }
        }
        Request::Clock { at, sync } => {
            let (tree, unsynced) = synced(&ctx, &ask, at, sync, &sink).await?;
            Answer::Clock {
                root: root(&tree),
                clock: tree.clock(),
                unsynced,
                unverified: tree.is_unverified(),
            }
        }
        Request::Changes {
            at,
            since,
            wait,
            sync,
        } => {
            let (tree, unsynced) = synced(&ctx, &ask, at, sync, &sink).await?;
            let unverified = !wait && tree.is_unverified();
            let mut found = changes(&tree, &since).await?;
            if wait && found.fresh.is_none() && found.changes.is_empty() {
                found = tree.wait(&since).await?;
            }
            let (clock, fresh) = (found.clock, found.fresh);
            let mut changes = found.changes.into_iter().peekable();
            while changes.peek().is_some() {
                sink.item(Item::Changes(part(&mut changes))).await?;
            }
            Answer::Changes {
                root: root(&tree),
                clock,
                fresh_instance: fresh.is_some(),
                fresh_why: fresh.map(str::to_owned),
                unsynced,
                unverified,
            }
        }
        Request::Watches => {
            let from = Arc::clone(&ctx);
            let report = move || Ok(super::doctor::report(&from.trees, &from.detector, &from.entered));
            Answer::Watches(Box::new(dispatch::compute(report).await?))
        }
        Request::Watch { at, since } => watch(&ctx, &ask, (at, since), &sink).await?,
    };
    Ok(proto::Answer::Index(answer))
}

/// What is answered where the question is read: a clock or a few changes of a tree that is at hand and at rest, with a
/// part before the answer. None where anything has to be waited for, opened, or gathered.
pub fn at_once(memory: Memory<'_>, request: &Request) -> Option<(Option<Item>, proto::Answer)> {
    let (at, since, sync) = match request {
        Request::Clock { at, sync } => (at, None, *sync),
        Request::Changes {
            at,
            since,
            wait: false,
            sync,
        } => (at, Some(since), *sync),
        _ => return None,
    };
    // Asked of the kernel once, for all that this question looks at.
    let mounts = memory.mounts();
    let standing = memory.located(at, &mounts).ok()??;
    let found = standing.answer();
    if is_not_meant(memory.places(), at, found) {
        return None;
    }
    memory.follow_settings();
    let tree = memory.trees().get(found.root.as_path())?;
    tree.lead(found.led_from.as_ref());
    if !tree.is_ready() || (sync == Sync::Cookie && !tree.sync_at_once(&mounts, &standing)) {
        return None;
    }
    let unverified = tree.is_unverified();
    let (root, unsynced) = (root(&tree), false);
    let (part, answer) = match since {
        None => (
            None,
            Answer::Clock {
                root,
                clock: tree.clock(),
                unsynced,
                unverified,
            },
        ),
        Some(since) => {
            let found = tree.few_changes(since)?;
            let mut changes = found.changes.into_iter().peekable();
            let part = changes.peek().is_some().then(|| part(&mut changes));
            if changes.next().is_some() {
                return None;
            }
            (
                part.map(Item::Changes),
                Answer::Changes {
                    root,
                    clock: found.clock,
                    fresh_instance: false,
                    fresh_why: None,
                    unsynced,
                    unverified,
                },
            )
        }
    };
    memory.visited(tree.root());
    Some((part, proto::Answer::Index(answer)))
}

/// The tree asked about, past its first crawl, and whether the cookie failed to come through.
async fn synced(ctx: &Arc<Ctx>, ask: &Ask, at: From, sync: Sync, sink: &Sink) -> Result<(Arc<Tree>, bool)> {
    let tree = tree(ctx, ask, at, sink).await?;
    let unsynced = match sync {
        Sync::Cookie => !tree.sync(SYNC_LIMIT).await,
        Sync::No => false,
    };
    Ok((tree, unsynced))
}

async fn tree(ctx: &Arc<Ctx>, ask: &Ask, at: From, sink: &Sink) -> Result<Arc<Tree>> {
    let found = dispatch::locate(ctx, ask, at.clone()).await?;
    if is_not_meant(&ctx.places, &at, &found) {
        let asked = found.method == Method::UserHome;
        let asked = path_of(&at).filter(|_| asked).map(Path::to_path_buf);
        return Err(
            dispatch::compute(move || Ok(not_indexed(found.root.as_path(), asked.as_deref()))).await?,
        );
    }
    // Detection has just looked at the user's file.
    ctx.follow_settings();
    let led_from = found.led_from.clone();
    let tree = match ctx.trees.get(found.root.as_path()) {
        Some(tree) => tree,
        None => open(ctx, ask, found).await?,
    };
    tree.lead(led_from.as_ref());
    ctx.visited(&ask.caller, tree.root());
    let mut tick = tokio::time::interval(PROGRESS);
    loop {
        tokio::select! {
            biased;
            () = tree.ready() => return Ok(tree),
            _ = tick.tick() => sink.progress("files", tree.progress().files, None),
        }
    }
}

/// A tree as it is within some patience.
#[derive(Debug)]
pub struct AtHand {
    /// The tree.
    pub tree: Arc<Tree>,
    /// Whether its first crawl is over.
    pub ready: bool,
}

/// The tree of a place, for a room that does not wait for it longer than `patience`; none where no project is.
///
/// # Errors
/// What detection says.
pub async fn at_hand(ctx: &Arc<Ctx>, ask: &Ask, at: From, patience: Duration) -> Result<Option<AtHand>> {
    let found = dispatch::locate(ctx, ask, at).await?;
    if weak(&ctx.places, &found) || found.method == Method::UserHome {
        return Ok(None);
    }
    let led_from = found.led_from.clone();
    let tree = match ctx.trees.get(found.root.as_path()) {
        Some(tree) => tree,
        None => open(ctx, ask, found).await?,
    };
    tree.lead(led_from.as_ref());
    let whole = async {
        tree.ready().await;
        tree.sync(patience).await
    };
    let _in_time = tokio::time::timeout(patience, whole).await;
    let ready = tree.progress().ready;
    Ok(Some(AtHand { tree, ready }))
}

/// The directory that was named, where one was.
fn path_of(at: &From) -> Option<&Path> {
    match at {
        From::Caller => None,
        From::Start(path) | From::Explicit(path) => Some(path.as_path()),
    }
}

/// Why a place is not indexed; `asked` where the home directory stands for what was named.
fn not_indexed(root: &Path, asked: Option<&Path>) -> Error {
    if let Some(asked) = asked {
        return Error::refused(format!("`{}` is in no project", asked.display()))
            .why(format!(
                "the home directory `{}` would stand for it, and is not read unless it is asked for",
                root.display()
            ))
            .next("name a directory of a project, or make one with `git init` or a marker file");
    }
    let error = Error::refused(format!("`{}` is not indexed", root.display()));
    let kind = |path: PathBuf| {
        let about = crate::world::dir::stat_file(path.as_os_str().as_bytes());
        about.ok().map(|meta| (path, meta.kind))
    };
    let mut gits = root.ancestors().map(|folder| folder.join(".git"));
    match gits.find_map(kind) {
        Some((folder, FileKind::Dir)) => error
            .why(format!("`{}` is no repository that git would read", folder.display()))
            .next("ask `git status` what is wrong with it, or name the directory with `--path`"),
        Some((file, _)) => error
            .why(format!(
                "`{}` is a file that names no repository which is there, so that git sees no project either",
                file.display()
            ))
            .next("bring the repository back or run `git worktree repair` in it, or name the directory with `--path`"),
        None => error
            .why("it looks like no project, and reading all of it was not asked for")
            .next("name the directory with `--path`, or make it a project with `git init` or a marker file"),
    }
}

/// Whether a place is not to be indexed because nobody has named it. The home directory in place of what was named is not
/// what was asked for.
fn is_not_meant(places: &Places, at: &From, found: &Detection) -> bool {
    (*at == From::Caller || found.method == Method::UserHome) && weak(places, found)
}

fn weak(places: &Places, found: &Detection) -> bool {
    let home = places.home.as_deref() == Some(found.root.as_path());
    found.method != Method::Explicit && (found.confidence <= WEAK || home)
}

/// The first use of a tree: its workspace goes on record, and its crawl begins.
async fn open(ctx: &Arc<Ctx>, ask: &Ask, found: Detection) -> Result<Arc<Tree>> {
    dispatch::on_pool(ctx, ask, move |desk| {
        let folder = match workspace::activate(desk, &found) {
            Ok(scope) => Some(scope.folder().clone()),
            // A full disk keeps nobody from reading: without its record the tree is served all the same.
            Err(error) => {
                tracing::warn!(%error, root = %found.root.display(), "a workspace could not be entered");
                None
            }
        };
        let root = found.root.as_path();
        let manner = manner_of(desk.ctx, root, folder.as_ref());
        desk.ctx.trees.ensure_with(root, &manner)
    })
    .await
}

/// The settings of a project may have changed: its tree, when it is awake, goes on as they say.
///
/// # Errors
/// What detection or the registry says.
pub fn follow_project(desk: &dispatch::Desk<'_>, at: &From) -> Result<()> {
    let found = desk.locate(at)?;
    let root = found.root.as_path();
    if let Some(tree) = desk.ctx.trees.awake_at(root) {
        let scope = workspace::activate(desk, &found)?;
        tree.change_manner(&manner_of(desk.ctx, root, Some(scope.folder())));
    }
    Ok(())
}

fn manner_of(ctx: &Ctx, root: &std::path::Path, folder: Option<&workspace::Folder>) -> super::Manner {
    let project = workspace::config::Project { root, folder };
    // The tree is everybody's: no caller's variables count.
    ctx::manner(&ctx.config.settings(&*ctx.world, Some(project), &[]))
}

async fn files(tree: &Arc<Tree>, glob: Option<String>, unsynced: bool, sink: &Sink) -> Result<Answer> {
    let (from, unverified) = (Arc::clone(tree), tree.is_unverified());
    // Some tens of milliseconds for a large tree: not on the thread of the connections.
    let (clock, list) = dispatch::compute(move || from.files(glob.as_deref())).await?;
    for part in list.chunks(frame::CHUNK) {
        sink.item(Item::Files(part)).await?;
    }
    Ok(Answer::Files {
        root: root(tree),
        clock,
        unsynced,
        unverified,
    })
}

/// What changed since; all that a long time has changed is gathered elsewhere than on the thread of the connections.
async fn changes(tree: &Arc<Tree>, since: &Since) -> Result<Changes> {
    if let Some(few) = tree.few_changes(since) {
        return Ok(few);
    }
    let (tree, since) = (Arc::clone(tree), since.clone());
    dispatch::compute(move || tree.changes(&since)).await
}

async fn watch(ctx: &Arc<Ctx>, ask: &Ask, (at, since): (From, Option<Since>), sink: &Sink) -> Result<Answer> {
    let tree = tree(ctx, ask, at, sink).await?;
    let mut batches = match since {
        None => {
            let (batches, clock) = tree.subscribe(None)?;
            sink.mark(clock).await?;
            batches
        }
        // As with [`changes`].
        Some(since) => {
            let from = Arc::clone(&tree);
            dispatch::compute(move || from.subscribe(Some(&since))).await?.0
        }
    };
    loop {
        tokio::select! {
            batch = batches.next() => match batch {
                Some(batch) => sink.item(Item::Batch(batch)).await?,
                None => return Err(Error::unavailable(format!("`{}` is no longer watched", tree.root().display()))),
            },
            why = sink.until_given_up() => return Err(why),
        }
    }
}

fn part(changes: &mut impl Iterator<Item = proto::index::Change>) -> Vec<proto::index::Change> {
    /// What a change takes at least, by this count.
    const LEAST: usize = 32;
    let mut size = 0;
    let mut part = Vec::with_capacity(changes.size_hint().0.min(frame::CHUNK / LEAST));
    for change in changes {
        size += change.path.as_bytes().len()
            + change.from.as_ref().map_or(0, |from| from.as_bytes().len())
            + LEAST;
        part.push(change);
        if size >= frame::CHUNK {
            break;
        }
    }
    part
}

fn root(tree: &Tree) -> RawPath {
    tree.root().into()
}
