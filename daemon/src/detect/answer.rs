//! One detection from nothing: the methods in their order, the first that gives a root.
//!
//! The door asks when the cache has no answer. What must stay true: nothing is made and no process is started; a method
//! that is passed over leaves a warning; an explicit path is taken or refused, never replaced by something else.

use std::path::{Path, PathBuf};

use proto::detect::{Detection, From, Marker, Method, Vcs};
use proto::error::Result;
use proto::{Error, Kind, RawPath};

use super::cache::Question;
use super::look::{Listing, Look, Seen};
use super::markers::{self, DECISIVE};
use super::resolve::{Place, resolve};
use super::rules::refused;
use super::vcs::Checkout;
use super::walk::{Climb, For, Limits, climb, superproject, survey, workspace};
use super::{IMPORTED, OLDER};
use crate::world::FileKind;

/// How sure each method is, out of 10; a project marker is as sure as itself.
const EXPLICIT: u8 = 10;
const VCS_ROOT: u8 = 8;
const CLIENT_DIRECTORY: u8 = 7;
const CURRENT_DIRECTORY: u8 = 5;
const USER_HOME: u8 = 3;

/// Nobody reads more.
const MOST_WARNINGS: usize = 32;

/// A root, before all that is told about it is gathered.
struct Root {
    path: PathBuf,
    method: Method,
    confidence: u8,
    package: Option<(PathBuf, Vec<Marker>)>,
    checkout: Option<Checkout>,
}

/// Derives the answer.
pub(super) fn derive(look: &mut Look<'_>, question: Question<'_>) -> Result<Detection> {
    let mut warnings = Vec::new();
    let limits = Limits::of(look, question.caller)?;
    let root = match question.from {
        From::Explicit(path) => explicit(look, &absolute(question, path)?, &limits)?,
        From::Start(path) => {
            let start = start(look, &absolute(question, path)?)?;
            by_methods(look, question, Some(start), &limits, &mut warnings)?
        }
        From::Caller => {
            let cwd = absolute(question, &question.caller.cwd)?;
            let start = match start(look, &cwd) {
                Ok(start) => Some(start),
                Err(error) if error.kind == Kind::Unavailable => return Err(error),
                Err(error) => {
                    warnings.push(format!("the working directory was passed over: {}", error.what));
                    None
                }
            };
            by_methods(look, question, start, &limits, &mut warnings)?
        }
    };
    told(look, question, root, &limits, warnings)
}

/// A path as given, made absolute with the caller's working directory.
fn absolute(question: Question<'_>, path: &RawPath) -> Result<PathBuf> {
    if path.as_bytes().is_empty() {
        return Err(
            Error::usage("an empty path names nothing").next("give a directory, or `.` for the current one")
        );
    }
    if path.as_bytes().contains(&0) {
        return Err(Error::usage(format!(
            "`{}` holds a zero byte, which no path can",
            path.display()
        )));
    }
    let whole = question.caller.cwd.as_path().join(path.as_path());
    if whole.is_absolute() {
        return Ok(whole);
    }
    Err(Error::usage(format!(
        "`{}` is relative, and the request names no working directory",
        path.display()
    )))
}

/// The override: this directory and no other.
fn explicit(look: &mut Look<'_>, given: &Path, limits: &Limits) -> Result<Root> {
    let place = resolve(look, given)?;
    there(given, &place)?;
    if let Some(system) = refused(given)
        .filter(|_| !climbs(given))
        .or_else(|| refused(&place.path))
    {
        return Err(
            Error::refused(format!("`{}` cannot be a workspace", given.display()))
                .why(format!("`{system}` belongs to the system"))
                .next("name a directory of your own"),
        );
    }
    if !place.is_dir() {
        return Err(
            Error::usage(format!("`{}` is not a directory", given.display())).next(format!(
                "name the directory that holds it: `{}`",
                parent(&place.path).display()
            )),
        );
    }
    if let Listing::Closed = look.list(&place.path, 0)? {
        return Err(Error::refused(format!("`{}` cannot be read", given.display()))
            .why("its permissions keep the daemon's user out")
            .next("allow reading and entering it with `chmod u+rx`"));
    }
    let checkout = climb(look, &place.path, limits, For::VersionControl, &[])?.checkout;
    Ok(Root {
        path: place.path,
        method: Method::Explicit,
        confidence: EXPLICIT,
        package: None,
        checkout,
    })
}

/// The directory to begin from. A path that is not there is an error and not its nearest ancestor: a slip of the
/// keyboard would otherwise be answered with another project.
fn start(look: &mut Look<'_>, given: &Path) -> Result<PathBuf> {
    let place = resolve(look, given)?;
    there(given, &place)?;
    Ok(if place.is_dir() {
        place.path
    } else {
        parent(&place.path).to_path_buf()
    })
}

fn there(given: &Path, place: &Place) -> Result<()> {
    let nearest = place.path.display();
    match place.seen {
        Seen::Is(_) => Ok(()),
        Seen::Absent => Err(Error::not_found(format!("no such path: `{}`", given.display()))
            .next(format!("the nearest that exists is `{nearest}`"))),
        Seen::Denied => Err(Error::refused(format!("`{}` cannot be reached", given.display()))
            .why(format!("the daemon's user may not enter `{nearest}`"))
            .next(format!("allow it with `chmod u+x` on `{nearest}`"))),
    }
}

fn by_methods(
    look: &mut Look<'_>,
    question: Question<'_>,
    start: Option<PathBuf>,
    limits: &Limits,
    warnings: &mut Vec<String>,
) -> Result<Root> {
    if let Some(start) = &start {
        let mut found = climb(
            look,
            start,
            limits,
            For::Project,
            &question.settings.custom_markers,
        )?;
        warnings.append(&mut found.warnings);
        if let Some(root) = by_project(look, question, found, warnings)? {
            return Ok(root);
        }
    }
    if let Some(root) = by_client(look, question, limits, warnings)? {
        return Ok(root);
    }
    if let Some(path) = start.and_then(|start| unless_refused(start, warnings)) {
        return bare_root(look, limits, path, Method::CurrentDirectory, CURRENT_DIRECTORY);
    }
    if question.settings.fallback_to_home
        && let Some(path) = home(look, question)?.and_then(|home| unless_refused(home, warnings))
    {
        return bare_root(look, limits, path, Method::UserHome, USER_HOME);
    }
    Err(Error::not_found("no workspace")
        .why(warnings.join("; "))
        .next("name one: `tocli detect --explicit PATH`"))
}

/// Version control and markers, in the order that the settings say.
fn by_project(
    look: &mut Look<'_>,
    question: Question<'_>,
    found: Climb,
    warnings: &mut Vec<String>,
) -> Result<Option<Root>> {
    let Climb {
        checkout,
        package,
        top,
        ..
    } = found;
    let checkout = checkout.filter(|checkout| unless_refused(checkout.root.clone(), warnings).is_some());
    let (checkout, package) = match (checkout, package) {
        (Some(checkout), package) if question.settings.prefer_git_root || package.is_none() => {
            let package = package.filter(|(dir, _)| dir.starts_with(&checkout.root) && *dir != checkout.root);
            return Ok(Some(Root {
                path: checkout.root.clone(),
                method: Method::VcsRoot,
                confidence: VCS_ROOT,
                package,
                checkout: Some(checkout),
            }));
        }
        (_, None) => return Ok(None),
        (checkout, Some(package)) => (checkout, package),
    };
    let top = checkout.as_ref().map_or(top, |checkout| checkout.root.clone());
    let around = workspace(look, &package.0, &top)?.filter(|dir| *dir != package.0);
    let around = around.and_then(|dir| unless_refused(dir, warnings));
    let Some(path) = around.or_else(|| unless_refused(package.0.clone(), warnings)) else {
        return Ok(None);
    };
    let package = Some(package).filter(|(dir, _)| *dir != path);
    Ok(Some(Root {
        path,
        method: Method::ProjectMarker,
        confidence: DECISIVE,
        package,
        checkout,
    }))
}

/// The first of the client's directories that can be used.
fn by_client(
    look: &mut Look<'_>,
    question: Question<'_>,
    limits: &Limits,
    warnings: &mut Vec<String>,
) -> Result<Option<Root>> {
    for name in proto::caller::CLIENT_DIRECTORIES {
        let Some(value) = question
            .caller
            .var(name)
            .filter(|value| !value.as_bytes().is_empty())
        else {
            continue;
        };
        match client_directory(look, question, value) {
            Ok(path) => {
                return bare_root(look, limits, path, Method::ClientDirectory, CLIENT_DIRECTORY).map(Some);
            }
            Err(error) => warnings.push(format!("`{name}` was passed over: {}", error.what)),
        }
    }
    Ok(None)
}

fn client_directory(look: &mut Look<'_>, question: Question<'_>, value: &RawPath) -> Result<PathBuf> {
    let given = absolute(question, value)?;
    let place = resolve(look, &given)?;
    there(&given, &place)?;
    if !place.is_dir() {
        return Err(Error::usage(format!("`{}` is not a directory", given.display())));
    }
    match refused(&place.path) {
        Some(system) => Err(Error::refused(format!(
            "`{}` belongs to the system (`{system}`)",
            given.display()
        ))),
        None => Ok(place.path),
    }
}

/// A root that nothing but its being named or stood in speaks for.
fn bare_root(
    look: &mut Look<'_>,
    limits: &Limits,
    path: PathBuf,
    method: Method,
    confidence: u8,
) -> Result<Root> {
    let checkout = climb(look, &path, limits, For::VersionControl, &[])?.checkout;
    Ok(Root {
        path,
        method,
        confidence,
        package: None,
        checkout,
    })
}

fn home(look: &mut Look<'_>, question: Question<'_>) -> Result<Option<PathBuf>> {
    let Some(given) = question
        .caller
        .var("HOME")
        .filter(|home| home.as_path().is_absolute())
    else {
        return Ok(None);
    };
    if look.may_hang(given.as_path()) {
        // A home that hangs must not stop who works elsewhere: it is known by its name alone.
        return Ok(Some(given.to_path_buf()));
    }
    let place = resolve(look, given.as_path())?;
    Ok(place.is_dir().then_some(place.path))
}

/// Gathers what is told about a root.
fn told(
    look: &mut Look<'_>,
    question: Question<'_>,
    root: Root,
    limits: &Limits,
    mut warnings: Vec<String>,
) -> Result<Detection> {
    let own = survey(look, &root.path, &question.settings.custom_markers, &mut warnings)?.markers;
    let strongest = own.first().map_or(0, |marker| marker.confidence);
    let confidence = if root.method == Method::ProjectMarker {
        root.confidence.max(strongest)
    } else {
        root.confidence
    };
    let (package, mut markers) = root
        .package
        .map_or((None, Vec::new()), |(dir, markers)| (Some(dir), markers));
    markers.extend(own);
    let checkout = root.checkout.filter(|checkout| refused(&checkout.root).is_none());
    let vcs = match &checkout {
        Some(checkout) => Some(vcs(look, checkout, &root.path, limits)?),
        None => None,
    };
    if let Some(checkout) = &checkout {
        owner(look, checkout, &mut warnings)?;
    }
    older(look, &root.path, &mut warnings)?;
    if home(look, question)?.is_some_and(|home| home == root.path) {
        warnings.push("the root is the home directory: it is not indexed or watched unless asked".to_owned());
    }
    warnings.truncate(MOST_WARNINGS);
    let led_from = checkout.filter(|checkout| checkout.is_led && checkout.root == root.path);
    let led_from = led_from.and_then(|checkout| Some(checkout.repository?.dir.into()));
    Ok(Detection {
        led_from,
        writable: look.world.may_write(&root.path),
        root: root.path.into(),
        package: package.map(RawPath::from),
        method: root.method,
        confidence,
        project_types: markers::types(&markers),
        markers,
        vcs,
        warnings,
        cached: false,
        micros: 0,
    })
}

/// The version control of the checkout around a root; only the checkout's own root shares a project with a main one.
fn vcs(look: &mut Look<'_>, checkout: &Checkout, root: &Path, limits: &Limits) -> Result<Vcs> {
    Ok(Vcs {
        kind: checkout.kind.to_owned(),
        branch: checkout.branch.clone(),
        main_root: checkout
            .main_root
            .clone()
            .filter(|_| checkout.root == root)
            .map(RawPath::from),
        superproject: superproject(look, checkout, limits)?.map(RawPath::from),
    })
}

/// git refuses the repository of another user; we only read it.
fn owner(look: &mut Look<'_>, checkout: &Checkout, warnings: &mut Vec<String>) -> Result<()> {
    let Some(repository) = &checkout.repository else {
        return Ok(());
    };
    for path in [&checkout.root, &repository.dir] {
        if let Seen::Is(stat) = look.exact(path)?
            && stat.uid != look.world.uid()
        {
            warnings.push(format!(
                "`{}` belongs to user {}: git refuses it unless `safe.directory` names it",
                path.display(),
                stat.uid
            ));
            break;
        }
    }
    Ok(())
}

/// What is said of such a database.
const IS_OLDER: &str = "is of the older program";

/// Whether an answer tells of a database of the older program that was not imported.
#[must_use]
pub fn has_older(found: &Detection) -> bool {
    found.warnings.iter().any(|warning| warning.contains(IS_OLDER))
}

/// A database of the older program beside which nothing says that it was imported. Where there is no such folder this
/// costs an answer from memory nothing: the root's own stamp covers it.
fn older(look: &mut Look<'_>, root: &Path, warnings: &mut Vec<String>) -> Result<()> {
    if look.name(root, OLDER)?.kind() != Some(FileKind::Dir) {
        return Ok(());
    }
    let folder = root.join(OLDER);
    if look.name(&folder, IMPORTED)?.kind().is_some() {
        return Ok(());
    }
    for name in ["tasks.sqlite", "task_orchestrator.db"] {
        if matches!(look.name(&folder, name)?, Seen::Is(stat) if stat.kind == FileKind::File && stat.size > 0)
        {
            warnings.push(format!(
                "`{OLDER}/{name}` {IS_OLDER}: `tocli import legacy {}` takes over what it holds",
                root.display()
            ));
            break;
        }
    }
    Ok(())
}

fn unless_refused(path: PathBuf, warnings: &mut Vec<String>) -> Option<PathBuf> {
    let Some(system) = refused(&path) else {
        return Some(path);
    };
    let warning = format!(
        "`{}` was passed over: `{system}` belongs to the system",
        path.display()
    );
    if !warnings.contains(&warning) {
        warnings.push(warning);
    }
    None
}

fn climbs(path: &Path) -> bool {
    path.components()
        .any(|part| part == std::path::Component::ParentDir)
}

fn parent(path: &Path) -> &Path {
    path.parent().unwrap_or(path)
}
