//! `config`: settings, by layer.

use serde::{Deserialize, Serialize};

use crate::{RawPath, detect};

/// Where a value comes from, lowest first: a later layer wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Layer {
    /// The program's own default.
    BuiltIn,
    /// `$XDG_CONFIG_HOME/task-orchestrator/config.yaml`.
    User,
    /// `pyproject.toml`, `package.json` or `Cargo.toml` of the project.
    Project,
    /// `<root>/.task_orchestrator/config.yaml`.
    Workspace,
    /// A `TO_<SECTION>_<KEY>` variable of the client.
    Environment,
}

/// One setting in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setting {
    /// `section.key`.
    pub key: String,
    /// As JSON text: postcard cannot carry an untyped value.
    pub value: String,
    /// Who set it.
    pub layer: Layer,
    /// The file that set it.
    pub file: Option<RawPath>,
    /// The line in that file, from 1.
    pub line: Option<u32>,
}

/// What can be asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request {
    /// One setting in force.
    Get {
        /// Where to look from.
        at: detect::From,
        /// `section.key`.
        key: String,
    },
    /// All settings in force.
    List {
        /// Where to look from.
        at: detect::From,
    },
    /// Write a value into the user's or the workspace's file.
    Set {
        /// Where to look from.
        at: detect::From,
        /// [`Layer::User`] or [`Layer::Workspace`].
        layer: Layer,
        /// `section.key`.
        key: String,
        /// As YAML text.
        value: String,
    },
    /// Take a value out of the user's or the workspace's file.
    Unset {
        /// Where to look from.
        at: detect::From,
        /// [`Layer::User`] or [`Layer::Workspace`].
        layer: Layer,
        /// `section.key`.
        key: String,
    },
    /// Take all values out of the user's or the workspace's file. The old file is kept beside it.
    Reset {
        /// Where to look from.
        at: detect::From,
        /// [`Layer::User`] or [`Layer::Workspace`].
        layer: Layer,
    },
}

/// The answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// To [`Request::Get`].
    Setting {
        /// The setting in force.
        setting: Setting,
        /// Files and values that could not be taken: the last good ones are in force.
        warnings: Vec<String>,
    },
    /// To [`Request::List`].
    Settings {
        /// In the order of their keys.
        settings: Vec<Setting>,
        /// Files and values that could not be taken: the last good ones are in force.
        warnings: Vec<String>,
    },
    /// To the writing requests.
    Written {
        /// The file.
        file: RawPath,
        /// The setting now in force, when one was named. It is not the written one where a higher layer wins.
        now: Option<Setting>,
        /// For a reset: where the old file is kept.
        kept: Option<RawPath>,
    },
}
