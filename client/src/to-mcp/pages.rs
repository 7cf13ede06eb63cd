//! The manual page and the completion scripts, made from the words that are parsed.

use std::io::Write as _;

use proto::Error;
use proto::error::Result;

use crate::Words;

/// What is printed instead of serving, if that was asked.
pub(crate) fn page(words: &Words, command: &mut clap::Command) -> Option<Vec<u8>> {
    let mut page = Vec::new();
    if let Some(shell) = words.completions {
        clap_complete::generate(shell, command, "to-mcp", &mut page);
        return Some(page);
    }
    if words.man {
        // Into memory nothing fails.
        let _written = clap_mangen::Man::new(command.clone()).render(&mut page);
        return Some(page);
    }
    None
}

/// Prints it.
pub(crate) fn print(page: &[u8]) -> Result<()> {
    std::io::stdout()
        .write_all(page)
        .map_err(|error| Error::unavailable("standard output cannot be written").why(error))
}
