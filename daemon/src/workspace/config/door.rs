//! The door of the settings: `config get|list|set|unset|reset`.
//!
//! `dispatch` asks through [`super::super::answer_config`]. What must stay true: a file is changed only when the result
//! was proven to mean the old file with this change (`edit.rs`), and a value that would not count where it is written
//! is refused instead of written.

use std::io;
use std::path::{Path, PathBuf};

use proto::config::{Answer, Layer, Request, Setting};
use proto::detect::From;
use proto::{Error, Kind, RawPath, error::Result};

use super::super::folder::cannot_write;
use super::super::registry::{Registry, WorkspaceScope};
use super::super::tree::{Fault, MAX_BYTES};
use super::check::{self, Entry};
use super::files::{followed, said, text};
use super::keys::Spec;
use super::{FILE, Project, Settings, edit, rules};
use crate::db::Batch;

/// The scope of changes to the user's own file.
const OWN: &str = "config";

/// One request.
///
/// # Errors
/// `usage` for an unknown setting or a wrong value, with the nearest one; `refused` where a value would not count or a
/// file cannot be edited; what detection and the disk say.
pub fn answer(registry: &Registry<'_>, request: Request) -> Result<proto::Answer> {
    let answer = match request {
        Request::Get { at, key } => {
            let spec = spec(&key)?;
            let settings = settings(registry, &at)?;
            Answer::Setting {
                setting: in_force(&settings, spec)?,
                warnings: settings.warnings,
            }
        }
        Request::List { at } => {
            let settings = settings(registry, &at)?;
            let all = settings
                .all()
                .map(|(name, held)| rules::setting(name, held))
                .collect();
            Answer::Settings {
                settings: all,
                warnings: settings.warnings,
            }
        }
        Request::Set {
            at,
            layer,
            key,
            value,
        } => {
            let spec = spec(&key)?;
            let value = check::text(spec, &value).map_err(|fault| {
                Error::usage(fault.what)
                    .why(format!("it stands for: {}", lower(spec.about)))
                    .next("give a value that fits")
            })?;
            let change = |text: &str| edit::set(text, spec.section(), spec.key(), &value).map(Some);
            let entry = Entry {
                spec,
                value: value.clone(),
                line: None,
            };
            return write(
                registry,
                (&at, layer),
                Some(spec),
                |settings| counts(&entry, layer, settings),
                change,
            );
        }
        Request::Unset { at, layer, key } => {
            let spec = spec(&key)?;
            let change = |text: &str| edit::unset(text, spec.section(), spec.key());
            return write(registry, (&at, layer), Some(spec), |_| Ok(()), change);
        }
        Request::Reset { at, layer } => return reset(registry, &at, layer),
    };
    Ok(proto::Answer::Config(answer))
}

fn spec(key: &str) -> Result<&'static Spec> {
    check::named(key).map_err(|what| Error::usage(what).next("see `tocli config list`"))
}

fn lower(about: &str) -> String {
    let mut chars = about.chars();
    chars
        .next()
        .map(|first| first.to_lowercase().chain(chars).collect())
        .unwrap_or_default()
}

/// The settings in force where the caller is; outside of any project those of the user.
fn settings(registry: &Registry<'_>, at: &From) -> Result<Settings> {
    let found = match registry.detect(at) {
        Ok(found) => found,
        Err(error) if error.kind == Kind::NotFound && *at == From::Caller => {
            return Ok(registry
                .config
                .settings(registry.world, None, &registry.caller.vars));
        }
        Err(error) => return Err(error),
    };
    // Looking enters nothing in the registry, so a project that was never used has no folder of the user's.
    let scope = registry.known(&found)?;
    let fresh = super::super::Folder::of(registry.storage(), found.root.as_path(), "new", registry.places);
    let folder = scope.as_ref().map_or(&fresh, WorkspaceScope::folder);
    let project = Project {
        root: found.root.as_path(),
        folder: Some(folder),
    };
    Ok(registry
        .config
        .settings(registry.world, Some(project), &registry.caller.vars))
}

fn in_force(settings: &Settings, spec: &Spec) -> Result<Setting> {
    let held = settings
        .get(spec.name)
        .ok_or_else(|| Error::bug(format!("`{}` has no value", spec.name)))?;
    Ok(rules::setting(spec.name, held))
}

/// Refuses what would be passed over when it is read again.
fn counts(entry: &Entry, layer: Layer, trusted: &Settings) -> Result<()> {
    let bound = trusted.get(entry.spec.name).map(|held| &held.value);
    rules::counts(entry, layer, bound).map_err(|why| {
        Error::refused(format!(
            "`{}` would not count in a project's file",
            entry.spec.name
        ))
        .why(why)
        .next(format!(
            "run `tocli config set --user {} {}`",
            entry.spec.name, entry.value
        ))
    })
}

/// Changes the file of a layer: read, edit with proof, write.
fn write(
    registry: &Registry<'_>,
    (at, layer): (&From, Layer),
    spec: Option<&'static Spec>,
    allowed: impl Fn(&Settings) -> Result<()>,
    edit: impl Fn(&str) -> std::result::Result<Option<String>, Fault>,
) -> Result<proto::Answer> {
    allowed(&registry.config.settings(registry.world, None, &[]))?;
    let target = Target::of(registry, at, layer)?;
    (registry.change)(
        target.scope(),
        Box::new(|batch: &mut Batch| {
            let (old, path) = target.read(registry)?;
            let new = edit(&old).map_err(|fault| uneditable(&path, &fault))?;
            if let Some(new) = new {
                super::whole_file(&new).map_err(|fault| uneditable(&path, &fault))?;
                target.write(registry, batch, &new)?;
            }
            let now = spec
                .map(|spec| in_force(&settings(registry, at)?, spec))
                .transpose()?;
            Ok(proto::Answer::Config(Answer::Written {
                file: RawPath::from(path.as_path()),
                now,
                kept: None,
            }))
        }),
    )
}

fn uneditable(path: &Path, fault: &Fault) -> Error {
    let next = match fault.line {
        Some(line) => format!("edit line {line} of `{}` by hand", path.display()),
        None => format!("edit `{}` by hand", path.display()),
    };
    Error::refused(format!("`{}` was not changed", path.display()))
        .why(&fault.what)
        .next(next)
}

fn reset(registry: &Registry<'_>, at: &From, layer: Layer) -> Result<proto::Answer> {
    let target = Target::of(registry, at, layer)?;
    (registry.change)(
        target.scope(),
        Box::new(|_: &mut Batch| {
            let path = target.path();
            let stamp = registry.world.now() / 1_000_000_000;
            let mut kept = None;
            for attempt in 0..100 {
                let name = match attempt {
                    0 => format!("{FILE}.{stamp}.old"),
                    n => format!("{FILE}.{stamp}.{n}.old"),
                };
                match target.set_aside(registry, Path::new(&name)) {
                    Ok(()) => {
                        kept = Some(RawPath::from(path.with_file_name(name)));
                        break;
                    }
                    Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                    // Nothing to reset.
                    Err(error) if error.kind() == io::ErrorKind::NotFound => break,
                    Err(error) => return Err(cannot_write(&path, &error)),
                }
            }
            Ok(proto::Answer::Config(Answer::Written {
                file: RawPath::from(path),
                now: None,
                kept,
            }))
        }),
    )
}

/// The file that is written.
enum Target {
    /// The user's own, where its links lead: folder and name.
    Own(PathBuf, PathBuf),
    /// That of a workspace.
    Of(Box<WorkspaceScope>),
}

impl Target {
    fn of(registry: &Registry<'_>, at: &From, layer: Layer) -> Result<Self> {
        if layer == Layer::Workspace {
            return Ok(Self::Of(Box::new(registry.activate(at)?)));
        }
        let own = rules::written(
            layer,
            registry.config.own_file().map(Path::to_path_buf),
            PathBuf::new(),
        )?;
        let path = match followed(registry.world, &own) {
            Ok(path) => path,
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
                ) =>
            {
                own
            }
            Err(error) => return Err(cannot_write(&own, &error)),
        };
        match (path.parent(), path.file_name()) {
            (Some(folder), Some(name)) => Ok(Self::Own(folder.to_path_buf(), name.into())),
            _ => Err(Error::usage(format!("`{}` is no file", path.display()))),
        }
    }

    fn scope(&self) -> &str {
        match self {
            Self::Own(..) => OWN,
            Self::Of(scope) => scope.id(),
        }
    }

    fn path(&self) -> PathBuf {
        match self {
            Self::Own(folder, name) => folder.join(name),
            Self::Of(scope) => scope.folder().path().join(FILE),
        }
    }

    fn read(&self, registry: &Registry<'_>) -> Result<(String, PathBuf)> {
        let path = self.path();
        let bytes = match self {
            Self::Own(..) => registry.world.read(&path, MAX_BYTES),
            Self::Of(scope) => {
                registry
                    .world
                    .read_beneath(&scope.folder().base, &scope.folder().within(FILE), MAX_BYTES)
            }
        };
        match bytes {
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound) => Ok((String::new(), path)),
            Err(error) => {
                Err(Error::refused(format!("`{}` cannot be read", path.display())).why(said(&error)))
            }
            bytes => text(bytes)
                .map(|text| (text, path.clone()))
                .map_err(|fault| uneditable(&path, &fault)),
        }
    }

    fn write(&self, registry: &Registry<'_>, batch: &mut Batch, text: &str) -> Result<()> {
        match self {
            Self::Own(folder, name) => {
                let path = folder.join(name);
                let failed = |error: io::Error| cannot_write(&path, &error);
                // The folder of all settings is the user's and there in any used home; ours in it may be missing.
                let (base, relative) = match folder.parent().zip(folder.file_name()) {
                    Some((base, own)) if registry.world.stat(folder).is_err() => {
                        (base, Path::new(own).join(name))
                    }
                    _ => (folder.as_path(), name.clone()),
                };
                if registry.world.stat(base).is_err() {
                    let (above, last) = base.parent().zip(base.file_name()).ok_or_else(|| {
                        Error::refused(format!("`{}` has no folder above it", base.display()))
                    })?;
                    registry.world.make_dir(above, Path::new(last)).map_err(failed)?;
                }
                registry
                    .world
                    .write(base, &relative, text.as_bytes())
                    .map_err(failed)
            }
            Self::Of(scope) => {
                registry.claim(batch, scope)?;
                scope
                    .folder()
                    .write(registry.world, Path::new(FILE), text.as_bytes())
            }
        }
    }

    fn set_aside(&self, registry: &Registry<'_>, name: &Path) -> io::Result<()> {
        match self {
            Self::Own(folder, own) => registry.world.set_aside(folder, own, name),
            Self::Of(scope) => {
                registry
                    .world
                    .set_aside(&scope.folder().base, &scope.folder().within(FILE), name)
            }
        }
    }
}
