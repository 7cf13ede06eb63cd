//! `workspace validate-isolation`: that no record and no file of one workspace is reachable from another.
//!
//! Asked by the door. Each check looks at what is stored and on the disk now. What must stay true: a check that could
//! not look says so as a failure; none passes by looking away.

use std::collections::{BTreeMap, BTreeSet};

use proto::error::Result;
use proto::workspace::Finding;

use super::folder::Folder;
use super::registry::{Registry, identity};
use super::rules;
use super::store::{self, Row};
use crate::world::FileKind;

/// All checks.
///
/// # Errors
/// When the database cannot be read.
pub(super) fn validate(registry: &Registry<'_>) -> Result<Vec<Finding>> {
    let rows = store::rows(registry.db)?;
    let live: Vec<&Row> = rows.iter().filter(|row| row.forgotten.is_none()).collect();
    Ok(vec![
        finding(
            "every record belongs to a workspace in the registry",
            records(registry, &rows)?,
        ),
        finding(
            "no two workspaces have the same root or directory",
            apart(registry, &live),
        ),
        finding("no folder of a project leads elsewhere", folders(registry, &live)),
        finding(
            "every `workspace.json` names its own workspace",
            mirrors(registry, &live),
        ),
        finding(
            "what is kept outside projects is the user's alone",
            private(registry),
        ),
    ])
}

fn finding(check: &str, details: Vec<String>) -> Finding {
    Finding {
        check: check.to_owned(),
        passed: details.is_empty(),
        details,
    }
}

fn records(registry: &Registry<'_>, rows: &[Row]) -> Result<Vec<String>> {
    let ids: BTreeSet<&str> = rows.iter().map(|row| row.id.as_str()).collect();
    let mut strangers: BTreeMap<String, u64> = BTreeMap::new();
    for (space, what) in store::BY_WORKSPACE {
        for pair in registry.db.scan(space, b"") {
            let (key, _) = pair?;
            let owner = key.split(|byte| *byte == b'/').next().unwrap_or_default();
            let owner = String::from_utf8_lossy(owner).into_owned();
            if !ids.contains(owner.as_str()) {
                *strangers
                    .entry(format!("{what} of `{}`", owner.escape_debug()))
                    .or_default() += 1;
            }
        }
    }
    for prefix in ["tree/", "used/"] {
        for pair in registry.db.scan(store::SPACE, prefix.as_bytes()) {
            let key = String::from_utf8_lossy(&pair?.0).into_owned();
            let owner = key.split('/').nth(1).unwrap_or_default();
            if !ids.contains(owner) {
                *strangers
                    .entry(format!("entries of the registry for `{}`", owner.escape_debug()))
                    .or_default() += 1;
            }
        }
    }
    Ok(strangers
        .into_iter()
        .map(|(what, count)| format!("{count} {what} belong to no workspace"))
        .collect())
}

fn apart(registry: &Registry<'_>, live: &[&Row]) -> Vec<String> {
    let mut found = Vec::new();
    let mut at: BTreeMap<(u64, u64), &Row> = BTreeMap::new();
    for row in live {
        // A root that is gone, or that another directory has taken, holds nobody's place.
        let Ok(now) = identity(registry.world, row.root.as_path()) else {
            continue;
        };
        if !now.stays(&row.identity) {
            continue;
        }
        if let Some(other) = at.insert((now.device, now.inode), row) {
            found.push(format!(
                "`{}` and `{}` are both `{}`",
                other.id,
                row.id,
                row.root.display()
            ));
        }
    }
    found
}

fn folders(registry: &Registry<'_>, live: &[&Row]) -> Vec<String> {
    let mut found = Vec::new();
    for row in live {
        let mut trees = store::trees(registry.db, &row.id).unwrap_or_default();
        trees.push(row.root.clone());
        for tree in trees {
            let path = tree.as_path().join(super::folder::NAME);
            match registry.world.stat(&path) {
                Ok(stat) if stat.kind == FileKind::Dir => {}
                Ok(stat) => found.push(format!(
                    "`{}` is a {} and no folder",
                    path.display(),
                    format!("{:?}", stat.kind).to_lowercase()
                )),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => found.push(format!("`{}` could not be looked at: {error}", path.display())),
            }
        }
    }
    found
}

fn mirrors(registry: &Registry<'_>, live: &[&Row]) -> Vec<String> {
    let storage = registry.storage();
    let wrong = |row: &&Row| {
        let folder = Folder::of(storage, row.root.as_path(), &row.id, registry.places);
        let there = identity(registry.world, row.root.as_path()).is_ok_and(|now| now.stays(&row.identity));
        let mirror = folder
            .mirror(registry.world)
            .filter(|mirror| there && mirror.id != row.id)?;
        Some(format!(
            "that of `{}` names `{}`; its next write puts that right",
            row.root.display(),
            mirror.id
        ))
    };
    live.iter().filter_map(wrong).collect()
}

fn private(registry: &Registry<'_>) -> Vec<String> {
    let state = &registry.places.state_dir;
    let mut found = Vec::new();
    for path in [state.clone(), state.join("projects")] {
        match registry.world.stat(&path) {
            Ok(stat) if stat.kind != FileKind::Dir => {
                found.push(format!("`{}` is no folder", path.display()))
            }
            Ok(stat) if stat.uid != registry.world.uid() => {
                found.push(format!("`{}` belongs to another user", path.display()))
            }
            Ok(stat) if stat.mode & 0o077 != 0 => {
                found.push(format!("others may enter `{}`", path.display()))
            }
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && path != *state => {}
            Err(error) => found.push(format!("`{}` could not be looked at: {error}", path.display())),
        }
    }
    let strangers = registry
        .world
        .list_beneath(state, "projects".as_ref(), 100_000)
        .unwrap_or_default();
    let named = |entry: &crate::world::Entry| !entry.name.to_str().is_some_and(rules::is_id);
    found.extend(strangers.iter().filter(|entry| named(entry)).map(|entry| {
        format!(
            "`{}` is no project's folder",
            state.join("projects").join(&entry.name).display()
        )
    }));
    found
}
