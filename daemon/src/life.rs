//! The daemon's own life, as far as anybody asks about it: since when, how many, how it is told to end.
//!
//! Held in `Ctx`. What must stay true: counters are counted where the thing happens; nothing here blocks.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use proto::hello::{HIGHEST, LOWEST, VERSION, Verdict, Welcome};
use tokio::sync::Notify;

use crate::server::Gauge;

/// What is told to `lifecycle` from elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Drain and stop.
    Stop,
    /// Read the configuration again.
    Reload,
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
    /// Requests being worked on.
    pub requests: Arc<Gauge>,
    started: Instant,
    touched_ms: AtomicU64,
    wishes: Mutex<Vec<Wish>>,
    wished: Notify,
    warnings: Mutex<Vec<String>>,
}

impl Life {
    /// A life that begins now.
    #[must_use]
    pub fn new(uid: u32, schema: u32) -> Self {
        Self {
            uid,
            schema,
            connections: Arc::default(),
            requests: Arc::default(),
            started: Instant::now(),
            touched_ms: AtomicU64::new(0),
            wishes: Mutex::default(),
            wished: Notify::new(),
            warnings: Mutex::default(),
        }
    }

    /// Time since the process began to serve.
    #[must_use]
    pub fn uptime(&self) -> Duration {
        self.started.elapsed()
    }

    /// Somebody is using the daemon.
    pub fn touch(&self) {
        let now = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.touched_ms.store(now, Ordering::Relaxed);
    }

    /// Time since anybody used the daemon.
    #[must_use]
    pub fn idle(&self) -> Duration {
        self.started
            .elapsed()
            .saturating_sub(Duration::from_millis(self.touched_ms.load(Ordering::Relaxed)))
    }

    /// How often this process has handed itself over to a new binary.
    #[must_use]
    pub fn generation(&self) -> u32 {
        0
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
            version: VERSION.to_owned(),
        }
    }

    /// Tells `lifecycle` something; `by` is for the log.
    pub fn wish(&self, wish: Wish, by: &str) {
        tracing::info!(?wish, by, "asked");
        self.wishes
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .push(wish);
        self.wished.notify_one();
    }

    /// Waits for what somebody tells.
    pub async fn wished(&self) -> Wish {
        loop {
            let next = self
                .wishes
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner)
                .pop();
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
        self.warnings
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .push(sentence);
    }

    /// All warnings so far.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        self.warnings
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .clone()
    }
}
