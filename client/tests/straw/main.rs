//! The client against a daemon of straw: every way in which the other side can behave, on a real socket.
//!
//! What must stay true: each wait of the straw daemon has a limit, so a client that never comes fails the test and hangs
//! nothing.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "in a test a panic is the verdict, and standard error says what was skipped"
)]

mod broken;
mod peer;
mod starting;
mod verdicts;
