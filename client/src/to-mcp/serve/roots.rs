//! The roots that a client names, asked for once and again when it says that they have changed.
//!
//! What must stay true: a client that does not answer holds a call up once, and for [`PATIENCE`] at the most.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rmcp::{Peer, RoleServer};

use crate::place::file_uri;

/// How long a client may take to name its roots.
const PATIENCE: Duration = Duration::from_secs(2);
/// More are not looked at.
const MOST: usize = 64;

/// What is known of the roots.
#[derive(Debug, Default)]
pub(super) struct Roots {
    known: Mutex<Option<Vec<PathBuf>>>,
}

impl Roots {
    /// They may have changed.
    pub(super) fn forget(&self) {
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// The folders of this machine among the client's roots.
    pub(super) async fn of(&self, peer: &Peer<RoleServer>) -> Vec<PathBuf> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(known) = known {
            return known;
        }
        let has = peer
            .peer_info()
            .is_some_and(|info| info.capabilities.roots.is_some());
        let roots = if has { ask(peer).await } else { Vec::new() };
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = Some(roots.clone());
        roots
    }
}

#[expect(deprecated, reason = "the revisions that have roots are served, too")]
async fn ask(peer: &Peer<RoleServer>) -> Vec<PathBuf> {
    match tokio::time::timeout(PATIENCE, peer.list_roots()).await {
        Ok(Ok(listed)) => {
            let roots = listed.roots.into_iter().take(MOST);
            roots.filter_map(|root| file_uri(&root.uri)).collect()
        }
        _ => Vec::new(),
    }
}
