//! What an engine reads again beyond single names.
//!
//! Set by `engine::note` and by whoever finds something out of date, taken by `settle`. Pure.

/// What is to be read again beyond single names.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Rescan {
    /// Whether the root is still where it was.
    pub(super) root: bool,
    pub(super) repo: bool,
    /// What had a say beyond the watched folders.
    pub(super) outside: bool,
    pub(super) index: bool,
    /// Whether git holds the index.
    pub(super) lock: bool,
    /// A saved index, to be compared with the disk.
    pub(super) verify: bool,
    /// Whether the same is mounted in the root.
    pub(super) mounts: bool,
    /// Whether other rules count than at the last look, without a loss.
    pub(super) rules: bool,
    pub(super) everything: bool,
}

impl Rescan {
    /// Whether there is anything.
    pub(super) fn is_wanted(&self) -> bool {
        let Self {
            root,
            repo,
            outside,
            index,
            lock,
            verify,
            mounts,
            rules,
            everything,
        } = *self;
        root || repo || outside || index || lock || verify || mounts || rules || everything
    }

    /// Events were lost, or another directory is in the root's place.
    pub(super) const ALL: Self = Self {
        root: true,
        repo: true,
        outside: false,
        index: true,
        lock: true,
        mounts: true,
        rules: false,
        verify: false,
        everything: true,
    };

    /// Something could not be read, and no event was lost: what is told of the time before stays.
    pub(super) fn read_all(&mut self) {
        *self = Self {
            verify: self.verify,
            everything: self.everything,
            rules: true,
            ..Self::ALL
        };
    }

    /// Events were lost.
    pub(super) fn lose(&mut self) {
        *self = Self {
            verify: self.verify,
            ..Self::ALL
        };
    }
}
