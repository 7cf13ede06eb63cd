//! The watcher: file-system events of all trees through one descriptor.
