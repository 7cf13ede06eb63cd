//! The kernel's table of mounts as a file, kept open so that the kernel can say when it changed.
//!
//! Asked by `mounts`. What must stay true: the question consumes its answer, so it is asked by one, under a lock.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::Mount;

/// The file, where there is one.
pub(super) struct Source {
    file: Option<File>,
    is_read: bool,
}

impl Source {
    pub(super) fn open() -> Self {
        Self {
            file: news(),
            is_read: false,
        }
    }

    /// The mounts, where they are not these any more.
    pub(super) fn changed(&mut self, _: &[Mount]) -> Option<io::Result<Vec<Mount>>> {
        let file = self.file.as_mut()?;
        let is_old = !self.is_read || has_changed(file);
        self.is_read = true;
        is_old.then(|| read(file))
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

fn read(file: &mut File) -> io::Result<Vec<Mount>> {
    let mut bytes = Vec::new();
    file.rewind()?;
    file.read_to_end(&mut bytes)?;
    Ok(bytes.split(|byte| *byte == b'\n').filter_map(line).collect())
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
    use std::path::Path;

    #[test]
    fn a_line_is_read_with_its_escapes_and_both_read_only_flags() {
        let text = "36 35 98:0 / /my\\040disk rw,noatime master:1 - ext4 /dev/root rw\n37 36 0:5 / /b ro - tmpfs x rw\n\
             38 36 0:5 / /c rw shared:1 - fuse.sshfs h: ro,user=1\nbroken line\n";
        let mounts: Vec<Mount> = text.lines().filter_map(|text| line(text.as_bytes())).collect();
        assert_eq!(mounts.len(), 3);
        assert_eq!(mounts[0].point, Path::new("/my disk"));
        let flags: Vec<_> = mounts.iter().map(|m| (m.is_local(), m.read_only)).collect();
        assert_eq!(flags, [(true, false), (true, true), (false, true)]);
    }
}
