//! One reading of git's configuration: which files it is in, which of those that they include count, and what the paths in it
//! mean.
//!
//! Asked by `repo`. Follows git's `config.c` and `path.c`. What must stay true: each file is seen before it is read; what a
//! project brings along says nothing of whose repository is safe.

use std::io;

use super::disk::{Disk, FILE_LIMIT};
use super::doubt::Refusal;
use super::gitconfig::{Format, Settings};
use super::repo::{GITFILE_LIMIT, GitEnv, join};
use super::wildmatch::{Case, is_match};
use super::witness::Witnesses;
use crate::world::FileKind;

/// As git's `MAX_INCLUDE_DEPTH`.
const INCLUDE_DEPTH: usize = 10;
/// Files that one configuration may include in all, which git does not bound.
const INCLUDES: usize = 200;
/// How a condition on the remotes' addresses begins.
const ON_REMOTES: &[u8] = b"hasconfig:remote.*.url:";
/// What HEAD says where the references are in tables (`extensions.refStorage=reftable`).
const IN_TABLES: &[u8] = b"refs/heads/.invalid";

/// One reading of the configuration.
pub(super) struct Reading<'a, D: Disk> {
    disk: &'a D,
    env: &'a GitEnv,
    git_dir: &'a [u8],
    /// What was looked at beyond the watched folders.
    pub(super) outside: Witnesses,
    includes: usize,
    /// The remotes' addresses, once they are known; until then each condition on them holds, as with git.
    urls: Option<Vec<Vec<u8>>>,
    /// Whether there was such a condition.
    has_asked: bool,
    /// Whether such a condition brought in a remote, which git does not take.
    has_remotes_inside: bool,
    /// `safe.directory` in files that no project brings along.
    safe: Vec<Vec<u8>>,
    /// The branch decides of something, and it is in git's store alone, which could not be read.
    pub(super) is_branch_unknown: bool,
    /// A file was passed over because of its size.
    pub(super) is_too_large: bool,
}

impl<'a, D: Disk> Reading<'a, D> {
    pub(super) fn new(disk: &'a D, env: &'a GitEnv, git_dir: &'a [u8], outside: Witnesses) -> Self {
        Self {
            disk,
            env,
            git_dir,
            outside,
            includes: 0,
            urls: None,
            has_asked: false,
            has_remotes_inside: false,
            safe: Vec::new(),
            is_branch_unknown: false,
            is_too_large: false,
        }
    }

    /// What the configuration says, whose common files are in a folder.
    pub(super) fn settings(&mut self, common_dir: &[u8]) -> Settings {
        let mut settings = self.settings_once(common_dir);
        let urls = std::mem::take(&mut settings.remote_urls);
        if self.has_asked {
            // What was seen before stays seen: it is read a second time.
            self.urls = Some(urls);
            self.includes = 0;
            settings = self.settings_once(common_dir);
            settings.remote_urls.clear();
            settings.is_broken |= self.has_remotes_inside;
        }
        for path in std::mem::take(&mut settings.homes) {
            settings.is_broken |= self.expand(&path).is_none();
        }
        settings
    }

    fn settings_once(&mut self, common_dir: &[u8]) -> Settings {
        let mut settings = Settings::default();
        let mut files = vec![self.disk.git_system()];
        files.extend(self.xdg(b"git/config"));
        files.extend(self.env.home.as_deref().map(|home| join(home, b".gitconfig")));
        for path in files {
            self.read(&path, &mut settings, 0);
        }
        self.safe = std::mem::take(&mut settings.safe);
        // Only what its own file says of the format counts.
        settings.format = Format::default();
        self.read(&join(common_dir, b"config"), &mut settings, 0);
        let format = settings.format.clone();
        if format.worktree_config {
            self.read(&join(self.git_dir, b"config.worktree"), &mut settings, 0);
        }
        // Of which checkout it is, the worktree's own file has a say too.
        let own = std::mem::replace(&mut settings.format, format);
        (settings.format.bare, settings.format.worktree) = (own.bare, own.worktree);
        settings.safe = self.safe_paths();
        settings
    }

    fn xdg(&self, path: &[u8]) -> Option<Vec<u8>> {
        match (&self.env.xdg_config_home, &self.env.home) {
            (Some(xdg), _) if !xdg.is_empty() => Some(join(xdg, path)),
            (_, Some(home)) => Some(join(&join(home, b".config"), path)),
            _ => None,
        }
    }

    /// Where `core.excludesFile` is; an error when git would give up on what is written.
    pub(super) fn excludes_path(
        &mut self,
        written: Option<&[u8]>,
        root: &[u8],
    ) -> Result<Option<Vec<u8>>, Refusal> {
        match written {
            Some(b"") => Ok(None),
            Some(path) => match self.expand(path) {
                Some(path) => Ok(Some(join(root, &path))),
                None => Err(Refusal::Config),
            },
            None => Ok(self.xdg(b"git/ignore")),
        }
    }

    fn safe_paths(&mut self) -> Vec<Vec<u8>> {
        let written = std::mem::take(&mut self.safe);
        written.iter().filter_map(|path| self.expand(path)).collect()
    }

    /// `~/` is the home directory, `~user/` that of another, `%(prefix)/` where git was built to be.
    fn expand(&mut self, path: &[u8]) -> Option<Vec<u8>> {
        if let Some(rest) = path.strip_prefix(b"%(prefix)/") {
            let prefix = self.disk.git_prefix();
            return Some(prefix.map_or_else(|| path.to_vec(), |prefix| [prefix.as_slice(), rest].concat()));
        }
        let Some(rest) = path.strip_prefix(b"~") else {
            return Some(path.to_vec());
        };
        let slash = rest.iter().position(|&byte| byte == b'/');
        let (user, rest) = rest.split_at(slash.unwrap_or(rest.len()));
        let home = match user {
            [] => self.env.home.clone()?,
            user => self.home_of(user)?,
        };
        Some([home.as_slice(), rest].concat())
    }

    /// The home directory of a user, from the machine's own file.
    fn home_of(&mut self, user: &[u8]) -> Option<Vec<u8>> {
        let users = self.file(b"/etc/passwd")?;
        let mut lines = users.split(|&byte| byte == b'\n');
        lines.find_map(|line| {
            let mut fields = line.split(|&byte| byte == b':');
            let is_meant = fields.next() == Some(user);
            fields.nth(4).filter(|_| is_meant).map(<[u8]>::to_vec)
        })
    }

    fn file(&mut self, path: &[u8]) -> Option<Vec<u8>> {
        self.outside.see(self.disk, path);
        let read = self.disk.read_file(path, FILE_LIMIT);
        self.is_too_large |= is_too_large(&read);
        read.ok()
    }

    /// The bytes of an exclude file.
    pub(super) fn exclude_file(&mut self, path: Option<&[u8]>, refusal: &mut Option<Refusal>) -> Vec<u8> {
        let Some(path) = path else { return Vec::new() };
        let about = self.outside.see(self.disk, path);
        if about.is_some_and(|meta| meta.kind == FileKind::Dir) {
            refusal.get_or_insert(Refusal::ExcludeFile);
        }
        let read = self.disk.read_file(path, FILE_LIMIT);
        self.is_too_large |= is_too_large(&read);
        read.unwrap_or_default()
    }

    fn read(&mut self, path: &[u8], settings: &mut Settings, depth: usize) {
        let Some(text) = self.file(path) else { return };
        let folder = path
            .iter()
            .rposition(|&byte| byte == b'/')
            .map_or(&path[..0], |at| &path[..at]);
        settings.read(&text, &mut |included, condition, settings| {
            let holds = condition.is_none_or(|condition| self.holds(condition, folder));
            self.includes += usize::from(holds);
            if !holds || self.includes > INCLUDES {
                self.is_too_large |= holds;
                return;
            }
            let Some(included) = self.expand(included) else {
                settings.is_broken = true;
                return;
            };
            let included = join(folder, &included);
            let about = self.outside.see(self.disk, &included);
            let is_dir = about.is_some_and(|meta| meta.kind == FileKind::Dir);
            if is_dir || (depth >= INCLUDE_DEPTH && about.is_some()) {
                settings.is_broken = true;
                return;
            }
            // Git does not look there for the format.
            let (format, urls) = (settings.format.clone(), settings.remote_urls.len());
            self.read(&included, settings, depth + 1);
            settings.format = format;
            // A condition on the remotes brings in none.
            let is_on_remotes = condition.is_some_and(|condition| condition.starts_with(ON_REMOTES));
            self.has_remotes_inside |= is_on_remotes && settings.remote_urls.len() > urls;
        });
    }

    /// `gitdir:`, `gitdir/i:`, `onbranch:` and `hasconfig:remote.*.url:`; other conditions do not hold.
    fn holds(&mut self, condition: &[u8], folder: &[u8]) -> bool {
        if let Some(pattern) = condition.strip_prefix(ON_REMOTES) {
            self.has_asked = true;
            let urls = self.urls.as_ref();
            return urls.is_none_or(|urls| urls.iter().any(|url| is_match(pattern, url, Case::Exact)));
        }
        let Some(colon) = condition.iter().position(|&byte| byte == b':') else {
            return false;
        };
        let (kind, pattern) = (&condition[..colon], &condition[colon + 1..]);
        match kind {
            b"gitdir" | b"gitdir/i" => {
                let case = match kind {
                    b"gitdir" => Case::Exact,
                    _ => Case::Folded,
                };
                let resolved = self.disk.resolve(self.git_dir).ok();
                let paths = resolved.as_deref().into_iter().chain([self.git_dir]);
                let mut paths = paths.collect::<Vec<_>>().into_iter();
                let pattern = self.expand_pattern(pattern, folder);
                pattern.is_some_and(|(prefix, pattern)| {
                    paths.any(|path| {
                        let rest = path.split_at_checked(prefix.len());
                        rest.is_some_and(|(start, rest)| {
                            case.is_same(start, &prefix) && is_match(&pattern, rest, case)
                        })
                    })
                })
            }
            b"onbranch" => {
                let pattern = open_ended(pattern.to_vec());
                self.branch()
                    .is_some_and(|branch| is_match(&pattern, &branch, Case::Exact))
            }
            _ => false,
        }
    }

    /// The branch that is checked out.
    fn branch(&mut self) -> Option<Vec<u8>> {
        let head = self.disk.read_file(&join(self.git_dir, b"HEAD"), GITFILE_LIMIT);
        let head = head.unwrap_or_default();
        let named = head.strip_prefix(b"ref:").map(<[u8]>::trim_ascii)?;
        if named != IN_TABLES {
            return named.strip_prefix(b"refs/heads/").map(<[u8]>::to_vec);
        }
        // The list of tables is another one with each change.
        self.outside
            .see(self.disk, &join(self.git_dir, b"reftable/tables.list"));
        let Ok(named) = self.disk.head(self.git_dir) else {
            self.is_branch_unknown = true;
            return None;
        };
        named?.strip_prefix(b"refs/heads/").map(<[u8]>::to_vec)
    }

    /// What a path must begin with, and the pattern that the rest of it must match.
    fn expand_pattern(&mut self, pattern: &[u8], folder: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
        if let Some(rest) = pattern.strip_prefix(b"./") {
            let folder = self.disk.resolve(folder).unwrap_or_else(|_| folder.to_vec());
            return Some((join(&folder, b""), open_ended(rest.to_vec())));
        }
        let mut pattern = match (pattern.strip_prefix(b"~/"), self.env.home.as_deref()) {
            (Some(rest), Some(home)) => {
                join(&self.disk.resolve(home).unwrap_or_else(|_| home.to_vec()), rest)
            }
            _ => self.expand(pattern)?,
        };
        if pattern.first() != Some(&b'/') {
            pattern.splice(..0, *b"**/");
        }
        Some((Vec::new(), open_ended(pattern)))
    }
}

fn is_too_large(read: &io::Result<Vec<u8>>) -> bool {
    matches!(read, Err(error) if error.kind() == io::ErrorKind::FileTooLarge)
}

fn open_ended(mut pattern: Vec<u8>) -> Vec<u8> {
    if pattern.last() == Some(&b'/') {
        pattern.extend_from_slice(b"**");
    }
    pattern
}
