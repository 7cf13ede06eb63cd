//! The frames of protocol 1 and the table of rooms: one variant per room, at the end, for ever.

use serde::{Deserialize, Serialize};

use crate::{
    Caller, Error, artifact, config, context, daemon, decision, detect, index, maintenance, migrate, role,
    task, workspace,
};

/// What a client sends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ClientFrame {
    /// A request. Answers carry the same id; an id may be used again once its last answer has come.
    Ask {
        /// Chosen by the client.
        id: u64,
        /// Milliseconds the client will wait; 0 for as long as it takes.
        deadline_ms: u32,
        /// Chosen by the client for a mutation: the same one twice changes nothing the second time and gives the first
        /// answer. At most 64 bytes.
        request_id: Option<String>,
        /// Who asks and from where.
        caller: Caller,
        /// What is asked.
        request: Request,
    },
    /// The client gives a request up. It is answered with `cancelled` unless the last answer is already on its way.
    Cancel {
        /// The request's id.
        id: u64,
    },
}

/// What the daemon sends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ServerFrame {
    /// The last frame of a request that did what was asked.
    Done {
        /// The request's id.
        id: u64,
        /// The answer.
        answer: Answer,
    },
    /// The last frame of a request that failed.
    Failed {
        /// The request's id; 0 when the frame was not a request, after which the connection is closed.
        id: u64,
        /// What, why and next.
        error: Error,
    },
    /// One of many before the last frame.
    Item {
        /// The request's id.
        id: u64,
        /// The part.
        item: Item,
    },
    /// How far a long request has come.
    Progress {
        /// The request's id.
        id: u64,
        /// What is being counted: `files`.
        what: String,
        /// So far.
        done: u64,
        /// In all, when that is known.
        total: Option<u64>,
    },
}

/// A part of a streamed answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Item {
    /// Paths relative to the root, sorted, continuing the part before.
    Files(Vec<crate::RawPath>),
    /// Changes, continuing the part before.
    Changes(Vec<index::Change>),
    /// One settled batch of a subscription.
    Batch(index::Batch),
    /// A part of an export: whole lines, or a part of a long one.
    Lines(#[serde(with = "serde_bytes")] Vec<u8>),
}

/// What can be asked: the room, then its own request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request {
    /// Which project a path belongs to.
    Detect(detect::Request),
    /// The registry of projects.
    Workspace(workspace::Request),
    /// Settings and where they come from.
    Config(config::Request),
    /// The kinds of workers and their texts.
    Role(role::Request),
    /// Files and changes.
    Index(index::Request),
    /// The database's schema.
    Migrate(migrate::Request),
    /// The daemon itself.
    Daemon(daemon::Request),
    /// Tasks.
    Task(Box<task::Call>),
    /// Results of tasks.
    Artifact(Box<artifact::Call>),
    /// Decisions.
    Decision(Box<decision::Call>),
    /// Sessions, notes, and what an agent needs to get back into its work.
    Context(Box<context::Call>),
    /// Audit, export, import, and what keeps a workspace well.
    Maintenance(Box<maintenance::Call>),
}

/// The last frame of each request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// To [`Request::Detect`].
    Detect(detect::Detection),
    /// To [`Request::Workspace`].
    Workspace(workspace::Answer),
    /// To [`Request::Config`].
    Config(config::Answer),
    /// To [`Request::Role`].
    Role(role::Answer),
    /// To [`Request::Index`].
    Index(index::Answer),
    /// To [`Request::Migrate`].
    Migrate(migrate::Answer),
    /// To [`Request::Daemon`].
    Daemon(daemon::Answer),
    /// To [`Request::Task`].
    Task(task::Answer),
    /// To [`Request::Artifact`].
    Artifact(artifact::Answer),
    /// To [`Request::Decision`].
    Decision(decision::Answer),
    /// To [`Request::Context`].
    Context(context::Answer),
    /// To [`Request::Maintenance`].
    Maintenance(maintenance::Answer),
}
