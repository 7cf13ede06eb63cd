//! `to-mcp`: the server that coding agents start, over standard input and output.
//!
//! 1. Parse the words.
//! 2. Watch standard input and the parent (`end`), read lines and write lines (`lines`).
//! 3. Serve (`transport`, `serve`) until the end.
//!
//! What must stay true: standard output carries the protocol and nothing else; behind this there is nothing but the daemon's
//! requests; the process ends within a second of its input or of its parent.

mod declare;
mod end;
#[cfg(feature = "conformance-fixtures")]
mod fixtures;
mod lines;
mod message;
mod pages;
mod place;
mod pool;
mod prompts;
mod reply;
mod resources;
mod serve;
mod talk;
mod tools;
mod transport;

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser as _};
use client::Options;
use proto::Error;
use proto::error::Result;

use declare::Profile;
use lines::Writer;
use place::Home;
use pool::Pool;
use serve::Shim;
use transport::Gate;

/// The MCP server of Task Orchestrator: start it from an agent's settings, not by hand.
#[derive(Debug, clap::Parser)]
#[command(name = "to-mcp", version, max_term_width = 100)]
struct Words {
    /// Which tools to offer
    #[arg(long, value_enum, default_value_t)]
    profile: Profile,
    /// The project's directory, for calls that name none and a client that names no roots
    #[arg(long, value_name = "DIR")]
    cwd: Option<PathBuf>,
    /// The daemon's program, in place of `tod` beside this one
    #[arg(long, hide = true, value_name = "PROGRAM")]
    tod: Option<PathBuf>,
    /// Print the manual page
    #[arg(long, hide = true)]
    man: bool,
    /// Print the completion script of a shell
    #[arg(long, hide = true, value_name = "SHELL")]
    completions: Option<clap_complete::Shell>,
}

fn main() -> ExitCode {
    let words = match Words::try_parse() {
        Ok(words) => words,
        Err(error) => error.exit(),
    };
    let done = match pages::page(&words, &mut Words::command()) {
        Some(page) => pages::print(&page),
        None => run(words),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tell(&error);
            ExitCode::from(error.kind.exit_code())
        }
    }
}

#[expect(clippy::print_stderr, reason = "the one word to whoever started this by hand")]
fn tell(error: &Error) {
    eprintln!("to-mcp: {error}");
}

fn run(words: Words) -> Result<()> {
    let options = Options {
        program: words
            .tod
            .as_deref()
            .map(std::path::absolute)
            .transpose()
            .map_err(broken)?,
        ..Options::from_env()?
    };
    let home = Home {
        cwd: words
            .cwd
            .as_deref()
            .map(std::path::absolute)
            .transpose()
            .map_err(broken)?,
        caller: client::here(),
    };
    let shim = Shim::new(words.profile, home, Pool::new(options));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .map_err(broken)?;
    end::watch().map_err(broken)?;
    let lines = lines::read(io::stdin(), end::begin).map_err(broken)?;
    let writer = Writer::new(io::stdout(), end::begin).map_err(broken)?;
    let gate = Gate::new(lines, writer.clone());
    runtime.block_on(async {
        let _why_it_ended = rmcp::service::serve_directly(shim, gate, None).waiting().await;
    });
    drop(runtime);
    writer.finish(end::GRACE);
    Ok(())
}

fn broken(error: io::Error) -> Error {
    Error::unavailable("the shim cannot start").why(error)
}

/// What a thread of this program needs: nothing here recurses, and an answer is not kept on the stack.
const STACK: usize = 512 << 10;

/// Starts a named thread with a small stack.
fn thread(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let builder = std::thread::Builder::new()
        .name(name.to_owned())
        .stack_size(STACK);
    builder.spawn(work).map(drop)
}
