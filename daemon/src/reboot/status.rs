//! How the daemon stands, without waiting for anything.

use proto::daemon::{Database, Status, Watches, Workspace};
use proto::hello::HIGHEST;
use proto::index::TreeStatus;

use crate::db::Health;
use crate::dispatch::Memory;
use crate::world::process;

/// How the daemon stands now.
pub(super) fn status(memory: Memory<'_>) -> Status {
    let (life, places) = (memory.life(), memory.places());
    let watches = memory.trees().watches();
    let trees = memory.trees().status();
    let (accepted, reconnected) = life.clients.counts();
    Status {
        pid: std::process::id(),
        version: process::version().to_owned(),
        generation: life.generation(),
        protocol: HIGHEST,
        schema: life.schema,
        uptime_s: life.uptime().as_secs(),
        socket: places.socket.as_path().into(),
        state_dir: places.state_dir.as_path().into(),
        rss_bytes: process::resident_bytes(),
        connections: life.connections.now(),
        accepted,
        reconnected,
        requests: life.requests.now(),
        watches: Watches {
            used: watches.used + memory.detector().watches() as u64,
            limit: watches.limit,
            backend: watches.backend.to_owned(),
        },
        database: database(memory),
        workspaces: by_workspace(memory, trees),
        warnings: life.warnings(),
    }
}

/// The size comes from the state folder, which is never on a file system that could hang.
fn database(memory: Memory<'_>) -> Database {
    let db = memory.db();
    let note = match db.health() {
        Health::Good => None,
        Health::ReadOnly(why) | Health::Down(why) => Some(why.to_string()),
        Health::Closed => Some("it is closed".to_owned()),
    };
    let recovery = db.recovery();
    let recovered = recovery.notes.first().filter(|_| recovery.is_loud()).cloned();
    Database {
        bytes: db.size().unwrap_or_default(),
        writable: note.is_none(),
        note: note.or(recovered),
    }
}

/// Trees of one workspace stand together; a tree that is not on record stands alone, without an id.
fn by_workspace(memory: Memory<'_>, trees: Vec<TreeStatus>) -> Vec<Workspace> {
    let mut found: Vec<Workspace> = Vec::new();
    for tree in trees {
        let (id, root) = match memory.entered().of(tree.root.as_path()) {
            Some((id, root)) => (id, root.into()),
            None => (String::new(), tree.root.clone()),
        };
        match found
            .iter_mut()
            .find(|workspace| !id.is_empty() && workspace.id == id)
        {
            Some(workspace) => workspace.trees.push(tree),
            None => found.push(Workspace {
                id,
                root,
                trees: vec![tree],
            }),
        }
    }
    found
}
