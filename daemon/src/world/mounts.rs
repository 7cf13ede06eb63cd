//! What is mounted where: read from the kernel's table, and again only when the kernel says that it changed.
//!
//! `detect` asks before it touches a path, because a network or FUSE mount may hang whoever does; `index` asks which
//! file systems deliver no events. What must stay true: a file system is *local* only when its type is known to be, so
//! a new kind of remote one is treated with care until somebody has judged it.

#[cfg(not(target_os = "macos"))]
mod proc;

use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

#[cfg(target_os = "macos")]
use super::apple::Source;
#[cfg(not(target_os = "macos"))]
use proc::Source;
#[cfg(not(target_os = "macos"))]
pub use proc::news;

/// File systems whose calls answer from memory or a local disk and whose change times come from this machine's clock.
const LOCAL: [&str; 30] = [
    "apfs", "bcachefs", "btrfs", "cd9660", "cramfs", "devfs", "devtmpfs", "erofs", "exfat", "ext2", "ext3",
    "ext4", "f2fs", "hfs", "hfsplus", "iso9660", "jfs", "msdos", "nilfs2", "ntfs3", "overlay", "ramfs",
    "reiserfs", "rootfs", "squashfs", "tmpfs", "udf", "vfat", "xfs", "zfs",
];

/// One line of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// The kernel's id for it; the same number as [`super::Stat::mount`].
    pub id: u64,
    /// Where it is mounted.
    pub point: PathBuf,
    /// The type of file system, such as `ext4` or `fuse.sshfs`.
    pub kind: String,
    /// Whether the mount or the file system beneath it is read-only.
    pub read_only: bool,
}

impl Mount {
    /// Whether its type is known to answer without a network or another process.
    #[must_use]
    pub fn is_local(&self) -> bool {
        LOCAL.binary_search(&self.kind.as_str()).is_ok()
    }
}

/// The table at one moment.
#[derive(Clone, Debug, Default)]
pub struct MountTable {
    /// Grows with every change of the table.
    pub version: u64,
    /// Every mount, in the kernel's order.
    pub mounts: Vec<Mount>,
    /// The points of mounts that are not local, none beneath another.
    remote: Vec<PathBuf>,
}

impl MountTable {
    /// A table of `mounts`.
    #[must_use]
    pub fn new(version: u64, mounts: Vec<Mount>) -> Self {
        let mut points: Vec<&Path> = mounts
            .iter()
            .filter(|mount| !mount.is_local())
            .map(|m| m.point.as_path())
            .collect();
        points.sort_unstable();
        let mut remote: Vec<PathBuf> = Vec::new();
        for point in points {
            if !remote.iter().any(|seen| point.starts_with(seen)) {
                remote.push(point.to_path_buf());
            }
        }
        Self {
            version,
            mounts,
            remote,
        }
    }

    /// The mount point that must answer before `path` can be touched and that may never do so; none when every file
    /// system on the way is local. `path` must be absolute and free of links.
    #[must_use]
    pub fn remote_on_the_way(&self, path: &Path) -> Option<&Path> {
        if self.mounts.is_empty() {
            return Some(Path::new("/"));
        }
        self.remote
            .iter()
            .map(PathBuf::as_path)
            .find(|point| lies_in(path, point))
    }

    /// What is mounted in a directory, by the kernel's numbers and at which paths.
    #[must_use]
    pub fn within(&self, path: &[u8]) -> Vec<(u64, Vec<u8>)> {
        let point = |mount: &Mount| (mount.id, mount.point.as_os_str().as_bytes().to_vec());
        let lies_in = |point: &[u8]| {
            point
                .strip_prefix(path)
                .is_some_and(|rest| rest.first() == Some(&b'/'))
        };
        let points = self.mounts.iter().map(point);
        points.filter(|(_, point)| lies_in(point)).collect()
    }

    /// The mount with this id.
    #[must_use]
    pub fn by_id(&self, id: u64) -> Option<&Mount> {
        self.mounts.iter().find(|mount| mount.id == id)
    }
}

/// `path.starts_with(folder)` on bytes, which is ten times cheaper and the same for absolute paths without `.` and `//`.
fn lies_in(path: &Path, folder: &Path) -> bool {
    let (path, folder) = (path.as_os_str().as_bytes(), folder.as_os_str().as_bytes());
    folder == b"/"
        || path
            .strip_prefix(folder)
            .is_some_and(|rest| rest.first().is_none_or(|byte| *byte == b'/'))
}

/// The table of this process, asked anew for each question.
pub struct Mounts {
    state: Mutex<State>,
}

struct State {
    source: Source,
    table: Arc<MountTable>,
}

/// Of this process, for whoever does not need one of his own: what one asks counts for all.
static HERE: LazyLock<Arc<Mounts>> = LazyLock::new(|| Arc::new(Mounts::open()));

impl Mounts {
    /// The table that all share, so that its versions mean the same to all.
    #[must_use]
    pub fn here() -> Arc<Self> {
        Arc::clone(&HERE)
    }

    /// Reads the kernel's table. Where there is none, nothing is known to be local.
    #[must_use]
    pub fn open() -> Self {
        let mut source = Source::open();
        let table = source.changed(&[]).map(|mounts| table_of(1, mounts));
        Self {
            state: Mutex::new(State {
                source,
                table: Arc::new(table.unwrap_or_default()),
            }),
        }
    }

    /// The table as of this call. The question to the kernel consumes its answer, so asking and reading again are one
    /// step under the lock: nobody gets the old table after somebody else was told that it changed.
    #[must_use]
    pub fn current(&self) -> Arc<MountTable> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let State { source, table } = &mut *state;
        if let Some(mounts) = source.changed(&table.mounts) {
            *table = Arc::new(table_of(table.version + 1, mounts));
        }
        Arc::clone(table)
    }
}

fn table_of(version: u64, mounts: io::Result<Vec<Mount>>) -> MountTable {
    match mounts {
        Ok(mounts) => MountTable::new(version, mounts),
        Err(_) => MountTable {
            version,
            ..MountTable::default()
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mount(point: &str, kind: &str) -> Mount {
        Mount {
            id: 1,
            point: point.into(),
            kind: kind.into(),
            read_only: false,
        }
    }

    #[test]
    fn the_list_of_local_kinds_is_sorted_for_the_search() {
        assert!(LOCAL.is_sorted());
    }

    #[test]
    fn a_path_is_remote_from_the_mount_point_on_down_and_by_component() {
        let table = MountTable::new(
            1,
            vec![
                mount("/", "ext4"),
                mount("/mnt/s", "fuse.x"),
                mount("/mnt/s/in", "ext4"),
            ],
        );
        assert_eq!(table.remote_on_the_way(Path::new("/mnt")), None);
        assert_eq!(table.remote_on_the_way(Path::new("/mnt/sister")), None);
        assert_eq!(
            table.remote_on_the_way(Path::new("/mnt/s")),
            Some(Path::new("/mnt/s"))
        );
        assert_eq!(
            table.remote_on_the_way(Path::new("/mnt/s/in/x")),
            Some(Path::new("/mnt/s"))
        );
    }

    #[test]
    fn nothing_is_local_where_the_table_cannot_be_read() {
        assert!(
            MountTable::default()
                .remote_on_the_way(Path::new("/home"))
                .is_some()
        );
    }

    #[test]
    fn the_table_of_this_process_is_read_once_while_nothing_is_mounted() {
        let mounts = Mounts::open();
        let first = mounts.current();
        assert!(first.mounts.iter().any(|mount| mount.point == Path::new("/")));
        assert!(first.mounts.iter().all(|mount| first.by_id(mount.id).is_some()));
    }
}
