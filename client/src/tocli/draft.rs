//! A file that the user has named and that we write: there whole or not at all.
//!
//! Asked by `artifact get -o` and `workspace export`. What must stay true: what is no file (a device, a pipe) is written
//! into and never replaced; a link stays a link; an older file keeps its permissions; whoever is killed on the way leaves
//! nothing behind, where the file system knows files without a name.

use std::fs::{self, File, Permissions};
use std::io;
use std::path::{Path, PathBuf};

/// Where a name leads.
#[derive(Debug)]
pub(crate) enum Place {
    /// To a file, or to none yet.
    File(Spot),
    /// To what takes bytes as they come: a device or a pipe.
    Stream,
}

/// The place of a file.
#[derive(Debug)]
pub(crate) struct Spot {
    path: PathBuf,
    permissions: Option<Permissions>,
}

impl Place {
    /// Looks where a name leads.
    pub(crate) fn of(path: &Path) -> io::Result<Self> {
        let found = match fs::metadata(path) {
            Ok(found) => found,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                if fs::symlink_metadata(path).is_ok() {
                    return Err(io::Error::other("it is a link to nothing"));
                }
                let (path, permissions) = (path.to_path_buf(), None);
                return Ok(Self::File(Spot { path, permissions }));
            }
            Err(error) => return Err(error),
        };
        if found.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        if !found.is_file() {
            return Ok(Self::Stream);
        }
        Ok(Self::File(Spot {
            path: fs::canonicalize(path)?,
            permissions: Some(found.permissions()),
        }))
    }
}

/// What becomes of a file that is there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Older {
    /// It stays, and the new one is not kept.
    Stays,
    /// It goes in the same moment in which the new one is there.
    Goes,
}

/// A file that is not under its name yet.
#[derive(Debug)]
pub(crate) struct Draft {
    file: File,
    spot: Spot,
    /// Its passing name; none where it has no name at all.
    named: Option<PathBuf>,
}

impl Draft {
    /// An empty one, in the folder of its place.
    pub(crate) fn new(spot: Spot) -> io::Result<Self> {
        let folder = spot.path.parent().unwrap_or(Path::new("/"));
        if let Some(file) = nameless(folder) {
            let named = None;
            return Ok(Self { file, spot, named });
        }
        let path = passing(&spot.path);
        let file = File::create_new(&path)?;
        let named = Some(path);
        Ok(Self { file, spot, named })
    }

    /// To write to.
    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    /// Gives it its name. Its bytes were synced by whoever wrote them.
    pub(crate) fn keep(mut self, older: Older) -> io::Result<()> {
        if let Some(permissions) = self.spot.permissions.take() {
            self.file.set_permissions(permissions)?;
        }
        let path = self.spot.path.clone();
        let passing = match &self.named {
            Some(named) => named.clone(),
            None => {
                let passing = passing(&path);
                name(&self.file, &passing)?;
                self.named = Some(passing.clone());
                passing
            }
        };
        match older {
            Older::Goes => {
                fs::rename(&passing, &path)?;
                self.named = None;
            }
            // Its passing name goes with the draft.
            Older::Stays => fs::hard_link(&passing, &path)?,
        }
        File::open(path.parent().unwrap_or(Path::new("/")))?.sync_all()
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if let Some(named) = &self.named {
            // What could be done about it?
            drop(fs::remove_file(named));
        }
    }
}

/// A name beside a file that is short enough wherever the file's own is.
fn passing(path: &Path) -> PathBuf {
    path.with_file_name(format!(".tocli-{}.part", std::process::id()))
}

/// A file without a name; none where there are none.
#[cfg(target_os = "linux")]
pub(crate) fn nameless(folder: &Path) -> Option<File> {
    use rustix::fs::{Mode, OFlags, open};
    // Without it, it could not be given a name.
    fs::metadata("/proc/self/fd").ok()?;
    let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
    let opened = open(folder, flags, Mode::from_raw_mode(0o666)).ok()?;
    Some(File::from(opened))
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn nameless(_folder: &Path) -> Option<File> {
    None
}

/// Gives a name to a file without one.
#[cfg(target_os = "linux")]
pub(crate) fn name(file: &File, path: &Path) -> io::Result<()> {
    use std::os::fd::AsRawFd as _;
    let open = format!("/proc/self/fd/{}", file.as_raw_fd());
    let follow = rustix::fs::AtFlags::SYMLINK_FOLLOW;
    Ok(rustix::fs::linkat(
        rustix::fs::CWD,
        open,
        rustix::fs::CWD,
        path,
        follow,
    )?)
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn name(_file: &File, _path: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;
    use std::os::unix::fs::PermissionsExt as _;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).expect("listed");
        let mut names: Vec<String> = entries
            .map(|entry| entry.expect("read").file_name().into_string().expect("text"))
            .collect();
        names.sort();
        names
    }

    fn draft(path: &Path) -> Draft {
        match Place::of(path).expect("a place") {
            Place::File(spot) => Draft::new(spot).expect("a draft"),
            Place::Stream => panic!("it is a file"),
        }
    }

    #[test]
    fn a_draft_is_there_when_it_is_kept_and_not_before_nor_else() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("x".repeat(255));
        drop(draft(&path));
        assert_eq!(names(folder.path()), [""; 0]);
        for (text, older) in [("one", Older::Stays), ("two", Older::Goes)] {
            let draft = draft(&path);
            draft.file().write_all(text.as_bytes()).expect("written");
            draft.keep(older).expect("kept");
            assert_eq!(fs::read_to_string(&path).expect("read"), text);
        }
        let refused = draft(&path).keep(Older::Stays).expect_err("it is there");
        assert_eq!(refused.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read_to_string(&path).expect("read"), "two");
        assert_eq!(names(folder.path()).len(), 1);
    }

    #[test]
    fn a_draft_with_a_passing_name_goes_the_same_way() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("file");
        for older in [Older::Stays, Older::Goes] {
            let named = passing(&path);
            let mut draft = draft(&path);
            draft.file = File::create_new(&named).expect("made");
            draft.named = Some(named);
            draft.file().write_all(b"text").expect("written");
            draft.keep(older).expect("kept");
            assert_eq!(names(folder.path()), ["file"]);
        }
    }

    #[test]
    fn a_link_stays_and_an_older_file_keeps_its_permissions() {
        let folder = tempfile::tempdir().expect("a folder");
        let (file, link) = (folder.path().join("file"), folder.path().join("link"));
        fs::write(&file, "old").expect("written");
        fs::set_permissions(&file, Permissions::from_mode(0o640)).expect("set");
        std::os::unix::fs::symlink("file", &link).expect("linked");
        let draft = draft(&link);
        draft.file().write_all(b"new").expect("written");
        draft.keep(Older::Goes).expect("kept");
        assert!(fs::symlink_metadata(&link).expect("there").is_symlink());
        assert_eq!(fs::read(&file).expect("read"), b"new");
        let mode = fs::metadata(&file).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o640);
        fs::remove_file(&file).expect("removed");
        Place::of(&link).expect_err("it is a link to nothing");
    }

    #[test]
    fn what_is_no_file_is_written_into() {
        assert!(matches!(Place::of(Path::new("/dev/null")), Ok(Place::Stream)));
        assert!(Place::of(Path::new("/dev")).is_err());
    }
}
