//! The tools: one file a room, each a declaration and the way from its arguments to the daemon's requests.
//!
//! Asked by the service. What must stay true: a tool asks the daemon and shapes the answer; it decides nothing and keeps nothing.

pub(crate) mod artifact;
mod compat;
pub(crate) mod context;
pub(crate) mod daemon;
pub(crate) mod decision;
mod index;
mod settings;
pub(crate) mod task;
mod workspace;

use crate::declare::{Profile, Tool};

/// The tools of a profile, in the order in which they are shown.
pub(crate) fn of(profile: Profile) -> &'static [&'static Tool] {
    match profile {
        Profile::Core => &CORE,
        Profile::Full => &FULL,
        Profile::Compat => &compat::TOOLS,
    }
}

static CORE: [&Tool; 9] = [
    &workspace::WORKSPACE,
    &task::PLAN,
    &task::TASKS,
    &task::NEXT,
    &task::TASK,
    &index::CHANGES,
    &artifact::ARTIFACT,
    &decision::DECISION,
    &context::CONTEXT,
];

static FULL: [&Tool; 14] = [
    &workspace::WORKSPACE,
    &task::PLAN,
    &task::TASKS,
    &task::NEXT,
    &task::TASK,
    &index::CHANGES,
    &artifact::ARTIFACT,
    &decision::DECISION,
    &context::CONTEXT,
    &context::SESSION,
    &workspace::REGISTRY,
    &settings::SETTINGS,
    &settings::ROLES,
    &daemon::DAEMON,
];
