//! What the programs say to each other: the fixed header, frames, one message type per room, one error type, and where
//! the socket and the state live.
//!
//! Every binary of the project links this crate and nothing here links any of them. What must stay true: the bytes of a
//! released message never change. Wire enums grow at the end only, and a released struct never gains a field, because
//! postcard is positional (`tests/tests/suite/wire.rs` holds the bytes of every message).

pub mod artifact;
pub mod caller;
pub mod config;
pub mod context;
pub mod daemon;
pub mod decision;
pub mod detect;
pub mod error;
pub mod frame;
pub mod hello;
pub mod index;
pub mod maintenance;
pub mod message;
pub mod migrate;
mod pairs;
pub mod path;
pub mod piece;
pub mod places;
pub mod role;
pub mod spool;
pub mod task;
pub mod workspace;

pub use caller::Caller;
pub use error::{Error, Kind};
pub use message::{Answer, ClientFrame, Item, Request, ServerFrame};

pub use path::RawPath;
