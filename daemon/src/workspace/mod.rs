//! `workspace`: the registry of projects, with their settings (`config`) and roles (`role`).
//!
//! `dispatch` asks [`answer`], [`answer_config`] and [`answer_role`]; every room that works for a project takes its
//! [`WorkspaceScope`] from [`Registry::activate`] and its settings from [`config::Config`].
//!
//! **Invariant**: detection and every read leave a project untouched; its folder is made by the first write.
//! **Invariant**: records pass to another directory only by the rules of `rules.rs`.

pub mod config;
mod door;
mod entered;
mod expiry;
pub mod folder;
mod isolation;
mod registry;
pub mod role;
pub mod rules;
pub mod spool;
mod standing;
pub mod store;
mod template;
#[cfg(test)]
mod tests;
mod totals;
pub mod tree;
pub mod yaml;

use proto::detect::{Detection, From};
use proto::{Answer, Error, Request, error::Result};

pub use self::door::scope;
pub use self::entered::{Entered, Visit};
pub use self::expiry::erase_expired;
pub use self::folder::Folder;
pub use self::registry::{Change, REGISTRY, Registry, WorkspaceScope};
pub use self::standing::{Standing, standing};
use crate::dispatch::Desk;

/// One request of `workspace`, `config` or `role`.
///
/// # Errors
/// What the door says.
pub fn answer(desk: &Desk<'_>, request: &Request) -> Result<Answer> {
    with_registry(desk, request, |registry| match request.clone() {
        Request::Workspace(request) => door::answer(registry, request),
        Request::Config(request) => config::door::answer(registry, request),
        Request::Role(request) => role::answer(registry, request),
        _ => Err(Error::bug("a request came to a room that it does not belong to")),
    })
}

/// Whether a request only looks: it enters nothing, so it may be cut off.
#[must_use]
pub fn only_looks(request: &Request) -> bool {
    use proto::{config, role, workspace};
    matches!(
        request,
        Request::Workspace(workspace::Request::List { .. } | workspace::Request::ValidateIsolation)
            | Request::Config(config::Request::Get { .. } | config::Request::List { .. })
            | Request::Role(role::Request::List { .. } | role::Request::Show { .. })
    )
}

/// The workspace of a detected project, entered in the registry at its first use: for a room that only works with it
/// and changes nothing under the caller's request.
///
/// # Errors
/// When the database or the root cannot be read, or the first entry cannot be kept.
pub fn activate(desk: &Desk<'_>, found: &Detection) -> Result<WorkspaceScope> {
    let refuse = |_: &str, _: Change<'_>| Err(Error::bug("a change was made without a request"));
    hand_registry(desk, &refuse, |registry| registry.activate_found(found))
}

/// Hands the registry and all it stands on to a room that works for a workspace.
///
/// # Errors
/// What `work` says.
pub fn with_registry<T>(
    desk: &Desk<'_>,
    request: &Request,
    work: impl FnOnce(&Registry<'_>) -> Result<T>,
) -> Result<T> {
    let change = |scope: &str, change: Change<'_>| desk.change(scope, request, change);
    hand_registry(desk, &change, work)
}

fn hand_registry<T>(
    desk: &Desk<'_>,
    change: &dyn Fn(&str, Change<'_>) -> Result<Answer>,
    work: impl FnOnce(&Registry<'_>) -> Result<T>,
) -> Result<T> {
    let ctx = desk.ctx;
    let entering = ctx.locks.of(REGISTRY);
    work(&Registry {
        world: &*ctx.world,
        places: &ctx.places,
        db: &ctx.db,
        config: &ctx.config,
        entered: &ctx.entered,
        caller: &desk.ask.caller,
        find: &|from: &From| desk.locate(from),
        tasks: &|id: &str| desk.tasks_by_status(id),
        entering: &entering,
        change,
    })
}
