//! The words of `tocli daemon`. Most of them are done here and not by the daemon, which may not be running.

use clap::Subcommand;

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
}
