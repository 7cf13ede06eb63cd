//! What is wrong on purpose: faults that somebody made before, of which the simulation must find each. Only in tests.

use super::disk::Disk;
use super::engine::{Engine, Start};
use super::saved::Watches;

/// Faults that the simulation must find: each was made by somebody before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bug {
    None,
    ReadBeforeWatch,
    WatchIsAPath,
    OverflowDropped,
    NewDirectoryNotRead,
    IgnoreFileNotFollowed,
    GitIndexNotFollowed,
    WhatCannotBeSeenIsForgotten,
    EventKindIsBelieved,
    TickGivenTwice,
    DirectoryIsBelievedUnlisted,
    RootIsAPath,
    RootIsHeld,
    OtherNamesAreForgotten,
    SubmoduleIsAFolder,
    /// After an overflow only where events still came from is looked again.
    OverflowIsLocal,
    /// A rename is told as a new file alone.
    OldPathIsLost,
    /// A directory that dies is told, but not the files in it.
    FilesDieUntold,
    /// What was saved is gone on with, although nobody has watched meanwhile.
    SavedIndexIsBelieved,
    /// A directory without a watch is looked at only when its own time has changed.
    PollBelievesTimes,
    /// A call that fails for want of something is taken for an absence.
    FailureIsAbsence,
    /// A name that a file with several loses tells nothing of the others.
    GoneNamesTellNothing,
    /// A name that a file gets besides another tells nothing of that one.
    NewNamesTellNothing,
}

impl Bug {
    pub(super) const PLANTED: [Self; 22] = [
        Self::ReadBeforeWatch,
        Self::WatchIsAPath,
        Self::OverflowDropped,
        Self::NewDirectoryNotRead,
        Self::IgnoreFileNotFollowed,
        Self::GitIndexNotFollowed,
        Self::WhatCannotBeSeenIsForgotten,
        Self::EventKindIsBelieved,
        Self::TickGivenTwice,
        Self::DirectoryIsBelievedUnlisted,
        Self::RootIsAPath,
        Self::RootIsHeld,
        Self::OtherNamesAreForgotten,
        Self::SubmoduleIsAFolder,
        Self::OverflowIsLocal,
        Self::OldPathIsLost,
        Self::FilesDieUntold,
        Self::SavedIndexIsBelieved,
        Self::PollBelievesTimes,
        Self::FailureIsAbsence,
        Self::GoneNamesTellNothing,
        Self::NewNamesTellNothing,
    ];
}

impl Bug {
    /// Whether only files with several names, or submodules, show it.
    pub(super) fn needs_links(self) -> bool {
        matches!(
            self,
            Self::OtherNamesAreForgotten
                | Self::SubmoduleIsAFolder
                | Self::GoneNamesTellNothing
                | Self::NewNamesTellNothing
        )
    }
}

impl Start {
    pub(super) fn has(&self, bug: Bug) -> bool {
        self.bug == bug
    }
}

impl<D: Disk> Engine<D> {
    /// Whether an overflow is taken for less than it is.
    pub(super) fn mistakes_overflow(&mut self) -> bool {
        if self.start.has(Bug::OverflowIsLocal) {
            self.inner.reread.extend(self.inner.dirty.keys().copied());
            return true;
        }
        self.start.has(Bug::OverflowDropped)
    }

    /// Goes on with what was saved as if it were what is there.
    pub(super) fn believe_saved(&mut self, watches: Watches) {
        self.rescan.verify &= watches == Watches::Kept || !self.start.has(Bug::SavedIndexIsBelieved);
    }

    /// Passes over what is polled where the directory itself is as it was.
    pub(super) fn pass_over_polled(&mut self) {
        if !self.start.has(Bug::PollBelievesTimes) {
            return;
        }
        let shared = self.shared.clone();
        let view = shared.read();
        for &id in self.inner.unwatched.keys() {
            let path = [self.start.root.as_slice(), b"/", &view.tree.path(id)].concat();
            let there = self.disk.stat_file(&path);
            if there.is_ok_and(|there| there.mtime == view.tree.meta(id).mtime) {
                self.inner.reread.remove(&id);
            }
        }
    }
}
