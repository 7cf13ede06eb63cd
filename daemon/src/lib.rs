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
pub mod audit;
pub mod ctx;
pub mod db;
pub mod dispatch;
pub mod handover;
pub mod life;
pub mod lifecycle;
pub mod log;
pub mod objects;
pub mod program;
pub mod server;
pub mod watch;
pub mod world;
