//! The test bed: what the end-to-end suite and the benches share.

pub mod skip;
