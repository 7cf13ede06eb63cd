//! Git's own store, read by git: objects by their ids, and the branch that is checked out, from a process of `git` that may
//! do nothing else.
//!
//! Asked by the index for the few things that are in no file. What must stay true: the repository is hostile, so git gets an
//! empty environment, no configuration but the repository's own, no hook, no monitor and no protocol that it could fetch
//! with; what it may take in time, memory and bytes is bounded, and it ends with who asked.

use std::ffi::OsStr;
use std::fmt;
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// How long one answer may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a process may live.
const LIFE: Duration = Duration::from_secs(30);
/// Bytes that it may have of its own; packs are mapped and do not count.
#[cfg(target_os = "linux")]
const MEMORY: u64 = 1 << 30;
/// Bytes of a line that says what follows.
const LINE: usize = 200;

/// What an object is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A file's bytes.
    Blob,
    /// A directory.
    Tree,
    /// A commit or a tag.
    Other,
}

/// A process of git that is asked for objects.
pub struct GitStore {
    child: Child,
    input: ChildStdin,
    output: ChildStdout,
    until: Instant,
    /// Read and not taken yet.
    rest: Vec<u8>,
}

impl fmt::Debug for GitStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GitStore").field("pid", &self.child.id()).finish()
    }
}

fn git(git_dir: &[u8], words: &[&str]) -> Command {
    let mut command = Command::new("git");
    let mut at = b"--git-dir=".to_vec();
    at.extend_from_slice(git_dir);
    command
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("LC_ALL", "C")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_OPTIONAL_LOCKS", "0")
        .env("GIT_NO_LAZY_FETCH", "1")
        .env("GIT_ALLOW_PROTOCOL", "")
        .env("GIT_TERMINAL_PROMPT", "0")
        .current_dir("/")
        .args([
            "-c",
            "core.fsmonitor=false",
            "-c",
            "core.hooksPath=/dev/null",
            "--no-pager",
        ])
        .arg(OsStr::from_bytes(&at))
        .args(words)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    command
}

impl GitStore {
    /// Starts git for the repository whose folder is an absolute path.
    ///
    /// # Errors
    /// When git cannot be started.
    pub fn open(git_dir: &[u8]) -> io::Result<Self> {
        Self::start(git_dir, &["cat-file", "--batch"])
    }

    fn start(git_dir: &[u8], words: &[&str]) -> io::Result<Self> {
        let mut child = git(git_dir, words).spawn()?;
        bound(&child);
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(io::Error::other("git has no pipes"));
        };
        let (until, rest) = (Instant::now() + LIFE, Vec::new());
        Ok(Self {
            child,
            input,
            output,
            until,
            rest,
        })
    }

    /// An object by its id; none when there is none. After an error nothing more is to be asked.
    ///
    /// # Errors
    /// The system's; `TimedOut`; `FileTooLarge` for one of more than `most` bytes; `InvalidData` for what git does not say.
    pub fn read(&mut self, id: &[u8], most: usize) -> io::Result<Option<(Kind, Vec<u8>)>> {
        self.read_within(id, most, PATIENCE)
    }

    fn read_within(
        &mut self,
        id: &[u8],
        most: usize,
        patience: Duration,
    ) -> io::Result<Option<(Kind, Vec<u8>)>> {
        let mut line: Vec<u8> = id
            .iter()
            .flat_map(|byte| format!("{byte:02x}").into_bytes())
            .collect();
        line.push(b'\n');
        self.input.write_all(&line)?;
        let until = self.until.min(Instant::now() + patience);
        let head = self.line(until)?;
        let mut words = head.split(|&byte| byte == b' ').skip(1);
        let (kind, size) = (words.next(), words.next());
        if kind == Some(b"missing") {
            return Ok(None);
        }
        let size = size.and_then(|size| std::str::from_utf8(size).ok()?.parse::<usize>().ok());
        let (Some(kind), Some(size)) = (kind, size) else {
            return Err(io::ErrorKind::InvalidData.into());
        };
        if size > most {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let kind = match kind {
            b"blob" => Kind::Blob,
            b"tree" => Kind::Tree,
            _ => Kind::Other,
        };
        while self.rest.len() <= size {
            self.more(until)?;
        }
        let rest = self.rest.split_off(size + 1);
        let mut bytes = std::mem::replace(&mut self.rest, rest);
        match bytes.pop() {
            Some(b'\n') => Ok(Some((kind, bytes))),
            _ => Err(io::ErrorKind::InvalidData.into()),
        }
    }

    fn line(&mut self, until: Instant) -> io::Result<Vec<u8>> {
        loop {
            if let Some(end) = self.rest.iter().position(|&byte| byte == b'\n') {
                let rest = self.rest.split_off(end + 1);
                let mut line = std::mem::replace(&mut self.rest, rest);
                line.pop();
                return Ok(line);
            }
            if self.rest.len() > LINE {
                return Err(io::ErrorKind::InvalidData.into());
            }
            self.more(until)?;
        }
    }

    fn more(&mut self, until: Instant) -> io::Result<()> {
        let left = until.saturating_duration_since(Instant::now());
        let left = Timespec::try_from(left).map_err(io::Error::other)?;
        match poll(&mut [PollFd::new(&self.output, PollFlags::IN)], Some(&left)) {
            Ok(0) => return Err(io::ErrorKind::TimedOut.into()),
            Ok(_) => {}
            Err(rustix::io::Errno::INTR) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
        let mut part = [0; 1 << 16];
        match self.output.read(&mut part)? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            read => {
                self.rest.extend_from_slice(&part[..read]);
                Ok(())
            }
        }
    }
}

impl Drop for GitStore {
    fn drop(&mut self) {
        // It has ended when nobody is there to be ended.
        let _ended = self.child.kill();
        let _status = self.child.wait();
    }
}

/// The reference that HEAD stands for, such as `refs/heads/main`; none when it stands for a commit.
///
/// # Errors
/// As [`GitStore::read`].
pub fn head(git_dir: &[u8]) -> io::Result<Option<Vec<u8>>> {
    let mut git = GitStore::start(git_dir, &["symbolic-ref", "-q", "HEAD"])?;
    match git.line(Instant::now() + PATIENCE) {
        Ok(name) => Ok(Some(name)),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => match git.child.wait()?.code() {
            Some(1) => Ok(None),
            _ => Err(error),
        },
        Err(error) => Err(error),
    }
}

/// It has been asked for nothing yet.
#[cfg(target_os = "linux")]
fn bound(child: &Child) {
    use rustix::process::{Pid, Resource, Rlimit, prlimit};
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let (current, maximum) = (Some(MEMORY), Some(MEMORY));
    // One that has ended already needs no bound.
    let _gone = pid.map(|pid| prlimit(Some(pid), Resource::Data, Rlimit { current, maximum }));
}

#[cfg(not(target_os = "linux"))]
fn bound(_child: &Child) {}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn git(folder: &std::path::Path, args: &[&str]) -> String {
        let mut command = std::process::Command::new("git");
        command.current_dir(folder).env("HOME", folder).args(args);
        let said = command.output().unwrap();
        assert!(said.status.success(), "git {args:?}");
        String::from_utf8(said.stdout).unwrap().trim().to_owned()
    }

    fn id(hex: &str) -> Vec<u8> {
        let byte = |at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
        (0..hex.len()).step_by(2).map(byte).collect()
    }

    #[test]
    fn objects_are_read_one_after_another_loose_and_packed() {
        for format in ["sha1", "sha256"] {
            let folder = tempfile::tempdir().unwrap();
            let at = folder.path();
            git(at, &["init", "-q", "--object-format", format, "-b", "main"]);
            let large = "line\n".repeat(100_000);
            for (name, text) in [("a", "*.log\n"), ("empty", ""), ("large", large.as_str())] {
                std::fs::write(at.join(name), text).unwrap();
            }
            git(at, &["add", "-A"]);
            let ids = ["a", "empty", "large"].map(|name| id(&git(at, &["rev-parse", &format!(":{name}")])));
            let tree = id(&git(at, &["write-tree"]));
            let dir = at.join(".git");
            let dir = dir.as_os_str().as_bytes();
            for _ in 0..2 {
                let mut store = GitStore::open(dir).unwrap();
                let mut text = |id: &[u8]| {
                    store
                        .read(id, 1 << 20)
                        .unwrap()
                        .map(|(kind, bytes)| (kind, bytes.len()))
                };
                assert_eq!(text(&ids[0]), Some((Kind::Blob, 6)));
                assert_eq!(text(&ids[1]), Some((Kind::Blob, 0)));
                assert_eq!(text(&ids[2]), Some((Kind::Blob, large.len())));
                assert_eq!(text(&tree).unwrap().0, Kind::Tree);
                assert_eq!(text(&vec![7; ids[0].len()]), None);
                assert_eq!(
                    store.read(&ids[0], 6).unwrap(),
                    Some((Kind::Blob, b"*.log\n".to_vec()))
                );
                let error = store.read(&ids[2], 1000).unwrap_err();
                assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
                assert_eq!(head(dir).unwrap(), Some(b"refs/heads/main".to_vec()));
                git(
                    at,
                    &[
                        "-c",
                        "user.name=A",
                        "-c",
                        "user.email=a@example.org",
                        "commit",
                        "-q",
                        "--allow-empty",
                        "-m",
                        "all",
                    ],
                );
                git(at, &["gc", "-q"]);
            }
            git(at, &["checkout", "-q", "--detach"]);
            assert_eq!(head(dir).unwrap(), None);
        }
        assert!(head(b"/nonexistent").is_err());
        assert!(
            GitStore::open(b"/nonexistent")
                .unwrap()
                .read(&[0; 20], 10)
                .is_err()
        );
    }

    #[test]
    fn a_repository_makes_git_start_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path();
        git(at, &["init", "-q"]);
        let bad = at.join("bad");
        let program = format!("#!/bin/sh\ntouch {}\n", at.join("ran").display());
        std::fs::write(&bad, program).unwrap();
        let mode = <std::fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o755);
        std::fs::set_permissions(&bad, mode).unwrap();
        let bad = bad.to_str().unwrap();
        for (key, value) in [
            ("core.repositoryFormatVersion", "1"),
            ("extensions.partialClone", "far"),
            ("remote.far.promisor", "true"),
            ("remote.far.url", &format!("ext::{bad}")),
            ("remote.far.uploadpack", bad),
            ("protocol.allow", "always"),
            ("protocol.ext.allow", "always"),
            ("core.sshCommand", bad),
            ("core.fsmonitor", bad),
            ("core.pager", bad),
            ("pager.cat-file", bad),
            ("core.askPass", bad),
            ("alias.cat-file", &format!("!{bad}")),
        ] {
            git(at, &["config", key, value]);
        }
        let dir = at.join(".git");
        let dir = dir.as_os_str().as_bytes();
        for url in [
            format!("ext::{bad}"),
            at.to_str().unwrap().to_owned(),
            "ssh://host/path".to_owned(),
        ] {
            git(at, &["config", "remote.far.url", &url]);
            let mut store = GitStore::open(dir).unwrap();
            assert!(!matches!(store.read(&[9; 20], 10), Ok(Some(_))));
            drop(head(dir));
            assert!(!at.join("ran").exists(), "{url}");
        }
    }

    #[test]
    fn git_that_hangs_is_ended() {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path();
        git(at, &["init", "-q"]);
        let pipe = at.join(".git/objects/info/alternates");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        assert!(made.unwrap().success());
        let mut store = GitStore::open(at.join(".git").as_os_str().as_bytes()).unwrap();
        let error = store
            .read_within(&[9; 20], 10, Duration::from_millis(50))
            .unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        let pid = store.child.id();
        drop(store);
        assert!(!Path::new("/proc").exists() || !Path::new(&format!("/proc/{pid}")).exists());
    }
}
