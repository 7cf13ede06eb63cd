//! What a path names beneath a folder, found name by name: where the kernel cannot be asked to stay beneath it.
//!
//! Asked by `beneath`, on systems without `openat2` and on Linux where a sandbox forbids it. Links within are followed as
//! the kernel would, one that leaves is an error. What must stay true: no call of the system is given more than one name
//! and none follows a link, so whatever is renamed or replaced meanwhile, nothing outside is ever opened: the way up is
//! the way that we came, not what `..` has become.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

use rustix::fs::{Mode, OFlags, openat, readlinkat};
use rustix::io::Errno;

/// Linux' own limit of links in one path.
const LINKS: usize = 40;
/// More names than any honest path has; each folder on the way is open until the end.
const NAMES: usize = 512;

const FOLDER: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

/// A path that leads outside.
pub(super) fn leaves(relative: &Path) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidInput,
        format!("`{}` leads outside its root", relative.display()),
    )
}

/// Opens what a path names.
pub(super) fn open(base: &OwnedFd, relative: &Path, flags: OFlags) -> io::Result<OwnedFd> {
    let (folder, name) = find(base, relative)?;
    let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(openat(&folder, name, flags, Mode::empty())?)
}

/// The folder in which a path ends, and the last name in it, which was no link when it was looked at; `.` where the path
/// ends in that folder itself. Whether there is anything of that name is for the caller to find out.
pub(super) fn find(base: &OwnedFd, relative: &Path) -> io::Result<(OwnedFd, OsString)> {
    if relative.as_os_str().is_empty() {
        return Err(Errno::NOENT.into());
    }
    let mut way = vec![openat(base, ".", FOLDER, Mode::empty())?];
    let mut left = VecDeque::new();
    put_first(&mut left, relative.as_os_str()).map_err(|_| leaves(relative))?;
    let mut links = 0;
    loop {
        // Before the next name is taken: a link may have brought many.
        if left.len() + way.len() > NAMES {
            return Err(Errno::NAMETOOLONG.into());
        }
        let (Some(name), Some(at)) = (left.pop_front(), way.last()) else {
            return ended(way, ".".into());
        };
        if name == ".." {
            way.pop();
            if way.is_empty() {
                return Err(leaves(relative));
            }
            continue;
        }
        let is_last = left.is_empty();
        match readlinkat(at, &name, Vec::with_capacity(256)) {
            Ok(target) => {
                links += 1;
                if links > LINKS {
                    return Err(Errno::LOOP.into());
                }
                let target = OsString::from_vec(target.into_bytes());
                put_first(&mut left, &target).map_err(|_| leaves(relative))?;
            }
            // No link, or nothing at all.
            Err(_) if is_last && name != "." => return ended(way, name),
            Err(_) => way.push(openat(at, &name, FOLDER, Mode::empty())?),
        }
    }
}

fn ended(mut way: Vec<OwnedFd>, name: OsString) -> io::Result<(OwnedFd, OsString)> {
    let folder = way.pop().ok_or(Errno::NOENT)?;
    Ok((folder, name))
}

struct Absolute;

/// The names of a path come before those that are left.
fn put_first(left: &mut VecDeque<OsString>, path: &OsStr) -> Result<(), Absolute> {
    let bytes = path.as_bytes();
    if bytes.first() == Some(&b'/') {
        return Err(Absolute);
    }
    let names = bytes.split(|byte| *byte == b'/');
    let mut names: Vec<&[u8]> = names.filter(|name| !name.is_empty() && *name != b".").collect();
    // What ends in a slash is a folder.
    if bytes.ends_with(b"/") || bytes.ends_with(b"/.") {
        names.push(b".");
    }
    for name in names.into_iter().rev() {
        left.push_front(OsStr::from_bytes(name).to_os_string());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::CWD;

    /// A root with all that may lie in the way, and something outside that must not be reached.
    fn ground() -> (tempfile::TempDir, OwnedFd) {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("root");
        std::fs::create_dir_all(root.join("in/deep")).unwrap();
        std::fs::create_dir(dir.path().join("other")).unwrap();
        for file in ["root/in/f", "root/in/deep/g", "root/f", "secret", "other/f"] {
            std::fs::write(dir.path().join(file), file).unwrap();
        }
        let outside = dir.path().join("secret");
        let outside = outside.to_str().unwrap();
        for (target, name) in [
            ("in", "within"),
            ("in/deep/../f", "file"),
            ("within/deep", "chain"),
            ("..", "out"),
            ("../root/f", "out-and-in"),
            ("../../f", "in/deep/up"),
            ("../../../secret", "in/deep/too-far"),
            (outside, "absolute"),
            ("/etc", "etc"),
            ("loop", "loop"),
            ("pong", "ping"),
            ("ping", "pong"),
            ("nothing", "dangling"),
            ("in/", "slash"),
            (".", "self"),
            ("f/", "no-folder"),
        ] {
            std::os::unix::fs::symlink(target, root.join(name)).unwrap();
        }
        let base = rustix::fs::open(&root, FOLDER, Mode::empty()).unwrap();
        (dir, base)
    }

    const PATHS: [&str; 40] = [
        "f",
        "in/f",
        "in/deep/g",
        "within/f",
        "within/deep/g",
        "file",
        "chain/g",
        "chain/../f",
        "in/../f",
        "./f",
        "in//f",
        "in/deep/up",
        "self/self/f",
        "slash/f",
        "within/",
        "in/.",
        ".",
        "in/..",
        "out/secret",
        "out",
        "out-and-in",
        "in/deep/too-far",
        "absolute",
        "etc/passwd",
        "loop",
        "loop/x",
        "ping",
        "dangling",
        "dangling/x",
        "../secret",
        "in/../../secret",
        "../root/f",
        "/etc/passwd",
        "",
        "..",
        "f/",
        "f/x",
        "no-folder",
        "none",
        "none/x",
    ];

    fn inode(opened: &OwnedFd) -> (u64, u64) {
        let stat = rustix::fs::fstat(opened).unwrap();
        #[allow(clippy::unnecessary_cast, reason = "the width differs between systems")]
        (stat.st_dev as u64, stat.st_ino)
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn name_by_name_finds_what_the_kernel_finds_and_refuses_what_it_refuses() {
        use rustix::fs::{ResolveFlags, openat2};
        let (_keep, base) = ground();
        let beneath = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
        for flags in [OFlags::RDONLY, OFlags::RDONLY | OFlags::DIRECTORY] {
            for path in PATHS {
                let ours = open(&base, Path::new(path), flags);
                let kernel = openat2(&base, path, flags | OFlags::CLOEXEC, Mode::empty(), beneath);
                match (ours, kernel) {
                    (Ok(ours), Ok(kernel)) => assert_eq!(inode(&ours), inode(&kernel), "{path}"),
                    (Err(_), Err(_)) => {}
                    (ours, kernel) => panic!("`{path}`: {ours:?}, but the kernel says {kernel:?}"),
                }
            }
        }
    }

    #[test]
    fn nothing_outside_is_found_however_it_is_asked_for() {
        let (dir, base) = ground();
        let outside: Vec<_> = ["secret", "other", "other/f", ""]
            .into_iter()
            .map(|path| inode(&openat(CWD, dir.path().join(path), OFlags::RDONLY, Mode::empty()).unwrap()))
            .collect();
        let mut found = 0;
        for first in PATHS {
            for second in PATHS {
                let path = Path::new(first).join(second);
                if let Ok(opened) = open(&base, &path, OFlags::RDONLY) {
                    assert!(!outside.contains(&inode(&opened)), "{}", path.display());
                    found += 1;
                }
            }
        }
        assert!(found > 50, "{found}");
    }

    #[test]
    fn a_folder_that_becomes_a_link_while_it_is_walked_lets_nobody_out() {
        let (dir, base) = ground();
        let (folder, aside) = (dir.path().join("root/in/deep"), dir.path().join("root/in/aside"));
        let secret = std::fs::read(dir.path().join("other/f")).unwrap();
        std::fs::write(folder.join("f"), "ours").unwrap();
        let stop = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                    std::fs::rename(&folder, &aside).unwrap();
                    std::os::unix::fs::symlink("../../other", &folder).unwrap();
                    std::fs::remove_file(&folder).unwrap();
                    std::fs::rename(&aside, &folder).unwrap();
                }
            });
            for _ in 0..20_000 {
                if let Ok(opened) = open(&base, Path::new("in/deep/f"), OFlags::RDONLY) {
                    let mut bytes = [0; 16];
                    let count = rustix::io::read(&opened, &mut bytes).unwrap();
                    assert_ne!(&bytes[..count], secret);
                }
            }
            stop.store(true, std::sync::atomic::Ordering::Relaxed);
        });
    }

    #[test]
    fn a_path_of_too_many_names_is_an_error() {
        let (dir, base) = ground();
        let long: std::path::PathBuf = std::iter::repeat_n("self", 41).collect();
        assert!(open(&base, &long, OFlags::RDONLY).is_err());
        let path: std::path::PathBuf = std::iter::repeat_n("d", NAMES + 1).collect();
        std::os::unix::fs::symlink(&path, dir.path().join("root/long")).unwrap();
        for path in [path.as_path(), Path::new("long")] {
            let error = open(&base, path, OFlags::RDONLY).unwrap_err();
            assert_eq!(error.raw_os_error(), Some(Errno::NAMETOOLONG.raw_os_error()));
        }
    }
}
