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
use super::super::registry::{House, WorkspaceScope};
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
pub fn answer(house: &House<'_>, request: Request) -> Result<proto::Answer> {
    let answer = match request {
        Request::Get { at, key } => {
            let spec = spec(&key)?;
            let settings = settings(house, &at)?;
            Answer::Setting {
                setting: in_force(&settings, spec)?,
                warnings: settings.warnings,
            }
        }
        Request::List { at } => {
            let settings = settings(house, &at)?;
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
                house,
                (&at, layer),
                Some(spec),
                |settings| counts(&entry, layer, settings),
                change,
            );
        }
        Request::Unset { at, layer, key } => {
            let spec = spec(&key)?;
            let change = |text: &str| edit::unset(text, spec.section(), spec.key());
            return write(house, (&at, layer), Some(spec), |_| Ok(()), change);
        }
        Request::Reset { at, layer } => return reset(house, &at, layer),
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
fn settings(house: &House<'_>, at: &From) -> Result<Settings> {
    let found = match house.detect(at) {
        Ok(found) => found,
        Err(error) if error.kind == Kind::NotFound && *at == From::Caller => {
            return Ok(house.config.settings(house.world, None, &house.caller.vars));
        }
        Err(error) => return Err(error),
    };
    // Looking enters nothing in the registry, so a project that was never used has no folder of the user's.
    let scope = house.known(&found)?;
    let fresh = super::super::Folder::of(house.storage(), found.root.as_path(), "new", house.places);
    let folder = scope.as_ref().map_or(&fresh, WorkspaceScope::folder);
    let project = Project {
        root: found.root.as_path(),
        folder: Some(folder),
    };
    Ok(house
        .config
        .settings(house.world, Some(project), &house.caller.vars))
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
    house: &House<'_>,
    (at, layer): (&From, Layer),
    spec: Option<&'static Spec>,
    allowed: impl Fn(&Settings) -> Result<()>,
    edit: impl Fn(&str) -> std::result::Result<Option<String>, Fault>,
) -> Result<proto::Answer> {
    allowed(&house.config.settings(house.world, None, &[]))?;
    let target = Target::of(house, at, layer)?;
    (house.change)(
        target.scope(),
        Box::new(|batch: &mut Batch| {
            let (old, path) = target.read(house)?;
            let new = edit(&old).map_err(|fault| uneditable(&path, &fault))?;
            if let Some(new) = new {
                super::whole_file(&new).map_err(|fault| uneditable(&path, &fault))?;
                target.write(house, batch, &new)?;
            }
            let now = spec
                .map(|spec| in_force(&settings(house, at)?, spec))
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

fn reset(house: &House<'_>, at: &From, layer: Layer) -> Result<proto::Answer> {
    let target = Target::of(house, at, layer)?;
    (house.change)(
        target.scope(),
        Box::new(|_: &mut Batch| {
            let path = target.path();
            let stamp = house.world.now() / 1_000_000_000;
            let mut kept = None;
            for attempt in 0..100 {
                let name = match attempt {
                    0 => format!("{FILE}.{stamp}.old"),
                    n => format!("{FILE}.{stamp}.{n}.old"),
                };
                match target.set_aside(house, Path::new(&name)) {
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
    fn of(house: &House<'_>, at: &From, layer: Layer) -> Result<Self> {
        if layer == Layer::Workspace {
            return Ok(Self::Of(Box::new(house.activate(at)?)));
        }
        let own = rules::written(
            layer,
            house.config.own_file().map(Path::to_path_buf),
            PathBuf::new(),
        )?;
        let path = match followed(house.world, &own) {
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

    fn read(&self, house: &House<'_>) -> Result<(String, PathBuf)> {
        let path = self.path();
        let bytes = match self {
            Self::Own(..) => house.world.read(&path, MAX_BYTES),
            Self::Of(scope) => {
                house
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

    fn write(&self, house: &House<'_>, batch: &mut Batch, text: &str) -> Result<()> {
        match self {
            Self::Own(folder, name) => {
                let path = folder.join(name);
                let failed = |error: io::Error| cannot_write(&path, &error);
                // The folder of all settings is the user's and there in any used home; ours in it may be missing.
                let (base, relative) = match folder.parent().zip(folder.file_name()) {
                    Some((base, own)) if house.world.stat(folder).is_err() => {
                        (base, Path::new(own).join(name))
                    }
                    _ => (folder.as_path(), name.clone()),
                };
                if house.world.stat(base).is_err() {
                    let (above, last) = base.parent().zip(base.file_name()).ok_or_else(|| {
                        Error::refused(format!("`{}` has no folder above it", base.display()))
                    })?;
                    house.world.make_dir(above, Path::new(last)).map_err(failed)?;
                }
                house
                    .world
                    .write(base, &relative, text.as_bytes())
                    .map_err(failed)
            }
            Self::Of(scope) => {
                house.claim(batch, scope)?;
                scope
                    .folder()
                    .write(house.world, Path::new(FILE), text.as_bytes())
            }
        }
    }

    fn set_aside(&self, house: &House<'_>, name: &Path) -> io::Result<()> {
        match self {
            Self::Own(folder, own) => house.world.set_aside(folder, own, name),
            Self::Of(scope) => {
                house
                    .world
                    .set_aside(&scope.folder().base, &scope.folder().within(FILE), name)
            }
        }
    }
}
