//! The way up from a directory: markers until a package is found, version control until a root is.
//!
//! The door asks, once per start path. What must stay true: the way up ends where git's would (a ceiling, the border of a
//! file system), each directory on it is remembered, and of each one no more is read than the answer needs.

use std::path::{Path, PathBuf};

use proto::Caller;
use proto::detect::Marker;
use proto::error::Result;

use super::look::{Content, Listing, Look, Seen};
use super::markers::{self, CustomMarker, Is};
use super::resolve::{follow, kind_of, read_through, resolve};
use super::rules::workspace::{FILES, Proof};
use super::rules::{Links, ceilings, is_true};
use super::vcs::{self, Checkout, Step};
use crate::world::{Entry, FileKind};

/// A directory with more names is asked for the known ones instead of read whole.
const MOST_NAMES: usize = 4096;

/// Manifests larger than this are not read.
const MOST_MANIFEST: usize = 1 << 20;

/// Where the way up ends.
pub(super) struct Limits {
    ceilings: Vec<PathBuf>,
    across: bool,
}

/// What was met on the way.
#[derive(Default)]
pub(super) struct Climb {
    /// The nearest root of version control.
    pub(super) checkout: Option<Checkout>,
    /// The nearest directory with a deciding marker, and all its markers.
    pub(super) package: Option<(PathBuf, Vec<Marker>)>,
    /// The highest directory looked at.
    pub(super) top: PathBuf,
    /// What was passed over and why.
    pub(super) warnings: Vec<String>,
}

/// What to look for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum For {
    /// Markers and version control.
    Project,
    /// Version control alone.
    VersionControl,
}

impl Limits {
    /// What the caller's variables say.
    pub(super) fn of(look: &mut Look<'_>, caller: &Caller) -> Result<Self> {
        let mut paths = Vec::new();
        let listed = caller
            .var("GIT_CEILING_DIRECTORIES")
            .map_or(&b""[..], |value| value.as_bytes());
        for (bytes, links) in ceilings(listed) {
            let path = proto::RawPath::from(bytes).to_path_buf();
            match links {
                // git looks for the path's end alone: the folder itself need not be there.
                Links::Followed => match resolve(look, &path) {
                    Ok(place) if place.missing.len() <= 1 => paths.push(place.whole()),
                    Ok(_) => {}
                    Err(error) if error.kind == proto::Kind::Unavailable => return Err(error),
                    Err(_) => {}
                },
                // git compares it byte by byte, but for one `/` at its end.
                Links::AsWritten => {
                    let bare = bytes
                        .strip_suffix(b"/")
                        .filter(|bare| !bare.is_empty())
                        .unwrap_or(bytes);
                    paths.push(proto::RawPath::from(bare).to_path_buf());
                }
            }
        }
        let across = caller
            .var("GIT_DISCOVERY_ACROSS_FILESYSTEM")
            .is_some_and(|value| is_true(value.as_bytes()));
        Ok(Self {
            ceilings: paths,
            across,
        })
    }

    /// The next directory up, unless the way ends here.
    fn above<'p>(&self, look: &mut Look<'_>, dir: &'p Path) -> Result<Option<&'p Path>> {
        let Some(above) = dir.parent() else {
            return Ok(None);
        };
        if self
            .ceilings
            .iter()
            .any(|ceiling| ceiling.as_os_str() == above.as_os_str())
        {
            return Ok(None);
        }
        let same = match (look.place(dir)?, look.place(above)?) {
            (Seen::Is(here), Seen::Is(there)) => here.dev == there.dev,
            _ => false,
        };
        Ok((same || self.across).then_some(above))
    }
}

/// Goes up from a directory free of links.
pub(super) fn climb(
    look: &mut Look<'_>,
    start: &Path,
    limits: &Limits,
    what: For,
    custom: &[CustomMarker],
) -> Result<Climb> {
    let mut climb = Climb::default();
    let mut at = Some(start);
    while let Some(dir) = at {
        climb.top = dir.to_path_buf();
        let held = if what == For::Project && climb.package.is_none() {
            let seen = survey(look, dir, custom, &mut climb.warnings)?;
            if markers::decide(&seen.markers) {
                climb.package = Some((dir.to_path_buf(), seen.markers));
            }
            seen.held
        } else {
            probe(look, dir)?
        };
        if !held.is_empty() {
            match vcs::step(look, dir, &held)? {
                Step::Up => {}
                Step::UpWith(warning) => climb.warnings.push(warning),
                Step::Stop(warning) => {
                    climb.warnings.push(warning);
                    return Ok(climb);
                }
                Step::Found(checkout) => {
                    climb.checkout = Some(*checkout);
                    return Ok(climb);
                }
            }
        }
        at = limits.above(look, dir)?;
    }
    Ok(climb)
}

/// The nearest directory with a workspace file, from `package` up to `top`.
pub(super) fn workspace(look: &mut Look<'_>, package: &Path, top: &Path) -> Result<Option<PathBuf>> {
    for dir in package.ancestors().take_while(|dir| dir.starts_with(top)) {
        for (name, proof) in FILES {
            if kind_of(look, dir, name)? != Some(FileKind::File) {
                continue;
            }
            let proven = match proof {
                Proof::Name => true,
                Proof::Content(judge) => match read_through(look, &dir.join(name), MOST_MANIFEST)? {
                    Content::Bytes(bytes) => judge(&bytes),
                    Content::TooLarge | Content::Closed => false,
                },
            };
            if proven {
                return Ok(Some(dir.to_path_buf()));
            }
        }
    }
    Ok(None)
}

/// The checkout that holds `inner` as a submodule.
pub(super) fn superproject(
    look: &mut Look<'_>,
    inner: &Checkout,
    limits: &Limits,
) -> Result<Option<PathBuf>> {
    let Some(repository) = inner
        .repository
        .as_ref()
        .filter(|repository| repository.may_be_module())
    else {
        return Ok(None);
    };
    let Some(above) = limits.above(look, &inner.root)? else {
        return Ok(None);
    };
    let outer = climb(look, above, limits, For::VersionControl, &[])?.checkout;
    Ok(outer
        .filter(|outer| {
            outer
                .repository
                .as_ref()
                .is_some_and(|outer| repository.is_module_of(outer))
        })
        .map(|outer| outer.root))
}

/// What a directory holds of what we know.
pub(super) struct Survey {
    /// Its markers, strongest first.
    pub(super) markers: Vec<Marker>,
    /// Its names of version control.
    held: Vec<&'static str>,
}

/// Reads a directory for markers and version control.
pub(super) fn survey(
    look: &mut Look<'_>,
    dir: &Path,
    custom: &[CustomMarker],
    warnings: &mut Vec<String>,
) -> Result<Survey> {
    let names = match look.list(dir, MOST_NAMES)? {
        Listing::Names(names) => names,
        Listing::TooMany => {
            warnings.push(format!(
                "`{}` holds over {MOST_NAMES} names: patterns such as `*.sln` were not looked for there",
                dir.display()
            ));
            known(look, dir, custom)?
        }
        Listing::Closed => known(look, dir, custom)?,
    };
    let mut survey = Survey {
        markers: Vec::new(),
        held: Vec::new(),
    };
    for entry in &names {
        let name = entry.name.as_encoded_bytes();
        if let Some(index) = vcs::NAMES.iter().position(|known| known.as_bytes() == name) {
            survey.held.push(vcs::NAMES[index]);
        }
        if let Some(marker) = markers::of(name, custom)
            && has_shape(look, dir, entry)?
        {
            survey.markers.push(marker);
        }
    }
    survey.markers = markers::ordered(survey.markers);
    Ok(survey)
}

/// Whether a marker is what it must be; links count by what they lead to.
fn has_shape(look: &mut Look<'_>, dir: &Path, entry: &Entry) -> Result<bool> {
    let path = dir.join(&entry.name);
    let kind = match entry.kind {
        None | Some(FileKind::Link) => follow(look, &path)?.and_then(|place| place.seen.kind()),
        kind => kind,
    };
    Ok(match markers::shape(entry.name.as_encoded_bytes()) {
        Is::File => kind == Some(FileKind::File),
        Is::Dir => kind == Some(FileKind::Dir),
    })
}

/// The names that we know, one by one, for a directory that cannot be read whole.
fn known(look: &mut Look<'_>, dir: &Path, custom: &[CustomMarker]) -> Result<Vec<Entry>> {
    let own = custom
        .iter()
        .map(|own| own.name.as_str())
        .filter(|name| !name.contains('*'));
    let all = vcs::NAMES
        .iter()
        .copied()
        .chain(markers::NAMED.iter().map(|row| row.0))
        .chain(own);
    let mut found: Vec<Entry> = Vec::new();
    for name in all {
        if let Seen::Is(stat) = look.name(dir, name)? {
            found.push(Entry {
                name: name.into(),
                kind: Some(stat.kind),
            });
        }
    }
    found.dedup_by(|a, b| a.name == b.name);
    Ok(found)
}

/// The names of version control that a directory holds.
fn probe(look: &mut Look<'_>, dir: &Path) -> Result<Vec<&'static str>> {
    let mut held = Vec::new();
    for name in vcs::NAMES {
        if look.name(dir, name)? != Seen::Absent {
            held.push(name);
        }
    }
    Ok(held)
}
