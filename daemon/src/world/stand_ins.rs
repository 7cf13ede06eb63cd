//! Lets a test's program on Linux do without what only Linux has in a hand-over: files in memory, handles of processes,
//! programs run by descriptor.
//!
//! What must stay true: no program but a test's turns it on, first thing in its life.

use std::sync::OnceLock;

static USED: OnceLock<()> = OnceLock::new();

/// From here on they are used.
pub fn use_them() {
    USED.get_or_init(|| ());
}

/// Whether they are used: on all other systems, always.
pub(super) fn in_use() -> bool {
    !cfg!(target_os = "linux") || USED.get().is_some()
}
