//! The words of `tocli daemon`. Most of them are done here and not by the daemon, which may not be running.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use proto::{RawPath, daemon};

/// The verbs.
#[derive(Debug, Subcommand)]
pub(crate) enum Words {
    /// Start the daemon if it is not running
    Start,
    /// Stop the daemon and wait until it is gone
    #[command(alias = "shutdown")]
    Stop,
    /// How the daemon stands; never starts one
    Status,
    /// The end of the daemon's log
    #[command(alias = "log")]
    Logs {
        /// Go on with what is written from now on
        #[arg(long, short)]
        follow: bool,
        /// How many lines
        #[arg(long, short = 'n', value_name = "N", default_value_t = 100)]
        lines: usize,
    },
    /// Run the daemon in the foreground
    Run {
        /// Words for `tod run`
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
        words: Vec<std::ffi::OsString>,
    },
    /// Have the daemon read its configuration again
    Reload,
    /// Hand over to a new binary in place; no client notices
    #[command(visible_alias = "upgrade")]
    Reboot {
        /// What to do; without a flag, the reboot itself
        #[command(flatten)]
        what: Reboot,
        /// The new `tod` [default: the file that the daemon was started from]
        #[arg(long, value_name = "PATH")]
        binary: Option<PathBuf>,
        /// Time for the rehearsal and, again, for requests in work to finish
        #[arg(long, value_name = "SECONDS", default_value_t = 30)]
        timeout: u32,
        /// For the history
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
}

/// What `tocli daemon reboot` does instead of a reboot.
#[derive(Args, Debug)]
#[group(id = "instead", multiple = false)]
pub(crate) struct Reboot {
    /// Rehearse only: would that binary be able to take over?
    #[arg(long)]
    check: bool,
    /// Whether a reboot is under way, and how the last one went
    #[arg(long)]
    status: bool,
    /// How the past reboots went
    #[arg(long)]
    history: bool,
}

impl Reboot {
    /// The request, and how much of the history is to be shown.
    pub(crate) fn request(
        &self,
        binary: Option<RawPath>,
        seconds: u32,
        reason: Option<String>,
    ) -> daemon::Request {
        let limit_ms = seconds.saturating_mul(1000);
        match self {
            Self { check: true, .. } => daemon::Request::Rehearse { binary, limit_ms },
            Self { status: true, .. } | Self { history: true, .. } => daemon::Request::Reboots,
            _ => daemon::Request::Reboot {
                binary,
                limit_ms,
                reason,
            },
        }
    }

    /// Whether it is the reboot itself.
    pub(crate) fn is_plain(&self) -> bool {
        !(self.check || self.status || self.history)
    }

    /// How many past reboots are to be shown.
    pub(crate) fn shown(&self) -> usize {
        if self.status { 1 } else { usize::MAX }
    }
}
