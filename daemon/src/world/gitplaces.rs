//! Where the git of this machine has its own files: the system's configuration, and what `%(prefix)/` stands for.
//!
//! Asked by the index. Both were decided when git was built, so git itself is asked, once for each program that is found in
//! the `PATH`. What must stay true: nothing but the machine's own configuration has a say in the answer; it comes within
//! bounds of time and size, or what a distribution's git would say counts until somebody asks again.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{self, Read as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{ChildStdout, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// How long git may think about it.
const PATIENCE: Duration = Duration::from_secs(5);
/// The longest path that is believed.
const LONGEST: usize = 4096;
/// A distribution's git, and what it says: the common case, in which nobody has to be asked.
const USUAL: &str = "/usr/bin/git";
const USUAL_SYSTEM: &[u8] = b"/etc/gitconfig";
const USUAL_PREFIX: &[u8] = b"/usr/";

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    System,
    Prefix,
}

/// A program, and which of its versions: its device, inode and time of change.
type Program = (PathBuf, u64, u64, i64, i64);

/// What each program has said.
static SAID: Mutex<BTreeMap<(Program, Place), Vec<u8>>> = Mutex::new(BTreeMap::new());

/// The file of the system's configuration.
#[must_use]
pub fn system() -> Vec<u8> {
    place(Place::System).unwrap_or_else(|| USUAL_SYSTEM.to_vec())
}

/// What `%(prefix)/` stands for, with a slash at its end; none where no git says it.
#[must_use]
pub fn prefix() -> Option<Vec<u8>> {
    place(Place::Prefix)
}

fn place(place: Place) -> Option<Vec<u8>> {
    let program = find(std::env::var_os("PATH")?)?;
    if cfg!(target_os = "linux") && program.0 == Path::new(USUAL) {
        return Some(match place {
            Place::System => USUAL_SYSTEM.to_vec(),
            Place::Prefix => USUAL_PREFIX.to_vec(),
        });
    }
    let key = (program, place);
    let known = SAID.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(said) = known.get(&key) {
        return Some(said.clone());
    }
    drop(known);
    let said = match place {
        Place::Prefix => of_prefix(&key.0.0).ok()?,
        Place::System => of_system(&key.0.0).ok()?,
    };
    let mut known = SAID.lock().unwrap_or_else(PoisonError::into_inner);
    known.insert(key, said.clone());
    Some(said)
}

fn of_prefix(program: &Path) -> io::Result<Vec<u8>> {
    let words = ["-c", "tod.at=%(prefix)/", "config", "--type=path", "tod.at"];
    said(Command::new(program).args(words))
}

fn of_system(program: &Path) -> io::Result<Vec<u8>> {
    let asked = said(Command::new(program).args(["var", "GIT_CONFIG_SYSTEM"]));
    match asked {
        // Before 2.42 it did not say. Where nobody chose otherwise, it is in the prefix's own `etc`.
        Err(error) if error.kind() == io::ErrorKind::InvalidData => {
            let prefix = of_prefix(program)?;
            Ok(match prefix.as_slice() {
                USUAL_PREFIX => USUAL_SYSTEM.to_vec(),
                prefix => [prefix, b"etc/gitconfig"].concat(),
            })
        }
        asked => asked,
    }
}

/// The first program of that name, as a shell would start it.
fn find(path: OsString) -> Option<Program> {
    std::env::split_paths(&path)
        .filter(|folder| folder.is_absolute())
        .find_map(|folder| {
            let program = folder.join("git");
            let found = std::fs::metadata(&program).ok()?;
            let can_run = found.is_file() && found.permissions().mode() & 0o111 != 0;
            let program = std::fs::canonicalize(program).ok().filter(|_| can_run)?;
            Some((
                program,
                found.dev(),
                found.ino(),
                found.ctime(),
                found.ctime_nsec(),
            ))
        })
}

/// The absolute path that a program prints; `InvalidData` when it prints something else.
fn said(command: &mut Command) -> io::Result<Vec<u8>> {
    let mut child = command
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("LC_ALL", "C")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let text = child.stdout.take().map_or(Ok(Vec::new()), line);
    // It has nothing more to say, or too much.
    let _ended = child.kill();
    let _status = child.wait();
    let mut text = text?;
    if text.last() == Some(&b'\n') {
        text.pop();
    }
    match text.first() == Some(&b'/') && text.len() <= LONGEST && !text.contains(&b'\n') {
        true => Ok(text),
        false => Err(io::ErrorKind::InvalidData.into()),
    }
}

/// What comes, to its end or to where it is too long.
fn line(mut output: ChildStdout) -> io::Result<Vec<u8>> {
    let (until, mut text, mut part) = (Instant::now() + PATIENCE, Vec::new(), [0; 512]);
    loop {
        let left = until.saturating_duration_since(Instant::now());
        let left = Timespec::try_from(left).map_err(io::Error::other)?;
        match poll(&mut [PollFd::new(&output, PollFlags::IN)], Some(&left)) {
            Ok(0) => return Err(io::ErrorKind::TimedOut.into()),
            Ok(_) => {}
            Err(rustix::io::Errno::INTR) => continue,
            Err(error) => return Err(error.into()),
        }
        let count = output.read(&mut part)?;
        text.extend_from_slice(&part[..count]);
        if count == 0 || text.len() > LONGEST {
            return Ok(text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn script(folder: &Path, text: &str) -> PathBuf {
        let path = folder.join("git");
        std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    #[test]
    fn the_git_of_this_machine_says_what_it_says_to_everybody() {
        let asked = |words: &[&str]| {
            let said = Command::new("git").args(words).output().unwrap();
            said.status
                .success()
                .then(|| said.stdout.trim_ascii_end().to_vec())
        };
        let words = ["-c", "a.b=%(prefix)/", "config", "--type=path", "a.b"];
        assert_eq!(prefix(), asked(&words));
        if let Some(said) = asked(&["var", "GIT_CONFIG_SYSTEM"]) {
            assert_eq!(system(), said);
        }
    }

    #[test]
    fn the_first_program_of_the_path_that_can_run_is_asked() {
        let folder = tempfile::tempdir().unwrap();
        let (one, two) = (folder.path().join("one"), folder.path().join("two"));
        for path in [&one, &two] {
            std::fs::create_dir(path).unwrap();
        }
        let (plain, program) = (script(&one, ""), script(&two, ""));
        std::fs::set_permissions(plain, std::fs::Permissions::from_mode(0o644)).unwrap();
        let path = std::env::join_paths([Path::new("relative"), &one, &two]).unwrap();
        let found = find(path).unwrap();
        assert_eq!(found.0, std::fs::canonicalize(program).unwrap());
        assert!(find("relative".into()).is_none());
    }

    #[test]
    fn an_older_git_is_known_by_its_prefix_and_what_is_no_path_is_no_answer() {
        let folder = tempfile::tempdir().unwrap();
        let older = |prefix: &str| {
            script(
                folder.path(),
                &format!("case $1 in var) exit 129;; *) echo {prefix};; esac"),
            )
        };
        let asked = |program: &Path| of_system(program).ok();
        assert_eq!(
            asked(&older("/opt/git/")).as_deref(),
            Some(&b"/opt/git/etc/gitconfig"[..])
        );
        assert_eq!(asked(&older("/usr/")).as_deref(), Some(USUAL_SYSTEM));
        for wrong in ["nonsense", "", "/a; echo /b"] {
            assert_eq!(asked(&older(wrong)), None, "{wrong}");
        }
        let endless = script(folder.path(), "exec yes /x");
        assert_eq!(asked(&endless), None);
    }
}
