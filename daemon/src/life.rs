//! The daemon's own life, as far as anybody asks about it: since when, how many, how it is told to end.
//!
//! Held in `Ctx`. What must stay true: counters are counted where the thing happens; nothing here blocks.

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use proto::Error;
use proto::daemon::Reboot;
use proto::hello::{HIGHEST, LOWEST, Verdict, Welcome};
use tokio::sync::{Notify, oneshot};

use crate::dispatch::hold;
use crate::server::Gauge;
use crate::server::clients::Clients;
use crate::world::image::Image;
use crate::world::process;

/// What is told to `lifecycle` from elsewhere.
#[derive(Debug)]
pub enum Wish {
    /// Drain and stop.
    Stop,
    /// Read the configuration again.
    Reload,
    /// Rehearse with the file this daemon was started from and hand over to it.
    Reboot,
    /// Hand over to an image that has rehearsed.
    HandOver(Box<Plan>),
}

/// A hand-over that has been rehearsed.
#[derive(Debug)]
pub struct Plan {
    /// What is known of it so far.
    pub record: Reboot,
    /// The image.
    pub next: Image,
    /// How long requests in work may take to finish, and then the next image until it serves.
    pub limit: Duration,
    /// When it was asked for, in nanoseconds of the system's monotonic clock.
    pub asked: u64,
    /// When the last byte was read from a client, on the same clock; 0 before.
    pub paused: u64,
    /// The copy of the database to put back when the image fails; none when its schema does not change.
    pub backup: Option<PathBuf>,
    /// Who is told when it is refused after all.
    pub refused: oneshot::Sender<Error>,
}

impl Plan {
    /// It will not be carried out.
    pub fn refuse(self, why: Error) {
        tracing::warn!(%why, "the reboot is refused");
        // Whoever asked may have gone.
        drop(self.refused.send(why));
    }
}

impl Wish {
    fn word(&self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::Reload => "reload",
            Self::Reboot => "reboot",
            Self::HandOver(_) => "hand over",
        }
    }
}

/// A reboot under way, until this is dropped.
#[derive(Debug)]
pub struct UnderWay(Arc<Life>);

impl UnderWay {
    /// Says what it is doing now.
    pub fn doing(&self, what: &'static str) {
        *hold(&self.0.under_way) = Some(what);
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        *hold(&self.0.under_way) = None;
    }
}

/// The daemon's own life.
#[derive(Debug)]
pub struct Life {
    /// The user the daemon runs as.
    pub uid: u32,
    /// Schema number of the database.
    pub schema: u32,
    /// Open connections.
    pub connections: Arc<Gauge>,
    /// Who has connected, and who had to do so again.
    pub clients: Clients,
    /// Requests being worked on.
    pub requests: Arc<Gauge>,
    /// Calls on the blocking pool that have not come back, also those whose answer nobody waits for any more: while one
    /// hangs in a dead mount, no other image can take the place of this one.
    pub calls: Arc<Gauge>,
    /// Binaries that are rehearsing.
    pub rehearsals: Arc<Gauge>,
    started: AtomicU64,
    generation: AtomicU32,
    touched: AtomicU64,
    wishes: Mutex<VecDeque<Wish>>,
    wished: Notify,
    warnings: Mutex<Vec<String>>,
    /// What is wrong now, by what it is about.
    ails: Mutex<BTreeMap<&'static str, String>>,
    ending: AtomicBool,
    under_way: Mutex<Option<&'static str>>,
    last_reboot: Mutex<Option<Reboot>>,
}

impl Life {
    /// A life that begins now.
    #[must_use]
    pub fn new(uid: u32, schema: u32) -> Self {
        Self {
            uid,
            schema,
            connections: Arc::default(),
            clients: Clients::default(),
            requests: Arc::default(),
            calls: Arc::default(),
            rehearsals: Arc::default(),
            started: AtomicU64::new(process::monotonic()),
            generation: AtomicU32::new(0),
            touched: AtomicU64::new(process::monotonic()),
            wishes: Mutex::default(),
            wished: Notify::new(),
            warnings: Mutex::default(),
            ails: Mutex::default(),
            ending: AtomicBool::new(false),
            under_way: Mutex::default(),
            last_reboot: Mutex::default(),
        }
    }

    /// When the process began to serve, in nanoseconds of the system's monotonic clock.
    #[must_use]
    pub fn started(&self) -> u64 {
        self.started.load(Ordering::Relaxed)
    }

    /// Time since the process began to serve.
    #[must_use]
    pub fn uptime(&self) -> Duration {
        Duration::from_nanos(process::monotonic().saturating_sub(self.started()))
    }

    /// Goes on with the life of an earlier image.
    pub fn resume(&self, started: u64, reboot: Reboot, warnings: Vec<String>) {
        self.started.store(started, Ordering::Relaxed);
        self.generation.store(reboot.generation, Ordering::Relaxed);
        hold(&self.warnings).splice(0..0, warnings);
        *hold(&self.last_reboot) = Some(reboot);
    }

    /// Somebody is using the daemon.
    pub fn touch(&self) {
        self.touched.store(process::monotonic(), Ordering::Relaxed);
    }

    /// Time since anybody used the daemon.
    #[must_use]
    pub fn idle(&self) -> Duration {
        Duration::from_nanos(process::monotonic().saturating_sub(self.touched.load(Ordering::Relaxed)))
    }

    /// How often this process has handed itself over to a new binary.
    #[must_use]
    pub fn generation(&self) -> u32 {
        self.generation.load(Ordering::Relaxed)
    }

    /// Notes how a reboot went that left this image serving.
    pub fn note_reboot(&self, reboot: Reboot) {
        *hold(&self.last_reboot) = Some(reboot);
    }

    /// How the last reboot of this process went.
    #[must_use]
    pub fn last_reboot(&self) -> Option<Reboot> {
        hold(&self.last_reboot).clone()
    }

    /// What a reboot under way is doing.
    #[must_use]
    pub fn under_way(&self) -> Option<&'static str> {
        *hold(&self.under_way)
    }

    /// Begins a reboot, or says what the one under way is doing.
    ///
    /// # Errors
    /// What the one under way is doing.
    pub fn begin_reboot(self: &Arc<Self>) -> Result<UnderWay, &'static str> {
        let mut under_way = hold(&self.under_way);
        match *under_way {
            Some(doing) => Err(doing),
            None => {
                *under_way = Some("rehearsing");
                Ok(UnderWay(Arc::clone(self)))
            }
        }
    }

    /// The header for a client.
    #[must_use]
    pub fn welcome(&self, verdict: Verdict, chosen: u16) -> Welcome {
        Welcome {
            lowest: LOWEST,
            highest: HIGHEST,
            verdict,
            chosen,
            pid: std::process::id(),
            generation: self.generation(),
            schema: self.schema,
            version: process::version().to_owned(),
        }
    }

    /// Tells `lifecycle` something; `by` is for the log.
    pub fn wish(&self, wish: Wish, by: &str) {
        tracing::info!(wish = wish.word(), by, "asked");
        hold(&self.wishes).push_back(wish);
        self.wished.notify_one();
    }

    /// Whether somebody wants the daemon to stop and has not been heard yet.
    #[must_use]
    pub fn asked_to_stop(&self) -> bool {
        hold(&self.wishes).iter().any(|wish| matches!(wish, Wish::Stop))
    }

    /// From here on nothing long is begun or waited for.
    pub fn end(&self) {
        self.ending.store(true, Ordering::Relaxed);
    }

    /// Whether the daemon is coming to its end.
    #[must_use]
    pub fn ending(&self) -> bool {
        self.ending.load(Ordering::Relaxed)
    }

    /// Waits for what somebody tells.
    pub async fn wished(&self) -> Wish {
        loop {
            let next = hold(&self.wishes).pop_front();
            match next {
                Some(wish) => return wish,
                None => self.wished.notified().await,
            }
        }
    }

    /// Something that whoever asks for the status should know.
    pub fn warn(&self, sentence: impl Into<String>) {
        let sentence = sentence.into();
        tracing::warn!("{sentence}");
        hold(&self.warnings).push(sentence);
    }

    /// Something that is wrong until this is called again: what it is about, and how it stands now.
    pub fn ail(&self, what: &'static str, how: Option<String>) {
        let mut ails = hold(&self.ails);
        match how {
            Some(how) if ails.get(what) != Some(&how) => {
                tracing::warn!("{how}");
                ails.insert(what, how);
            }
            Some(_) => {}
            None => drop(ails.remove(what)),
        }
    }

    /// What has happened so far that whoever asks for the status should know.
    #[must_use]
    pub fn told(&self) -> Vec<String> {
        hold(&self.warnings).clone()
    }

    /// The same, and what is wrong now.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        let mut all = self.told();
        all.extend(hold(&self.ails).values().cloned());
        all
    }
}
