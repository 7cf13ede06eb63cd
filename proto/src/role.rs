//! `role`: the kinds of workers and their prompt texts.

use serde::{Deserialize, Serialize};

use crate::{RawPath, config::Layer, detect};

/// One role in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Role {
    /// The name tasks use.
    pub name: String,
    /// Who the worker is.
    pub role_definition: String,
    /// What it knows.
    pub expertise: Vec<String>,
    /// How it works.
    pub approach: Vec<String>,
    /// What its result looks like.
    pub output_format: String,
    /// Free-form hints: name and JSON text.
    pub context_awareness: Vec<(String, String)>,
    /// Who defined it.
    pub layer: Layer,
    /// The file that defined it.
    pub file: Option<RawPath>,
}

/// What can be asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request {
    /// All roles in force.
    List {
        /// Where to look from.
        at: detect::From,
    },
    /// One role.
    Show {
        /// Where to look from.
        at: detect::From,
        /// Its name.
        name: String,
    },
    /// Write a role file for a project type into the workspace.
    Init {
        /// Where to look from.
        at: detect::From,
        /// A project type as `detect` names it; none for the detected one.
        project_type: Option<String>,
    },
}

/// The answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// To [`Request::List`].
    Roles {
        /// By name.
        roles: Vec<Role>,
        /// Files that could not be read, with file and line.
        warnings: Vec<String>,
    },
    /// To [`Request::Show`].
    Role(Role),
    /// To [`Request::Init`].
    Written {
        /// The file.
        file: RawPath,
        /// The roles in it.
        roles: Vec<String>,
    },
}
