//! `reboot`: the daemon about itself. The last room, because its status speaks of all others.

pub mod schema;

use proto::daemon::{Answer, Database, Request, Status, Watches};
use proto::error::Result;
use proto::hello::{HIGHEST, VERSION};

use crate::dispatch::Memory;
use crate::life::Wish;
use crate::world::process;

/// The door: all of it from memory.
pub fn answer(memory: Memory<'_>, request: &Request) -> Result<proto::Answer> {
    Ok(proto::Answer::Daemon(match request {
        Request::Status => Answer::Status(Box::new(status(memory))),
        Request::Reload => {
            memory.life().wish(Wish::Reload, "a request");
            Answer::Reloaded { warnings: Vec::new() }
        }
        Request::Stop => {
            memory.life().wish(Wish::Stop, "a request");
            Answer::Stopping {
                pid: std::process::id(),
            }
        }
    }))
}

fn status(memory: Memory<'_>) -> Status {
    let (life, places) = (memory.life(), memory.places());
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
            used: 0,
            limit: 0,
            backend: "inotify".to_owned(),
        },
        database: Database {
            bytes: 0,
            writable: true,
            note: None,
        },
        workspaces: Vec::new(),
        warnings: life.warnings(),
    }
}
