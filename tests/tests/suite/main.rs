//! The whole suite as one program: one file a subject, so that it is linked once.

#![allow(unreachable_pub, reason = "a test program has no outside")]
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "in a test a panic is the verdict, also in the functions that tests share"
)]

mod advice;
mod artifact;
mod audit;
mod config;
mod context;
mod crash;
mod damage;
mod decision;
mod detect;
mod doctor;
mod exchange;
mod hostile;
mod hung;
mod index;
mod isolation;
mod kill;
mod lease;
mod legacy;
mod life;
mod manners;
mod mcp;
mod once;
mod output;
mod packaging;
mod places;
mod reboot;
mod role;
mod setup;
mod spool;
mod stale;
mod start;
mod store;
mod supervise;
mod systemd;
mod task;
mod tidy;
mod tour;
mod versions;
mod wire;
mod workspace;
