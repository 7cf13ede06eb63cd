//! The built programs in a home of their own.
//!
//! A [`Bed`] is a folder with a home, a runtime folder, a state folder and a place for projects; programs started
//! through it see these and nothing of the environment of whoever runs the tests. What must stay true: when a bed goes,
//! its daemon is asked to stop and does, nobody is left, and the folder is removed.

use std::ffi::OsStr;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use proto::places::LockFile;
use rustix::process::Signal;
use tempfile::TempDir;

use crate::deadline;
use crate::process::{self, Said};
use crate::wire::Peer;

/// The variable that says where the built programs are, when it is not beside the tests.
pub const BIN_DIR: &str = "TOD_BIN_DIR";

/// A user and group without a name, a home or a file.
pub const ORDINARY: u32 = 54_321;

/// What a daemon may take from the signal to its end.
const STOP_LIMIT: Duration = Duration::from_secs(20);

/// A built program.
///
/// # Panics
/// When it has not been built.
#[must_use]
pub fn program(name: &str) -> PathBuf {
    let folder = std::env::var_os(BIN_DIR).map(PathBuf::from).unwrap_or_else(|| {
        let this = std::env::current_exe().expect("the path of the running test");
        // target/<profile>/deps/<test>
        this.ancestors().nth(2).expect("a target folder").to_path_buf()
    });
    let program = folder.join(name);
    assert!(
        program.is_file(),
        "`{}` is not built: run the tests with `make test`, or `cargo build --workspace --bins` first",
        program.display()
    );
    program
}

/// A home of its own for the programs.
#[derive(Debug)]
pub struct Bed {
    dir: TempDir,
    user: Option<u32>,
}

impl Default for Bed {
    fn default() -> Self {
        Self::new()
    }
}

impl Bed {
    /// An empty home in the system's temporary folder.
    ///
    /// # Panics
    /// When the folders cannot be made.
    #[must_use]
    pub fn new() -> Self {
        Self::within(&std::env::temp_dir())
    }

    /// An empty home below a folder, which may be on another file system.
    ///
    /// # Panics
    /// When the folders cannot be made.
    #[must_use]
    pub fn within(parent: &Path) -> Self {
        let dir = tempfile::Builder::new()
            .prefix("tod-")
            .tempdir_in(parent)
            .expect("a temporary folder");
        let bed = Self { dir, user: None };
        for folder in [bed.home(), bed.runtime(), bed.work()] {
            std::fs::DirBuilder::new()
                .mode(0o700)
                .create(&folder)
                .expect("a folder of the bed");
        }
        bed
    }

    /// A home whose programs run as a user without rights over the files of others, which the tests' own may have. None,
    /// with a word, where that is not possible. Only programs reach its daemon, not a [`Peer`].
    ///
    /// # Panics
    /// When the folders cannot be given away.
    #[must_use]
    pub fn of_ordinary_user() -> Option<Self> {
        let mut bed = Self::new();
        if !root() {
            return Some(bed);
        }
        for folder in [bed.path().to_path_buf(), bed.home(), bed.runtime(), bed.work()] {
            std::os::unix::fs::chown(&folder, Some(ORDINARY), Some(ORDINARY)).expect("given away");
        }
        bed.user = Some(ORDINARY);
        let probe = process::run(&mut bed.tod(["--version"]));
        if probe.code != 0 {
            let why = format!(
                "the programs cannot be run as an ordinary user: {}",
                probe.err.trim()
            );
            crate::skip::skip("foreign-uid", &why);
            return None;
        }
        Some(bed)
    }

    /// The folder that holds everything.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// `HOME`.
    #[must_use]
    pub fn home(&self) -> PathBuf {
        self.path().join("home")
    }

    /// `XDG_RUNTIME_DIR`.
    #[must_use]
    pub fn runtime(&self) -> PathBuf {
        self.path().join("run")
    }

    /// Where projects of the test go: the working directory of the programs.
    #[must_use]
    pub fn work(&self) -> PathBuf {
        self.path().join("work")
    }

    /// The state folder, by its default name below the home.
    #[must_use]
    pub fn state(&self) -> PathBuf {
        self.home().join(".local/state/task-orchestrator")
    }

    /// The socket, by its default name below the runtime folder.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.runtime().join("task-orchestrator/tod.sock")
    }

    /// The newest log file.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.state().join("logs/tod.log")
    }

    /// Makes an empty folder for a project.
    ///
    /// # Panics
    /// When it cannot be made.
    #[must_use]
    pub fn project(&self, name: &str) -> PathBuf {
        let project = self.work().join(name);
        std::fs::create_dir_all(&project).expect("a folder for a project");
        project
    }

    /// Any program with the environment of this home and nothing else.
    #[must_use]
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = match self.user {
            None => Command::new(program),
            Some(user) => {
                let mut command = Command::new("setpriv");
                command
                    .arg(format!("--reuid={user}"))
                    .arg(format!("--regid={user}"))
                    .args(["--clear-groups", "--"])
                    .arg(program);
                command
            }
        };
        command
            .current_dir(self.work())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("LC_ALL", "C.UTF-8")
            .env("HOME", self.home())
            .env("XDG_RUNTIME_DIR", self.runtime());
        command
    }

    /// `tod` with arguments.
    #[must_use]
    pub fn tod<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Command {
        let mut command = self.command(program("tod"));
        command.args(args);
        command
    }

    /// `tocli` with arguments.
    #[must_use]
    pub fn tocli<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Command {
        let mut command = self.command(program("tocli"));
        command.args(args);
        command
    }

    /// Runs `tocli` to its end.
    pub fn run<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Said {
        process::run(&mut self.tocli(args))
    }

    /// Starts `tod run` and waits until it serves.
    #[must_use]
    pub fn start(&self) -> Daemon {
        self.start_with(|_| ())
    }

    /// Starts `tod run` with a changed command and waits until it serves.
    #[must_use]
    pub fn start_with(&self, change: impl FnOnce(&mut Command)) -> Daemon {
        let mut command = self.tod(["run"]);
        change(&mut command);
        self.start_by(&mut command)
    }

    /// Starts a daemon by a command of the caller's and waits until it serves.
    ///
    /// # Panics
    /// When it ends instead, or does not serve in time.
    #[must_use]
    pub fn start_by(&self, command: &mut Command) -> Daemon {
        let mut daemon = Daemon::spawn(command);
        deadline::until("the daemon listens", || {
            if let Some(status) = daemon.ended() {
                panic!("the daemon ended ({status}) before it served");
            }
            Peer::try_connect(&self.socket())
        });
        // It listens before it serves: its signals are its own only from its first welcome on.
        drop(self.peer());
        daemon
    }

    /// A connection to the daemon that runs, headers exchanged.
    #[must_use]
    pub fn peer(&self) -> Peer {
        Peer::greeted(&self.socket())
    }

    /// What the lock file says; none when there is no lock file or it says nothing.
    #[must_use]
    pub fn lock_file(&self) -> Option<LockFile> {
        let text = std::fs::read(self.state().join("lock")).ok()?;
        Some(LockFile::from_text(&text)).filter(|lock| lock.pid != 0)
    }

    /// The living daemons of this home.
    #[must_use]
    pub fn daemons(&self) -> Vec<u32> {
        process::of_folder(self.path())
            .into_iter()
            .filter(|(_, name)| name == "tod")
            .map(|(pid, _)| pid)
            .collect()
    }

    /// The end of the log, for the message of a test that fails.
    #[must_use]
    pub fn last_words(&self) -> String {
        let text = std::fs::read(self.log()).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<String> = text
            .lines()
            .map(|line| line.chars().take(400).collect())
            .collect();
        lines[lines.len().saturating_sub(40)..].join("\n")
    }

    /// Ends every daemon of this home the friendly way; those that do not end, the other way, and says who they were.
    fn clear(&self) -> Vec<(u32, String)> {
        for pid in self.daemons() {
            process::signal(pid, Some(Signal::TERM));
        }
        let none_left = || process::of_folder(self.path()).is_empty().then_some(());
        if deadline::within(STOP_LIMIT, none_left).is_some() {
            return Vec::new();
        }
        let left = process::of_folder(self.path());
        for (pid, _) in &left {
            process::signal(*pid, Some(Signal::KILL));
        }
        deadline::within(STOP_LIMIT, none_left);
        left
    }
}

impl Drop for Bed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the daemon's log:\n{}", self.last_words());
        }
        let left = self.clear();
        if !std::thread::panicking() {
            assert!(
                left.is_empty(),
                "processes that did not end: {left:?}\n{}",
                self.last_words()
            );
        }
    }
}

/// A daemon that a test has started itself.
#[derive(Debug)]
pub struct Daemon {
    child: Child,
}

impl Daemon {
    /// Starts one whatever it does next.
    ///
    /// # Panics
    /// When the program cannot be started.
    #[must_use]
    pub fn spawn(command: &mut Command) -> Self {
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?} cannot be started: {error}"));
        Self { child }
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// How it ended; none while it runs.
    ///
    /// # Panics
    /// When the child is not ours.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("a child of ours")
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        process::signal(self.pid(), Some(signal));
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// When it takes too long.
    pub fn wait(&mut self) -> ExitStatus {
        process::wait(&mut self.child, STOP_LIMIT).expect("the daemon ends")
    }

    /// Asks it to stop and waits for its end.
    pub fn stop(&mut self) -> ExitStatus {
        self.signal(Signal::TERM);
        self.wait()
    }

    /// Ends it without a word.
    pub fn kill(&mut self) {
        self.signal(Signal::KILL);
        self.wait();
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(Some(_))) {
            return;
        }
        self.signal(Signal::TERM);
        if process::wait(&mut self.child, STOP_LIMIT).is_none() {
            let _gone = self.child.kill();
            let _gone = self.child.wait();
            assert!(
                std::thread::panicking(),
                "the daemon did not stop when it was asked to"
            );
        }
    }
}

/// Changes the rights of a file.
///
/// # Panics
/// When they cannot be changed.
pub fn chmod(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("the rights are changed");
}

/// Whether this process may do everything.
#[must_use]
pub fn root() -> bool {
    rustix::process::geteuid().is_root()
}
