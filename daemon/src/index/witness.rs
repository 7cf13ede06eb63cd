//! What lies beyond the watched folders and had a say: configuration and exclude files, and where a `.git` that is no
//! folder leads. Looked at before every answer, since no event tells of it.
//!
//! Asked by `repo` for what it reads, by `control` whether that has changed. What must stay true: a file is seen before it
//! is read; what was seen so soon after a change that another one could bear the same times is not believed.

use std::io;

use super::disk::Disk;
use crate::world::dir::Meta;
use crate::world::{FileKind, Stat};

/// A file as it was when it was read; none when there was none. Of a folder only which one it is.
pub(super) type Stamp = Option<(u64, u64, i64, i64)>;

/// What was seen, and of each how it was; none when that is not to be believed.
#[derive(Debug, Default)]
pub(super) struct Witnesses(Vec<(Vec<u8>, Option<Stamp>)>);

impl Witnesses {
    /// Sees what is at an absolute path, links followed.
    pub(super) fn see<D: Disk>(&mut self, disk: &D, path: &[u8]) -> Option<Meta> {
        let now = disk.now();
        let found = disk.stat_file(path).ok();
        let is_settled = found
            .is_none_or(|meta| meta.kind == FileKind::Dir || is_settled(meta.ctime, now, disk.granularity()));
        let was = is_settled.then(|| found.map(|meta| of(&meta)));
        self.0.push((path.to_vec(), was));
        found
    }

    /// Sees it where the name is a link, of whose target no event tells.
    pub(super) fn see_link<D: Disk>(&mut self, disk: &D, path: &[u8]) {
        let Some(slash) = path.iter().rposition(|&byte| byte == b'/') else {
            return;
        };
        let about = disk
            .open(&path[..=slash])
            .and_then(|dir| disk.stat(&dir, &path[slash + 1..]));
        if about.is_ok_and(|meta| meta.kind == FileKind::Link) {
            self.see(disk, path);
        }
    }

    /// Whether something is not as it was, or may not be.
    pub(super) fn have_changed<D: Disk>(&self, disk: &D) -> bool {
        self.0
            .iter()
            .any(|(path, was)| was.is_none_or(|was| stamp_of(disk, path) != was))
    }

    /// All that was seen, as it was; none when something of that is not to be believed.
    pub(super) fn stamps(&self) -> Option<Vec<(Vec<u8>, Stamp)>> {
        let each = self.0.iter();
        each.map(|(path, was)| was.map(|was| (path.clone(), was)))
            .collect()
    }

    /// Whether a path is among what was seen.
    pub(super) fn have(&self, path: &[u8]) -> bool {
        self.0.iter().any(|(seen, _)| seen == path)
    }
}

/// How a file is at an absolute path, links followed.
pub(super) fn stamp_of<D: Disk>(disk: &D, path: &[u8]) -> Stamp {
    stamp(disk.stat_file(path))
}

/// Of what the disk has said.
pub(super) fn stamp(found: io::Result<Meta>) -> Stamp {
    found.ok().map(|meta| of(&meta))
}

/// Of a regular file at whose own name somebody else has looked.
pub(super) fn stamp_of_file(stat: &Stat) -> Stamp {
    Some((stat.ino, stat.size, stat.mtime, stat.ctime))
}

fn of(meta: &Meta) -> (u64, u64, i64, i64) {
    match meta.kind {
        // What is in it comes and goes.
        FileKind::Dir => (meta.ino, meta.dev, i64::MIN, i64::MIN),
        _ => (meta.ino, meta.size, meta.mtime, meta.ctime),
    }
}

/// What has an earlier time has not changed from now on, whatever the file system's clock.
pub(super) fn settled_by<D: Disk>(disk: &D) -> i64 {
    disk.now().saturating_sub(disk.granularity().saturating_mul(100))
}

/// Whether a change from now on has another time than the last one: the rule that git has for its own index.
pub(super) fn is_settled(ctime: i64, now: i64, granularity: i64) -> bool {
    // Where a file system keeps whole seconds only, a tick is as long as one, or two.
    let granularity = match ctime % 1_000_000_000 {
        0 => granularity.saturating_mul(100),
        _ => granularity,
    };
    ctime <= now.saturating_sub(granularity)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_believed_when_the_clock_has_moved_on_since() {
        let second = 1_000_000_000;
        let at = 5 * second + 7;
        assert!(!is_settled(at, at, 20));
        assert!(!is_settled(at, at + 19, 20));
        assert!(is_settled(at, at + 20, 20));
        // The clock was set back.
        assert!(!is_settled(at, at - second, 20));
        // Whole seconds: nobody knows when in it.
        assert!(!is_settled(5 * second, 5 * second + 1999, 20));
        assert!(is_settled(5 * second, 5 * second + 2000, 20));
    }
}
