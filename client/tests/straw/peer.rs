//! A socket with a script behind it.

use std::io::{Read, Write};
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;
use std::time::Duration;

use client::{Ask, Options, Start};
use proto::hello::{self, Control, Hello, Verdict, Welcome};
use proto::places::Places;
use proto::{Answer, Caller, ClientFrame, Request, ServerFrame, frame, index, workspace};
use tempfile::TempDir;

/// No test waits longer for the other side.
const LIMIT: Duration = Duration::from_secs(20);

/// The places of a user who does not exist.
pub(crate) struct Ground {
    pub(crate) dir: TempDir,
    pub(crate) options: Options,
}

impl Ground {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let options = Options {
            places: Places {
                socket: dir.path().join("run/tod.sock"),
                state_dir: dir.path().join("state"),
                config_dir: None,
                home: None,
            },
            start: Start::Never,
            program: None,
            patience: Duration::from_secs(10),
        };
        folder(&dir.path().join("run"), 0o700);
        Self { dir, options }
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.options.places.socket.clone()
    }

    /// Takes connections one by one, each with its own part of the script.
    pub(crate) fn serve(&self, script: Vec<Part>) -> JoinHandle<()> {
        serve(&self.socket(), script)
    }
}

pub(crate) fn folder(path: &Path, mode: u32) {
    std::fs::DirBuilder::new().mode(mode).create(path).expect("made");
}

/// What happens on one connection.
pub(crate) type Part = Box<dyn FnOnce(&mut UnixStream) + Send>;

pub(crate) fn part(act: impl FnOnce(&mut UnixStream) + Send + 'static) -> Part {
    Box::new(act)
}

pub(crate) fn serve(socket: &Path, script: Vec<Part>) -> JoinHandle<()> {
    let listener = UnixListener::bind(socket).expect("bound");
    std::thread::spawn(move || {
        for act in script {
            let mut stream = accept(&listener);
            stream.set_read_timeout(Some(LIMIT)).expect("a limit");
            stream.set_write_timeout(Some(LIMIT)).expect("a limit");
            act(&mut stream);
        }
    })
}

/// Accepts within the limit.
fn accept(listener: &UnixListener) -> UnixStream {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let limit = Timespec::try_from(LIMIT).expect("a time");
    let came = poll(&mut [PollFd::new(listener, PollFlags::IN)], Some(&limit)).expect("polled");
    assert!(came > 0, "nobody connected");
    listener.accept().expect("accepted").0
}

pub(crate) fn hear_hello(stream: &mut UnixStream) -> Hello {
    let mut bytes = [0; hello::LENGTH];
    stream.read_exact(&mut bytes).expect("a header");
    Hello::from_bytes(&bytes).expect("a header of ours")
}

pub(crate) fn welcome(verdict: Verdict) -> [u8; hello::LENGTH] {
    Welcome {
        lowest: hello::LOWEST,
        highest: hello::HIGHEST,
        verdict,
        chosen: u16::from(verdict == Verdict::Accepted),
        pid: std::process::id(),
        generation: 0,
        schema: 1,
        version: "9.9.9".into(),
    }
    .to_bytes()
}

/// Headers exchanged, requests may come.
pub(crate) fn greet(stream: &mut UnixStream) {
    assert_eq!(hear_hello(stream).control, Control::Talk);
    stream.write_all(&welcome(Verdict::Accepted)).expect("told");
}

/// The next frame of the client.
pub(crate) fn hear(stream: &mut UnixStream) -> ClientFrame {
    let mut head = [0; frame::HEAD];
    stream.read_exact(&mut head).expect("a frame");
    let mut payload = vec![0; frame::length(head).expect("a length")];
    stream.read_exact(&mut payload).expect("a whole frame");
    frame::decode(&payload).expect("a message")
}

/// The next request: its id and request id.
pub(crate) fn hear_ask(stream: &mut UnixStream) -> (u64, Option<String>) {
    match hear(stream) {
        ClientFrame::Ask { id, request_id, .. } => (id, request_id),
        other => panic!("not a request: {other:?}"),
    }
}

pub(crate) fn say(stream: &mut UnixStream, message: &ServerFrame) {
    let bytes = frame::encode(message).expect("encoded");
    stream.write_all(&bytes).expect("told");
}

/// Whether the client has hung up.
pub(crate) fn hung_up(stream: &mut UnixStream) -> bool {
    matches!(stream.read(&mut [0; 1]), Ok(0))
}

/// A request that only reads.
pub(crate) fn reading() -> Ask {
    Ask::new(
        Caller::default(),
        Request::Workspace(workspace::Request::List { forgotten: false }),
    )
}

/// A request that changes something.
pub(crate) fn writing() -> Ask {
    Ask::new(
        Caller::default(),
        Request::Workspace(workspace::Request::Restore { id: "ws_0".into() }),
    )
}

/// A request whose answer comes in parts.
pub(crate) fn streaming() -> Ask {
    let request = index::Request::Files {
        at: proto::detect::From::Caller,
        glob: None,
        sync: index::Sync::No,
    };
    Ask::new(Caller::default(), Request::Index(request))
}

pub(crate) fn nothing() -> Answer {
    Answer::Workspace(workspace::Answer::Workspaces(Vec::new()))
}

pub(crate) fn done(id: u64) -> ServerFrame {
    ServerFrame::Done {
        id,
        answer: nothing(),
    }
}

pub(crate) fn last_of_files(id: u64) -> ServerFrame {
    let answer = index::Answer::Files {
        root: "/p".into(),
        clock: "c:1:1:1".into(),
        unsynced: false,
        unverified: false,
    };
    ServerFrame::Done {
        id,
        answer: Answer::Index(answer),
    }
}
