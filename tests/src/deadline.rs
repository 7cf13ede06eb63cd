//! Waiting for a condition with a deadline: the only way in which a test waits.
//!
//! Asked by every test that has to wait for another process. What must stay true: a wait ends as soon as its condition
//! holds, and fails with words when its time is over.

use std::time::{Duration, Instant};

/// What any step of a test may take on a loaded machine. A step that needs more hangs.
pub const LIMIT: Duration = Duration::from_secs(30);

/// How often a condition is looked at.
const STEP: Duration = Duration::from_millis(2);

/// What `look` finds, asked again until it finds something.
///
/// # Panics
/// When it has found nothing for [`LIMIT`].
pub fn until<T>(what: &str, look: impl FnMut() -> Option<T>) -> T {
    within(LIMIT, look).unwrap_or_else(|| panic!("waited {LIMIT:?} in vain until {what}"))
}

/// What `look` finds, asked again until it finds something or `limit` has passed.
pub fn within<T>(limit: Duration, mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let end = Instant::now() + limit;
    loop {
        if let Some(found) = look() {
            return Some(found);
        }
        if Instant::now() >= end {
            return None;
        }
        std::thread::sleep(STEP);
    }
}
