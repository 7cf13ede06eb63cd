//! The repository of a root: where git keeps its index, configuration and exclude files, and what they say.
//!
//! Asked by the engine when a root is opened and whenever one of those files has changed. Follows git's `setup.c` and
//! `dir.c`; starts no process. What must stay true: every file that had a say is either in a folder that is watched or
//! among [`Repo::outside`], which is compared at every sync.

use std::sync::Arc;

use globset::GlobBuilder;

use super::disk::{Disk, FILE_LIMIT};
use super::gitconfig::Settings;
use super::ignore::{Matcher, Rules};
use super::wild::is_match;
use crate::world::FileKind;
use crate::world::dir::Meta;

/// Git reads at most this much of a `.git` file; a HEAD is shorter.
const GITFILE_LIMIT: usize = 1 << 20;
/// As git's `MAX_INCLUDE_DEPTH`.
const INCLUDE_DEPTH: usize = 10;
/// Files that one configuration may include in all, which git does not bound.
const INCLUDES: usize = 200;

/// Where git's global files are looked for.
#[derive(Clone, Debug, Default)]
pub(super) struct GitEnv {
    /// The home directory.
    pub(super) home: Option<Vec<u8>>,
    /// `XDG_CONFIG_HOME`, when set.
    pub(super) xdg_config_home: Option<Vec<u8>>,
}

/// A file as it was when it was read; none when there was none.
pub(super) type Stamp = Option<(u64, u64, i64, i64)>;

/// The repository of one root.
#[derive(Debug)]
pub(super) struct Repo {
    /// HEAD and index: `.git`, or a worktree's own folder. Absolute.
    pub(super) git_dir: Vec<u8>,
    /// Configuration and `info/`. Absolute.
    pub(super) common_dir: Vec<u8>,
    /// What the configuration says.
    pub(super) settings: Settings,
    /// `info/exclude` before `core.excludesFile`.
    pub(super) rules: Rules,
    /// The sources of `rules`, to see whether they changed.
    sources: Vec<Vec<u8>>,
    /// Files beyond the watched folders that had a say, and how they were.
    pub(super) outside: Vec<(Vec<u8>, Stamp)>,
}

impl Repo {
    /// The repository of a root; none when git would not see one there.
    pub(super) fn open<D: Disk>(disk: &D, root: &D::Dir, root_path: &[u8], env: &GitEnv) -> Option<Self> {
        let git_dir = git_dir(disk, root, root_path)?;
        let common_dir = common_dir(disk, &git_dir);
        let mut reading = Reading {
            disk,
            env,
            git_dir: &git_dir,
            outside: Vec::new(),
            includes: 0,
            urls: None,
            has_asked: false,
        };
        let settings = reading.settings(&common_dir);
        let excludes = reading.excludes_path(settings.excludes_file.as_deref(), root_path);
        let global = excludes.and_then(|path| reading.file(&path));
        let exclude = disk
            .read_file(&join(&common_dir, b"info/exclude"), FILE_LIMIT)
            .ok();
        let outside = reading.outside;
        let sources: Vec<_> = [global, exclude]
            .into_iter()
            .map(Option::unwrap_or_default)
            .collect();
        let rules = sources
            .iter()
            .filter(|source| !source.is_empty())
            .fold(Rules::default(), |rules, source| {
                rules.with(Arc::new(Matcher::parse_in(source.clone(), settings.case())), 0)
            });
        Some(Self {
            git_dir,
            common_dir,
            settings,
            rules,
            sources,
            outside,
        })
    }

    /// Whether another reading says the same of what is ignored.
    #[must_use]
    pub(super) fn has_same_rules(&self, other: &Self) -> bool {
        self.sources == other.sources && self.settings == other.settings
    }

    /// What the rules were made of.
    pub(super) fn sources(&self) -> &[Vec<u8>] {
        &self.sources
    }

    /// Whether a file beyond the watched folders is not as it was.
    pub(super) fn is_outdated<D: Disk>(&self, disk: &D) -> bool {
        self.outside
            .iter()
            .any(|(path, stamp)| stamp_of(disk, path) != *stamp)
    }
}

/// Whether git would take the folder that `dir` is for a repository with a checkout (its `is_nonbare_repository_dir`).
pub(super) fn is_repository<D: Disk>(disk: &D, dir: &D::Dir, path: &[u8]) -> bool {
    git_dir(disk, dir, path).is_some()
}

fn git_dir<D: Disk>(disk: &D, dir: &D::Dir, path: &[u8]) -> Option<Vec<u8>> {
    let candidate = match disk.stat(dir, b".git").ok()?.kind {
        FileKind::File => {
            let file = disk.read(dir, b".git", GITFILE_LIMIT).ok()?;
            let target = file.strip_prefix(b"gitdir: ")?;
            let end = target.iter().rposition(|byte| !matches!(byte, b'\n' | b'\r'))?;
            join(path, &target[..=end])
        }
        // A link to a repository counts as the repository, as with git.
        _ => join(path, b".git"),
    };
    is_git_dir(disk, &candidate).then_some(candidate)
}

fn is_git_dir<D: Disk>(disk: &D, path: &[u8]) -> bool {
    let Ok(dir) = disk.open(path) else { return false };
    let has_head = match disk.stat(&dir, b"HEAD").map(|meta| meta.kind) {
        // The old form, a link into refs: git only looks at where it points.
        Ok(FileKind::Link) => true,
        Ok(FileKind::File) => disk
            .read(&dir, b"HEAD", GITFILE_LIMIT)
            .is_ok_and(|head| is_head(&head)),
        _ => false,
    };
    let common = common_dir(disk, path);
    let is_dir = |name: &[u8]| {
        disk.stat_file(&join(&common, name))
            .is_ok_and(|meta| meta.kind == FileKind::Dir)
    };
    has_head && is_dir(b"objects") && is_dir(b"refs")
}

fn is_head(head: &[u8]) -> bool {
    if let Some(target) = head.strip_prefix(b"ref:") {
        return target.trim_ascii_start().starts_with(b"refs/");
    }
    head.len() >= 40 && head[..40].iter().all(u8::is_ascii_hexdigit)
}

fn common_dir<D: Disk>(disk: &D, git_dir: &[u8]) -> Vec<u8> {
    match disk.read_file(&join(git_dir, b"commondir"), GITFILE_LIMIT) {
        Ok(file) => join(git_dir, file.trim_ascii_end()),
        Err(_) => git_dir.to_vec(),
    }
}

/// `path` as seen from the folder `base`.
#[must_use]
pub(super) fn join(base: &[u8], path: &[u8]) -> Vec<u8> {
    if path.first() == Some(&b'/') {
        return path.to_vec();
    }
    let mut joined = base.to_vec();
    if joined.last() != Some(&b'/') {
        joined.push(b'/');
    }
    joined.extend_from_slice(path);
    joined
}

pub(super) fn stamp_of<D: Disk>(disk: &D, path: &[u8]) -> Stamp {
    let stamp = |meta: Meta| (meta.ino, meta.size, meta.mtime, meta.ctime);
    disk.stat_file(path).ok().map(stamp)
}

/// One reading of the configuration.
struct Reading<'a, D: Disk> {
    disk: &'a D,
    env: &'a GitEnv,
    git_dir: &'a [u8],
    outside: Vec<(Vec<u8>, Stamp)>,
    includes: usize,
    /// The remotes' addresses, once they are known; until then each condition on them holds, as with git.
    urls: Option<Vec<Vec<u8>>>,
    /// Whether there was such a condition.
    has_asked: bool,
}

impl<D: Disk> Reading<'_, D> {
    fn settings(&mut self, common_dir: &[u8]) -> Settings {
        let mut settings = self.settings_once(common_dir);
        let urls = std::mem::take(&mut settings.remote_urls);
        if !self.has_asked {
            return settings;
        }
        self.urls = Some(urls);
        self.outside.clear();
        self.includes = 0;
        let mut settings = self.settings_once(common_dir);
        settings.remote_urls.clear();
        settings
    }

    fn settings_once(&mut self, common_dir: &[u8]) -> Settings {
        let mut settings = Settings::default();
        let mut files = vec![b"/etc/gitconfig".to_vec()];
        files.extend(self.xdg(b"git/config"));
        files.extend(self.env.home.as_deref().map(|home| join(home, b".gitconfig")));
        files.push(join(common_dir, b"config"));
        for path in files {
            self.read(&path, &mut settings, 0);
        }
        if settings.worktree_config {
            self.read(&join(self.git_dir, b"config.worktree"), &mut settings, 0);
        }
        settings
    }

    fn xdg(&self, path: &[u8]) -> Option<Vec<u8>> {
        match (&self.env.xdg_config_home, &self.env.home) {
            (Some(xdg), _) if !xdg.is_empty() => Some(join(xdg, path)),
            (_, Some(home)) => Some(join(&join(home, b".config"), path)),
            _ => None,
        }
    }

    fn excludes_path(&self, written: Option<&[u8]>, root: &[u8]) -> Option<Vec<u8>> {
        match written {
            Some(path) => self.expand(path).map(|path| join(root, &path)),
            None => self.xdg(b"git/ignore"),
        }
    }

    /// `~/` is the home directory. The forms `~user/` and `%(prefix)/` are not resolved.
    fn expand(&self, path: &[u8]) -> Option<Vec<u8>> {
        match path.strip_prefix(b"~/") {
            Some(rest) => self.env.home.as_deref().map(|home| join(home, rest)),
            None if path.is_empty() || path.starts_with(b"~") || path.starts_with(b"%(") => None,
            None => Some(path.to_vec()),
        }
    }

    fn file(&mut self, path: &[u8]) -> Option<Vec<u8>> {
        self.outside.push((path.to_vec(), stamp_of(self.disk, path)));
        self.disk.read_file(path, FILE_LIMIT).ok()
    }

    fn read(&mut self, path: &[u8], settings: &mut Settings, depth: usize) {
        let Some(text) = self.file(path) else { return };
        let folder = path
            .iter()
            .rposition(|&byte| byte == b'/')
            .map_or(&path[..0], |at| &path[..at]);
        settings.read(&text, &mut |included, condition, settings| {
            self.includes += 1;
            let holds = condition.is_none_or(|condition| self.holds(condition, folder));
            if depth < INCLUDE_DEPTH
                && self.includes < INCLUDES
                && holds
                && let Some(included) = self.expand(included)
            {
                self.read(&join(folder, &included), settings, depth + 1);
            }
        });
    }

    /// `gitdir:`, `gitdir/i:`, `onbranch:` and `hasconfig:remote.*.url:`; other conditions do not hold.
    fn holds(&mut self, condition: &[u8], folder: &[u8]) -> bool {
        if let Some(pattern) = condition.strip_prefix(b"hasconfig:remote.*.url:") {
            self.has_asked = true;
            let urls = self.urls.as_ref();
            return urls.is_none_or(|urls| urls.iter().any(|url| is_match(pattern, url)));
        }
        let Some(colon) = condition.iter().position(|&byte| byte == b':') else {
            return false;
        };
        let (kind, pattern) = (&condition[..colon], &condition[colon + 1..]);
        match kind {
            b"gitdir" | b"gitdir/i" => self.expand_pattern(pattern, folder).is_some_and(|pattern| {
                let is_match = |path: &[u8]| glob_matches(&pattern, path, kind == b"gitdir/i");
                is_match(self.git_dir) || is_match(&join(self.git_dir, b""))
            }),
            b"onbranch" => {
                let head = self
                    .disk
                    .read_file(&join(self.git_dir, b"HEAD"), GITFILE_LIMIT)
                    .unwrap_or_default();
                let branch = head.strip_prefix(b"ref:").map(<[u8]>::trim_ascii);
                let branch = branch.and_then(|head| head.strip_prefix(b"refs/heads/"));
                branch.is_some_and(|branch| glob_matches(&open_ended(pattern.to_vec()), branch, false))
            }
            _ => false,
        }
    }

    fn expand_pattern(&self, pattern: &[u8], folder: &[u8]) -> Option<Vec<u8>> {
        let pattern = match pattern.strip_prefix(b"./") {
            Some(rest) => join(folder, rest),
            None => self.expand(pattern)?,
        };
        let pattern = if pattern.first() == Some(&b'/') {
            pattern
        } else {
            [b"**/", pattern.as_slice()].concat()
        };
        Some(open_ended(pattern))
    }
}

fn open_ended(mut pattern: Vec<u8>) -> Vec<u8> {
    if pattern.last() == Some(&b'/') {
        pattern.extend_from_slice(b"**");
    }
    pattern
}

fn glob_matches(pattern: &[u8], path: &[u8], ignore_case: bool) -> bool {
    use std::os::unix::ffi::OsStrExt;
    let Ok(pattern) = std::str::from_utf8(pattern) else {
        return false;
    };
    let glob = GlobBuilder::new(pattern)
        .literal_separator(true)
        .case_insensitive(ignore_case)
        .build();
    glob.is_ok_and(|glob| {
        glob.compile_matcher()
            .is_match(std::path::Path::new(std::ffi::OsStr::from_bytes(path)))
    })
}
