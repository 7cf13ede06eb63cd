//! The limit of any answer over a socket: a process that reads as many bytes as were asked with and writes as many as were
//! answered, and does nothing else.
//!
//! Beside it, question by question, ours is measured with the very same seats (`machine::Seats`): whoever asks on one
//! processor and both answering processes on that same one, or both on another. Left to the kernel, an echo takes 10 µs or
//! 50 µs, as it happens to share the asker's processor or not, and the daemon with its several threads gets other seats
//! than the echo with its one: the ratio then says little about either. On one processor the ratio is that of the work; on
//! two, waking a processor is most of both figures.

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

use tests::deadline;

/// The word by which this program is told to be the echo.
pub const WORD: &str = "--echo";

/// Each echo has a socket of its own.
static STARTED: AtomicUsize = AtomicUsize::new(0);

/// One round: sends the bytes, reads an answer of that many.
pub fn round(stream: &mut UnixStream, asked: &[u8], answer: &mut [u8]) {
    stream.write_all(asked).expect("asked");
    stream.read_exact(answer).expect("answered");
}

/// The echo in a process of its own; ends when it is dropped.
pub struct Echo {
    child: Child,
    /// The connection to it.
    pub stream: UnixStream,
}

impl Echo {
    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Starts one that answers `asked` bytes with `answered` bytes, at a socket in `folder`.
    pub fn start(folder: &Path, asked: usize, answered: usize) -> Self {
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let socket = folder.join(format!("echo-{number}.sock"));
        let child = Command::new(std::env::current_exe().expect("this program"))
            .arg(WORD)
            .arg(&socket)
            .args([asked.to_string(), answered.to_string()])
            .stdin(Stdio::null())
            .spawn()
            .expect("the echo starts");
        let stream = deadline::until("the echo listens", || UnixStream::connect(&socket).ok());
        Self { child, stream }
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        // It ends by itself when the connection closes; this is for the case that it never got one.
        let _ended = self.child.kill();
        let _status = self.child.wait();
    }
}

/// The echo's own life: one connection, to its end.
pub fn serve(words: &[String]) {
    let [socket, asked, answered] = words else {
        panic!("{WORD} SOCKET ASKED ANSWERED")
    };
    let size = |word: &String| word.parse::<usize>().expect("a number of bytes");
    let (mut asked, answer) = (vec![0; size(asked)], vec![1; size(answered)]);
    let listener = UnixListener::bind(socket).expect("bound");
    let (mut stream, _) = listener.accept().expect("a connection");
    while stream.read_exact(&mut asked).is_ok() && stream.write_all(&answer).is_ok() {}
}
