//! The plainest lines of the commands that hooks and prompts run all day, read without building the tree of commands:
//! that costs a third of a millisecond, which is as long as all the rest takes.
//!
//! Asked by `main` before the parser proper. What must stay true: a line is read here exactly as the parser would read
//! it (a test compares the two), and everything that is not plain is left to the parser.

use std::ffi::OsString;
use std::path::PathBuf;

use super::{Cli, Command, Global, Where, detect, index};

/// The command of a plain line; none when it takes more to read.
pub(crate) fn plain(words: &[OsString]) -> Option<Cli> {
    let mut global = Global::default();
    let mut rest = Vec::new();
    for word in words.get(1..)? {
        let once = match word.to_str() {
            Some("--json") => &mut global.json,
            Some("--quiet" | "-q") => &mut global.quiet,
            Some("--no-color") => &mut global.no_color,
            Some("--no-start") => &mut global.no_start,
            _ if !word.is_empty() && !word.as_encoded_bytes().starts_with(b"-") => {
                rest.push(word);
                continue;
            }
            _ => return None,
        };
        // Twice is an error, which the parser words better.
        if std::mem::replace(once, true) {
            return None;
        }
    }
    let (verb, rest) = rest.split_first()?;
    let command = match (verb.to_str()?, rest) {
        ("detect", []) => Command::Detect(detect::Words::at(None)),
        ("detect", [path]) => Command::Detect(detect::Words::at(Some(PathBuf::from(path)))),
        ("clock", []) => Command::Clock(index::Clock::at(Where::default())),
        _ => return None,
    };
    Some(Cli { global, command })
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser as _;

    fn words(line: &[&str]) -> Vec<OsString> {
        std::iter::once("tocli")
            .chain(line.iter().copied())
            .map(OsString::from)
            .collect()
    }

    #[test]
    fn what_is_read_here_is_read_as_the_parser_reads_it() {
        let alphabet = [
            "detect",
            "clock",
            "files",
            "--json",
            "-q",
            "--quiet",
            "--no-color",
            "--no-start",
            ".",
            "/a b",
            "",
            "-",
            "--",
            "-x",
            "--explicit",
            "--path=x",
            "-qx",
            "clocks",
            "help",
        ];
        let mut lines: Vec<Vec<&str>> = vec![vec![]];
        let mut plain_ones = 0;
        for _ in 0..4 {
            lines = lines
                .iter()
                .flat_map(|line| {
                    alphabet
                        .iter()
                        .map(move |word| [line.as_slice(), &[*word]].concat())
                })
                .collect();
            // Every line of up to two words, and a tenth of the longer ones.
            for line in lines
                .iter()
                .enumerate()
                .filter(|(n, line)| line.len() < 3 || n % 10 == 0)
            {
                let words = words(line.1);
                let Some(fast) = plain(&words) else { continue };
                plain_ones += 1;
                let slow = Cli::try_parse_from(&words).unwrap_or_else(|error| panic!("{line:?}: {error}"));
                assert_eq!(format!("{fast:?}"), format!("{slow:?}"), "{line:?}");
            }
            lines.retain(|line| {
                line.len() < 3 || line[0] == "detect" || line[1] == "detect" || line[0] == "clock"
            });
        }
        assert!(plain_ones > 100, "only {plain_ones} lines were plain");
    }

    #[test]
    fn the_plainest_lines_are_read_here() {
        for line in [
            &["detect"][..],
            &["detect", "--json"],
            &["--no-start", "detect", "."],
            &["clock", "-q"],
        ] {
            assert!(plain(&words(line)).is_some(), "{line:?}");
        }
    }
}
