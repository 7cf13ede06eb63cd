//! How the daemon stands, all of it from memory.

use proto::daemon::{Database, Status, Watches, Workspace};
use proto::hello::{HIGHEST, VERSION};

use crate::dispatch::Memory;
use crate::world::process;

/// How the daemon stands now.
pub(super) fn status(memory: Memory<'_>) -> Status {
    let (life, places) = (memory.life(), memory.places());
    let watches = memory.trees().watches();
    let trees = memory.trees().status();
    Status {
        pid: std::process::id(),
        version: VERSION.to_owned(),
        generation: life.generation(),
        protocol: HIGHEST,
        schema: life.schema,
        uptime_s: life.uptime().as_secs(),
        socket: places.socket.as_path().into(),
        state_dir: places.state_dir.as_path().into(),
        rss_bytes: process::resident_bytes(),
        connections: life.connections.now(),
        requests: life.requests.now(),
        watches: Watches {
            used: watches.used,
            limit: watches.limit,
            backend: watches.backend.to_owned(),
        },
        database: Database {
            bytes: 0,
            writable: true,
            note: None,
        },
        workspaces: trees
            .into_iter()
            .map(|tree| Workspace {
                id: String::new(),
                root: tree.root.clone(),
                trees: vec![tree],
            })
            .collect(),
        warnings: life.warnings(),
    }
}
