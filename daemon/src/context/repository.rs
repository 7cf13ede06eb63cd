//! What git's own files say of a checkout now, without a process: where HEAD is, and how it came there.
//!
//! Asked by `prime`, `context` and `handover`. Read: `HEAD`, the branch, `packed-refs`, and the log of HEAD, each within a
//! limit. What must stay true: what could not be read is unknown and not empty.

use std::path::{Path, PathBuf};

use crate::world::{FileKind, World};

/// The largest file that is read.
const MOST: usize = 4 << 20;

/// A step of HEAD.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Where it came to.
    pub sha: String,
    /// Nanoseconds since 1970 UTC.
    pub time: i64,
    /// `commit`, `reset`, `checkout`, …
    pub verb: String,
    /// The rest of git's own words: a commit's subject.
    pub words: String,
}

/// A checkout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repository {
    common: PathBuf,
    /// The branch; none when HEAD is detached.
    pub branch: Option<String>,
    /// The commit; none before the first.
    pub head: Option<String>,
    /// The steps of HEAD, oldest first; none when git keeps no log of them, or it is too long.
    pub steps: Option<Vec<Step>>,
}

impl Repository {
    /// The checkout with this root, when it is one.
    #[must_use]
    pub fn read(world: &dyn World, root: &Path) -> Option<Self> {
        let git = root.join(".git");
        let own = match world.stat(&git).ok()?.kind {
            FileKind::Dir => git,
            FileKind::File => {
                let text = text(world, &git)?;
                root.join(text.strip_prefix("gitdir:")?.trim())
            }
            _ => return None,
        };
        let common = match text(world, &own.join("commondir")) {
            Some(text) => own.join(text.trim()),
            None => own.clone(),
        };
        let head = text(world, &own.join("HEAD"))?;
        let head = head.trim();
        let steps = text(world, &own.join("logs/HEAD")).map(|text| text.lines().filter_map(step).collect());
        let mut found = Self {
            common,
            branch: None,
            head: None,
            steps,
        };
        match head.strip_prefix("ref:").map(str::trim) {
            Some(name) => {
                found.branch = Some(name.strip_prefix("refs/heads/").unwrap_or(name).to_owned());
                found.head = found.resolve(world, name);
            }
            None => found.head = Some(head.to_owned()).filter(|sha| is_sha(sha)),
        }
        Some(found)
    }

    /// The commit that a full name of a reference stands for.
    fn resolve(&self, world: &dyn World, name: &str) -> Option<String> {
        if name.split('/').any(|part| part.is_empty() || part == "..") {
            return None;
        }
        let loose = text(world, &self.common.join(name)).map(|text| text.trim().to_owned());
        loose.filter(|sha| is_sha(sha)).or_else(|| {
            let packed = text(world, &self.common.join("packed-refs"))?;
            packed.lines().find_map(|line| {
                let (sha, of) = line.split_once(' ')?;
                (of == name && is_sha(sha)).then(|| sha.to_owned())
            })
        })
    }

    /// Whether there is a branch of this name.
    #[must_use]
    pub fn has_branch(&self, world: &dyn World, name: &str) -> bool {
        self.branch.as_deref() == Some(name) || self.resolve(world, &format!("refs/heads/{name}")).is_some()
    }

    /// Whether a commit is surely not in this repository. Packs are not read: with any, nothing is sure.
    #[must_use]
    pub fn surely_lacks(&self, world: &dyn World, sha: &str) -> bool {
        if !is_sha(sha) {
            return false;
        }
        let objects = self.common.join("objects");
        let loose = objects.join(&sha[..2]).join(&sha[2..]);
        let gone = |path: &Path| {
            let error = world.stat(path).err();
            error.is_some_and(|error| error.kind() == std::io::ErrorKind::NotFound)
        };
        let packs = world.list(&objects.join("pack"), 10_000);
        let unpacked = packs.is_ok_and(|packs| packs.is_empty());
        gone(&loose) && unpacked && gone(&objects.join("info/alternates"))
    }

    /// The steps of HEAD after a moment, the newest first; none when they are not known.
    #[must_use]
    pub fn since(&self, time: i64) -> Option<Vec<&Step>> {
        let steps = self.steps.as_ref()?;
        Some(steps.iter().rev().take_while(|step| step.time > time).collect())
    }
}

impl Step {
    /// Whether it is the one with which a clone begins: nothing was there to be moved.
    #[must_use]
    pub fn is_clone(&self) -> bool {
        self.verb == "clone"
    }

    /// Whether it made a commit.
    #[must_use]
    pub fn is_commit(&self) -> bool {
        self.verb == "commit" || self.verb.starts_with("commit ") || self.verb == "cherry-pick"
    }
}

fn text(world: &dyn World, path: &Path) -> Option<String> {
    let bytes = world.read(path, MOST).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

fn is_sha(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// A line of the log: `<old> <new> <name> <<mail>> <seconds> <zone>\t<verb>: <words>`.
fn step(line: &str) -> Option<Step> {
    let (head, message) = line.split_once('\t').unwrap_or((line, ""));
    let sha = head.split(' ').nth(1).filter(|sha| is_sha(sha))?;
    let seconds: i64 = head.rsplit(' ').nth(1)?.parse().ok()?;
    let (verb, words) = message.split_once(": ").unwrap_or((message, ""));
    Some(Step {
        sha: sha.to_owned(),
        // Git counts in seconds: one that began in the second of a moment is taken as after it.
        time: seconds.saturating_mul(1_000_000_000).saturating_add(999_999_999),
        verb: verb.to_owned(),
        words: words.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::OsWorld;

    #[test]
    fn a_line_of_the_log_of_head_is_read() {
        let sha = "a".repeat(40);
        let line = format!("{sha} {sha} A <b> C <a@b> 1700000000 +0100\tcommit (amend): Fix: it");
        let read = step(&line).expect("a step");
        assert_eq!(
            (read.verb.as_str(), read.words.as_str(), read.is_commit()),
            ("commit (amend)", "Fix: it", true)
        );
        assert_eq!(read.time / 1_000_000_000, 1_700_000_000);
        for line in ["", "x y z", &format!("{sha} nothing A <b> 1 +0000\tx")] {
            assert_eq!(step(line), None, "{line}");
        }
    }

    #[test]
    fn a_checkout_is_read_from_files_alone_and_a_name_does_not_lead_out() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path();
        let sha = "b".repeat(40);
        let git = root.join(".git");
        for made in ["refs/heads", "objects/pack"] {
            std::fs::create_dir_all(git.join(made)).expect("made");
        }
        std::fs::write(git.join("HEAD"), "ref: refs/heads/main\n").expect("written");
        std::fs::write(
            git.join("packed-refs"),
            format!("# pack\n{sha} refs/heads/main\n"),
        )
        .expect("written");
        let world = OsWorld::new();
        let read = Repository::read(&world, root).expect("a checkout");
        assert_eq!(
            (read.branch.as_deref(), read.head.as_deref()),
            (Some("main"), Some(sha.as_str()))
        );
        assert_eq!(read.since(0), None, "without a log nothing is known");
        assert!(read.has_branch(&world, "main") && !read.has_branch(&world, "../../HEAD"));
        assert!(read.surely_lacks(&world, &sha));
        std::fs::write(git.join("objects/pack/p.idx"), "").expect("written");
        assert!(!read.surely_lacks(&world, &sha), "a pack may hold it");
        assert_eq!(Repository::read(&world, &root.join("elsewhere")), None);
    }
}
