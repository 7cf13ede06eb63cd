//! How many calls hang on each mount that may hang, and when that is enough.
//!
//! Asked by `Look` around every access to a network, FUSE or unknown file system. What must stay true: a mount that
//! never answers costs a bounded number of threads, and after that every question about it is refused at once, while
//! questions about other places go on.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use proto::Error;
use proto::error::Result;

/// A call that takes longer has hung: a slow network answers within this.
const PATIENCE: Duration = Duration::from_secs(1);
/// So many hung calls prove it; more would only hold more threads.
const MOST_HUNG: usize = 2;
/// So many at once, hung or not yet.
const MOST_AT_ONCE: usize = 16;

/// The calls under way, by mount point.
#[derive(Debug, Default)]
pub(super) struct Stuck {
    under_way: Mutex<HashMap<PathBuf, Vec<(u64, Duration)>>>,
}

/// One call under way.
#[derive(Debug)]
pub(super) struct Pass<'s> {
    stuck: &'s Stuck,
    point: PathBuf,
    id: u64,
}

impl Stuck {
    /// Begins a call at `now`.
    pub(super) fn enter(&self, point: &Path, now: Duration) -> Result<Pass<'_>> {
        let mut under_way = self.lock();
        let calls = under_way.entry(point.to_path_buf()).or_default();
        let hung = calls
            .iter()
            .filter(|(_, since)| now.saturating_sub(*since) > PATIENCE)
            .count();
        if hung >= MOST_HUNG || calls.len() >= MOST_AT_ONCE {
            return Err(Error::unavailable(format!(
                "the file system at `{}` does not answer",
                point.display()
            ))
            .why(format!("{} calls on it have not come back", calls.len()))
            .next("check its server, or unmount it with `umount -l`"));
        }
        let id = calls.iter().map(|(id, _)| *id).max().map_or(0, |id| id + 1);
        calls.push((id, now));
        Ok(Pass {
            stuck: self,
            point: point.to_path_buf(),
            id,
        })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<PathBuf, Vec<(u64, Duration)>>> {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        let mut under_way = self.stuck.lock();
        if let Some(calls) = under_way.get_mut(&self.point) {
            calls.retain(|(id, _)| *id != self.id);
            if calls.is_empty() {
                under_way.remove(&self.point);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POINT: &str = "/mnt/s";

    #[test]
    fn a_mount_with_two_hung_calls_is_refused_at_once_and_named() {
        let stuck = Stuck::default();
        let start = Duration::from_secs(10);
        let _held = [
            stuck.enter(Path::new(POINT), start).unwrap(),
            stuck.enter(Path::new(POINT), start).unwrap(),
        ];
        assert!(stuck.enter(Path::new(POINT), start + PATIENCE).is_ok());
        let error = stuck.enter(Path::new(POINT), start + PATIENCE * 2).unwrap_err();
        assert!(error.what.contains(POINT), "{error}");
        assert!(stuck.enter(Path::new("/mnt/other"), start + PATIENCE * 2).is_ok());
    }

    #[test]
    fn a_call_that_comes_back_makes_room_again() {
        let stuck = Stuck::default();
        let start = Duration::from_secs(10);
        let held: Vec<_> = (0..MOST_AT_ONCE)
            .map(|_| stuck.enter(Path::new(POINT), start).unwrap())
            .collect();
        assert!(stuck.enter(Path::new(POINT), start).is_err());
        drop(held);
        assert!(stuck.enter(Path::new(POINT), start + PATIENCE * 9).is_ok());
        assert!(stuck.lock().is_empty());
    }
}
