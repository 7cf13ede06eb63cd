//! Which requests wait for another one's lock, so that who has waited too long is told the true reason.
//!
//! Asked by `run`, which cannot look into a thread of the blocking pool. What must stay true: it is about the thread that
//! works for the request, and says what that thread does at this moment, not what it did.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether the thread that works for a request waits for a lock.
#[derive(Clone, Debug, Default)]
pub(super) struct Waits(Arc<AtomicBool>);

thread_local! {
    /// That of the request for which this thread works.
    static OURS: RefCell<Option<Waits>> = const { RefCell::new(None) };
}

/// This thread works for a request until this is dropped.
#[derive(Debug)]
pub(super) struct Works;

impl Drop for Works {
    fn drop(&mut self) {
        OURS.with_borrow_mut(|ours| *ours = None);
    }
}

/// Ends the waiting, however that ends.
struct Until(Option<Waits>);

impl Drop for Until {
    fn drop(&mut self) {
        if let Some(waits) = &self.0 {
            waits.0.store(false, Ordering::Relaxed);
        }
    }
}

impl Waits {
    /// This thread works for its request from here on.
    pub(super) fn works(&self) -> Works {
        OURS.with_borrow_mut(|ours| *ours = Some(self.clone()));
        Works
    }

    /// Whether it waits now.
    pub(super) fn now(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Does what waits for a lock.
pub(super) fn during<T>(wait: impl FnOnce() -> T) -> T {
    let _until = Until(OURS.with_borrow(|ours| {
        let ours = ours.clone()?;
        ours.0.store(true, Ordering::Relaxed);
        Some(ours)
    }));
    wait()
}
