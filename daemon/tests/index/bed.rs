//! A repository in a temporary folder with its tree, the oracle that git is, and the journal that the test keeps.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use daemon::index::{Settings, Tree, Trees};
use proto::index::{ChangeKind, Since};

pub(crate) type Bytes = Vec<u8>;
type Stat = (u32, u64, i64, i64, i64, i64, u64);

/// A repository with its tree, and what was there at the last look.
pub(crate) struct Bed {
    dir: tempfile::TempDir,
    pub(crate) root: PathBuf,
    pub(crate) trees: Arc<Trees>,
    pub(crate) tree: Arc<Tree>,
    pub(crate) runtime: tokio::runtime::Runtime,
    pub(crate) clock: String,
    settings: Settings,
    before: BTreeMap<Bytes, Stat>,
}

impl Bed {
    pub(crate) fn new() -> Self {
        Self::at(&std::env::temp_dir(), |_| {})
    }

    pub(crate) fn at(base: &Path, prepare: impl FnOnce(&Path)) -> Self {
        Self::with(Settings::default(), base, prepare)
    }

    pub(crate) fn with(settings: Settings, base: &Path, prepare: impl FnOnce(&Path)) -> Self {
        let dir = tempfile::tempdir_in(base).unwrap();
        let root = dir.path().canonicalize().unwrap().join("r");
        fs::create_dir_all(&root).unwrap();
        fs::create_dir_all(dir.path().join("home")).unwrap();
        git_in(&root, &["init", "-q", "-b", "main"]);
        prepare(&root);
        let settings = Settings {
            home: Some(home(&root)),
            folder: Some(dir.path().join("index")),
            ..settings
        };
        let trees = Trees::new(settings.clone()).unwrap();
        let tree = trees.ensure(&root).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let mut bed = Self {
            dir,
            root,
            trees,
            tree,
            runtime,
            clock: String::new(),
            settings,
            before: BTreeMap::new(),
        };
        bed.begin();
        bed
    }

    /// The daemon ends in order; what is saved is on disk.
    pub(crate) fn stop(&mut self) {
        self.trees.stop();
    }

    /// Another daemon begins, and is asked for the same root.
    pub(crate) fn start(&mut self) {
        self.trees = Trees::new(self.settings.clone()).unwrap();
        self.tree = self.trees.ensure(&self.root).unwrap();
    }

    /// The daemon ends without a word: what is on disk is what was there before it ended.
    pub(crate) fn crash(&mut self) {
        let (folder, kept) = (self.saved_folder(), self.dir.path().join("kept"));
        let copy = |from: &Path, to: &Path| {
            drop(fs::remove_dir_all(to));
            fs::create_dir_all(to).unwrap();
            for entry in fs::read_dir(from).unwrap().flatten() {
                fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
            }
        };
        fs::create_dir_all(&folder).unwrap();
        copy(&folder, &kept);
        self.trees.stop();
        copy(&kept, &folder);
    }

    /// Where indexes are saved.
    pub(crate) fn saved_folder(&self) -> PathBuf {
        self.dir.path().join("index")
    }

    /// The clock as it was, and what is there now, without asking what changed.
    pub(crate) fn look(&mut self) {
        self.sync();
        assert_eq!(self.files(), oracle(&self.root));
        self.clock = self.tree.clock();
        self.before = self.stats();
    }

    /// Follows another root from now on.
    pub(crate) fn turn_to(&mut self, root: PathBuf) {
        self.root = root;
        self.tree = self.trees.ensure(&self.root).unwrap();
        self.begin();
    }

    pub(crate) fn begin(&mut self) {
        let limit = Duration::from_secs(60);
        self.runtime
            .block_on(async { tokio::time::timeout(limit, self.tree.ready()).await })
            .unwrap();
        self.sync();
        assert_eq!(self.files(), oracle(&self.root), "the first crawl");
        self.clock = self.tree.clock();
        self.before = self.stats();
    }

    pub(crate) fn sync(&self) {
        let synced = self.runtime.block_on(self.tree.sync(Duration::from_secs(30)));
        assert!(synced, "the tree could not be synced");
    }

    pub(crate) fn files(&self) -> BTreeSet<Bytes> {
        let (_, list) = self.tree.files(None).unwrap();
        let all: Vec<_> = list.iter().map(<[u8]>::to_vec).collect();
        assert!(all.is_sorted(), "files come in order");
        all.into_iter().collect()
    }

    fn stats(&self) -> BTreeMap<Bytes, Stat> {
        let stat = |path: &Bytes| {
            let m = fs::symlink_metadata(self.root.join(os(path))).unwrap();
            if m.is_dir() {
                return (m.mode(), 0, 0, 0, 0, 0, m.ino());
            }
            (
                m.mode(),
                m.size(),
                m.mtime(),
                m.mtime_nsec(),
                m.ctime(),
                m.ctime_nsec(),
                m.ino(),
            )
        };
        oracle(&self.root)
            .into_iter()
            .map(|path| (path.clone(), stat(&path)))
            .collect()
    }

    /// Syncs and compares list and changes with git and with the journal.
    pub(crate) fn check(&mut self, what: &str) {
        self.sync();
        let (ours, gits) = (self.files(), oracle(&self.root));
        let (more, less) = (show(&(&ours - &gits)), show(&(&gits - &ours)));
        assert!(ours == gits, "after {what}: too many {more:?}, missing {less:?}");
        let now = self.stats();
        let all = self.before.keys().chain(now.keys());
        let expected: BTreeSet<Bytes> = all
            .filter(|path| self.before.get(*path) != now.get(*path))
            .cloned()
            .collect();
        let answer = self.tree.changes(&Since::Clock(self.clock.clone())).unwrap();
        assert_eq!(answer.fresh, None, "after {what}");
        let mut named = BTreeSet::new();
        for change in &answer.changes {
            let path = change.path.as_bytes().to_vec();
            let (was, is) = (self.before.contains_key(&path), now.contains_key(&path));
            match change.kind {
                ChangeKind::Created => assert!(is, "{what}: {change:?}"),
                ChangeKind::Modified => assert!(was && is, "{what}: {change:?}"),
                ChangeKind::Deleted => assert!(!is, "{what}: {change:?}"),
                ChangeKind::Renamed => {
                    let from = change.from.as_ref().unwrap().as_bytes().to_vec();
                    assert!(is && self.before.contains_key(&from), "{what}: {change:?}");
                    named.insert(from);
                }
            }
            // What came and went is reported as deleted, and is in no snapshot.
            if was || is {
                named.insert(path);
            }
        }
        let (more, less) = (show(&(&named - &expected)), show(&(&expected - &named)));
        assert!(
            named == expected,
            "after {what}: wrongly changed {more:?}, missed {less:?}"
        );
        self.clock = answer.clock;
        self.before = now;
    }

    /// The changes since the last check.
    pub(crate) fn kinds(&self) -> Vec<(ChangeKind, String, Option<String>)> {
        let answer = self.tree.changes(&Since::Clock(self.clock.clone())).unwrap();
        let text = |path: &proto::RawPath| path.display().into_owned();
        answer
            .changes
            .iter()
            .map(|c| (c.kind, text(&c.path), c.from.as_ref().map(text)))
            .collect()
    }

    pub(crate) fn write(&self, path: &str, text: &str) {
        write(&self.root, path, text);
    }

    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    pub(crate) fn git(&self, args: &[&str]) {
        git_in(&self.root, args);
    }

    pub(crate) fn home(&self) -> PathBuf {
        home(&self.root)
    }
}

impl Drop for Bed {
    fn drop(&mut self) {
        self.trees.stop();
        // Unreadable folders would outlive the test.
        drop(
            Command::new("chmod")
                .args(["-R", "u+rwX"])
                .arg(self.dir.path())
                .output(),
        );
    }
}

fn show(set: &BTreeSet<Bytes>) -> Vec<String> {
    set.iter()
        .map(|path| String::from_utf8_lossy(path).into_owned())
        .collect()
}

pub(crate) fn os(path: &[u8]) -> OsString {
    OsString::from_vec(path.to_vec())
}

fn home(root: &Path) -> PathBuf {
    root.parent().unwrap().join("home")
}

pub(crate) fn write(root: &Path, path: &str, text: &str) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

pub(crate) fn git_in(root: &Path, args: &[&str]) -> Bytes {
    let mut command = Command::new("git");
    command
        .current_dir(root)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap());
    let home = root
        .ancestors()
        .map(|dir| dir.join("home"))
        .find(|home| home.is_dir())
        .unwrap();
    command
        .env("HOME", home)
        .args(["-c", "protocol.file.allow=always"]);
    command
        .args(["-c", "user.name=n", "-c", "user.email=e@x"])
        .args(args);
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "git {args:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    output.stdout
}

/// SPEC 6: what git shows, less entries whose lstat fails, beyond a symlink, or that are directories (submodules and
/// nested repositories excepted).
pub(crate) fn oracle(root: &Path) -> BTreeSet<Bytes> {
    let links: BTreeSet<Bytes> = git_in(root, &["ls-files", "-s", "-z"])
        .split(|&byte| byte == 0)
        .filter(|line| line.starts_with(b"160000"))
        .map(|line| line.splitn(2, |&byte| byte == b'\t').nth(1).unwrap().to_vec())
        .collect();
    let listed = git_in(
        root,
        &["ls-files", "-co", "--exclude-standard", "--deduplicate", "-z"],
    );
    let listed = listed.split(|&byte| byte == 0).filter(|path| !path.is_empty());
    let is_beyond_link = |path: &[u8]| {
        let above = Path::new(OsStr::from_bytes(path)).ancestors().skip(1);
        above
            .filter(|dir| *dir != Path::new(""))
            .any(|dir| root.join(dir).is_symlink())
    };
    let is_there = |path: &[u8]| match fs::symlink_metadata(root.join(os(path))) {
        Err(_) => false,
        Ok(meta) => !meta.is_dir() || path.ends_with(b"/") || links.contains(path),
    };
    listed
        .filter(|path| is_there(path) && !is_beyond_link(path))
        .map(<[u8]>::to_vec)
        .collect()
}

/// ext4 or whatever temporary files are on, and tmpfs.
pub(crate) fn places() -> Vec<PathBuf> {
    let shm = PathBuf::from("/dev/shm");
    let mut places = vec![std::env::temp_dir()];
    if shm.is_dir() {
        places.push(shm);
    } else {
        eprintln!("skipped: no tmpfs at /dev/shm");
    }
    places
}
