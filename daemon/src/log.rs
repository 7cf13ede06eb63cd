//! What is written down for people: one line per event, in a file that stays small.
//!
//! Asked by `lifecycle` once. `TOD_LOG` chooses what (`tod=debug`); secrets and the contents of files are never logged.

use std::path::Path;

use proto::{Error, error::Result};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

use crate::lifecycle::Start;
use crate::world::log::Rotating;

/// The variable that chooses what is logged.
pub const VARIABLE: &str = "TOD_LOG";

/// Begins the log; panics go there too, with a backtrace where the build has one.
///
/// # Errors
/// `unavailable` when the folder cannot be made.
pub fn begin(folder: &Path, start: Start) -> Result<()> {
    let file = Rotating::in_folder(folder).map_err(|error| {
        Error::unavailable(format!("the log folder `{}` cannot be made", folder.display()))
            .why(error)
            .next("check the folder's rights and its free space, or set `TOD_STATE_DIR` to another folder")
    })?;
    let filter = || {
        EnvFilter::builder()
            .with_env_var(VARIABLE)
            .with_default_directive(tracing::Level::INFO.into())
            .from_env_lossy()
    };
    let to_file = tracing_subscriber::fmt::layer()
        .with_ansi(false)
        .with_writer(file)
        .with_filter(filter());
    // A service manager keeps what is written there; a client that waits for us reads it as our reason to fail.
    let to_stderr = (start == Start::Foreground).then(|| {
        tracing_subscriber::fmt::layer()
            .with_ansi(false)
            .with_writer(std::io::stderr)
            .with_filter(filter())
    });
    // In the tests, where several daemons live in one process, the first one's log serves all.
    let _already = tracing_subscriber::registry()
        .with(to_file)
        .with(to_stderr)
        .try_init();
    std::panic::set_hook(Box::new(|info| {
        let trace = std::backtrace::Backtrace::capture();
        tracing::error!("{info}\n{trace}");
    }));
    Ok(())
}
