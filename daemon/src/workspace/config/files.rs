//! Settings files as they were last seen good, each checked against the disk before it is used.
//!
//! Asked by [`super::Config`] for every file of every layer. What must stay true: an answer is never staler than its
//! file: one `statx` proves it, and a stamp younger than the coarsest clock of a file system proves nothing (the file
//! may change again without its stamp changing), so such a file is read again. A broken file leaves the last good
//! values in force and says so; nothing here outlives the process, so after a start the values beneath count.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::super::tree::{Fault, MAX_BYTES};
use super::check::Entry;
use crate::world::{FileKind, Nanos, Stat, World};

/// The coarsest stamps that a file system in use keeps: FAT's two seconds.
const COARSEST: Nanos = 2_000_000_000;

/// The most files remembered: five for each of fifty workspaces.
const MOST: usize = 256;

/// The longest chain of links to the user's own file, as in the kernel.
const MOST_LINKS: usize = 40;

/// Where a file is and how far it may be looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// The user's own: links are followed anywhere, since people keep their settings elsewhere.
    Own(PathBuf),
    /// A file that came with a project: never beyond its root.
    Beneath(PathBuf, PathBuf),
}

impl Place {
    /// The path, for people.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        match self {
            Self::Own(path) => path.clone(),
            Self::Beneath(root, relative) => root.join(relative),
        }
    }

    fn stat(&self, world: &dyn World) -> io::Result<(Self, Stat)> {
        match self {
            Self::Own(path) => {
                let (path, stat) = led_to(world, path)?;
                Ok((Self::Own(path), stat))
            }
            Self::Beneath(root, relative) => Ok((self.clone(), world.stat_beneath(root, relative)?)),
        }
    }

    fn read(&self, world: &dyn World) -> io::Result<Vec<u8>> {
        match self {
            Self::Own(path) => world.read(path, MAX_BYTES),
            Self::Beneath(root, relative) => world.read_beneath(root, relative, MAX_BYTES),
        }
    }
}

/// Where a path leads, links in its last place followed.
///
/// # Errors
/// When it leads nowhere or in a circle.
pub fn followed(world: &dyn World, path: &Path) -> io::Result<PathBuf> {
    led_to(world, path).map(|(path, _)| path)
}

fn led_to(world: &dyn World, path: &Path) -> io::Result<(PathBuf, Stat)> {
    let mut path = path.to_path_buf();
    for _ in 0..MOST_LINKS {
        let stat = world.stat(&path)?;
        if stat.kind != FileKind::Link {
            return Ok((path, stat));
        }
        let target = world.read_link(&path)?;
        path = path.parent().unwrap_or(Path::new("/")).join(target);
    }
    Err(io::Error::other("its links lead in a circle"))
}

/// What a file says.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// The values in force from it.
    pub entries: Arc<Vec<Entry>>,
    /// Why it could not be taken as it is now.
    pub fault: Option<String>,
}

#[derive(Clone)]
struct Remembered {
    at: Place,
    stamp: Option<Stat>,
    settled: bool,
    seen: Seen,
    used: u64,
}

impl Remembered {
    /// Whether it was not there.
    fn is_absent(&self) -> bool {
        self.stamp.is_none() && self.seen.fault.is_none()
    }
}

/// All files that have been asked for.
#[derive(Default)]
pub struct Files {
    held: Mutex<(HashMap<PathBuf, Remembered>, u64)>,
}

impl Files {
    /// What a file says now; nothing when it is not there.
    pub fn read(
        &self,
        world: &dyn World,
        place: &Place,
        parse: impl Fn(&str) -> Result<Vec<Entry>, Fault>,
    ) -> Seen {
        let before = world.coarse_now();
        let found = place.stat(world);
        if let Some(seen) = self.as_known(place, found.as_ref()) {
            return seen;
        }
        let path = place.path();
        let known = self.held().0.get(&path).cloned();
        let (at, stamp) = match found {
            Ok((at, stat)) => (at, Some(stat)),
            Err(error) if absent(&error) => return self.keep(path, None, Seen::default()),
            Err(error) => {
                return self.keep(
                    path.clone(),
                    None,
                    fallen(known, &path, &Fault::whole(said(&error))),
                );
            }
        };
        let settled = stamp.is_some_and(|stat| before.saturating_sub(stat.ctime.max(stat.mtime)) > COARSEST);
        let seen = match text(at.read(world)).and_then(|text| parse(&text)) {
            Ok(entries) => Seen {
                entries: Arc::new(entries),
                fault: None,
            },
            Err(fault) => fallen(known, &path, &fault),
        };
        self.keep(path, Some((at, stamp, settled)), seen)
    }

    /// Where a file that was asked for was found, its links followed.
    #[must_use]
    pub fn found_at(&self, path: &Path) -> Option<PathBuf> {
        self.held().0.get(path).map(|file| file.at.path())
    }

    /// Makes every file be read again on its next use.
    pub fn distrust(&self) {
        for file in self.held().0.values_mut() {
            file.settled = false;
        }
    }

    fn held(&self) -> MutexGuard<'_, (HashMap<PathBuf, Remembered>, u64)> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a file was found to say, when it is as it was then.
    fn as_known(&self, place: &Place, found: Result<&(Place, Stat), &io::Error>) -> Option<Seen> {
        let mut held = self.held();
        let (files, uses) = &mut *held;
        let file = match place {
            Place::Own(path) => files.get_mut(path),
            Place::Beneath(..) => files.get_mut(&place.path()),
        }?;
        let is_as_known = match found {
            Ok((at, stat)) => file.settled && file.stamp.as_ref() == Some(stat) && file.at == *at,
            Err(error) => absent(error) && file.is_absent(),
        };
        if !is_as_known {
            return None;
        }
        *uses += 1;
        file.used = *uses;
        Some(file.seen.clone())
    }

    fn keep(&self, path: PathBuf, stamp: Option<(Place, Option<Stat>, bool)>, seen: Seen) -> Seen {
        let mut held = self.held();
        held.1 += 1;
        let used = held.1;
        let nowhere = || (Place::Own(path.clone()), None, false);
        let (at, stamp, settled) = stamp.unwrap_or_else(nowhere);
        held.0.insert(
            path,
            Remembered {
                at,
                stamp,
                settled,
                seen: seen.clone(),
                used,
            },
        );
        if held.0.len() > MOST
            && let Some(oldest) = held
                .0
                .iter()
                .min_by_key(|(_, file)| file.used)
                .map(|(path, _)| path.clone())
        {
            held.0.remove(&oldest);
        }
        seen
    }
}

fn absent(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

/// What a failed call of the world means to the reader of a settings file.
#[must_use]
pub fn said(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::FileTooLarge => format!("larger than {} KiB", MAX_BYTES / 1024),
        _ => error.to_string(),
    }
}

/// The text of a file that was read.
///
/// # Errors
/// When it could not be read, or is not UTF-8.
pub fn text(bytes: io::Result<Vec<u8>>) -> Result<String, Fault> {
    String::from_utf8(bytes.map_err(|error| Fault::whole(said(&error)))?).map_err(|error| {
        let good = error.utf8_error().valid_up_to();
        let line = error.as_bytes()[..good]
            .iter()
            .filter(|byte| **byte == b'\n')
            .count()
            + 1;
        Fault::at(u32::try_from(line).unwrap_or(u32::MAX), "not UTF-8")
    })
}

fn fallen(known: Option<Remembered>, path: &Path, fault: &Fault) -> Seen {
    let entries = known.map(|known| known.seen.entries).unwrap_or_default();
    let force = if entries.is_empty() {
        "nothing of it is in force"
    } else {
        "what it said before stays in force"
    };
    Seen {
        entries,
        fault: Some(format!("{}; {force}", fault.in_file(path))),
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::yaml;
    use super::super::check;
    use super::*;
    use crate::world::{FakeWorld, OsWorld};

    fn parse(text: &str) -> Result<Vec<Entry>, Fault> {
        check::file(&yaml::parse(text)?)
    }

    fn value(seen: &Seen) -> Option<String> {
        seen.entries.first().map(|entry| entry.value.to_string())
    }

    fn own(path: &str) -> Place {
        Place::Own(path.into())
    }

    #[test]
    fn a_file_is_read_once_and_again_when_anything_about_it_changes() {
        let (world, files) = (FakeWorld::new(), Files::default());
        world.file("/c/config.yaml", "watch: {settle_ms: 1}").tick(1000);
        let read = || files.read(&world, &own("/c/config.yaml"), parse);
        assert_eq!(value(&read()).as_deref(), Some("1"));
        let calls = world.calls();
        assert_eq!(value(&read()).as_deref(), Some("1"));
        // One look, and no reading.
        assert_eq!(world.calls() - calls, 1);
        world.file("/c/config.yaml", "watch: {settle_ms: 2}");
        assert_eq!(value(&read()).as_deref(), Some("2"));
        // Within the same step of the clock, with the same size and stamps.
        world.file("/c/config.yaml", "watch: {settle_ms: 3}");
        assert_eq!(value(&read()).as_deref(), Some("3"));
        world.delete("/c/config.yaml");
        assert_eq!(value(&read()), None);
        assert_eq!(read().fault, None);
    }

    #[test]
    fn a_broken_file_leaves_the_last_good_one_in_force_and_names_its_line() {
        let (world, files) = (FakeWorld::new(), Files::default());
        let read = || files.read(&world, &own("/c/config.yaml"), parse);
        world.file("/c/config.yaml", "watch:\n  settle_ms: soon");
        let seen = read();
        assert_eq!(value(&seen), None);
        assert!(seen.fault.expect("told").contains("line 2"));
        world.file("/c/config.yaml", "watch: {settle_ms: 1}");
        assert_eq!(read().fault, None);
        world.file("/c/config.yaml", "watch:\n\n  setle_ms: 2");
        let seen = read();
        assert_eq!(value(&seen).as_deref(), Some("1"));
        let fault = seen.fault.expect("told");
        assert!(
            fault.contains("line 3") && fault.contains("watch.settle_ms") && fault.contains("stays in force"),
            "{fault}"
        );
        world.file("/c/config.yaml", "watch: {settle_ms: 4}");
        assert_eq!((value(&read()).as_deref(), read().fault), (Some("4"), None));
    }

    #[test]
    fn the_users_file_may_be_a_link_and_a_retargeted_one_counts_at_once() {
        let (world, files) = (FakeWorld::new(), Files::default());
        world
            .file("/dot/a", "watch: {settle_ms: 1}")
            .file("/dot/b", "watch: {settle_ms: 2}")
            .tick(1000);
        world.link("/c/config.yaml", "/dot/a");
        let read = || files.read(&world, &own("/c/config.yaml"), parse);
        assert_eq!(value(&read()).as_deref(), Some("1"));
        world.link("/c/config.yaml", "/dot/b");
        assert_eq!(value(&read()).as_deref(), Some("2"));
        world.link("/c/config.yaml", "config.yaml");
        assert!(read().fault.expect("told").contains("circle"));
    }

    #[test]
    fn nothing_hostile_in_the_place_of_a_file_stops_or_misleads_the_reader() {
        let dir = tempfile::tempdir().expect("a folder");
        let (root, world) = (dir.path().join("p"), OsWorld::new());
        let at = |name: &str| Place::Beneath(root.clone(), name.into());
        std::fs::create_dir_all(root.join("dir")).expect("made");
        std::fs::write(dir.path().join("secret.yaml"), "watch: {settle_ms: 9}").expect("written");
        std::os::unix::fs::symlink("../secret.yaml", root.join("out")).expect("linked");
        std::os::unix::fs::symlink("..", root.join("folder")).expect("linked");
        std::fs::write(root.join("bytes"), b"watch: {settle_ms: 1}\n\xff").expect("written");
        std::fs::write(root.join("huge"), vec![b'#'; MAX_BYTES + 1]).expect("written");
        std::fs::write(
            root.join("bomb"),
            "a: &a [x,x]\nb: &b [*a,*a]\n".to_owned() + &"c: [".repeat(9000),
        )
        .expect("written");
        let made = std::process::Command::new("mkfifo")
            .arg(root.join("pipe"))
            .status()
            .expect("runs");
        assert!(made.success());
        for name in [
            "dir",
            "out",
            "folder/secret.yaml",
            "bytes",
            "huge",
            "bomb",
            "pipe",
        ] {
            let seen = Files::default().read(&world, &at(name), parse);
            assert!(seen.entries.is_empty(), "{name}");
            assert!(seen.fault.is_some(), "{name}");
        }
        let seen = Files::default().read(&world, &at("bytes"), parse);
        assert!(seen.fault.expect("told").contains("line 2: not UTF-8"));
        let seen = Files::default().read(&world, &at("absent/config.yaml"), parse);
        assert_eq!(seen.fault, None);
    }

    #[test]
    fn the_memory_is_bounded() {
        let (world, files) = (FakeWorld::new(), Files::default());
        for n in 0..MOST + 50 {
            let _ = files.read(&world, &own(&format!("/c/{n}")), parse);
        }
        assert_eq!(files.held().0.len(), MOST);
    }
}
