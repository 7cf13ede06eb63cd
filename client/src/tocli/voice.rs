//! Standard error: notes, warnings and the error a command ends with.
//!
//! What must stay true: nothing here is data, and nothing here can fail a command: a closed standard error is silence.

use std::io::{self, IsTerminal as _, Write as _};

use proto::Error;
use serde::Serialize;

use crate::out::{Colour, SCHEMA_VERSION};
use crate::quote::{inert, inert_json};

/// How much is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Loudness {
    All,
    ErrorsOnly,
}

/// What is said beside the data.
#[derive(Clone, Debug)]
pub(crate) struct Voice {
    loudness: Loudness,
    colour: Colour,
    json: bool,
    terminal: bool,
}

#[derive(Serialize)]
struct Failure<'a> {
    schema_version: u32,
    error: &'a Error,
}

impl Voice {
    /// As wished, on standard error as it is.
    pub(crate) fn new(quiet: bool, json: bool, colour: Colour) -> Self {
        let terminal = io::stderr().is_terminal();
        Self {
            loudness: if quiet {
                Loudness::ErrorsOnly
            } else {
                Loudness::All
            },
            colour: if terminal { colour } else { Colour::No },
            json,
            terminal,
        }
    }

    #[cfg(test)]
    pub(crate) fn silent() -> Self {
        Self::new(true, false, Colour::No)
    }

    /// Whether progress may be shown.
    pub(crate) fn shows_progress(&self) -> bool {
        self.terminal && self.loudness == Loudness::All
    }

    /// What was done, where the data does not say it. In JSON the data says all.
    pub(crate) fn note(&self, text: &str) {
        if self.loudness == Loudness::All && !self.json {
            say(&inert(text));
        }
    }

    /// What somebody should know. In JSON the data says all.
    pub(crate) fn warn(&self, text: &str) {
        if self.loudness == Loudness::All && !self.json {
            say(&format!("{} {}", self.paint("33", "warning:"), inert(text)));
        }
    }

    /// Why the command failed: what, why and next, a line each; with `--json` one object on one line.
    pub(crate) fn fail(&self, error: &Error) {
        if self.json {
            let failure = Failure {
                schema_version: SCHEMA_VERSION,
                error,
            };
            return say(&inert_json(&serde_json::to_string(&failure).unwrap_or_default()));
        }
        say(&format!("{} {}", self.paint("31", "error:"), inert(&error.what)));
        if let Some(why) = &error.why {
            say(&format!("  why: {}", inert(why)));
        }
        if let Some(next) = &error.next {
            say(&format!("  next: {}", inert(next)));
        }
    }

    fn paint(&self, code: &str, text: &str) -> String {
        match self.colour {
            Colour::Yes => format!("\x1b[1;{code}m{text}\x1b[0m"),
            Colour::No => text.to_owned(),
        }
    }
}

fn say(line: &str) {
    let _nobody_listens = writeln!(io::stderr(), "{line}");
}
