//! Reading one directory: watch it, list it, judge each name, stat what is shown. Many at a time when there are many.
//!
//! Asked by the engine for new directories and for those whose rules have changed. What must stay true: the watch is
//! placed before the directory is read, so whatever happens after the reading makes an event; nothing here changes the
//! tree, so any number of directories can be read at once.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use super::disk::{Disk, FILE_LIMIT};
use super::ignore::{Matcher, Rules};
use super::repo::{self, Repo};
use super::store::Store;
use super::tracked::Tracked;
use super::tree::{Id, Kind};
use super::unwatched::Unwatched;
use super::verify::{Trusted, believable};
use super::wildmatch::Case;
use crate::watch::{WatchError, Wd};
use crate::world::FileKind;
use crate::world::dir::Meta;

/// Control folders of version control that has no ignore rules here.
const CONTROL: [&[u8]; 4] = [b".git", b".hg", b".svn", b".jj"];
/// Handles are kept open for at most this many levels; deeper directories are opened by their path.
const HANDLE_DEPTH: usize = 64;
/// Bytes of the root and of a path in it, less the system's limit for the slash between and the zero at the end. What
/// is deeper has no path that could be opened.
pub(super) const PATH_MAX: usize = 4096 - 1;
/// Shorter ones are not counted.
pub(super) const LONG: usize = PATH_MAX / 2;
/// Directories waiting before other threads are asked to help.
const HELP_AT: usize = 64;

type Names = Vec<(Vec<u8>, Option<FileKind>)>;

/// A directory to be read.
pub(super) struct Job<D: Disk> {
    /// The directory it is in, and its name there; the root has the root and an empty name.
    pub(super) parent: Id,
    pub(super) name: Vec<u8>,
    /// Relative to the root.
    pub(super) path: Vec<u8>,
    /// The parent's handle, when that is open.
    pub(super) within: Option<Arc<D::Dir>>,
    /// What counts in the parent.
    pub(super) rules: Rules,
    /// The directory, or one above it, is hidden by the rules.
    pub(super) excluded: bool,
    /// No rule above has changed since the index was saved.
    pub(super) trusted: bool,
}

impl<D: Disk> Job<D> {
    /// Bytes of a path before the names in the directory.
    pub(super) fn inner_start(&self) -> usize {
        match self.path.len() {
            0 => 0,
            length => length + 1,
        }
    }

    /// The path of a name in the directory.
    pub(super) fn path_of(&self, name: &[u8]) -> Vec<u8> {
        let mut path = Vec::with_capacity(self.inner_start() + name.len());
        path.extend_from_slice(&self.path);
        if !path.is_empty() {
            path.push(b'/');
        }
        path.extend_from_slice(name);
        path
    }

    /// Whether what lies in the directory is opened through its handle.
    pub(super) fn keeps_handles(&self) -> bool {
        self.path.iter().filter(|&&byte| byte == b'/').count() < HANDLE_DEPTH
    }
}

/// A file, link or submodule that is shown.
pub(super) struct Found {
    pub(super) name: Vec<u8>,
    pub(super) kind: Kind,
    pub(super) meta: Meta,
    pub(super) forced: bool,
}

/// What was read.
pub(super) struct Listing<D: Disk> {
    pub(super) watch: Result<Wd, WatchError>,
    /// Why not all that matters of it is watched, when that is so.
    pub(super) unwatched: Option<Unwatched>,
    /// The watch on its `.git`, when it has one that could make it a nested repository.
    pub(super) git_watch: Option<Wd>,
    pub(super) meta: Meta,
    pub(super) matcher: Option<Arc<Matcher>>,
    pub(super) has_git: bool,
    /// Git's index holds it as one entry.
    pub(super) is_sparse: bool,
    pub(super) nested: Nested,
    pub(super) is_repository: bool,
    /// It was not listed: `files` are only those that differ from what is known.
    pub(super) is_as_saved: bool,
    pub(super) files: Vec<Found>,
    pub(super) dirs: Vec<Job<D>>,
}

/// Whether a directory is a repository within.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Nested {
    No,
    /// One entry, and nothing of what lies in it.
    Shown,
    /// Nothing at all: git's index holds a file of its name.
    Veiled,
}

/// What the rules say of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Hidden,
    Shown { forced: bool },
    Descend { forced: bool },
    Submodule,
}

/// What reading needs to know.
pub(super) struct Look<'a, D: Disk> {
    pub(super) disk: &'a D,
    /// None when the pass has no root.
    pub(super) root: Option<&'a D::Dir>,
    pub(super) root_path: &'a [u8],
    pub(super) tracked: &'a Tracked,
    /// What git's store has to say.
    pub(super) store: &'a Store,
    /// What is taken away from what git shows.
    pub(super) extra: &'a Rules,
    /// What may be believed while a saved index is compared with the disk.
    pub(super) trusted: Option<&'a Trusted>,
    /// Whose rules count, when there is one.
    pub(super) repo: Option<&'a Repo>,
    /// Bytes of the longest path that was met, with the root's.
    pub(super) longest: &'a AtomicUsize,
    #[cfg(test)]
    pub(super) bug: super::engine::Bug,
}

impl<D: Disk> Look<'_, D> {
    /// Whether git's rules count.
    pub(super) fn is_git(&self) -> bool {
        self.repo.is_some()
    }

    /// Whether they tell upper from lower case.
    fn case(&self) -> Case {
        self.repo.map_or(Case::Exact, |repo| repo.settings.case())
    }

    /// What git would do with a name. `path` is relative to the root, `excluded` that its directory is hidden.
    pub(super) fn judge(&self, path: &[u8], kind: FileKind, rules: &Rules, excluded: bool) -> Verdict {
        let name = path.rsplit(|&byte| byte == b'/').next().unwrap_or(path);
        if name == b".git" || (!self.is_git() && CONTROL.contains(&name)) {
            return Verdict::Hidden;
        }
        if self.extra.hide(path, kind == FileKind::Dir) || self.is_too_long(path) {
            return Verdict::Hidden;
        }
        let is_link = kind == FileKind::Dir && self.tracked.is_link(path);
        #[cfg(test)]
        let is_link = is_link && self.bug != super::engine::Bug::SubmoduleIsAFolder;
        match kind {
            FileKind::Dir if is_link => Verdict::Submodule,
            FileKind::Dir if self.tracked.has_link_in_other_case(path) => Verdict::Hidden,
            FileKind::File | FileKind::Link if self.tracked.has_in_other_case(path) => Verdict::Hidden,
            FileKind::Dir => match excluded || rules.hide(path, true) {
                true if !self.tracked.has_beneath(path) => Verdict::Hidden,
                forced => Verdict::Descend { forced },
            },
            FileKind::File | FileKind::Link => match excluded || rules.hide(path, false) {
                true if !self.tracked.has(path) => Verdict::Hidden,
                forced => Verdict::Shown { forced },
            },
            FileKind::Other if self.tracked.has(path) => Verdict::Shown { forced: true },
            FileKind::Other => Verdict::Hidden,
        }
    }

    fn is_too_long(&self, path: &[u8]) -> bool {
        let length = self.root_path.len() + path.len();
        if length > LONG {
            self.longest.fetch_max(length, Ordering::Relaxed);
        }
        length >= PATH_MAX
    }

    pub(super) fn open(&self, job: &Job<D>) -> io::Result<D::Dir> {
        match &job.within {
            Some(parent) => self.disk.open_at(parent, &job.name),
            None => match self.root {
                Some(root) => self.disk.open_at(root, &job.path),
                None => Err(io::ErrorKind::NotFound.into()),
            },
        }
    }

    /// Watches, then reads.
    pub(super) fn read(&self, job: &Job<D>) -> io::Result<Listing<D>> {
        let dir = self.open(job)?;
        #[cfg(test)]
        let too_early = (self.bug == super::engine::Bug::ReadBeforeWatch).then(|| self.names(&dir));
        let meta = self.disk.identity(&dir)?;
        let watch = self.disk.watch(&dir, meta.dev);
        // What is believed unlisted must not have changed since the watch stands.
        let meta = match self.trusted {
            Some(_) => self.disk.identity(&dir)?,
            None => meta,
        };
        let (dir, watch) = match self.as_saved(job, (dir, meta), watch) {
            Ok(listing) => return Ok(listing),
            Err(listed) => listed,
        };
        let meta = believable(meta, self.disk.now(), self.disk.granularity());
        let (names, has_git) = self.names(&dir)?;
        #[cfg(test)]
        let (names, has_git) = too_early.unwrap_or(Ok((names, has_git)))?;
        let mut listing = Listing {
            unwatched: watch.as_ref().err().map(Unwatched::from),
            watch,
            git_watch: None,
            meta,
            matcher: None,
            has_git: has_git && self.is_git() && !job.path.is_empty(),
            is_sparse: self.tracked.is_sparse(&job.path),
            nested: Nested::No,
            is_repository: false,
            is_as_saved: false,
            files: Vec::new(),
            dirs: Vec::new(),
        };
        if listing.has_git {
            match self.watch_git(&dir) {
                Some(Ok(wd)) => listing.git_watch = Some(wd),
                Some(Err(error)) => listing.unwatched = Some(Unwatched::from(&error)),
                None => {}
            }
            listing.is_repository = self.is_repository(&dir, &job.path);
            listing.nested = self.nested(&job.path, listing.is_repository);
            if listing.nested != Nested::No {
                return Ok(listing);
            }
        }
        let has_file = || names.iter().any(|(name, _)| name == b".gitignore");
        if self.is_git() && (self.tracked.stored(&job.path).is_some() || has_file()) {
            listing.matcher = self.matcher(&dir, &job.path);
        }
        self.sort(job, dir, names, &mut listing);
        Ok(listing)
    }

    /// The names in a directory with their kinds, and whether `.git` is among them.
    fn names(&self, dir: &D::Dir) -> io::Result<(Names, bool)> {
        let (mut names, mut has_git) = (Vec::new(), false);
        self.disk.list(dir, &mut |name, kind| match name {
            b".git" => has_git = true,
            name => names.push((name.to_vec(), kind)),
        })?;
        Ok((names, has_git))
    }

    /// The ignore file of a directory; none when it has none that git would read.
    pub(super) fn matcher(&self, dir: &D::Dir, path: &[u8]) -> Option<Arc<Matcher>> {
        let source = match self.disk.read(dir, b".gitignore", FILE_LIMIT) {
            Ok(source) => source,
            Err(error) if error.kind() == io::ErrorKind::FileTooLarge => {
                return Some(Arc::new(Matcher::too_large()));
            }
            // It is there, and git would not look any further.
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => return None,
            Err(_) => {
                let (repo, id) = (self.repo?, self.tracked.stored(path)?);
                self.store.ignore_file(self.disk, &repo.git_dir, (path, id))?
            }
        };
        Some(Arc::new(Matcher::parse_in(source, self.case())))
    }

    /// None for a `.git` that is no directory.
    fn watch_git(&self, dir: &D::Dir) -> Option<Result<Wd, WatchError>> {
        let git = self.disk.open_at(dir, b".git").ok()?;
        let meta = self.disk.identity(&git).ok()?;
        Some(self.disk.watch(&git, meta.dev))
    }

    pub(super) fn is_repository(&self, dir: &D::Dir, path: &[u8]) -> bool {
        repo::is_repository(self.disk, dir, &repo::join(self.root_path, path), self.repo)
    }

    /// What a directory with a `.git` is, which makes it a repository or does not.
    pub(super) fn nested(&self, path: &[u8], is_repository: bool) -> Nested {
        match is_repository && !self.tracked.has_beneath_in_any_case(path) {
            false => Nested::No,
            true if self.tracked.has(path) => Nested::Veiled,
            true => Nested::Shown,
        }
    }

    fn sort(&self, job: &Job<D>, dir: D::Dir, names: Names, listing: &mut Listing<D>) {
        let mut path = job.path.clone();
        if !path.is_empty() {
            path.push(b'/');
        }
        let start = path.len();
        let rules = match &listing.matcher {
            Some(matcher) => job.rules.with(matcher.clone(), start),
            None => job.rules.clone(),
        };
        let (keeps_handles, trusted) = (job.keeps_handles(), self.believes(job, listing.matcher.as_ref()));
        let dir = Arc::new(dir);
        for (name, kind) in names {
            path.truncate(start);
            path.extend_from_slice(&name);
            let mut meta = None;
            let kind = match kind {
                Some(kind) => kind,
                None => match self.disk.stat(&dir, &name) {
                    Ok(stat) => meta.insert(stat).kind,
                    Err(_) => continue,
                },
            };
            let verdict = self.judge(&path, kind, &rules, job.excluded);
            if let Verdict::Descend { forced } = verdict {
                listing.dirs.push(Job {
                    parent: job.parent,
                    name,
                    path: path.clone(),
                    within: keeps_handles.then(|| dir.clone()),
                    rules: rules.clone(),
                    excluded: forced,
                    trusted,
                });
                continue;
            }
            if verdict == Verdict::Hidden {
                continue;
            }
            // Gone by now, or of another kind: there is an event for that.
            let Some(meta) = meta
                .or_else(|| self.disk.stat(&dir, &name).ok())
                .filter(|meta| meta.kind == kind)
            else {
                continue;
            };
            let (kind, forced) = match verdict {
                Verdict::Submodule => (Kind::Submodule, false),
                Verdict::Shown { forced } => (Kind::plain(kind), forced),
                Verdict::Hidden | Verdict::Descend { .. } => continue,
            };
            listing.files.push(Found {
                name,
                kind,
                meta,
                forced,
            });
        }
    }
}

struct Stack<D: Disk> {
    jobs: Vec<Job<D>>,
    busy: usize,
    helpers: usize,
}

/// A directory that is being read: should that end in a panic, nobody waits for it, and the panic ends the crawl.
struct Reading<'a, D: Disk> {
    stack: &'a Mutex<Stack<D>>,
    waiting: &'a Condvar,
}

impl<D: Disk> Drop for Reading<'_, D> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let mut held = self.stack.lock().unwrap_or_else(PoisonError::into_inner);
            held.busy -= 1;
            held.jobs.clear();
            self.waiting.notify_all();
        }
    }
}

/// Reads all `jobs` and what lies beneath. `absorb` is given each listing, one at a time, with the number of calls that
/// failed and said nothing of the files, and returns the directories to read next. With `threads` over one, others help when many directories wait.
pub(super) fn run<D: Disk, F>(look: &Look<'_, D>, jobs: Vec<Job<D>>, threads: usize, absorb: F)
where
    F: FnMut(Job<D>, io::Result<Listing<D>>, u64) -> Vec<Job<D>> + Send,
{
    let stack = Mutex::new(Stack {
        jobs,
        busy: 0,
        helpers: threads.saturating_sub(1),
    });
    let (absorb, waiting) = (Mutex::new(absorb), Condvar::new());
    std::thread::scope(|scope| work(look, &stack, &waiting, &absorb, Some(scope)));
}

fn work<'scope, 'env, D: Disk, F>(
    look: &'env Look<'env, D>,
    stack: &'env Mutex<Stack<D>>,
    waiting: &'env Condvar,
    absorb: &'env Mutex<F>,
    scope: Option<&'scope std::thread::Scope<'scope, 'env>>,
) where
    F: FnMut(Job<D>, io::Result<Listing<D>>, u64) -> Vec<Job<D>> + Send,
{
    let mut held = stack.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        let Some(job) = held.jobs.pop() else {
            if held.busy == 0 {
                waiting.notify_all();
                return;
            }
            held = waiting.wait(held).unwrap_or_else(PoisonError::into_inner);
            continue;
        };
        held.busy += 1;
        if let Some(scope) = scope
            && held.jobs.len() > HELP_AT
        {
            for _ in 0..std::mem::take(&mut held.helpers) {
                scope.spawn(|| work(look, stack, waiting, absorb, None));
            }
        }
        drop(held);
        let _reading = Reading { stack, waiting };
        let before = look.disk.failures_here();
        let listing = look.read(&job);
        let failures = look.disk.failures_here() - before;
        let more = (absorb.lock().unwrap_or_else(PoisonError::into_inner))(job, listing, failures);
        held = stack.lock().unwrap_or_else(PoisonError::into_inner);
        held.busy -= 1;
        if !more.is_empty() || held.busy == 0 {
            held.jobs.extend(more);
            waiting.notify_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;
    use crate::index::disk::LocalDisk;
    use crate::index::engine::Engine;
    use crate::index::tree::Tree;
    use crate::index::{Manner, Settings, Trees};

    #[test]
    fn a_panic_while_many_threads_read_ends_the_crawl() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        for number in 0..4 * HELP_AT {
            std::fs::create_dir(root.join(number.to_string())).unwrap();
        }
        let trees = Trees::new(Settings::default()).unwrap();
        let disk = LocalDisk::new(trees.hub.clone(), trees.new_key());
        let mut engine = Engine::new(disk, trees.start_of(&root, &Manner::default())).unwrap();
        engine.root = engine.disk.open(&engine.start.root).ok();
        let (end, ended) = mpsc::channel();
        std::thread::spawn(move || {
            let job = Job {
                parent: Tree::ROOT,
                name: Vec::new(),
                path: Vec::new(),
                within: None,
                rules: Rules::default(),
                excluded: false,
                trusted: false,
            };
            let mut read = 0;
            let absorb = |_, listing: io::Result<Listing<LocalDisk>>, _| {
                read += 1;
                if read == 2 * HELP_AT {
                    resume_unwind(Box::new("on purpose"));
                }
                listing.map(|listing| listing.dirs).unwrap_or_default()
            };
            let crawl = || run(&engine.look(), vec![job], 4, absorb);
            end.send(catch_unwind(AssertUnwindSafe(crawl)).is_err())
        });
        assert_eq!(ended.recv_timeout(Duration::from_secs(60)), Ok(true));
    }
}
