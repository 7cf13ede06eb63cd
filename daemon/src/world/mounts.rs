//! What is mounted where: read from the kernel's table, and again only when the kernel says that it changed.
//!
//! `detect` asks before it touches a path, because a network or FUSE mount may hang whoever does; `index` asks which
//! file systems deliver no events. What must stay true: a file system is *local* only when its type is known to be, so
//! a new kind of remote one is treated with care until somebody has judged it.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// File systems whose calls answer from memory or a local disk and whose change times come from this machine's clock.
const LOCAL: [&str; 28] = [
    "apfs", "bcachefs", "btrfs", "cramfs", "devtmpfs", "erofs", "exfat", "ext2", "ext3", "ext4", "f2fs",
    "hfs", "hfsplus", "iso9660", "jfs", "msdos", "nilfs2", "ntfs3", "overlay", "ramfs", "reiserfs", "rootfs",
    "squashfs", "tmpfs", "udf", "vfat", "xfs", "zfs",
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

/// The table of this process, kept open so that the kernel can say when it changed.
pub struct Mounts {
    state: Mutex<State>,
}

struct State {
    file: Option<File>,
    table: Arc<MountTable>,
}

impl Mounts {
    /// Opens the kernel's table. Where there is none, nothing is known to be local.
    #[must_use]
    pub fn open() -> Self {
        let mut file = File::open("/proc/self/mountinfo").ok();
        let table = file
            .as_mut()
            .and_then(|file| read(file, 1).ok())
            .unwrap_or_default();
        Self {
            state: Mutex::new(State {
                file,
                table: Arc::new(table),
            }),
        }
    }

    /// The table as of this call. The question to the kernel consumes its answer, so asking and reading again are one
    /// step under the lock: nobody gets the old table after somebody else was told that it changed.
    #[must_use]
    pub fn current(&self) -> Arc<MountTable> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(file) = state.file.as_mut() else {
            return Arc::clone(&state.table);
        };
        if has_changed(file) {
            let version = state.table.version + 1;
            let table = state.file.as_mut().map(|file| read(file, version));
            state.table = Arc::new(match table {
                Some(Ok(table)) => table,
                _ => MountTable {
                    version,
                    ..MountTable::default()
                },
            });
        }
        Arc::clone(&state.table)
    }
}

/// A descriptor that is ready (`POLLPRI`) once for every change of the mounts; none where the kernel has no table.
#[must_use]
pub fn news() -> Option<File> {
    File::open("/proc/self/mountinfo").ok()
}

/// Whether the table changed since the last call on this descriptor. An unanswered question counts as a change.
fn has_changed(file: &File) -> bool {
    let mut fds = [PollFd::new(file, PollFlags::PRI)];
    poll(
        &mut fds,
        Some(&Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        }),
    )
    .map_or(true, |ready| ready > 0)
}

fn read(file: &mut File, version: u64) -> io::Result<MountTable> {
    let mut bytes = Vec::new();
    file.rewind()?;
    file.read_to_end(&mut bytes)?;
    Ok(MountTable::new(
        version,
        bytes.split(|byte| *byte == b'\n').filter_map(line).collect(),
    ))
}

/// `36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue`
fn line(bytes: &[u8]) -> Option<Mount> {
    let mut words = bytes.split(|byte| *byte == b' ');
    let id = std::str::from_utf8(words.next()?).ok()?.parse().ok()?;
    let point = unescape(words.nth(3)?);
    let options = words.next()?;
    let mut words = words.skip_while(|word| *word != b"-").skip(1);
    let kind = String::from_utf8_lossy(words.next()?).into_owned();
    let super_options = words.nth(1).unwrap_or_default();
    let read_only = [options, super_options]
        .iter()
        .any(|list| list.split(|byte| *byte == b',').any(|word| word == b"ro"));
    Some(Mount {
        id,
        point: PathBuf::from(std::ffi::OsString::from_vec(point)),
        kind,
        read_only,
    })
}

/// The kernel writes space, tab, newline and backslash as three octal digits.
fn unescape(word: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(word.len());
    let mut rest = word;
    while let Some((&byte, after)) = rest.split_first() {
        if let (b'\\', Some(digits)) = (byte, after.get(..3))
            && digits.iter().all(|digit| (b'0'..b'8').contains(digit))
        {
            let value = digits
                .iter()
                .fold(0u8, |sum, digit| sum.wrapping_mul(8).wrapping_add(digit - b'0'));
            out.push(value);
            rest = &after[3..];
            continue;
        }
        out.push(byte);
        rest = after;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(lines: &str) -> MountTable {
        MountTable::new(
            1,
            lines.lines().filter_map(|text| line(text.as_bytes())).collect(),
        )
    }

    #[test]
    fn the_list_of_local_kinds_is_sorted_for_the_search() {
        assert!(LOCAL.is_sorted());
    }

    #[test]
    fn a_line_is_read_with_its_escapes_and_both_read_only_flags() {
        let table = table(
            "36 35 98:0 / /my\\040disk rw,noatime master:1 - ext4 /dev/root rw\n37 36 0:5 / /b ro - tmpfs x rw\n\
             38 36 0:5 / /c rw shared:1 - fuse.sshfs h: ro,user=1\nbroken line\n",
        );
        assert_eq!(table.mounts.len(), 3);
        assert_eq!(table.mounts[0].point, Path::new("/my disk"));
        let flags: Vec<_> = table.mounts.iter().map(|m| (m.is_local(), m.read_only)).collect();
        assert_eq!(flags, [(true, false), (true, true), (false, true)]);
    }

    #[test]
    fn a_path_is_remote_from_the_mount_point_on_down_and_by_component() {
        let table = table(
            "1 0 8:1 / / rw - ext4 d rw\n2 1 0:9 / /mnt/s rw - fuse.x s rw\n3 2 8:2 / /mnt/s/in rw - ext4 e rw\n",
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
