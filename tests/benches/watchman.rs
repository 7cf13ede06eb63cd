//! Watchman as a peer: a server of its own in the bench's scratch folder, spoken to over its socket as our daemon is.
//!
//! Where it is not installed the rows that need it are left out, and that is said.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use tests::daemon::Bed;
use tests::deadline;

/// A server, ended when it goes out of sight.
pub struct Watchman {
    server: Child,
    socket: PathBuf,
}

/// One connection.
pub struct Talk(BufReader<UnixStream>);

impl Watchman {
    /// None where it is not installed.
    pub fn start(bed: &Bed) -> Option<Self> {
        let folder = bed.runtime().join("watchman");
        std::fs::create_dir_all(&folder).expect("a folder");
        tests::daemon::chmod(&folder, 0o700);
        let socket = folder.join("sock");
        let mut command = bed.command("watchman");
        command.arg("--foreground");
        for (word, file) in [
            ("sockname", "sock"),
            ("logfile", "log"),
            ("statefile", "state"),
            ("pidfile", "pid"),
        ] {
            command.arg(format!("--{word}={}", folder.join(file).display()));
        }
        let started = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let Ok(server) = started else {
            eprintln!("not installed: watchman");
            return None;
        };
        let this = Self { server, socket };
        deadline::until("watchman listens", || UnixStream::connect(&this.socket).ok());
        Some(this)
    }

    pub fn pid(&self) -> u32 {
        self.server.id()
    }

    pub fn talk(&self) -> Talk {
        Talk(BufReader::new(
            UnixStream::connect(&self.socket).expect("watchman listens"),
        ))
    }
}

impl Drop for Watchman {
    fn drop(&mut self) {
        let _ended = self.server.kill();
        let _ended = self.server.wait();
    }
}

impl Talk {
    /// None when it takes longer.
    pub fn patience(&mut self, patience: Duration) {
        self.0
            .get_ref()
            .set_read_timeout(Some(patience))
            .expect("a limit");
    }

    pub fn tell(&mut self, command: &Value) {
        let line = format!("{command}\n");
        self.0.get_mut().write_all(line.as_bytes()).expect("asked");
    }

    /// The next line; none when it does not come in time, or at all.
    pub fn hear(&mut self) -> Option<Value> {
        let mut line = String::new();
        let read = self.0.read_line(&mut line).ok()?;
        (read > 0).then(|| serde_json::from_str(&line).expect("JSON"))
    }

    pub fn watch(&mut self, root: &Path) -> Option<()> {
        self.tell(&json!(["watch", root]));
        self.hear()
            .map(|said| assert!(said.get("error").is_none(), "{said}"))
    }

    /// Returns when it has seen all that happened before.
    pub fn sync(&mut self, root: &Path) -> Option<()> {
        self.tell(&json!(["clock", root, { "sync_timeout": 300_000 }]));
        self.hear()
            .map(|said| assert!(said.get("error").is_none(), "{said}"))
    }
}
