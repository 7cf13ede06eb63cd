//! The test bed: what the end-to-end suite and the benches share.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "this crate is the test bed: a panic is a verdict"
)]

pub mod ask;
pub mod bench;
pub mod chance;
pub mod crowd;
pub mod daemon;
pub mod deadline;
pub mod git;
pub mod load;
pub mod mcp;
pub mod namespace;
pub mod process;
pub mod skip;
pub mod store;
pub mod wire;
