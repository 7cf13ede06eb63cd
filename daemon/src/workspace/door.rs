//! The door of the registry: what can be asked about workspaces.
//!
//! `dispatch` asks through [`super::answer`]. What must stay true: whatever changes a record of the registry holds the
//! registry's lock; forgetting removes nothing but the place in the list.

use std::path::Path;

use proto::detect::{Detection, From};
use proto::workspace::{Answer, Request, Seed, Which, Workspace};
use proto::{Error, RawPath, error::Result};

use super::config::FILE;
use super::registry::{REGISTRY, Registry, WorkspaceScope, identity};
use super::store::{self, Row};
use super::{isolation, role, rules, template, totals};
use crate::db::Batch;

/// One request.
///
/// # Errors
/// `not found` for a workspace that is none; `conflict` and `refused` where a rule says no; what detection, the disk
/// and the database say.
pub(super) fn answer(registry: &Registry<'_>, request: Request) -> Result<proto::Answer> {
    match request {
        Request::List { forgotten } => list(registry, forgotten),
        Request::Show(which) => {
            let (row, scope) = one(registry, &which)?;
            shown(registry, &row, scope.warnings().to_vec())
        }
        Request::ShowLocation(which) => location(registry, &which),
        Request::Create { at, name, seed } => create(registry, &at, name.as_deref(), &seed),
        Request::Rename { which, name } => {
            let name = rules::name(&name)?.to_owned();
            change_row(registry, &which, move |row| {
                row.name = name;
                Ok(())
            })
        }
        Request::Relocate { which, to, confirmed } => relocate(registry, &which, &to, confirmed),
        Request::Forget(which) => {
            let now = registry.world.now();
            change_row(registry, &which, move |row| {
                row.forgotten = Some(now);
                Ok(())
            })
        }
        Request::Restore { id } => restore(registry, &id),
        Request::ValidateIsolation => done(Answer::Isolation(isolation::validate(registry)?)),
    }
}

fn done(answer: Answer) -> Result<proto::Answer> {
    Ok(proto::Answer::Workspace(answer))
}

fn list(registry: &Registry<'_>, forgotten: bool) -> Result<proto::Answer> {
    let now = registry.world.now();
    let mut rows = store::rows(registry.db)?;
    rows.retain(|row| {
        if forgotten {
            !rules::expired(row.forgotten, now)
        } else {
            row.forgotten.is_none()
        }
    });
    rows.sort_by(|one, two| {
        two.last_access
            .cmp(&one.last_access)
            .then_with(|| one.id.cmp(&two.id))
    });
    let all: Result<Vec<Workspace>> = rows
        .iter()
        .map(|row| described(registry, row, Vec::new()))
        .collect();
    done(Answer::Workspaces(all?))
}

fn shown(registry: &Registry<'_>, row: &Row, warnings: Vec<String>) -> Result<proto::Answer> {
    done(Answer::Workspace(Box::new(described(registry, row, warnings)?)))
}

fn described(registry: &Registry<'_>, row: &Row, warnings: Vec<String>) -> Result<Workspace> {
    let scope = registry.scope_of(row);
    let there = identity(registry.world, row.root.as_path());
    Ok(Workspace {
        id: row.id.clone(),
        name: row.name.clone(),
        root: row.root.clone(),
        method: row.method,
        confidence: row.confidence,
        project_type: row.project_type.clone(),
        created: row.created,
        last_access: row.last_access,
        trees: store::trees(registry.db, &row.id)?,
        forgotten: row.forgotten,
        present: there.is_ok_and(|there| there.stays(&row.identity)),
        totals: totals::count(registry, &row.id, scope.folder())?,
        warnings,
    })
}

/// The workspace that is meant, entered in the registry where a project was named.
fn one(registry: &Registry<'_>, which: &Which) -> Result<(Row, WorkspaceScope)> {
    match which {
        Which::At(from) => {
            let scope = registry.activate(from)?;
            Ok((store::row(registry.db, scope.id())?, scope))
        }
        Which::Named(word) => {
            let row = named(registry, word)?;
            let scope = registry.scope_of(&row);
            Ok((row, scope))
        }
    }
}

/// The workspace that is meant, for a room that works for it.
///
/// # Errors
/// `not found` for a workspace that is none; `unavailable` while an import into it is under way; what detection and the
/// database say.
pub fn scope(registry: &Registry<'_>, which: &Which) -> Result<WorkspaceScope> {
    let (_, scope) = one(registry, which)?;
    registry.entered.until_open(scope.id())?;
    if let Some(actor) = registry.caller.name() {
        let tree = matches!(which, Which::At(_)).then(|| scope.tree());
        registry
            .entered
            .visited((scope.id(), actor), tree, registry.world.now());
    }
    Ok(scope)
}

/// The workspace called so, by id or by name.
fn named(registry: &Registry<'_>, word: &str) -> Result<Row> {
    if rules::is_id(word) {
        return store::row(registry.db, word);
    }
    let rows = store::rows(registry.db)?;
    let live = || rows.iter().filter(|row| row.forgotten.is_none());
    let mut found = live().filter(|row| row.name == word);
    match (found.next(), found.next()) {
        (Some(row), None) => Ok(row.clone()),
        (None, _) => {
            let hint = super::tree::hint(word, live().map(|row| row.name.as_str()));
            let what = format!("there is no workspace `{}`{hint}", super::tree::shortened(word));
            Err(Error::not_found(what).next("see `tocli workspace list`"))
        }
        (Some(_), Some(_)) => {
            let ids: Vec<String> = live()
                .filter(|row| row.name == word)
                .map(|row| format!("`{}` at `{}`", row.id, row.root.display()))
                .collect();
            Err(Error::conflict(format!("several workspaces are called `{word}`"))
                .why(ids.join(", "))
                .next("name it by its id"))
        }
    }
}

fn location(registry: &Registry<'_>, which: &Which) -> Result<proto::Answer> {
    let (row, scope) = one(registry, which)?;
    done(Answer::Location {
        id: row.id,
        root: row.root,
        folder: RawPath::from(scope.folder().path()),
        made: scope.folder().made(registry.world),
        state_dir: RawPath::from(registry.places.state_dir.as_path()),
    })
}

/// Changes the record of one workspace under the registry's lock.
fn change_row(
    registry: &Registry<'_>,
    which: &Which,
    change: impl FnOnce(&mut Row) -> Result<()>,
) -> Result<proto::Answer> {
    let id = one(registry, which)?.0.id;
    (registry.change)(
        REGISTRY,
        Box::new(|batch: &mut Batch| {
            let mut row = live(registry, &id)?;
            change(&mut row)?;
            row.put(batch)?;
            registry.entered.drop_all_of(&id);
            shown(registry, &row, Vec::new())
        }),
    )
}

fn live(registry: &Registry<'_>, id: &str) -> Result<Row> {
    let row = store::row(registry.db, id)?;
    match row.forgotten {
        None => Ok(row),
        Some(_) => Err(Error::refused(format!("`{id}` was forgotten"))
            .next(format!("run `tocli workspace restore {id}` first"))),
    }
}

fn create(registry: &Registry<'_>, at: &From, name: Option<&str>, seed: &Seed) -> Result<proto::Answer> {
    let name = name.map(rules::name).transpose()?;
    let files = seed_files(registry, seed)?;
    let scope = registry.activate(at)?;
    if let Some(name) = name {
        let name = name.to_owned();
        let same = store::row(registry.db, scope.id())?.name == name;
        if !same {
            rename_quietly(registry, scope.id(), name)?;
        }
    }
    (registry.change)(
        scope.id(),
        Box::new(|batch: &mut Batch| {
            for (name, _) in &files {
                let path = scope.folder().within(name);
                if registry.world.stat_beneath(&scope.folder().base, &path).is_ok() {
                    return Err(Error::conflict(format!(
                        "`{}` is there already",
                        scope.folder().base.join(&path).display()
                    ))
                    .next(
                        "move it away, or create the workspace without `--template` and `--from-existing`",
                    ));
                }
            }
            let row = registry.claim(batch, &scope)?;
            for (name, bytes) in &files {
                scope.folder().write(registry.world, Path::new(name), bytes)?;
            }
            shown(registry, &row, scope.warnings().to_vec())
        }),
    )
}

/// Gives a name outside of any replay: creating is what the request id stands for.
fn rename_quietly(registry: &Registry<'_>, id: &str, name: String) -> Result<()> {
    let entering = crate::dispatch::hold(registry.entering);
    let mut row = store::row(registry.db, id)?;
    row.name = name;
    let mut batch = Batch::new();
    row.put(&mut batch)?;
    let staged = registry.db.stage(batch)?;
    drop(entering);
    staged.durable()
}

/// The files that a new workspace begins with.
fn seed_files(registry: &Registry<'_>, seed: &Seed) -> Result<Vec<(String, Vec<u8>)>> {
    match seed {
        Seed::Empty => Ok(Vec::new()),
        Seed::Template(name) => template::files(name),
        Seed::Existing(word) => {
            let scope = registry.scope_of(&named(registry, word)?);
            let from = scope.folder();
            let mut files = Vec::new();
            for name in std::iter::once(FILE.to_owned()).chain(role::file_names(registry.world, from)?) {
                match registry
                    .world
                    .read_beneath(&from.base, &from.within(&name), super::tree::MAX_BYTES)
                {
                    Ok(bytes) => files.push((name, bytes)),
                    Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                    Err(error) => {
                        let path = from.path().join(&name);
                        return Err(
                            Error::refused(format!("`{}` could not be copied", path.display())).why(error),
                        );
                    }
                }
            }
            if files.is_empty() {
                return Err(
                    Error::not_found(format!("`{word}` has no settings and no roles of its own"))
                        .next("create the workspace without `--from-existing`"),
                );
            }
            Ok(files)
        }
    }
}

fn relocate(registry: &Registry<'_>, which: &Which, to: &RawPath, confirmed: bool) -> Result<proto::Answer> {
    let id = match which {
        Which::Named(word) => named(registry, word)?.id,
        Which::At(_) => one(registry, which)?.0.id,
    };
    // Detection judges the path: it must be a directory that may be a workspace.
    let found: Detection = registry.detect(&From::Explicit(to.clone()))?;
    let root = found.root;
    let now = identity(registry.world, root.as_path())?;
    (registry.change)(
        REGISTRY,
        Box::new(|batch: &mut Batch| {
            let mut row = live(registry, &id)?;
            if !confirmed && !row.identity.is(&now) {
                return Err(Error::refused(format!(
                    "`{}` is another directory than the one on record for `{id}`",
                    root.display()
                ))
                .why("its device and inode differ, so it may be a copy or another project")
                .next(format!(
                    "if the project was moved there, run `tocli workspace relocate {id} {} --confirm`",
                    root.display()
                )));
            }
            displace(registry, batch, &row, &root)?;
            row.root = root.clone();
            row.identity = now;
            row.last_access = registry.world.now();
            row.put(batch)?;
            registry.entered.drop_all_of(&id);
            shown(registry, &row, Vec::new())
        }),
    )
}

/// Makes room at a root: a workspace that holds nothing gives way, another one is in the way.
fn displace(registry: &Registry<'_>, batch: &mut Batch, row: &Row, root: &RawPath) -> Result<()> {
    let used = store::used(registry.db)?;
    for other in store::rows(registry.db)? {
        if other.id == row.id || other.forgotten.is_some() || other.root != *root {
            continue;
        }
        let there = identity(registry.world, root.as_path()).is_ok_and(|now| now.stays(&other.identity));
        if used.contains(&other.id) && there {
            return Err(
                Error::conflict(format!("`{}` is the workspace `{}`", root.display(), other.id))
                    .why("it holds records of its own")
                    .next(format!("run `tocli workspace forget {}` first", other.id)),
            );
        }
        if !used.contains(&other.id) {
            store::erase(registry.db, batch, &other.id)?;
        }
    }
    Ok(())
}

fn restore(registry: &Registry<'_>, id: &str) -> Result<proto::Answer> {
    if !rules::is_id(id) {
        return Err(Error::usage("a forgotten workspace is restored by its id")
            .next("see `tocli workspace list --forgotten`"));
    }
    (registry.change)(
        REGISTRY,
        Box::new(|batch: &mut Batch| {
            let mut row = store::row(registry.db, id)?;
            if rules::expired(row.forgotten, registry.world.now()) {
                return Err(Error::not_found(format!(
                    "`{id}` was forgotten more than 30 days ago"
                )));
            }
            if row.forgotten.is_some() {
                let root = row.root.clone();
                displace(registry, batch, &row, &root)?;
                row.forgotten = None;
                row.put(batch)?;
            }
            shown(registry, &row, Vec::new())
        }),
    )
}
