//! Words that are no command: what, why and next, with the nearest spelling.
//!
//! Asked by `main` when parsing fails. What must stay true: help and version go to standard output and are no failure.

use std::ffi::OsString;
use std::io::Write as _;
use std::process::ExitCode;

use clap::CommandFactory as _;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use proto::{Error, Kind};

use crate::args::Cli;
use crate::closed;
use crate::end::{self, End};
use crate::out::Colour;
use crate::voice::Voice;

/// What others call what we call otherwise, where the two are not the same, so that no alias would be honest.
const OTHERWISE: [(&str, &str); 12] = [
    (
        "rm",
        "`tocli workspace forget` takes a workspace off the list and keeps its files",
    ),
    (
        "remove",
        "`tocli workspace forget` takes a workspace off the list and keeps its files",
    ),
    (
        "delete",
        "`tocli workspace forget` takes a workspace off the list and keeps its files",
    ),
    (
        "init",
        "nothing needs to be set up; `tocli workspace create` registers a project by hand",
    ),
    (
        "start",
        "`tocli daemon start`, though every command starts the daemon when it is needed",
    ),
    ("stop", "`tocli daemon stop`"),
    (
        "restart",
        "`tocli daemon stop`; the next command starts the daemon",
    ),
    ("logs", "`tocli daemon logs`"),
    ("log", "`tocli daemon logs`, or `tocli changes --since 1h`"),
    ("kill", "`tocli daemon stop`"),
    ("help", "`tocli --help`, or `--help` after a command"),
    ("version", "`tocli --version`"),
];

/// Tells what is wrong with the words, or shows the help that was asked for.
pub(crate) fn words(error: &clap::Error, words: &[OsString]) -> ExitCode {
    let has = |long: &str| words.iter().any(|word| word == long);
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        return help(error, has("--no-color"));
    }
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        // Nobody asked for help: it goes where errors go.
        let _nobody_listens = write!(std::io::stderr(), "{}", error.render());
        return ExitCode::from(Kind::Usage.exit_code());
    }
    let plain = has("--no-color") || std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let colour = if plain { Colour::No } else { Colour::Yes };
    Voice::new(false, has("--json"), colour).fail(&told(error, words));
    ExitCode::from(Kind::Usage.exit_code())
}

fn help(error: &clap::Error, plain: bool) -> ExitCode {
    let show = || {
        if closed::at_start() {
            return write!(closed::Shut, "{}", error.render());
        }
        match plain {
            true => write!(std::io::stdout(), "{}", error.render())?,
            false => error.print()?,
        }
        std::io::stdout().flush()
    };
    match show() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => end::exit_code(End::Output(error), &Voice::new(false, false, Colour::No)),
    }
}

fn told(error: &clap::Error, words: &[OsString]) -> Error {
    let text = error.render().to_string();
    let text = text.strip_prefix("error: ").unwrap_or(&text);
    let mut head = text
        .lines()
        .take_while(|line| !line.trim().is_empty())
        .map(str::trim);
    let first = head
        .next()
        .unwrap_or("these words are no command")
        .trim_end_matches('.');
    let rest: Vec<&str> = head.collect();
    if error.kind() == ErrorKind::MissingRequiredArgument {
        return Error::usage(format!("missing: `{}`", rest.join("`, `"))).next(next(error, words));
    }
    let told = Error::usage(first.replace('\'', "`"));
    let told = match rest.is_empty() {
        true => told,
        false => told.why(rest.join(", ").replace('\'', "`")),
    };
    told.next(next(error, words))
}

fn next(error: &clap::Error, words: &[OsString]) -> String {
    let texts = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => vec![text.clone()],
        Some(ContextValue::Strings(texts)) => texts.clone(),
        _ => Vec::new(),
    };
    let wrong = texts(ContextKind::InvalidSubcommand);
    let otherwise = OTHERWISE
        .iter()
        .find(|(word, _)| wrong.iter().any(|wrong| wrong == word));
    if let Some((_, hint)) = otherwise {
        return (*hint).to_owned();
    }
    let nearest: Vec<String> = [
        ContextKind::SuggestedSubcommand,
        ContextKind::SuggestedArg,
        ContextKind::SuggestedValue,
    ]
    .into_iter()
    .flat_map(texts)
    .map(|word| main_word(word, words))
    .collect();
    let nearest: Vec<String> = nearest
        .iter()
        .enumerate()
        .filter(|(at, word)| !nearest[..*at].contains(word))
        .map(|(_, word)| format!("`{word}`"))
        .collect();
    if nearest.is_empty() {
        return "see `--help` after the command".to_owned();
    }
    format!("did you mean {}?", nearest.join(" or "))
}

/// What a command is mainly called: its other names are understood, and not shown. `words` lead to the command that
/// has it.
fn main_word(word: String, words: &[OsString]) -> String {
    let mut all = Cli::command();
    all.build();
    let mut at = &all;
    for said in words.iter().skip(1) {
        at = at.find_subcommand(said).unwrap_or(at);
    }
    at.find_subcommand(&word)
        .map_or(word, |command| command.get_name().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser as _;

    fn of(line: &str) -> Error {
        let words: Vec<OsString> = std::iter::once("tocli")
            .chain(line.split_whitespace())
            .map(OsString::from)
            .collect();
        told(
            &Cli::try_parse_from(&words).expect_err("these words are wrong"),
            &words,
        )
    }

    #[test]
    fn a_wrong_word_is_named_and_the_nearest_is_offered() {
        let error = of("detct");
        assert_eq!(error.kind, Kind::Usage);
        assert_eq!(error.what, "unrecognized subcommand `detct`");
        assert_eq!(error.next.as_deref(), Some("did you mean `detect`?"));
        assert_eq!(
            of("changes --sinse 1h").next.as_deref(),
            Some("did you mean `--since`?")
        );
        assert_eq!(
            of("completions bsh").next.as_deref(),
            Some("did you mean `bash`?")
        );
    }

    #[test]
    fn a_command_is_offered_once_and_by_its_main_name() {
        assert_eq!(of("workspces").next.as_deref(), Some("did you mean `workspace`?"));
        assert_eq!(
            of("whch").next.as_deref(),
            Some("did you mean `watch` or `detect`?")
        );
        assert_eq!(of("workspace lst").next.as_deref(), Some("did you mean `list`?"));
    }

    #[test]
    fn the_reason_of_a_refused_value_is_told() {
        let error = of("changes --since=-5s");
        assert!(error.what.contains("`-5s`"), "{error}");
        assert!(error.what.contains("has no sign"), "{error}");
    }

    #[test]
    fn a_missing_word_is_named() {
        let error = of("changes");
        assert_eq!(error.what, "missing: `--since <CLOCK|DURATION|TIME|ID>`");
    }

    #[test]
    fn words_of_other_tools_lead_to_ours() {
        assert!(
            of("workspace rm x")
                .next
                .is_some_and(|next| next.contains("forget"))
        );
        assert!(of("stop").next.is_some_and(|next| next.contains("daemon stop")));
    }
}
