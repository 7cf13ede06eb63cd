//! Which file systems tell of what happens on them, by what `statfs` says of them.
//!
//! Asked by the index for each device that it meets, and by `folder` before a database is put on one. What must stay true:
//! a type that is not in the first table is never trusted to tell, so that a new kind of remote file system is polled until
//! somebody has judged it.

#[cfg(not(target_os = "macos"))]
mod magic;
#[cfg(any(test, target_os = "macos"))]
mod names;

use std::io;
use std::os::fd::AsFd;
use std::path::Path;

#[cfg(not(target_os = "macos"))]
use magic::{judge, name_elsewhere};
#[cfg(target_os = "macos")]
use names::{judge, name_elsewhere};

/// What a file system is, as far as watching it goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileSystem {
    /// `ext4`, or `unknown (0x1234)`.
    pub name: String,
    /// Whether the kernel tells of every change on it.
    pub tells: bool,
}

/// The file system that a handle lies on.
///
/// # Errors
/// The system's.
pub fn of(handle: &impl AsFd) -> io::Result<FileSystem> {
    Ok(judge(&rustix::fs::fstatfs(handle)?))
}

/// The name of the file system that a path lies on, where that is another machine's or a program's of this one.
///
/// # Errors
/// The system's.
pub fn elsewhere(path: &Path) -> io::Result<Option<String>> {
    Ok(name_elsewhere(&rustix::fs::statfs(path)?))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_says_of_proc_that_it_is_none_of_those_that_tell() {
        let proc = std::fs::File::open("/proc").expect("opened");
        assert!(!of(&proc).expect("asked").tells);
        assert_eq!(elsewhere(Path::new("/proc")).expect("asked"), None);
    }
}
