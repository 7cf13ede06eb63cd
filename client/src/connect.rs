//! The way to the daemon: the socket of our own places, else the one that the lock file names, else a start.
//!
//! Asked by the client. What must stay true: a running daemon is found whatever environment it was started with; nobody
//! is believed who is not this user; a daemon that is busy or coming to its end is waited for, never doubled.

use std::io::{self, ErrorKind};
use std::path::Path;
use std::process::Child;
use std::time::{Duration, Instant};

use interprocess::ConnectWaitMode;
use interprocess::local_socket::traits::StreamCommon as _;
use interprocess::local_socket::{ConnectOptions, GenericFilePath, Stream, ToFsName};
use proto::hello::{HIGHEST, Hello, LOWEST, Verdict, Welcome};
use proto::{Error, error::Result};

use crate::guard::{self, Folder};
use crate::link::{self, Link};
use crate::{Options, Start, agent, start};

/// What an attempt to reach the daemon came to.
#[derive(Debug)]
pub(crate) enum Reach {
    /// It answered.
    Linked(Link),
    /// Nobody listens.
    Nobody,
    /// Somebody is there and cannot take us now.
    Later(&'static str),
}

/// Between two attempts.
pub(crate) const PAUSE: Duration = Duration::from_millis(10);

/// Reaches the daemon, starting it where that is allowed, and sends the first bytes. A daemon that was started comes as
/// the child it is.
pub(crate) fn open(options: &Options, hello: &Hello, first: &[u8]) -> Result<(Link, Option<Child>)> {
    let until = Instant::now() + options.patience;
    let mut reach = || reach(options, hello, first);
    match patiently(until, &mut reach)? {
        Some(link) => Ok((link, None)),
        None if options.start == Start::Never => Err(not_running(options)),
        None => start::start(options, until, &mut reach),
    }
}

/// Tries until somebody answers or nobody is there.
pub(crate) fn patiently(until: Instant, reach: &mut dyn FnMut() -> Result<Reach>) -> Result<Option<Link>> {
    loop {
        match reach()? {
            Reach::Linked(link) => return Ok(Some(link)),
            Reach::Nobody => return Ok(None),
            Reach::Later(why) if Instant::now() >= until => return Err(in_vain(why)),
            Reach::Later(_) => std::thread::sleep(PAUSE),
        }
    }
}

/// The error after the last attempt.
pub(crate) fn in_vain(why: &str) -> Error {
    Error::unavailable("the daemon cannot be reached")
        .why(why)
        .next("try again; `tocli daemon logs` says what it is doing")
}

fn not_running(options: &Options) -> Error {
    Error::unavailable("no daemon is running")
        .why(format!("nobody listens on `{}`", options.places.socket.display()))
        .next("start it with `tocli daemon start`, or leave out `--no-start`")
}

/// One attempt: our own socket, then the one in the lock file. A daemon that holds its lock and listens nowhere is about
/// to serve, about to end, or about to bind a socket that was removed: it is waited for.
pub(crate) fn reach(options: &Options, hello: &Hello, first: &[u8]) -> Result<Reach> {
    match attempt(options, hello, first)? {
        Reach::Linked(link) => judge(link),
        other => Ok(other),
    }
}

/// The same with whatever verdict: the header alone is understood by all versions.
pub(crate) fn hail(options: &Options, hello: &Hello) -> Result<Reach> {
    attempt(options, hello, &[])
}

fn attempt(options: &Options, hello: &Hello, first: &[u8]) -> Result<Reach> {
    let places = &options.places;
    let own = knock(&places.socket, hello, first)?;
    let Reach::Nobody = own else { return Ok(own) };
    let Some((lock, file)) = guard::lock_file(&places.lock(), guard::uid()) else {
        return Ok(Reach::Nobody);
    };
    if lock.socket != places.socket
        && let reached @ (Reach::Linked(_) | Reach::Later(_)) = knock(&lock.socket, hello, first)?
    {
        return Ok(reached);
    }
    if guard::is_held(&file) {
        return Ok(Reach::Later("it holds its lock and listens nowhere"));
    }
    Ok(Reach::Nobody)
}

fn knock(socket: &Path, hello: &Hello, first: &[u8]) -> Result<Reach> {
    let uid = guard::uid();
    let folder = socket.parent().unwrap_or(Path::new("/"));
    if guard::socket_folder(folder, uid)? == Folder::Missing {
        return Ok(Reach::Nobody);
    }
    let stream = match stream(socket) {
        Ok(stream) => stream,
        Err(error) => return no_stream(socket, &error),
    };
    let peer = stream.peer_creds().ok().and_then(|creds| creds.euid());
    if peer.is_some_and(|peer| peer != uid) {
        return Err(
            Error::refused(format!("another user listens on `{}`", socket.display()))
                .why(format!(
                    "its user is {}, and this is {uid}",
                    peer.unwrap_or_default()
                ))
                .next("set `TOD_SOCKET` to a path in a folder of yours"),
        );
    }
    match link::greet(stream, hello, first) {
        Ok(link) => match link.welcome().verdict {
            Verdict::Stopping => Ok(Reach::Later("it is stopping")),
            Verdict::Busy => Ok(Reach::Later("it serves as many connections as it can")),
            _ => Ok(Reach::Linked(link)),
        },
        Err(error) if link::timed_out(&error) => Err(in_vain("it took the connection and does not answer")),
        Err(error) if error.kind() == ErrorKind::Other => Err(Error::unavailable(format!(
            "no daemon of ours listens on `{}`",
            socket.display()
        ))
        .why(error)
        .next("set `TOD_SOCKET` to a path that nothing else uses")),
        // It ended before its header came.
        Err(_) => Ok(Reach::Later("it closes its connections")),
    }
}

fn stream(socket: &Path) -> io::Result<Stream> {
    // Not blocking: a full backlog is an error to come back from, not a wait without end.
    ConnectOptions::new()
        .name(socket.to_fs_name::<GenericFilePath>()?)
        .wait_mode(ConnectWaitMode::Timeout(Duration::from_secs(10)))
        .connect_sync()
}

fn no_stream(socket: &Path, error: &io::Error) -> Result<Reach> {
    use rustix::io::Errno;
    match error.raw_os_error().map(Errno::from_raw_os_error) {
        Some(Errno::NOENT | Errno::CONNREFUSED | Errno::NOTDIR | Errno::CONNRESET) => Ok(Reach::Nobody),
        Some(Errno::AGAIN) => Ok(Reach::Later("its queue of connections is full")),
        // The folder is ours and open to us, so whoever says no is not the file system.
        Some(Errno::PERM | Errno::ACCESS | Errno::AFNOSUPPORT | Errno::NOSYS) => Err(Error::new(
            proto::Kind::Sandbox,
            format!(
                "this process may not connect to the daemon's socket `{}`",
                socket.display()
            ),
        )
        .why(format!("{error}: a sandbox forbids local sockets"))
        .next(agent::way_out(&|name| std::env::var_os(name), socket))),
        _ => Err(
            Error::unavailable(format!("the socket `{}` cannot be used", socket.display()))
                .why(error)
                .next("check `TOD_SOCKET` and `XDG_RUNTIME_DIR`"),
        ),
    }
}

fn judge(link: Link) -> Result<Reach> {
    match refusal(link.welcome()) {
        None => {
            crate::upgrade::met(link.welcome());
            Ok(Reach::Linked(link))
        }
        Some(error) => Err(error),
    }
}

fn refusal(welcome: &Welcome) -> Option<Error> {
    let theirs = &welcome.version;
    let error = match welcome.verdict {
        Verdict::Obeyed => return None,
        Verdict::Accepted if (LOWEST..=HIGHEST).contains(&welcome.chosen) => return None,
        Verdict::Accepted => Error::unavailable(format!(
            "the running daemon ({theirs}) chose protocol {}, which was not offered",
            welcome.chosen
        ))
        .next("use the client that came with the daemon"),
        Verdict::Stopping | Verdict::Busy => in_vain("it takes nobody now"),
        Verdict::ClientTooOld => Error::unavailable(format!(
            "the running daemon ({theirs}) is too new for this client"
        ))
        .why(format!("this client is {}", proto::hello::VERSION))
        .next("use the client that came with the daemon, or end the daemon with `tocli daemon stop`"),
        Verdict::ClientTooNew => Error::unavailable(format!(
            "the running daemon ({theirs}) is too old for this client"
        ))
        .why(format!("this client is {}", proto::hello::VERSION))
        .next("hand over with `tocli daemon reboot`, or end it with `tocli daemon stop`: the next command starts another"),
        Verdict::WrongUser => {
            Error::refused("the daemon belongs to another user").next("run the command as that user")
        }
        Verdict::NotAHello => Error::bug("the daemon did not understand our header"),
        Verdict::CannotObey => Error::refused(format!("the running daemon ({theirs}) cannot do that"))
            .why("it does not know the word, or it is not possible here"),
        Verdict::Other(word) => Error::unavailable(format!("the running daemon ({theirs}) turned us away"))
            .why(format!("its reason, {word}, is of a later version"))
            .next("use the client that came with the daemon"),
    };
    Some(error)
}
