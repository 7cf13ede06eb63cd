//! The only way in which a detection sees the disk: every access leaves behind what the answer now depends on.
//!
//! Asked by everything else in this room. What must stay true: a stamp is taken *before* what it covers is read, so a
//! change in between shows as a difference later; what is remembered of a path stands after what is remembered of the
//! directories above it, so a later check meets a retargeted link before the path behind it is touched; and a path that
//! may hang is entered only while few others hang there.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use proto::Error;
use proto::error::Result;

use super::stuck::Stuck;
use crate::world::{Entry, FileKind, MountTable, Nanos, Stat, World, dir};

/// Accesses that one detection may make: far beyond any real tree, so that a hostile one ends.
const MOST_LOOKS: usize = 20_000;

/// A file system that keeps whole seconds only shows itself by stamps without a fraction; vfat keeps every second one.
const WHOLE_SECONDS: Nanos = 1_000_000_000;

/// How much of a stamp the answer depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Need {
    /// Nothing: the stamp of the directory above covers it.
    Nothing,
    /// That the same thing of the same kind is there.
    Place,
    /// That nothing whatever has happened to it.
    Exact,
}

/// One thing that an answer was derived from.
#[derive(Clone, Debug)]
pub(super) struct Trace {
    path: PathBuf,
    stat: Option<Stat>,
    need: Need,
}

impl Trace {
    /// Where it was.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The mount on which it was.
    pub(super) fn mount(&self) -> Option<u64> {
        self.stat.map(|stat| stat.mount)
    }

    /// Its stamp; none when there was nothing.
    pub(super) fn stat(&self) -> Option<Stat> {
        self.stat
    }

    /// What it was; none when there was nothing.
    pub(super) fn kind(&self) -> Option<FileKind> {
        self.stat.map(|stat| stat.kind)
    }

    /// Whether the answer depends on everything about it, and not only on its being there.
    pub(super) fn is_exact(&self) -> bool {
        self.need == Need::Exact
    }

    /// Whether bytes were read from it.
    pub(super) fn is_content(&self) -> bool {
        self.need == Need::Exact && self.kind() == Some(FileKind::File)
    }

    /// Whether the disk still says the same.
    pub(super) fn holds(&self, world: &dyn World) -> bool {
        match (&self.stat, world.stat(&self.path)) {
            (Some(then), Ok(now)) if self.need == Need::Exact => *then == now,
            (Some(then), Ok(now)) => {
                (then.kind, then.mount, then.dev, then.ino) == (now.kind, now.mount, now.dev, now.ino)
            }
            (None, Err(error)) => is_absent(&error),
            _ => false,
        }
    }
}

/// What a path names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// Nothing.
    Absent,
    /// Something behind a door that is closed to the daemon.
    Denied,
    /// This.
    Is(Stat),
}

impl Seen {
    /// The kind of what is there.
    pub(super) fn kind(self) -> Option<FileKind> {
        match self {
            Self::Is(stat) => Some(stat.kind),
            Self::Absent | Self::Denied => None,
        }
    }
}

/// What a directory held.
pub(super) enum Listing {
    /// These names.
    Names(Vec<Entry>),
    /// More names than were asked for.
    TooMany,
    /// The daemon may not list it, or it is gone.
    Closed,
}

/// What a file held.
pub(super) enum Content {
    /// These bytes.
    Bytes(Vec<u8>),
    /// More than was asked for.
    TooLarge,
    /// No regular file, or one that the daemon may not read.
    Closed,
}

/// One detection's view of the disk.
pub(super) struct Look<'w> {
    /// The world, for what leaves no trace.
    pub(super) world: &'w dyn World,
    table: Arc<MountTable>,
    stuck: &'w Stuck,
    started: Nanos,
    traces: Vec<Trace>,
    sure: bool,
    looks: usize,
}

impl<'w> Look<'w> {
    /// Nothing seen yet.
    pub(super) fn new(world: &'w dyn World, stuck: &'w Stuck) -> Self {
        Self {
            world,
            table: world.mounts(),
            stuck,
            started: world.coarse_now(),
            traces: Vec::with_capacity(32),
            sure: true,
            looks: 0,
        }
    }

    /// Whether touching this path may hang.
    pub(super) fn may_hang(&self, path: &Path) -> bool {
        self.table.remote_on_the_way(path).is_some()
    }

    /// The version of the mount table by which this look began.
    pub(super) fn table_version(&self) -> u64 {
        self.table.version
    }

    /// What a path names; the answer depends on its being there. The path must be free of links but for its last name.
    pub(super) fn place(&mut self, path: &Path) -> Result<Seen> {
        self.note(path, Need::Place)
    }

    /// What a path names; the answer depends on everything about it.
    pub(super) fn exact(&mut self, path: &Path) -> Result<Seen> {
        self.note(path, Need::Exact)
    }

    /// What a name in a directory is. A directory's own stamp changes with its names, so that is what is kept.
    pub(super) fn name(&mut self, dir: &Path, name: &str) -> Result<Seen> {
        self.exact(dir)?;
        self.note(&dir.join(name), Need::Nothing)
    }

    /// Where a link points, as written.
    pub(super) fn link(&mut self, path: &Path) -> Result<Option<PathBuf>> {
        self.exact(path)?;
        let target = self.touch(path, |world| world.read_link(path))?;
        Ok(self.settled(path, target)?.ok())
    }

    /// The names in a directory.
    pub(super) fn list(&mut self, path: &Path, limit: usize) -> Result<Listing> {
        self.exact(path)?;
        let list = self.touch(path, |world| world.list(path, limit))?;
        Ok(match self.settled(path, list)? {
            Ok(names) => Listing::Names(names),
            Err(io::ErrorKind::FileTooLarge) => Listing::TooMany,
            Err(_) => Listing::Closed,
        })
    }

    /// The bytes of a regular file.
    pub(super) fn read(&mut self, path: &Path, limit: usize) -> Result<Content> {
        if self.exact(path)?.kind() != Some(FileKind::File) {
            return Ok(Content::Closed);
        }
        let bytes = self.touch(path, |world| world.read(path, limit))?;
        Ok(match self.settled(path, bytes)? {
            Ok(bytes) => Content::Bytes(bytes),
            Err(io::ErrorKind::FileTooLarge) => Content::TooLarge,
            Err(_) => Content::Closed,
        })
    }

    /// What the answer depends on, root first; none when it must not be kept: something was too young for its stamp to
    /// prove anything, closed to us, or on a file system whose clock or honesty is not known.
    pub(super) fn finish(self, granularity: Nanos) -> Option<Box<[Trace]>> {
        let Self {
            table,
            started,
            traces,
            sure,
            ..
        } = self;
        let old_enough = |trace: &Trace| {
            let Some(stat) = trace.stat.filter(|_| trace.need == Need::Exact) else {
                return true;
            };
            let step = if stat.ctime % WHOLE_SECONDS == 0 {
                2 * WHOLE_SECONDS
            } else {
                granularity
            };
            stat.ctime.saturating_add(step) < started
        };
        let kept: Vec<Trace> = traces.into_iter().filter(Trace::counts).collect();
        let provable = |trace: &Trace| table.remote_on_the_way(&trace.path).is_none() && old_enough(trace);
        (sure && kept.iter().all(provable)).then(|| kept.into_boxed_slice())
    }

    fn note(&mut self, path: &Path, need: Need) -> Result<Seen> {
        let bytes = path.as_os_str().as_encoded_bytes();
        // The last ones are asked for again most often.
        let known = self
            .traces
            .iter_mut()
            .rev()
            .find(|trace| trace.path.as_os_str().as_encoded_bytes() == bytes);
        if let Some(trace) = known {
            trace.need = trace.need.max(need);
            return Ok(trace.stat.map_or(Seen::Absent, Seen::Is));
        }
        let stat = self.touch(path, |world| world.stat(path))?;
        let stat = match stat {
            Ok(stat) => Some(stat),
            Err(error) if is_absent(&error) => None,
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                self.sure = false;
                return Ok(Seen::Denied);
            }
            Err(error) => {
                self.sure = false;
                return Err(unreadable(path, &error));
            }
        };
        self.traces.push(Trace {
            path: path.to_path_buf(),
            stat,
            need,
        });
        Ok(stat.map_or(Seen::Absent, Seen::Is))
    }

    fn touch<T>(
        &mut self,
        path: &Path,
        call: impl FnOnce(&dyn World) -> io::Result<T>,
    ) -> Result<io::Result<T>> {
        self.looks += 1;
        if self.looks > MOST_LOOKS {
            return Err(
                Error::too_large(format!("looking at `{}` takes too many steps", path.display()))
                    .next("start from a directory nearer to the project"),
            );
        }
        let _pass = match self.table.remote_on_the_way(path) {
            Some(point) => {
                // Whoever passes this over gives an answer without the mount: not one to keep.
                self.sure = false;
                Some(self.stuck.enter(point, self.world.monotonic())?)
            }
            None => None,
        };
        Ok(call(self.world))
    }

    /// Sorts a failure after the stamp was taken: a thing that vanished or closed meanwhile is an answer, though not one
    /// to keep; a disk that fails is not.
    fn settled<T>(
        &mut self,
        path: &Path,
        result: io::Result<T>,
    ) -> Result<std::result::Result<T, io::ErrorKind>> {
        let error = match result {
            Ok(value) => return Ok(Ok(value)),
            Err(error) => error,
        };
        let kind = error.kind();
        if kind == io::ErrorKind::FileTooLarge {
            return Ok(Err(kind));
        }
        self.sure = false;
        let moved = [
            io::ErrorKind::PermissionDenied,
            io::ErrorKind::NotADirectory,
            io::ErrorKind::NotFound,
            io::ErrorKind::InvalidInput,
            io::ErrorKind::IsADirectory,
        ];
        // `ELOOP`: a link has come into the place of what was there.
        if moved.contains(&kind) || error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error()) {
            return Ok(Err(kind));
        }
        Err(unreadable(path, &error))
    }
}

impl Trace {
    /// A directory that is only passed through on the way from `/` is needed; `/` itself never changes its place.
    fn counts(&self) -> bool {
        match self.need {
            Need::Nothing => false,
            Need::Place => self.path.as_os_str() != "/",
            Need::Exact => true,
        }
    }
}

fn is_absent(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

fn unreadable(path: &Path, error: &io::Error) -> Error {
    let shown = path.display();
    match error.kind() {
        io::ErrorKind::InvalidFilename | io::ErrorKind::InvalidInput => {
            Error::usage(format!("`{shown}` is not a path that this system can have")).why(error)
        }
        _ if dir::is_shortage(error) => Error::unavailable(format!("`{shown}` cannot be looked at now"))
            .why(error)
            .next("end some clients of the daemon, or raise its limit of open files (`ulimit -n`), and ask again"),
        _ => Error::unavailable(format!("`{shown}` cannot be looked at"))
            .why(error)
            .next("check the disk or the mount it lies on, and ask again"),
    }
}
