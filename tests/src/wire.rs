//! A peer that speaks the protocol byte by byte, for what no client of ours would ever send.
//!
//! Asked by tests only. What must stay true: every read has a limit.

use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use proto::hello::{self, Control, Hello, Verdict, Welcome};
use proto::{Answer, Caller, ClientFrame, Error, Item, RawPath, Request, ServerFrame, frame};

use crate::deadline;

/// A connection to a daemon.
#[derive(Debug)]
pub struct Peer {
    /// The stream itself, for bytes that are no message.
    pub stream: UnixStream,
    next_id: u64,
}

impl Peer {
    /// A connection on which nothing has been said.
    ///
    /// # Panics
    /// When nobody listens.
    #[must_use]
    pub fn connect(socket: &Path) -> Self {
        Self::of(UnixStream::connect(socket).unwrap_or_else(|error| panic!("{}: {error}", socket.display())))
    }

    /// The same; none when nobody listens.
    #[must_use]
    pub fn try_connect(socket: &Path) -> Option<Self> {
        UnixStream::connect(socket).ok().map(Self::of)
    }

    fn of(stream: UnixStream) -> Self {
        stream
            .set_read_timeout(Some(deadline::LIMIT))
            .expect("a read limit");
        stream
            .set_write_timeout(Some(deadline::LIMIT))
            .expect("a write limit");
        Self { stream, next_id: 0 }
    }

    /// A connection on which requests may follow.
    ///
    /// # Panics
    /// When the daemon does not accept it.
    #[must_use]
    pub fn greeted(socket: &Path) -> Self {
        let mut peer = Self::connect(socket);
        let welcome = peer.greet(&Hello::of_this_build(Control::Talk));
        assert_eq!(welcome.verdict, Verdict::Accepted);
        peer
    }

    /// Whether a daemon serves here: its header comes, however long it takes to start; false when it goes away instead.
    #[must_use]
    pub fn is_served(socket: &Path) -> bool {
        let Some(mut peer) = Self::try_connect(socket) else {
            return false;
        };
        peer.send_if_taken(&Hello::of_this_build(Control::Talk).to_bytes());
        peer.stream.read_exact(&mut [0; hello::LENGTH]).is_ok()
    }

    /// Sends a header and reads the answer.
    ///
    /// # Panics
    /// When no header comes back.
    pub fn greet(&mut self, hello: &Hello) -> Welcome {
        // Whom the daemon does not want it may tell so before it has read a word.
        self.send_if_taken(&hello.to_bytes());
        self.welcome()
    }

    /// Reads the daemon's header.
    ///
    /// # Panics
    /// When none comes.
    pub fn welcome(&mut self) -> Welcome {
        let mut bytes = [0; hello::LENGTH];
        self.stream.read_exact(&mut bytes).expect("a header");
        Welcome::from_bytes(&bytes).expect("a header of ours")
    }

    /// Sends bytes as they are.
    ///
    /// # Panics
    /// When the daemon does not take them.
    pub fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("the daemon takes bytes");
    }

    /// Sends bytes that a daemon which has hung up need not take.
    pub fn send_if_taken(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).is_ok()
    }

    /// Says that nothing more is coming.
    ///
    /// # Panics
    /// When the stream is broken.
    pub fn close_writing(&mut self) {
        self.stream
            .shutdown(std::net::Shutdown::Write)
            .expect("the writing side closes");
    }

    /// Sends a payload in a frame of its own.
    pub fn send_payload(&mut self, payload: &[u8]) {
        let head = u32::try_from(payload.len())
            .expect("a short payload")
            .to_le_bytes();
        self.send(&[&head[..], payload].concat());
    }

    /// Sends a request; its id.
    pub fn ask(&mut self, request: Request) -> u64 {
        let id = self.new_id();
        self.send(&ask_frame(id, Path::new("/"), request));
        id
    }

    /// An id that this connection has not used.
    pub fn new_id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    /// The next frame; none when the daemon has closed the connection.
    ///
    /// # Panics
    /// When nothing comes within the limit, or something that is no frame.
    pub fn frame(&mut self) -> Option<ServerFrame> {
        let mut head = [0; frame::HEAD];
        match self.stream.read_exact(&mut head) {
            Ok(()) => {}
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset
                ) =>
            {
                return None;
            }
            Err(error) => panic!("no frame came: {error}"),
        }
        let mut payload = vec![0; frame::length(head).expect("a length within the limit")];
        self.stream.read_exact(&mut payload).expect("a whole frame");
        Some(frame::decode(&payload).expect("a frame of ours"))
    }

    /// The frames of one request to its last; the last apart. Progress is left out.
    ///
    /// # Panics
    /// When the connection ends before, or a frame of another request comes.
    pub fn answer(&mut self, of: u64) -> (Vec<Item>, Result<Answer, Error>) {
        let mut items = Vec::new();
        loop {
            match self.frame().expect("the answer comes before the end") {
                ServerFrame::Done { id, answer } if id == of => return (items, Ok(answer)),
                ServerFrame::Failed { id, error } if id == of => return (items, Err(error)),
                ServerFrame::Item { id, item } if id == of => items.push(item),
                ServerFrame::Progress { id, .. } if id == of => {}
                other => panic!("not of request {of}: {other:?}"),
            }
        }
    }

    /// Asks and waits for the last frame.
    ///
    /// # Errors
    /// What the daemon says.
    pub fn call(&mut self, request: Request) -> Result<Answer, Error> {
        let id = self.ask(request);
        self.answer(id).1
    }

    /// Whether the daemon has closed the connection without another word.
    pub fn ends(&mut self) -> bool {
        self.frame().is_none()
    }

    /// Changes how long a read waits.
    ///
    /// # Panics
    /// When the stream is broken.
    pub fn patience(&mut self, limit: Duration) {
        self.stream.set_read_timeout(Some(limit)).expect("a read limit");
    }
}

/// The frame of a request.
///
/// # Panics
/// When it does not fit.
#[must_use]
pub fn ask_frame(id: u64, cwd: &Path, request: Request) -> Vec<u8> {
    let caller = Caller {
        cwd: RawPath::from(cwd.to_path_buf()),
        ..Caller::default()
    };
    frame::encode(&ClientFrame::Ask {
        id,
        deadline_ms: 0,
        request_id: None,
        caller,
        request,
    })
    .expect("a request fits in a frame")
}

/// The request that every daemon answers at once.
#[must_use]
pub fn status() -> Request {
    Request::Daemon(proto::daemon::Request::Status)
}
