//! The socket of one connection: reads what has come, writes what can go.
//!
//! Held by `connection`. What must stay true: a read that left nothing behind is not followed by one that finds nothing;
//! and as long as everything can be written at once the kernel is not asked to tell when more can be. Every answer that a
//! client takes makes room, and being told of that would wake the daemon once more for each.

use std::future::poll_fn;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::OnceLock;

use rustix::buffer::spare_capacity;
use tokio::io::Interest;

use super::outbox::Outbox;
use crate::world::fd::Watched;

/// A connected socket.
#[derive(Debug)]
pub(super) struct Line {
    incoming: Watched,
    /// The same socket once more, since a write had to wait for the first time.
    outgoing: OnceLock<Watched>,
}

impl Line {
    /// A line on a socket that does not block.
    ///
    /// # Errors
    /// When the system takes no further descriptor under watch.
    pub(super) fn new(socket: OwnedFd) -> io::Result<Self> {
        Ok(Self {
            incoming: Watched::new(socket, Interest::READABLE)?,
            outgoing: OnceLock::new(),
        })
    }

    /// One more descriptor of the socket.
    ///
    /// # Errors
    /// When there are too many.
    pub(super) fn descriptor(&self) -> io::Result<OwnedFd> {
        self.incoming.get_ref().try_clone()
    }

    /// Adds what has come to the inbox, for which it makes so much room; how much, and zero at the end of the stream.
    pub(super) async fn read(&self, inbox: &mut Vec<u8>, room: usize) -> io::Result<usize> {
        inbox.reserve_exact(room);
        loop {
            let mut ready = poll_fn(|context| self.incoming.poll_read_ready(context)).await?;
            let room = inbox.capacity() - inbox.len();
            match ready.try_io(|socket| Ok(rustix::io::read(socket, spare_capacity(inbox))?)) {
                Ok(Ok(count)) => {
                    if count < room {
                        // That was all, and the kernel tells when more comes. The end of the stream stays known.
                        ready.clear_ready();
                    }
                    return Ok(count);
                }
                Ok(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(Err(error)) => return Err(error),
                Err(_nothing_has_come) => {}
            }
        }
    }

    /// Writes what the outbox has next; how much went.
    pub(super) async fn write(&self, outbox: &Outbox) -> io::Result<usize> {
        let (slices, count) = outbox.next();
        let write = |socket: &OwnedFd| Ok(rustix::io::writev(socket, &slices[..count])?);
        loop {
            let written = match self.outgoing.get() {
                None => write(self.incoming.get_ref()),
                Some(outgoing) => {
                    let mut ready = poll_fn(|context| outgoing.poll_write_ready(context)).await?;
                    match ready.try_io(|watched| write(watched.get_ref())) {
                        Ok(written) => written,
                        Err(_no_room) => continue,
                    }
                }
            };
            match written {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock && self.outgoing.get().is_none() => {
                    let outgoing = Watched::new(self.descriptor()?, Interest::WRITABLE)?;
                    self.outgoing.get_or_init(|| outgoing);
                }
                written => return written,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;

    use super::*;

    fn pair() -> (Line, UnixStream) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        (Line::new(ours.into()).unwrap(), theirs)
    }

    #[tokio::test]
    async fn what_is_written_before_the_other_side_ends_is_read_and_then_its_end() {
        let (line, mut theirs) = pair();
        let mut inbox = Vec::new();
        for round in 0..100 {
            theirs.write_all(&[round; 300]).unwrap();
            while inbox.len() < 300 {
                // Less room than there is to read, all of it, and more.
                assert!(line.read(&mut inbox, usize::from(round) * 7 + 1).await.unwrap() > 0);
            }
            assert_eq!(inbox, [round; 300]);
            inbox.clear();
        }
        theirs.write_all(b"last").unwrap();
        drop(theirs);
        assert_eq!(line.read(&mut inbox, 100).await.unwrap(), 4);
        assert_eq!(line.read(&mut inbox, 100).await.unwrap(), 0);
        assert_eq!(line.read(&mut inbox, 100).await.unwrap(), 0, "and again");
        assert_eq!(inbox, b"last");
    }

    #[tokio::test]
    async fn more_than_the_socket_holds_goes_when_the_other_side_takes_it() {
        let (line, mut theirs) = pair();
        let all: Vec<u8> = (0..3_000_000_u32).map(|at| (at % 251) as u8).collect();
        let length = all.len();
        let taking = tokio::task::spawn_blocking(move || {
            let mut taken = vec![0; length];
            theirs.read_exact(&mut taken).unwrap();
            taken
        });
        let mut outbox = Outbox::from(all.clone());
        while outbox.waiting() > 0 {
            let count = line.write(&outbox).await.unwrap();
            outbox.wrote(count);
        }
        assert!(line.outgoing.get().is_some(), "it had to wait");
        assert!(taking.await.unwrap() == all);
    }

    #[tokio::test]
    async fn a_write_to_nobody_fails_also_when_it_had_to_wait() {
        let (line, theirs) = pair();
        let outbox = Outbox::from(vec![0; 3_000_000]);
        let wait = async {
            loop {
                line.write(&outbox).await?;
            }
        };
        let leave = async {
            while line.outgoing.get().is_none() {
                tokio::task::yield_now().await;
            }
            drop(theirs);
            std::future::pending().await
        };
        let failed: io::Result<()> = tokio::select! { failed = wait => failed, () = leave => Ok(()) };
        assert_eq!(failed.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    }
}
