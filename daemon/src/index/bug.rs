//! What is wrong on purpose: faults that somebody made before, of which the simulation must find each. Only in tests.

use super::engine::Start;

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
}

impl Bug {
    pub(super) const PLANTED: [Self; 14] = [
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
    ];
}

impl Start {
    pub(super) fn has(&self, bug: Bug) -> bool {
        self.bug == bug
    }
}
