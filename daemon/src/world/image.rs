//! Program files, kept by descriptor: what is checked is what runs, also when the file is replaced or deleted meanwhile.
//! Where the system runs no program by descriptor, a second name in the state folder keeps it (`image/pin.rs`).
//!
//! Asked by `reboot`. What must stay true: nothing is run that is not a program for this machine.

mod machine;
mod pin;

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{OnceLock, mpsc};
use std::time::{Duration, Instant};

use proto::{Error, error::Result};

use machine::{HEAD, Machine, machines};

/// Whether the system runs a program by its descriptor, whatever has become of its file.
fn by_descriptor() -> bool {
    !super::stand_ins::in_use()
}

/// Where second names are.
static NAMES: OnceLock<PathBuf> = OnceLock::new();

/// The running program, open since it began, and where it was found.
static OWN: OnceLock<(File, PathBuf)> = OnceLock::new();

/// Where it was found, for a program that is started by its second name.
pub const FOUND: &str = "TOD_IMAGE_FOUND";

/// Second names are in this state folder.
pub fn names_in(state_dir: &Path) {
    NAMES.get_or_init(|| state_dir.join("images"));
}

/// From here on the running program can be run again, whatever becomes of its file. To be called once, with the daemon's
/// lock; `Begins::Afresh` removes what an earlier daemon kept.
pub fn keep_own(state_dir: &Path, begins: Begins) {
    names_in(state_dir);
    if by_descriptor() {
        return;
    }
    if begins == Begins::Afresh {
        forget_others(&[]);
    }
    let kept = std::env::current_exe().and_then(|exe| {
        let (file, path) = (File::open(exe)?, found_at()?);
        if let Some(names) = NAMES.get() {
            pin::keep(names, &path, &file)?;
        }
        Ok((file, path))
    });
    match kept {
        Ok(kept) => drop(OWN.set(kept)),
        Err(error) => tracing::warn!(%error, "the running program cannot be kept: no reboot in place"),
    }
}

/// How a daemon begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begins {
    /// By itself.
    Afresh,
    /// In the place of another image.
    HandedOver,
}

/// No other program is needed any more.
pub fn keep_own_alone() {
    if let (Some((file, path)), Some(names)) = (OWN.get(), NAMES.get())
        && let Ok(own) = pin::name(names, path, file)
    {
        forget_others(&[&own]);
    }
}

fn forget_others(kept: &[&Path]) {
    if let Some(names) = NAMES.get() {
        pin::sweep(names, kept);
    }
}

/// The running image. Linux keeps it readable after its file is gone.
fn own() -> io::Result<File> {
    if by_descriptor() {
        return File::open("/proc/self/exe");
    }
    match OWN.get() {
        Some((file, _)) => file.try_clone(),
        // Not a daemon that serves.
        None => File::open(std::env::current_exe()?),
    }
}

/// A program file.
#[derive(Debug)]
pub struct Image {
    path: PathBuf,
    file: OwnedFd,
}

impl Image {
    /// The file at `path`, checked to be a program for this machine.
    ///
    /// # Errors
    /// `not_found` when there is no such file; `refused` when it is not a program that this user may run here.
    pub fn open(path: &Path) -> Result<Self> {
        let mut reading = OpenOptions::new();
        reading.read(true).custom_flags(super::unwaiting());
        let file = reading.open(path).map_err(|error| {
            Error::not_found(format!("`{}` cannot be opened", path.display()))
                .why(error)
                .next("name the new `tod` with `--binary`")
        })?;
        if let Some(problem) = problem(&file) {
            return Err(Error::refused(format!("`{}` cannot take over", path.display()))
                .why(problem)
                .next("name a `tod` built for this machine"));
        }
        if let (false, Some(names)) = (by_descriptor(), NAMES.get()) {
            pin::keep(names, path, &file).map_err(|error| no_room(names, &error))?;
        }
        Ok(Self {
            path: path.to_path_buf(),
            file: file.into(),
        })
    }

    /// The running program, also after its file was deleted.
    ///
    /// # Errors
    /// `unavailable` where the system does not give it, and where it could not be kept.
    pub fn own() -> Result<Self> {
        if !by_descriptor() && OWN.get().is_none() {
            return Err(Error::unavailable("the running program was not kept")
                .why("its state folder had no room for a second name of it")
                .next("end it with `tocli daemon stop`: the next command starts the `tod` that is installed by then"));
        }
        let file =
            own().map_err(|error| Error::unavailable("the running program cannot be opened").why(error))?;
        Ok(Self {
            path: started_from()?,
            file: file.into(),
        })
    }

    /// An image that an earlier process has opened.
    #[must_use]
    pub fn adopt(path: PathBuf, file: OwnedFd) -> Self {
        Self { path, file }
    }

    /// Where it was found.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The descriptor, to be handed on.
    #[must_use]
    pub fn file(&self) -> &OwnedFd {
        &self.file
    }

    /// A command that runs it.
    #[must_use]
    pub fn command(&self) -> Command {
        let name = match NAMES.get() {
            Some(names) if !by_descriptor() => pin::name(names, &self.path, &self.file),
            _ if by_descriptor() => Ok(PathBuf::from(format!("/proc/self/fd/{}", self.file.as_raw_fd()))),
            _ => Ok(self.path.clone()),
        };
        let mut command = Command::new(name.unwrap_or_else(|_| self.path.clone()));
        command.arg0("tod");
        if !by_descriptor() {
            command.env(FOUND, &self.path);
        }
        command
    }
}

/// The file that the running program was started from: a new build usually lies in its place.
///
/// # Errors
/// `unavailable` where the system does not say.
pub fn started_from() -> Result<PathBuf> {
    found_at().map_err(|error| Error::unavailable("the running program has no path").why(error))
}

fn found_at() -> io::Result<PathBuf> {
    let path = std::env::current_exe()?;
    let by_second_name = NAMES.get().is_some_and(|names| path.starts_with(names));
    if let (true, Some(found)) = (by_second_name, std::env::var_os(FOUND)) {
        return Ok(PathBuf::from(found));
    }
    // Linux adds this to the path of a program whose file was deleted or replaced.
    let text = path.as_os_str().as_encoded_bytes();
    let text = text.strip_suffix(b" (deleted)").unwrap_or(text);
    Ok(PathBuf::from(std::ffi::OsStr::from_bytes(text)))
}

/// The most that is read of what a program prints.
const PRINTED: u64 = 64 << 10;

/// How often a program that runs is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// Runs a command to its end within a limit, with `input` as its standard input; what it printed. It is ended when the
/// limit has passed or `unwanted` says so.
///
/// # Errors
/// `refused` when it cannot be run, fails, or takes too long (it is ended then).
pub fn run(
    mut command: Command,
    input: &[u8],
    (limit, unwanted): (Duration, &dyn Fn() -> bool),
) -> Result<String> {
    let failed = |why: String| {
        Error::refused("the new binary did not pass its rehearsal")
            .why(why)
            .next("nothing has changed; name another binary with `--binary`")
    };
    let stdin = memory_file(input).map_err(|error| failed(error.to_string()))?;
    let mut child = command
        .stdin(stdin)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| failed(format!("it cannot be started: {error}")))?;
    let printed = collect(child.stdout.take());
    let complained = collect(child.stderr.take());
    let deadline = Instant::now() + limit;
    let goes_on = || Instant::now() < deadline && !unwanted();
    let (mut said, mut status) = (None, None);
    while (said.is_none() || status.is_none()) && goes_on() {
        said = said.or_else(|| printed.recv_timeout(LOOK).ok());
        status = match status {
            None => child.try_wait().map_err(|error| failed(error.to_string()))?,
            known => known,
        };
    }
    let (Some(printed), Some(status)) = (said, status) else {
        // It may have ended by itself meanwhile.
        drop(child.kill());
        drop(child.wait());
        return Err(failed(format!("it did not end within {} ms", limit.as_millis())));
    };
    if status.success() {
        return Ok(printed);
    }
    let complained = complained
        .recv_timeout(Duration::from_millis(200))
        .unwrap_or_default();
    let complained = complained.split_whitespace().collect::<Vec<_>>().join(" ");
    Err(failed(if complained.is_empty() {
        format!("it ended with {status}")
    } else {
        format!("it ended with {status}: {complained}")
    }))
}

fn memory_file(bytes: &[u8]) -> io::Result<File> {
    let memory = super::memory::file("input")?;
    super::memory::fill(&memory, bytes)?;
    let mut file = File::from(memory);
    file.rewind()?;
    Ok(file)
}

/// Reads a pipe to its end, or to a limit, on a thread of its own: whoever writes more is not waited for.
fn collect(pipe: Option<impl Read + Send + 'static>) -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(pipe) = pipe
            && let Err(error) = pipe.take(PRINTED).read_to_end(&mut bytes)
        {
            tracing::debug!(%error, "a pipe broke");
        }
        // Nobody may be waiting any more.
        drop(sender.send(String::from_utf8_lossy(&bytes).into_owned()));
    });
    receiver
}

/// A folder that is gone when this is.
#[derive(Debug)]
pub struct Scratch(PathBuf);

impl Scratch {
    /// Makes it.
    ///
    /// # Errors
    /// `unavailable` when there is no room.
    pub fn make(path: &Path) -> Result<Self> {
        std::fs::DirBuilder::new()
            .mode(0o700)
            .create(path)
            .map_err(|error| no_room(path, &error))?;
        Ok(Self(path.to_path_buf()))
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// A folder for a copy of the database, where a daemon with this state looks for one.
    ///
    /// # Errors
    /// `unavailable` when there is no room.
    pub fn backups(&self) -> Result<PathBuf> {
        let path = self.0.join("backups");
        std::fs::DirBuilder::new()
            .mode(0o700)
            .create(&path)
            .map_err(|error| no_room(&path, &error))?;
        Ok(path)
    }
}

fn no_room(path: &Path, error: &std::io::Error) -> Error {
    Error::unavailable(format!("the scratch folder `{}` cannot be made", path.display())).why(error)
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            tracing::warn!(folder = %self.0.display(), %error, "a scratch folder stays behind");
        }
    }
}

fn kinds(file: &File) -> io::Result<Vec<Machine>> {
    let mut head = Vec::with_capacity(HEAD);
    file.take(HEAD as u64).read_to_end(&mut head)?;
    Ok(machines(&head))
}

fn problem(file: &File) -> Option<&'static str> {
    let Ok(found) = file.metadata() else {
        return Some("it cannot be read");
    };
    if !found.is_file() {
        return Some("it is not a file");
    }
    let mode = found.permissions().mode();
    let mine = found.uid() == rustix::process::geteuid().as_raw();
    if mode & 0o111 == 0 || (mine && mode & 0o100 == 0) {
        return Some("it is not executable");
    }
    let own = own().and_then(|own| kinds(&own)).unwrap_or_default();
    let found = kinds(file).unwrap_or_default();
    if found.is_empty() {
        Some("it is not a program")
    } else if found.iter().any(|machine| own.contains(machine)) {
        None
    } else {
        Some("it is a program for another kind of machine")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(mode: u32, bytes: &[u8]) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("tod");
        std::fs::write(&path, bytes).expect("written");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).expect("set");
        (folder, path)
    }

    #[test]
    fn only_a_program_for_this_machine_is_taken() {
        let own = std::fs::read(std::env::current_exe().expect("known")).expect("read");
        let (_keep, path) = file(0o755, &own);
        assert!(Image::open(&path).is_ok());
        let (_keep, path) = file(0o644, &own);
        assert!(Image::open(&path).is_err(), "not executable");
        let (_keep, path) = file(0o755, b"#!/bin/sh\nexit 0\n");
        assert!(Image::open(&path).is_err(), "a script");
        let mut other = own[..64].to_vec();
        other[18] ^= 0xff;
        let (_keep, path) = file(0o755, &other);
        assert!(Image::open(&path).is_err(), "another machine");
        assert!(Image::open(Path::new("/nonexistent/tod")).is_err());
        assert!(Image::open(Path::new("/")).is_err());
    }

    #[test]
    fn the_running_program_can_be_run_again() {
        let image = Image::own().expect("opened");
        let output = image.command().arg("--list").output().expect("run");
        assert!(output.status.success());
    }
}
