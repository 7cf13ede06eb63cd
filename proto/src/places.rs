//! Where the socket and the state live, for every program alike (SPEC 3).
//!
//! Pure: variables in, paths out; nothing here looks at the disk.

use std::ffi::OsString;
use std::path::PathBuf;

use crate::{Error, error::Result};

/// The folder's name in every base directory.
pub const FOLDER: &str = "task-orchestrator";

/// The socket's file name.
pub const SOCKET: &str = "tod.sock";

/// The most bytes a path in a socket address may have (`sun_path` less the closing zero; 108 on Linux, 104 on macOS).
pub const SOCKET_PATH_LIMIT: usize = if cfg!(target_os = "linux") { 107 } else { 103 };

/// The places of one user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Places {
    /// The listening socket.
    pub socket: PathBuf,
    /// Database, saved indexes, backups, logs and the lock.
    pub state_dir: PathBuf,
    /// The user's `config.yaml` and `roles/`; none without a home.
    pub config_dir: Option<PathBuf>,
    /// The user's home, where there is one.
    pub home: Option<PathBuf>,
}

impl Places {
    /// The places that a set of variables names for a user.
    ///
    /// Relative values of `XDG_*` are ignored, as that specification asks.
    ///
    /// # Errors
    /// `usage` when `TOD_SOCKET` or `TOD_STATE_DIR` is relative or the socket's path is too long for an address, or
    /// when neither `TOD_STATE_DIR`, `XDG_STATE_HOME` nor a home says where the state is.
    pub fn resolve(var: &dyn Fn(&str) -> Option<OsString>, uid: u32, home: Option<PathBuf>) -> Result<Self> {
        let absolute = |name: &str| var(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let home = absolute("HOME").or(home);
        let base =
            |name: &str, below: &str| absolute(name).or_else(|| home.as_ref().map(|home| home.join(below)));
        let socket = match own("TOD_SOCKET", var)? {
            Some(path) => path,
            None => match absolute("XDG_RUNTIME_DIR") {
                Some(runtime) => runtime.join(FOLDER).join(SOCKET),
                None => PathBuf::from(format!("/tmp/{FOLDER}-{uid}")).join(SOCKET),
            },
        };
        let length = socket.as_os_str().len();
        if length > SOCKET_PATH_LIMIT {
            return Err(Error::usage(format!(
                "the socket's path has {length} bytes: `{}`",
                socket.display()
            ))
            .why(format!("a socket address holds at most {SOCKET_PATH_LIMIT}"))
            .next("set `TOD_SOCKET` to a shorter path"));
        }
        let state_dir = match own("TOD_STATE_DIR", var)? {
            Some(path) => path,
            None => base("XDG_STATE_HOME", ".local/state")
                .map(|base| base.join(FOLDER))
                .ok_or_else(|| {
                    Error::usage("no place for the state")
                    .why("`HOME`, `XDG_STATE_HOME` and `TOD_STATE_DIR` are not set and the user has no home")
                    .next("set `TOD_STATE_DIR` to a folder of yours")
                })?,
        };
        let config_dir = base("XDG_CONFIG_HOME", ".config").map(|base| base.join(FOLDER));
        Ok(Self {
            socket,
            state_dir,
            config_dir,
            home,
        })
    }

    /// The folder of the socket, which holds everything that need not outlive the machine's run.
    #[must_use]
    pub fn runtime_dir(&self) -> PathBuf {
        self.socket.parent().map(PathBuf::from).unwrap_or_default()
    }

    /// The lock that makes the daemon the only one for this state.
    #[must_use]
    pub fn lock(&self) -> PathBuf {
        self.state_dir.join("lock")
    }

    /// The log files.
    #[must_use]
    pub fn logs(&self) -> PathBuf {
        self.state_dir.join("logs")
    }
}

/// Judges the folder of a socket by what the system says of it, its links not followed: the client before it connects and
/// the daemon before it binds.
///
/// # Errors
/// `refused` when somebody else could put a socket there: it is a link or no directory, another user's, or open to others.
#[cfg(unix)]
pub fn safe_folder(folder: &std::path::Path, found: &std::fs::Metadata, uid: u32) -> Result<()> {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    let problem = if found.file_type().is_symlink() {
        "it is a symbolic link"
    } else if !found.is_dir() {
        "it is not a directory"
    } else if found.uid() != uid {
        "it belongs to another user"
    } else if found.permissions().mode() & 0o077 != 0 {
        "others may enter it"
    } else {
        return Ok(());
    };
    Err(Error::refused(format!(
        "the folder `{}` is not safe for a socket",
        folder.display()
    ))
    .why(problem)
    .next("make it a directory of yours with mode 0700, or set `TOD_SOCKET` to a path in one"))
}

fn own(name: &str, var: &dyn Fn(&str) -> Option<OsString>) -> Result<Option<PathBuf>> {
    match var(name).filter(|value| !value.is_empty()).map(PathBuf::from) {
        Some(path) if !path.is_absolute() => Err(Error::usage(format!("`{name}` is not an absolute path"))
            .why(format!("it is `{}`", path.display()))
            .next(format!("set `{name}` to a path that begins with `/`"))),
        other => Ok(other),
    }
}

/// What the lock file says of the daemon that holds it: one field a line, the socket last, so that every version can
/// read it.
///
/// ```text
/// boot <boot id of the machine>
/// pid <process id>
/// version <version>
/// socket <path, as is to the end of the text, line ends in it and all>
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LockFile {
    /// The kernel's boot id: a lock file of an earlier boot says nothing.
    pub boot: String,
    /// The holder.
    pub pid: u32,
    /// Where it listens.
    pub socket: PathBuf,
    /// Its version.
    pub version: String,
}

impl LockFile {
    /// The text to write.
    #[must_use]
    pub fn to_text(&self) -> Vec<u8> {
        use std::os::unix::ffi::OsStrExt;
        let mut text = format!(
            "boot {}\npid {}\nversion {}\nsocket ",
            self.boot, self.pid, self.version
        )
        .into_bytes();
        text.extend_from_slice(self.socket.as_os_str().as_bytes());
        text.push(b'\n');
        text
    }

    /// What a text says; fields that are missing are empty.
    #[must_use]
    pub fn from_text(text: &[u8]) -> Self {
        use std::os::unix::ffi::OsStrExt;
        let mut lock = Self::default();
        let (text, socket) = match text.windows(8).position(|at| at == b"\nsocket ") {
            Some(at) => (&text[..at], &text[at + 8..]),
            None => (text, &[][..]),
        };
        let socket = socket.strip_suffix(b"\n").unwrap_or(socket);
        lock.socket = PathBuf::from(std::ffi::OsStr::from_bytes(socket));
        for line in text.split(|byte| *byte == b'\n') {
            let Some(space) = line.iter().position(|byte| *byte == b' ') else {
                continue;
            };
            let (word, value) = (&line[..space], &line[space + 1..]);
            let as_text = || String::from_utf8_lossy(value).into_owned();
            match word {
                b"boot" => lock.boot = as_text(),
                b"pid" => lock.pid = as_text().parse().unwrap_or_default(),
                b"version" => lock.version = as_text(),
                _ => {}
            }
        }
        lock
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(vars: &[(&str, &str)]) -> Result<Places> {
        let vars: Vec<(String, OsString)> =
            vars.iter().map(|(k, v)| ((*k).to_owned(), (*v).into())).collect();
        Places::resolve(
            &|name| vars.iter().find(|(k, _)| k == name).map(|(_, v)| v.clone()),
            1000,
            None,
        )
    }

    #[test]
    fn the_runtime_directory_holds_the_socket_and_the_state_home_the_state() {
        let found = places(&[("HOME", "/home/a"), ("XDG_RUNTIME_DIR", "/run/user/1000")]).expect("resolves");
        assert_eq!(
            found.socket,
            PathBuf::from("/run/user/1000/task-orchestrator/tod.sock")
        );
        assert_eq!(
            found.state_dir,
            PathBuf::from("/home/a/.local/state/task-orchestrator")
        );
        assert_eq!(
            found.config_dir,
            Some(PathBuf::from("/home/a/.config/task-orchestrator"))
        );
    }

    #[test]
    fn without_a_runtime_directory_the_socket_is_in_tmp_by_user() {
        let found = places(&[("HOME", "/home/a")]).expect("resolves");
        assert_eq!(
            found.socket,
            PathBuf::from("/tmp/task-orchestrator-1000/tod.sock")
        );
    }

    #[test]
    fn relative_directories_of_the_base_specification_are_ignored() {
        let found = places(&[
            ("HOME", "/h"),
            ("XDG_RUNTIME_DIR", "run"),
            ("XDG_STATE_HOME", "s"),
        ])
        .expect("resolves");
        assert_eq!(
            found.socket,
            PathBuf::from("/tmp/task-orchestrator-1000/tod.sock")
        );
        assert_eq!(
            found.state_dir,
            PathBuf::from("/h/.local/state/task-orchestrator")
        );
    }

    #[test]
    fn our_own_variables_must_be_absolute_and_short_enough() {
        assert!(places(&[("HOME", "/h"), ("TOD_SOCKET", "x.sock")]).is_err());
        assert!(places(&[("HOME", "/h"), ("TOD_STATE_DIR", "state")]).is_err());
        let long = format!("/{}", "x".repeat(SOCKET_PATH_LIMIT));
        assert!(places(&[("HOME", "/h"), ("TOD_SOCKET", &long)]).is_err());
    }

    #[test]
    fn without_any_home_the_state_has_no_place() {
        assert!(places(&[]).is_err());
        assert!(places(&[("TOD_STATE_DIR", "/s")]).is_ok());
    }

    #[test]
    fn a_lock_file_comes_back_as_it_was() {
        for socket in ["/a b/tod.sock", "/a\nb\n/tod.sock\n", "/a\nsocket /b\npid 9"] {
            let lock = LockFile {
                boot: "b".into(),
                pid: 7,
                socket: socket.into(),
                version: "1.0".into(),
            };
            assert_eq!(LockFile::from_text(&lock.to_text()), lock);
        }
        assert_eq!(LockFile::from_text(b"rubbish\n\xff\xfe"), LockFile::default());
    }
}
