//! The repository of a root: where git keeps its index, configuration and exclude files, and what they say.
//!
//! Asked by the engine when a root is opened and whenever one of those files has changed. Follows git's `setup.c` and
//! `dir.c`. What must stay true: every file that had a say is either in a folder that is watched or among
//! [`Found::outside`], which is looked at before every answer.

use std::sync::Arc;

use super::disk::Disk;
use super::doubt::Refusal;
use super::engine::Start;
use super::gitconfig::{Format, Settings};
use super::ignore::{Matcher, Rules};
use super::reading::Reading;
use super::witness::{Stamp, Witnesses, stamp_of};
use crate::world::FileKind;

/// Git reads at most this much of a `.git` file; a HEAD is shorter.
pub(super) const GITFILE_LIMIT: usize = 1 << 20;

/// Where git's global files are looked for.
#[derive(Clone, Debug, Default)]
pub(super) struct GitEnv {
    /// The home directory.
    pub(super) home: Option<Vec<u8>>,
    /// `XDG_CONFIG_HOME`, when set.
    pub(super) xdg_config_home: Option<Vec<u8>>,
}

/// What is found where a root may have its repository.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// None when git would not see one there.
    pub(super) repo: Option<Repo>,
    /// Why git gives no answer, when it gives none.
    pub(super) refusal: Option<Refusal>,
    /// What had a say beyond the watched folders.
    pub(super) outside: Witnesses,
}

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
    /// Which folder `git_dir` is.
    identity: Stamp,
}

impl Repo {
    /// Looks for the repository of a root: in it, or else elsewhere, where one says that its files are in the root.
    pub(super) fn open<D: Disk>(disk: &D, root: &D::Dir, start: &Start) -> Found {
        let (root_path, env) = (start.root.as_slice(), &start.env);
        let mut found = Found::default();
        let mut is_led = false;
        let git_dir = match find(disk, root, root_path, &mut found.outside) {
            Place::Nowhere => {
                let Some(from) = &start.led_from else { return found };
                see_git_dir(disk, from, &mut found.outside);
                if !is_git_dir(disk, from) {
                    return found;
                }
                is_led = true;
                from.clone()
            }
            Place::Elsewhere(path) => {
                found.refusal = Some(Refusal::NoRepository);
                path
            }
            Place::Here(path) => path,
        };
        let common_dir = common_dir(disk, &git_dir);
        for name in [&b"HEAD"[..], b"index", b"commondir"] {
            found.outside.see_link(disk, &join(&git_dir, name));
        }
        let identity = stamp_of(disk, &git_dir);
        let mut reading = Reading::new(disk, env, &git_dir, std::mem::take(&mut found.outside));
        let settings = reading.settings(&common_dir);
        let global = reading.excludes_path(settings.excludes_file.as_deref(), root_path);
        let global = global.unwrap_or_else(|refusal| {
            found.refusal.get_or_insert(refusal);
            None
        });
        let sources: Vec<_> = [global, Some(join(&common_dir, b"info/exclude"))]
            .into_iter()
            .map(|path| reading.exclude_file(path.as_deref(), &mut found.refusal))
            .collect();
        if reading.is_too_large {
            found.refusal.get_or_insert(Refusal::TooLarge);
        }
        if reading.is_branch_unknown {
            found.refusal.get_or_insert(Refusal::Branch);
        }
        found.outside = reading.outside;
        if settings.is_broken {
            found.refusal.get_or_insert(Refusal::Config);
        } else if !settings.format.is_known() {
            found.refusal.get_or_insert(Refusal::Format);
        }
        let is_linked = common_dir != git_dir && !settings.format.worktree_config;
        let refusal = (!is_linked).then(|| checkout_refusal(disk, root_path, (&git_dir, &settings.format)));
        if let Some(refusal) = refusal.flatten() {
            found.refusal.get_or_insert(refusal);
        }
        if is_led && (refusal != Some(None) || settings.format.worktree.is_none()) {
            // It says so no more.
            let outside = found.outside;
            return Found {
                outside,
                ..Found::default()
            };
        }
        let dot_git = join(root_path, b".git");
        let owned = [root_path, if is_led { &git_dir } else { &dot_git }, &git_dir];
        if !owned.iter().all(|path| disk.is_ours(path)) && !is_safe(disk, root_path, &settings.safe) {
            found.refusal.get_or_insert(Refusal::Owner);
        }
        let rules = sources
            .iter()
            .filter(|source| !source.is_empty())
            .fold(Rules::default(), |rules, source| {
                rules.with(Arc::new(Matcher::parse_in(source.clone(), settings.case())), 0)
            });
        found.repo = Some(Self {
            git_dir,
            common_dir,
            settings,
            rules,
            sources,
            identity,
        });
        found
    }

    /// Whether another reading says the same of what is ignored.
    #[must_use]
    pub(super) fn has_same_rules(&self, other: &Self) -> bool {
        self.sources == other.sources
            && self.settings == other.settings
            && (&self.git_dir, self.identity) == (&other.git_dir, other.identity)
    }

    /// What the rules were made of.
    pub(super) fn sources(&self) -> &[Vec<u8>] {
        &self.sources
    }
}

/// Whether git would take the folder that `dir` is for a repository with a checkout (its `is_nonbare_repository_dir`), and
/// for another one than `own`.
pub(super) fn is_repository<D: Disk>(disk: &D, dir: &D::Dir, path: &[u8], own: Option<&Repo>) -> bool {
    match find(disk, dir, path, &mut Witnesses::default()) {
        Place::Here(git_dir) => own.is_none_or(|own| {
            // Named by a file it is another one all the same, as with git.
            git_dir != join(path, b".git") || stamp_of(disk, &git_dir) != own.identity
        }),
        _ => false,
    }
}

/// What keeps git from taking a folder for the checkout of its repository. A linked worktree does not heed what the
/// common file says of that.
fn checkout_refusal<D: Disk>(disk: &D, root: &[u8], (git_dir, format): (&[u8], &Format)) -> Option<Refusal> {
    let identity = |path: &[u8]| disk.stat_file(path).ok().map(|meta| (meta.dev, meta.ino));
    match (&format.worktree, format.bare) {
        (_, Some(true)) => Some(Refusal::Bare),
        (Some(path), _) => {
            let named = Some(path).filter(|path| !path.is_empty());
            let named = named.and_then(|path| identity(&join(git_dir, path)));
            (named.is_none() || named != identity(root)).then_some(Refusal::WorkTree)
        }
        (None, _) => None,
    }
}

/// Whether one of these says that the repository of `root` may be somebody else's: by its path, or by that of a folder
/// above with `/*` behind it.
fn is_safe<D: Disk>(disk: &D, root: &[u8], safe: &[Vec<u8>]) -> bool {
    let resolved = |path: &[u8]| disk.resolve(path).ok();
    safe.iter().any(|path| match path.strip_suffix(b"/*") {
        _ if path == b"*" => true,
        Some(above) => resolved(above).is_some_and(|above| root.starts_with(&join(&above, b""))),
        None => resolved(path).is_some_and(|path| path == root),
    })
}

/// Where the `.git` of a folder leads.
enum Place {
    Nowhere,
    /// A file that names what is no repository: git goes no further.
    Elsewhere(Vec<u8>),
    Here(Vec<u8>),
}

fn find<D: Disk>(disk: &D, dir: &D::Dir, path: &[u8], outside: &mut Witnesses) -> Place {
    let Ok(about) = disk.stat(dir, b".git") else {
        return Place::Nowhere;
    };
    let dot_git = join(path, b".git");
    if about.kind == FileKind::Link {
        outside.see(disk, &dot_git);
    }
    let kind = match about.kind {
        FileKind::Link => disk.stat_file(&dot_git).map_or(FileKind::Link, |meta| meta.kind),
        kind => kind,
    };
    let is_file = kind == FileKind::File;
    let candidate = match is_file {
        true => match disk.read_file(&dot_git, GITFILE_LIMIT) {
            Ok(file) => named_by(&file).map(|target| join(path, target)),
            Err(_) => None,
        },
        // A link to a repository counts as the repository, as with git.
        false => Some(dot_git.clone()),
    };
    let Some(candidate) = candidate else {
        return Place::Elsewhere(dot_git);
    };
    if about.kind != FileKind::Dir {
        see_git_dir(disk, &candidate, outside);
    }
    match is_git_dir(disk, &candidate) {
        true => Place::Here(candidate),
        false if is_file => Place::Elsewhere(candidate),
        false => Place::Nowhere,
    }
}

/// Sees what makes a folder a repository.
fn see_git_dir<D: Disk>(disk: &D, git_dir: &[u8], outside: &mut Witnesses) {
    let common = common_dir(disk, git_dir);
    for (folder, name) in [
        (git_dir, &b"HEAD"[..]),
        (git_dir, b"commondir"),
        (git_dir, b""),
        (&common, b"objects"),
        (&common, b"refs"),
    ] {
        outside.see(disk, &join(folder, name));
    }
}

fn named_by(file: &[u8]) -> Option<&[u8]> {
    let target = file.strip_prefix(b"gitdir: ")?;
    let end = target.iter().rposition(|byte| !matches!(byte, b'\n' | b'\r'))?;
    Some(&target[..=end])
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

/// The path of a name in a folder of the project.
pub(super) fn join_within(folder: &[u8], name: &[u8]) -> Vec<u8> {
    match folder {
        [] => name.to_vec(),
        folder => join(folder, name),
    }
}
