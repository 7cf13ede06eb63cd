//! What `tocli` does itself: nothing here is a request that the daemon answers, because there may be none.

pub(crate) mod actor;
pub(crate) mod artifact;
pub(crate) mod complete;
pub(crate) mod context;
pub(crate) mod daemon;
pub(crate) mod exchange;
pub(crate) mod logs;
pub(crate) mod maintenance;
pub(crate) mod pages;
pub(crate) mod prime;
pub(crate) mod setup;
pub(crate) mod task;
