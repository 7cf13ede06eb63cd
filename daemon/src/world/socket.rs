//! The listening socket and its folder: made safe, bound, adopted, checked that it is still ours.
//!
//! Asked by `lifecycle`. What must stay true: the folder belongs to the user, is closed to everybody else and is not a
//! link; a socket file is only removed when it is the one we bound; whoever holds the daemon's lock may replace a
//! socket that a crashed daemon left.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use interprocess::local_socket::tokio::Listener;
use interprocess::local_socket::{GenericFilePath, ListenerOptions, ToFsName};
use interprocess::os::unix::local_socket::ListenerOptionsExt;
use proto::{Error, error::Result, places};
use serde::{Deserialize, Serialize};

/// Connections the kernel keeps for us while we are busy or handing over. The system's own limit (`somaxconn`) may be
/// lower.
const BACKLOG: i32 = 4096;

/// The socket as bound by us.
#[derive(Clone, Debug)]
pub struct Bound {
    path: PathBuf,
    identity: Option<(u64, u64)>,
    owner: Owner,
}

/// Whose task it is to remove the socket file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Owner {
    /// The daemon has bound it.
    Ours,
    /// The service manager has passed it.
    ServiceManager,
}

/// Makes the socket's folder, or checks the one that is there.
///
/// # Errors
/// `refused` when the folder is a link, is not the user's or is open to others; `unavailable` when it cannot be made.
pub fn make_folder(folder: &Path, uid: u32) -> Result<()> {
    let made = std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder);
    let found = std::fs::symlink_metadata(folder).map_err(|error| {
        let why = made.err().unwrap_or(error);
        Error::unavailable(format!("the folder `{}` cannot be made", folder.display()))
            .why(why)
            .next("set `TOD_SOCKET` or `XDG_RUNTIME_DIR` to a place where you may write")
    })?;
    places::safe_folder(folder, &found, uid)
}

/// Binds the socket, in place of one that a crashed daemon left. The caller holds the daemon's lock.
///
/// # Errors
/// `refused` when something that is not a socket is in the way; `unavailable` when binding fails.
pub fn bind(path: &Path) -> Result<(Listener, Bound)> {
    match std::fs::symlink_metadata(path) {
        Ok(found) if std::os::unix::fs::FileTypeExt::is_socket(&found.file_type()) => {
            std::fs::remove_file(path).map_err(|error| cannot_bind(path, &error))?;
        }
        Ok(_) => {
            return Err(Error::refused(format!("`{}` is not a socket", path.display()))
                .why("something else is in its place")
                .next("move it away, or set `TOD_SOCKET` to another path"));
        }
        Err(_) => {}
    }
    let name = path
        .to_fs_name::<GenericFilePath>()
        .map_err(|error| cannot_bind(path, &error))?;
    let mut options = ListenerOptions::new().name(name).reclaim_name(false);
    if cfg!(target_os = "linux") {
        options = options.mode(0o600);
    }
    let listener = options
        .create_tokio()
        .map_err(|error| cannot_bind(path, &error))?;
    widen_backlog(&listener);
    let identity = identity(path);
    Ok((
        listener,
        Bound {
            path: path.to_path_buf(),
            identity,
            owner: Owner::Ours,
        },
    ))
}

/// Takes over a listening socket that the service manager, or an earlier image of this process, has bound.
///
/// # Errors
/// `unavailable` when the descriptor is not a listening local socket.
pub fn adopt(descriptor: OwnedFd, path: &Path, owner: Owner) -> Result<(Listener, Bound)> {
    if !is_listening(&descriptor) {
        return Err(
            Error::unavailable("the descriptor passed by `LISTEN_FDS` is not a listening socket")
                .next("start the daemon without `LISTEN_FDS`, or through its socket unit"),
        );
    }
    let path = bound_path(&descriptor).unwrap_or_else(|| path.to_path_buf());
    let listener = interprocess::os::unix::uds_local_socket::tokio::Listener::try_from(descriptor)
        .map_err(|error| Error::unavailable("the passed socket cannot be used").why(format!("{error:?}")))?;
    let identity = identity(&path);
    Ok((
        listener.into(),
        Bound {
            path,
            identity,
            owner,
        },
    ))
}

#[cfg(target_os = "linux")]
fn is_listening(descriptor: &OwnedFd) -> bool {
    rustix::net::sockopt::socket_acceptconn(descriptor).unwrap_or(false)
}

#[cfg(not(target_os = "linux"))]
use is_bound_and_waiting as is_listening;

/// Where the system does not say whether somebody listens: the socket has a path, and nobody is at its other end.
#[cfg(any(test, not(target_os = "linux")))]
fn is_bound_and_waiting(descriptor: &OwnedFd) -> bool {
    let peer = rustix::net::getpeername(descriptor);
    bound_path(descriptor).is_some() && peer.is_err()
}

/// A descriptor of a listening socket, to be handed on.
///
/// # Errors
/// When there is no room for another descriptor.
pub fn descriptor(listener: &Listener) -> io::Result<OwnedFd> {
    use std::os::fd::AsFd;
    let Listener::UdSocket(listener) = listener;
    listener.as_fd().try_clone_to_owned()
}

impl Bound {
    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Who removes it.
    #[must_use]
    pub fn owner(&self) -> Owner {
        self.owner
    }

    /// Whether clients that connect to the path still reach us.
    #[must_use]
    pub fn in_place(&self) -> bool {
        identity(&self.path) == self.identity && self.identity.is_some()
    }

    /// Removes the socket file if it is still the one we bound.
    pub fn remove(&self) {
        if self.owner == Owner::Ours
            && self.in_place()
            && let Err(error) = std::fs::remove_file(&self.path)
        {
            tracing::warn!(path = %self.path.display(), %error, "the socket could not be removed");
        }
    }
}

fn identity(path: &Path) -> Option<(u64, u64)> {
    std::fs::symlink_metadata(path)
        .ok()
        .map(|found| (found.dev(), found.ino()))
}

fn bound_path(descriptor: &OwnedFd) -> Option<PathBuf> {
    use std::os::unix::ffi::OsStrExt;
    let address = rustix::net::getsockname(descriptor).ok()?;
    let address = rustix::net::SocketAddrUnix::try_from(address).ok()?;
    address
        .path()
        .map(|path| PathBuf::from(std::ffi::OsStr::from_bytes(path.to_bytes())))
}

fn widen_backlog(listener: &Listener) {
    use std::os::fd::AsFd;
    let Listener::UdSocket(listener) = listener;
    if let Err(error) = rustix::net::listen(listener.as_fd(), BACKLOG) {
        tracing::warn!(%error, "the backlog of the socket stays small");
    }
}

fn cannot_bind(path: &Path, error: &io::Error) -> Error {
    Error::unavailable(format!("the socket `{}` cannot be bound", path.display()))
        .why(error)
        .next("check the folder's rights and its free space, or set `TOD_SOCKET` to another path")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn uid() -> u32 {
        rustix::process::geteuid().as_raw()
    }

    #[test]
    fn a_socket_that_waits_at_a_path_is_told_from_everything_else() {
        use std::os::unix::net::{UnixListener, UnixStream};
        let base = tempfile::tempdir().expect("a folder");
        let listener = UnixListener::bind(base.path().join("s")).expect("bound");
        let client = UnixStream::connect(base.path().join("s")).expect("connected");
        let (served, _) = listener.accept().expect("accepted");
        let file = std::fs::File::create(base.path().join("f")).expect("made");
        let (one, _other) = UnixStream::pair().expect("made");
        for (descriptor, expected) in [
            (OwnedFd::from(listener), true),
            (client.into(), false),
            (served.into(), false),
            (file.into(), false),
            (one.into(), false),
        ] {
            assert_eq!(is_bound_and_waiting(&descriptor), expected, "{descriptor:?}");
            #[cfg(target_os = "linux")]
            assert_eq!(is_listening(&descriptor), expected, "{descriptor:?}");
        }
    }

    #[test]
    fn a_folder_is_made_closed_to_others_and_found_again() {
        let base = tempfile::tempdir().expect("a folder");
        let folder = base.path().join("a/b");
        make_folder(&folder, uid()).expect("made");
        let mode = std::fs::metadata(&folder).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
        make_folder(&folder, uid()).expect("found");
    }

    #[test]
    fn a_folder_that_is_open_a_link_or_foreign_is_refused() {
        let base = tempfile::tempdir().expect("a folder");
        let open = base.path().join("open");
        std::fs::create_dir(&open).expect("made");
        std::fs::set_permissions(&open, std::fs::Permissions::from_mode(0o755)).expect("opened");
        assert!(make_folder(&open, uid()).is_err());
        std::fs::set_permissions(&open, std::fs::Permissions::from_mode(0o700)).expect("closed");
        let link = base.path().join("link");
        std::os::unix::fs::symlink(&open, &link).expect("linked");
        assert!(make_folder(&link, uid()).is_err());
        assert!(make_folder(&open, uid() + 1).is_err());
        assert!(make_folder(&open, uid()).is_ok());
    }
}
