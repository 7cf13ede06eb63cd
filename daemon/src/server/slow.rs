//! Clients that take their time, on a clock that the tests move: the limits of the server and who is spared by them.

use std::sync::Arc;
use std::time::Duration;

use proto::hello::{Control, Hello, LENGTH, Verdict, Welcome};
use proto::places::Places;
use proto::{Caller, ClientFrame, Kind, Request, ServerFrame, frame};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use super::connection::HELLO_LIMIT;
use super::{Phase, Server};
use crate::ctx::Ctx;
use crate::world::socket;

/// A server in a folder of its own.
struct Stage {
    folder: tempfile::TempDir,
    accepting: tokio::task::JoinHandle<()>,
    _phase: watch::Sender<Phase>,
}

impl Stage {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let places = Places {
            socket: folder.path().join("s"),
            state_dir: folder.path().join("state"),
            config_dir: None,
            home: None,
        };
        let (listener, _) = socket::bind(&places.socket).expect("bound");
        let ctx = Ctx::open(places).expect("opened");
        let (phase, phases) = watch::channel(Phase::Serving);
        let (server, _) = Server::new(Arc::new(ctx), phases);
        Self {
            folder,
            accepting: tokio::spawn(async move { server.accept(&listener).await }),
            _phase: phase,
        }
    }

    async fn connect(&self) -> UnixStream {
        UnixStream::connect(self.folder.path().join("s"))
            .await
            .expect("connected")
    }

    async fn greeted(&self) -> UnixStream {
        let mut stream = self.connect().await;
        stream
            .write_all(&Hello::of_this_build(Control::Talk).to_bytes())
            .await
            .expect("sent");
        assert_eq!(welcome(&mut stream).await.verdict, Verdict::Accepted);
        stream
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn welcome(stream: &mut UnixStream) -> Welcome {
    let mut bytes = [0; LENGTH];
    stream.read_exact(&mut bytes).await.expect("a header");
    Welcome::from_bytes(&bytes).expect("a header of ours")
}

fn status(id: u64) -> Vec<u8> {
    frame::encode(&ClientFrame::Ask {
        id,
        deadline_ms: 0,
        request_id: None,
        caller: Caller::default(),
        request: Request::Daemon(proto::daemon::Request::Status),
    })
    .expect("fits")
}

async fn next(stream: &mut UnixStream) -> ServerFrame {
    let mut head = [0; frame::HEAD];
    stream.read_exact(&mut head).await.expect("a head");
    let mut payload = vec![0; frame::length(head).expect("a length")];
    stream.read_exact(&mut payload).await.expect("a payload");
    frame::decode(&payload).expect("a frame")
}

async fn served(stream: &mut UnixStream) {
    let asked = Instant::now();
    stream.write_all(&status(1)).await.expect("sent");
    assert!(matches!(next(stream).await, ServerFrame::Done { id: 1, .. }));
    assert!(
        asked.elapsed() < Duration::from_millis(1),
        "nobody waits for a slow client"
    );
}

async fn closed(stream: &mut UnixStream) {
    assert_eq!(
        stream.read(&mut [0; 1]).await.unwrap_or_default(),
        0,
        "the connection has ended"
    );
}

/// Sends a byte a second until the other side says something; how long that was.
async fn trickle(slow: &mut UnixStream, bytes: &[u8], other: &mut UnixStream) -> Duration {
    // Also forgets that the stream was readable a moment ago.
    assert!(slow.try_read(&mut [0]).is_err(), "nothing has been said before");
    let began = Instant::now();
    for byte in bytes {
        slow.write_all(&[*byte]).await.expect("taken");
        served(other).await;
        let spoken = timeout(Duration::from_secs(1), slow.readable()).await;
        if spoken.is_ok() {
            break;
        }
    }
    began.elapsed()
}

#[tokio::test(start_paused = true)]
async fn a_header_at_a_byte_a_second_is_given_up_and_nobody_else_waits() {
    let stage = Stage::new();
    let (mut slow, mut other) = (stage.connect().await, stage.greeted().await);
    let header = Hello::of_this_build(Control::Talk).to_bytes();
    let took = trickle(&mut slow, &header, &mut other).await;
    assert!(
        (HELLO_LIMIT..HELLO_LIMIT + Duration::from_secs(2)).contains(&took),
        "{took:?}"
    );
    assert_eq!(welcome(&mut slow).await.verdict, Verdict::NotAHello);
    closed(&mut slow).await;
    served(&mut other).await;
}

#[tokio::test(start_paused = true)]
async fn a_header_that_comes_slowly_but_in_time_is_welcome() {
    let stage = Stage::new();
    let mut slow = stage.connect().await;
    for byte in Hello::of_this_build(Control::Talk).to_bytes() {
        slow.write_all(&[byte]).await.expect("taken");
        sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(welcome(&mut slow).await.verdict, Verdict::Accepted);
    served(&mut slow).await;
}

#[tokio::test(start_paused = true)]
async fn a_frame_at_a_byte_a_second_is_given_up_with_words_and_nobody_else_waits() {
    let stage = Stage::new();
    let (mut slow, mut other) = (stage.greeted().await, stage.greeted().await);
    let mut bytes = 500_u32.to_le_bytes().to_vec();
    bytes.extend_from_slice(&[0; 500]);
    let took = trickle(&mut slow, &bytes, &mut other).await;
    let limit = super::connection::FRAME_LIMIT;
    assert!(
        (limit..limit + Duration::from_secs(2)).contains(&took),
        "{took:?}"
    );
    match next(&mut slow).await {
        ServerFrame::Failed { id: 0, error } => assert_eq!(error.kind, Kind::Usage),
        said => panic!("{said:?}"),
    }
    closed(&mut slow).await;
    served(&mut other).await;
}

#[tokio::test(start_paused = true)]
async fn a_client_between_frames_may_think_for_as_long_as_it_likes() {
    let stage = Stage::new();
    let mut client = stage.greeted().await;
    for hours in [1, 24, 24 * 30] {
        sleep(Duration::from_secs(hours * 3600)).await;
        served(&mut client).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_its_answers_unread_is_hung_up_on() {
    let stage = Stage::new();
    let (mut slow, mut other) = (stage.greeted().await, stage.greeted().await);
    let request = status(1);
    // As much as the daemon takes before it waits for its answers to be read.
    while let Ok(sent) = timeout(Duration::from_secs(1), slow.write_all(&request)).await {
        sent.expect("taken");
    }
    served(&mut other).await;
    let began = Instant::now();
    let hung_up = timeout(Duration::from_secs(600), async {
        while slow.write_all(&request).await.is_ok() {}
    })
    .await;
    assert!(hung_up.is_ok(), "the daemon hangs up");
    let limit = super::connection::WRITE_LIMIT;
    assert!(
        began.elapsed() < limit + Duration::from_secs(2),
        "{:?}",
        began.elapsed()
    );
    served(&mut other).await;
}
