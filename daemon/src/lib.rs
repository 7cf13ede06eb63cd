//! The per-user daemon: rooms in reading order, and what stands around them.
//!
//! A room may use the rooms before it, never one after it; news travels to later rooms as events through `dispatch`.
//! The order of this list is that order, and a test reads it. An empty line after each keeps rustfmt from sorting it.

#![cfg_attr(
    test,
    allow(
        clippy::disallowed_methods,
        reason = "a unit test makes the files it looks at"
    )
)]

// The rooms.
pub mod detect;

pub mod workspace;

pub mod index;

pub mod task;

pub mod artifact;

pub mod decision;

pub mod context;

pub mod maintenance;

pub mod reboot;

// Around them.
pub mod audit; // The audit trail: one event for each change, chained by digest.
pub mod ctx; // All that a room may touch, in one place.
pub mod db; // The store of all records.
pub mod dispatch; // The table of requests, and how each runs.
pub mod handover; // From one image of the daemon to the next.
pub mod life; // What the process knows of its own life: counters, wishes, warnings.
pub mod lifecycle; // The life itself: the steps from start to end.
pub mod log; // The log file.
pub mod objects; // Contents too long for a record, by digest.
pub mod program; // The command line of `tod`.
pub mod server; // Connections: sockets, and the spool of files.
pub mod watch; // The system's watcher of files.
pub mod world; // Files, processes, the clock, chance: the only hand on them.
