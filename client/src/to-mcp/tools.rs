//! The tools: one file a room, each a declaration and the way from its arguments to the daemon's requests.
//!
//! Asked by the service. What must stay true: a tool asks the daemon and shapes the answer; it decides nothing and keeps nothing.

mod compat;
pub(crate) mod daemon;
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

static CORE: [&Tool; 6] = [
    &workspace::WORKSPACE,
    &task::PLAN,
    &task::TASKS,
    &task::NEXT,
    &task::TASK,
    &index::CHANGES,
];

static FULL: [&Tool; 10] = [
    &workspace::WORKSPACE,
    &task::PLAN,
    &task::TASKS,
    &task::NEXT,
    &task::TASK,
    &index::CHANGES,
    &workspace::REGISTRY,
    &settings::SETTINGS,
    &settings::ROLES,
    &daemon::DAEMON,
];
