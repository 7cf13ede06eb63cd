//! A file that is written, hashed and synced by threads of their own, behind the one that hears the daemon.
//!
//! Asked by a download into a file. What must stay true: what is waiting is bounded; [`Behind::finish`] says that all is
//! on the disk only when every write and every sync on the way has succeeded (the system tells of a failed one once).

use std::fs::File;
use std::io::{self, Write as _};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;

/// Pieces that wait to be written.
const WAITING: usize = 4;
/// So many bytes (32 MiB) are written between two syncs, so that the last has little left to do.
const SYNC: u64 = 32 << 20;

/// A file on its way to the disk.
pub(super) struct Behind {
    pieces: SyncSender<Vec<u8>>,
    writer: JoinHandle<io::Result<blake3::Hash>>,
}

impl Behind {
    /// Begins with an empty file.
    pub(super) fn new(file: File) -> io::Result<Self> {
        let (pieces, come) = sync_channel(WAITING);
        let synced = file.try_clone()?;
        let writer = std::thread::Builder::new().spawn(move || write(file, synced, &come))?;
        Ok(Self { pieces, writer })
    }

    /// Lays a piece behind those before it; false when writing has failed, which [`Behind::finish`] tells.
    pub(super) fn write(&self, piece: Vec<u8>) -> bool {
        self.pieces.send(piece).is_ok()
    }

    /// Waits until all of it is on the disk; the digest of it all.
    pub(super) fn finish(self) -> io::Result<blake3::Hash> {
        drop(self.pieces);
        joined(self.writer)
    }
}

fn write(mut file: File, synced: File, pieces: &Receiver<Vec<u8>>) -> io::Result<blake3::Hash> {
    let (due, asked) = sync_channel(1);
    let syncer = std::thread::Builder::new().spawn(move || {
        asked.iter().try_for_each(|()| synced.sync_data())?;
        synced.sync_all()
    })?;
    let mut hasher = blake3::Hasher::new();
    let mut since = 0;
    for piece in pieces {
        hasher.update(&piece);
        file.write_all(&piece)?;
        since += piece.len() as u64;
        proto::piece::give(piece);
        if since >= SYNC {
            match due.try_send(()) {
                Ok(()) => since = 0,
                // It is behind: the next one takes this with it.
                Err(TrySendError::Full(())) => {}
                Err(TrySendError::Disconnected(())) => break,
            }
        }
    }
    drop(due);
    joined(syncer)?;
    Ok(hasher.finalize())
}

fn joined<T>(thread: JoinHandle<io::Result<T>>) -> io::Result<T> {
    let ended = thread.join();
    ended.unwrap_or_else(|_| Err(io::Error::other("the thread that writes ended in a panic")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_behind_is_there_with_its_digest() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        let behind = Behind::new(File::create_new(&path).unwrap()).unwrap();
        let piece: Vec<u8> = (0..=u8::MAX).cycle().take(1 << 20).collect();
        let mut whole = Vec::new();
        for _ in 0..70 {
            assert!(behind.write(piece.clone()));
            whole.extend_from_slice(&piece);
        }
        assert_eq!(behind.finish().unwrap(), blake3::hash(&whole));
        assert!(std::fs::read(&path).unwrap() == whole);
    }

    #[test]
    fn a_write_that_fails_is_told_at_the_end_and_nobody_waits_for_ever() {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let behind = Behind::new(full).unwrap();
        while behind.write(vec![1; 1 << 16]) {}
        let error = behind.finish().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    }
}
