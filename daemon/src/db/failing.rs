//! For tests of faults in any room: a disk that fails once, and a request that is repeated until it is answered.
//!
//! Asked by the rooms' tests; no part of the daemon.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use proto::error::{Kind, Result};

use super::{Db, Disk, Options, RealDisk};

/// How long a request may be repeated before the test fails.
const PATIENCE: Duration = Duration::from_secs(20);

/// A disk with room for all, whose n-th sync fails: the usual error of a broken one, `EIO`.
#[derive(Debug)]
pub struct FailingOnce {
    left: AtomicU64,
}

impl FailingOnce {
    /// One that works until [`FailingOnce::fail_at`].
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            left: AtomicU64::new(u64::MAX),
        })
    }

    /// The database of a state folder on such a disk.
    pub fn open(state: &Path) -> (Arc<Self>, Db) {
        let disk = Self::new();
        let options = Options {
            disk: disk.clone(),
            ..Options::new(1)
        };
        (disk, Db::open(state, options).expect("opened").db)
    }

    /// The `n`-th sync from here on fails, counted from one, and no other.
    pub fn fail_at(&self, n: u64) {
        self.left.store(n, Ordering::SeqCst);
    }

    /// No sync fails any more.
    pub fn heal(&self) {
        self.fail_at(u64::MAX);
    }
}

impl Disk for FailingOnce {
    fn sync(&self, file: &File) -> io::Result<()> {
        match self.left.fetch_sub(1, Ordering::SeqCst) {
            1 => Err(io::Error::from_raw_os_error(5)),
            _ => RealDisk.sync(file),
        }
    }

    fn free(&self, _: &Path) -> io::Result<u64> {
        Ok(u64::MAX)
    }
}

/// Repeats `attempt` until it is answered: the answer, and how often there was none, which may only be because the
/// database was not to be had.
pub fn until_done<T>(mut attempt: impl FnMut() -> Result<T>) -> (T, u32) {
    let deadline = Instant::now() + PATIENCE;
    let mut failures = 0;
    loop {
        match attempt() {
            Ok(answer) => return (answer, failures),
            Err(error) => {
                assert_eq!(error.kind, Kind::Unavailable, "{error}");
                assert!(Instant::now() < deadline, "it never succeeds: {error}");
                failures += 1;
                std::thread::yield_now();
            }
        }
    }
}
