//! Putting a copy of an open file beneath a root: shared where the file system can, copied otherwise.
//!
//! The calls of the real world that place files of any size end here. What must stay true: no link is met on the way,
//! and memory does not grow with the file.

use std::fs::File;
use std::io;
use std::path::Path;

use rustix::fs::{AtFlags, Mode, OFlags, openat, renameat, unlinkat};

use super::beneath::{Missing, folder, gone};

/// Makes a file with the bytes of an open one; what had the name is replaced.
pub(super) fn copy_in(from: &File, root: &Path, relative: &Path) -> io::Result<File> {
    let (folder, name) = folder(root, relative, Missing::Make)?;
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    gone(unlinkat(&folder, name, AtFlags::empty()))?;
    let mut to = File::from(openat(&folder, name, flags, Mode::from_raw_mode(0o600))?);
    let done = if shared(from, &to) {
        Ok(())
    } else {
        copied(from, &mut to)
    };
    if done.is_err() {
        gone(unlinkat(&folder, name, AtFlags::empty()))?;
    }
    done?;
    Ok(to)
}

/// Both files share their blocks from now on, until one is written to.
#[cfg(target_os = "linux")]
fn shared(from: &File, to: &File) -> bool {
    rustix::fs::ioctl_ficlone(to, from).is_ok()
}

#[cfg(not(target_os = "linux"))]
fn shared(_: &File, _: &File) -> bool {
    false
}

/// The bytes from the beginning, by the kernel where it can; the place in `from` is not touched.
fn copied(from: &File, to: &mut File) -> io::Result<()> {
    use std::io::Write as _;
    use std::os::unix::fs::FileExt as _;
    const STEP: usize = 256 << 10;
    let mut offset = 0_u64;
    #[cfg(target_os = "linux")]
    loop {
        match rustix::fs::copy_file_range(from, Some(&mut offset), &*to, None, 64 << 20) {
            Ok(0) => break,
            Ok(_) => {}
            Err(rustix::io::Errno::INTR) => {}
            // Not between these two: by hand, from here on.
            Err(_) => break,
        }
    }
    let mut bytes = vec![0; STEP];
    loop {
        match from.read_at(&mut bytes, offset) {
            Ok(0) => return Ok(()),
            Ok(count) => {
                to.write_all(&bytes[..count])?;
                offset += count as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Gives a file another place; what was there is replaced.
pub(super) fn put_in_place(root: &Path, from: &Path, to: &Path) -> io::Result<()> {
    let (from_folder, from_name) = folder(root, from, Missing::Refuse)?;
    let (to_folder, to_name) = folder(root, to, Missing::Make)?;
    Ok(renameat(&from_folder, from_name, &to_folder, to_name)?)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn a_copy_is_made_whole_and_nothing_is_put_through_a_link() {
        let dir = tempfile::tempdir().unwrap();
        let (root, other) = (dir.path().join("root"), dir.path().join("other"));
        std::fs::create_dir(&root).unwrap();
        std::fs::create_dir(&other).unwrap();
        let mut from = tempfile::tempfile().unwrap();
        let bytes: Vec<u8> = (0..700_000_u32).map(|n| u8::try_from(n % 251).unwrap()).collect();
        from.write_all(&bytes).unwrap();
        for _ in 0..2 {
            let made = copy_in(&from, &root, Path::new("a/b")).unwrap();
            assert_eq!(made.metadata().unwrap().len(), bytes.len() as u64);
        }
        put_in_place(&root, Path::new("a/b"), Path::new("c/d")).unwrap();
        assert_eq!(std::fs::read(root.join("c/d")).unwrap(), bytes);
        std::os::unix::fs::symlink("../other", root.join("link")).unwrap();
        assert!(copy_in(&from, &root, Path::new("link/x")).is_err());
        assert!(put_in_place(&root, Path::new("c/d"), Path::new("link/x")).is_err());
        assert!(put_in_place(&root, Path::new("c/d"), Path::new("../x")).is_err());
        std::os::unix::fs::symlink("../../other/victim", root.join("c/l")).unwrap();
        put_in_place(&root, Path::new("c/d"), Path::new("c/l")).unwrap();
        assert!(std::fs::symlink_metadata(root.join("c/l")).unwrap().is_file());
        assert_eq!(std::fs::read_dir(&other).unwrap().count(), 0);
    }
}
