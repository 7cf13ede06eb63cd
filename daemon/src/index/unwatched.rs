//! What no event tells of: directories without a watch, and why they have none. Pure.
//!
//! Asked by the engine, which looks at them by itself, and by `status` and `doctor`, which say so.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::tree::Id;
use crate::watch::{Backend, WatchError};

/// Why a directory has no watch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Unwatched {
    /// The system's limit or the user's `watch.max_watches`.
    Limit,
    /// The project's own `watch.max_watches`.
    Budget,
    /// There is no queue of events for it.
    NoQueue,
    /// `watch.backend` says so.
    Chosen(Backend),
    /// Its file system, of this name, tells nothing.
    Silent(Arc<str>),
    /// Something is mounted there.
    Mounted,
    /// The system refused.
    Denied,
}

impl From<&WatchError> for Unwatched {
    fn from(error: &WatchError) -> Self {
        match error {
            WatchError::Limit => Self::Limit,
            WatchError::Budget => Self::Budget,
            WatchError::NoQueue => Self::NoQueue,
            WatchError::Silent(name) => Self::Silent(name.clone()),
            WatchError::Mounted => Self::Mounted,
            WatchError::Chosen(backend) => Self::Chosen(*backend),
            WatchError::Denied(_) => Self::Denied,
        }
    }
}

/// What only looking tells of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct UnwatchedDirs {
    /// Directories beyond the limit of watches.
    pub(super) limit: u64,
    /// Directories beyond the watches that the project's own settings give it.
    pub(super) budget: u64,
    /// Directories for which there is no queue of events.
    pub(super) no_queue: u64,
    /// Directories that the system did not let us watch.
    pub(super) denied: u64,
    /// Directories that `watch.backend` does not want watched, and what it says.
    pub(super) chosen: (u64, Option<Backend>),
    /// Directories on file systems that tell nothing, by the name of that.
    pub(super) silent: BTreeMap<Arc<str>, u64>,
    /// Directories in a mount within the project, or with a file that something is mounted on.
    pub(super) mounted: u64,
    /// One of git's own folders.
    pub(super) control: bool,
}

impl UnwatchedDirs {
    /// What is known of some directories.
    pub(super) fn of(dirs: &BTreeMap<Id, Unwatched>, control: bool) -> Self {
        let mut unwatched = Self {
            control,
            ..Self::default()
        };
        for why in dirs.values() {
            match why {
                Unwatched::Limit => unwatched.limit += 1,
                Unwatched::Budget => unwatched.budget += 1,
                Unwatched::NoQueue => unwatched.no_queue += 1,
                Unwatched::Denied => unwatched.denied += 1,
                Unwatched::Chosen(backend) => unwatched.chosen = (unwatched.chosen.0 + 1, Some(*backend)),
                Unwatched::Mounted => unwatched.mounted += 1,
                Unwatched::Silent(name) => *unwatched.silent.entry(name.clone()).or_default() += 1,
            }
        }
        unwatched
    }

    /// Whether events tell of everything.
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Why something is polled, and what to do about it where something can be done; none when nothing is.
    pub(super) fn reason(&self) -> Option<String> {
        let mut said = Vec::new();
        if self.limit > 0 {
            let n = directories(self.limit);
            said.push(format!(
                "{n} no watch, the limit of watches is reached: raise `fs.inotify.max_user_watches` or `watch.max_watches`, as \
                 `tocli doctor watch` says"
            ));
        }
        if self.budget > 0 {
            let n = directories(self.budget);
            said.push(format!(
                "{n} no watch, the project's own `watch.max_watches` allows no more"
            ));
        }
        if self.no_queue > 0 {
            let n = directories(self.no_queue);
            said.push(format!(
                "{n} no watch, all watchers that one user may have are taken: raise `fs.inotify.max_user_instances`, as \
                 `tocli doctor watch` says"
            ));
        }
        if let (count, Some(backend)) = self.chosen {
            let n = directories(count);
            said.push(match backend {
                Backend::Notify => {
                    let why = if cfg!(target_os = "linux") {
                        "`watch.backend` is `notify`"
                    } else {
                        "this system tells through `notify`"
                    };
                    format!("{n} no watch of ours, {why}: it says where to look, and every question looks everywhere")
                }
                other => format!("{n} no watch, `watch.backend` is `{}`", other.word()),
            });
        }
        for (name, &count) in &self.silent {
            let n = directories(count);
            said.push(format!("{n} no watch, `{name}` does not tell of changes"));
        }
        if self.mounted > 0 {
            let n = directories(self.mounted);
            said.push(format!("{n} no watch, because of what is mounted in the project"));
        }
        if self.denied > 0 {
            let n = directories(self.denied);
            said.push(format!("{n} no watch, the system refused"));
        }
        if self.control && said.is_empty() {
            said.push("git's own folders have no watch".to_owned());
        }
        (!said.is_empty()).then(|| said.join("; "))
    }
}

fn directories(count: u64) -> String {
    match count {
        1 => "1 directory has".to_owned(),
        n => format!("{n} directories have"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_is_counted_and_told() {
        let why = [
            Unwatched::Limit,
            Unwatched::Budget,
            Unwatched::Silent("nfs".into()),
            Unwatched::Silent("nfs".into()),
            Unwatched::Denied,
            Unwatched::Mounted,
            Unwatched::Chosen(Backend::Poll),
        ];
        let dirs = why.into_iter().zip(0..).map(|(why, id)| (Id(id), why)).collect();
        let unwatched = UnwatchedDirs::of(&dirs, true);
        let said = unwatched.reason().expect("a reason");
        for part in [
            "1 directory has no watch, the limit",
            "`watch.max_watches`",
            "1 directory has no watch, the project's own",
            "2 directories have no watch, `nfs`",
            "the system refused",
            "1 directory has no watch, because of what is mounted",
            "1 directory has no watch, `watch.backend` is `poll`",
        ] {
            assert!(said.contains(part), "{part} in {said}");
        }
        assert_eq!(UnwatchedDirs::default().reason(), None);
        let control = UnwatchedDirs::of(&BTreeMap::new(), true);
        assert!(control.reason().is_some() && !control.is_empty());
    }
}
