//! Which threads are inside a call to a file system, and which have been for long: in a dead mount a call may never return.
//!
//! Asked by the disk of the index around each call, by whoever must not wait for one that hangs. What must stay true:
//! a call costs two stores to memory that only its own thread writes; nothing here waits.

use std::cell::OnceCell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// One thread that makes such calls.
#[derive(Debug, Default)]
struct Mark {
    /// Goes up by one with each call, and with each return: odd while inside.
    count: AtomicU64,
    /// For whom.
    owner: AtomicU64,
    /// `count` when it was last looked at.
    seen: AtomicU64,
    /// `count` when it was found inside the same call twice.
    hangs: AtomicU64,
}

impl Mark {
    fn is_inside(&self) -> bool {
        self.count.load(Ordering::Acquire) % 2 == 1
    }

    fn is_for(&self, owner: u64) -> bool {
        self.owner.load(Ordering::Acquire) == owner
    }
}

static MARKS: Mutex<Vec<Arc<Mark>>> = Mutex::new(Vec::new());

fn marks() -> MutexGuard<'static, Vec<Arc<Mark>>> {
    MARKS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A thread's own mark, which goes with the thread.
struct Mine(Arc<Mark>);

impl Mine {
    fn new() -> Self {
        let mark = Arc::<Mark>::default();
        marks().push(mark.clone());
        Self(mark)
    }
}

impl Drop for Mine {
    fn drop(&mut self) {
        marks().retain(|mark| !Arc::ptr_eq(mark, &self.0));
    }
}

thread_local! {
    static MINE: OnceCell<Mine> = const { OnceCell::new() };
}

/// Makes a call that may hang, for an owner.
pub fn within<T>(owner: u64, call: impl FnOnce() -> T) -> T {
    MINE.with(|mine| {
        let mark = &mine.get_or_init(Mine::new).0;
        let count = mark.count.load(Ordering::Relaxed);
        mark.owner.store(owner, Ordering::Release);
        mark.count.store(count.wrapping_add(1), Ordering::Release);
        let done = call();
        mark.count.store(count.wrapping_add(2), Ordering::Release);
        done
    })
}

/// The calls that were under way at one moment.
#[derive(Debug)]
pub struct UnderWay(Vec<(Arc<Mark>, u64)>);

impl UnderWay {
    /// Those of now.
    #[must_use]
    pub fn now() -> Self {
        let all = marks();
        let inside = all
            .iter()
            .map(|mark| (mark.clone(), mark.count.load(Ordering::Acquire)));
        Self(inside.filter(|(_, count)| count % 2 == 1).collect())
    }

    /// Whether each of them has returned.
    #[must_use]
    pub fn have_returned(&self) -> bool {
        self.0
            .iter()
            .all(|(mark, count)| mark.count.load(Ordering::Acquire) != *count)
    }
}

/// Whether an owner has a call under way.
#[must_use]
pub fn is_inside(owner: u64) -> bool {
    marks().iter().any(|mark| mark.is_for(owner) && mark.is_inside())
}

/// To be called now and then: who is inside the same call as at the last time hangs.
pub fn look() {
    for mark in marks().iter() {
        let count = mark.count.load(Ordering::Acquire);
        let is_same = mark.seen.swap(count, Ordering::AcqRel) == count;
        let hangs = if is_same && count % 2 == 1 { count } else { 0 };
        mark.hangs.store(hangs, Ordering::Release);
    }
}

/// Whether a call of an owner was found hanging and has not returned.
#[must_use]
pub fn hangs(owner: u64) -> bool {
    marks().iter().any(|mark| {
        let hangs = mark.hangs.load(Ordering::Acquire);
        mark.is_for(owner) && hangs != 0 && mark.count.load(Ordering::Acquire) == hangs
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;

    #[test]
    fn a_call_hangs_that_is_the_same_at_two_looks_until_it_returns() {
        const OWNER: u64 = u64::MAX - 7;
        let ((begun, begins), (go, goes)) = (channel(), channel::<()>());
        let thread = std::thread::spawn(move || {
            for _ in 0..2 {
                within(OWNER, || {
                    begun.send(()).unwrap();
                    goes.recv().unwrap();
                });
            }
        });
        begins.recv().unwrap();
        assert!(is_inside(OWNER) && !hangs(OWNER));
        let under_way = UnderWay::now();
        look();
        look();
        assert!(hangs(OWNER) && !under_way.have_returned());
        go.send(()).unwrap();
        begins.recv().unwrap();
        assert!(is_inside(OWNER) && !hangs(OWNER) && under_way.have_returned());
        go.send(()).unwrap();
        thread.join().unwrap();
        assert!(!is_inside(OWNER) && !hangs(OWNER));
    }
}
