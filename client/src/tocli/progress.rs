//! How far a long answer has come, on a terminal and after a second only.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::voice::Voice;

/// Answers that come sooner show nothing.
const PATIENCE: Duration = Duration::from_secs(1);

/// A bar or a counter that appears when it is due.
#[derive(Debug)]
pub(crate) struct Progress {
    since: Instant,
    shown: bool,
    bar: Option<ProgressBar>,
}

impl Progress {
    pub(crate) fn new(voice: &Voice) -> Self {
        Self {
            since: Instant::now(),
            shown: voice.shows_progress(),
            bar: None,
        }
    }

    /// So many of what is counted.
    pub(crate) fn count(&mut self, what: &str, done: u64, total: Option<u64>) {
        let Some(bar) = self.bar() else { return };
        bar.set_message(crate::quote::inert(what).into_owned());
        match total {
            Some(total) => {
                bar.set_length(total);
                bar.set_style(style("{elapsed} {bar:30} {pos}/{len} {msg}"));
            }
            None => bar.set_style(style("{elapsed} {spinner} {pos} {msg}")),
        }
        bar.set_position(done);
    }

    /// Still waiting.
    pub(crate) fn tick(&mut self) {
        if let Some(bar) = self.bar() {
            bar.tick();
        }
    }

    /// Takes it off the screen.
    pub(crate) fn clear(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }

    fn bar(&mut self) -> Option<&ProgressBar> {
        if !self.shown || self.since.elapsed() < PATIENCE {
            return None;
        }
        let since = self.since;
        Some(self.bar.get_or_insert_with(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            let bar = bar.with_elapsed(since.elapsed());
            bar.set_style(style("{elapsed} {spinner} {msg}"));
            bar.set_message("waiting for the daemon");
            bar
        }))
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
