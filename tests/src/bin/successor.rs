//! A program that takes the place of another `tod` in tests. Its file name says which:
//!
//! - `<where>-<how>` with `rehearsal` or `service`, and `exits`, `crashes`, `segfaults`, `hangs` or `babbles`, fails there;
//!   where it is not to fail it becomes the `real` beside it.
//! - `version-<version>` is a whole `tod` that calls itself so.
//! - `pace-<times>` is a whole `tod` whose leases run out so many times as fast.
//! - `ahead-of` is a whole `tod` whose leases are ahead by the seconds in `ahead-of.seconds` beside it.
//! - `supervising-one` is one that begins its life by having a shell script run under a supervisor.
//! - `by-name` is a whole `tod` that does without what only Linux has in a hand-over, as on macOS; `by-name-crashes` is one that does so once it
//!   was handed something over, and `by-name-hangs` one that hangs then.
//! - `schema-more` is one with another step of the schema; that of `schema-fails` fails, and that of `schema-late` fails
//!   after its rehearsal, half-way.

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

use migrations::{Draft, Error, STEPS, Step};

fn main() -> std::io::Result<ExitCode> {
    let own = std::env::current_exe()?;
    let name = own
        .file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default();
    // Linux says so of a program whose file was removed.
    let name = name.strip_suffix(" (deleted)").unwrap_or(&name);
    let (place, how) = name.split_once('-').unwrap_or(("", ""));
    let words: Vec<_> = std::env::args_os().skip(1).collect();
    let rehearsing = words.first().is_some_and(|word| word == "rehearse");
    match place {
        "version" => {
            daemon::world::process::call_version(String::leak(how.to_owned()));
            return Ok(daemon::program::main());
        }
        "pace" => {
            daemon::world::process::quicken(how.parse().map_err(std::io::Error::other)?);
            return Ok(daemon::program::main());
        }
        "by" => {
            let begins = words.iter().any(|word| word == "--handed-over");
            match how {
                "name-crashes" if begins => std::process::abort(),
                "name-hangs" if begins => loop {
                    std::thread::park();
                },
                _ => daemon::world::stand_ins::use_them(),
            }
            return Ok(daemon::program::main());
        }
        "ahead" => {
            daemon::world::process::run_ahead(own.with_extension("seconds"));
            return Ok(daemon::program::main());
        }
        "supervising" => {
            if words == ["run"] {
                begin_a_run(&own)?;
            }
            return Ok(daemon::program::main());
        }
        "schema" => {
            let apply = match how {
                "more" => more,
                "late" if rehearsing => more,
                _ => fails,
            };
            migrations::build_with(with(apply));
            return Ok(daemon::program::main());
        }
        _ => {}
    }
    if rehearsing != (place == "rehearsal") {
        return Err(Command::new(own.with_file_name("real")).args(words).exec());
    }
    match how {
        "crashes" => std::process::abort(),
        "segfaults" => {
            let own = rustix::process::getpid();
            rustix::process::kill_process(own, rustix::process::Signal::SEGV)?;
            Ok(ExitCode::FAILURE)
        }
        "hangs" => loop {
            std::thread::park();
        },
        "babbles" => {
            std::io::stdout().write_all(&[0xff, b'\n', 0, b'x'].repeat(100_000))?;
            Ok(ExitCode::SUCCESS)
        }
        _ => Err(std::io::Error::other("the successor ends at once")),
    }
}

/// What `TEST_SCRIPT` says, in the folder that `TEST_RUN` names, for `TEST_LIMIT_MS`.
fn begin_a_run(own: &std::path::Path) -> std::io::Result<()> {
    let var = |name: &str| std::env::var(name).map_err(std::io::Error::other);
    let limit: u64 = var("TEST_LIMIT_MS")?.parse().map_err(std::io::Error::other)?;
    let limit = (limit > 0).then(|| std::time::Duration::from_millis(limit));
    let command = ["sh", "-c", &var("TEST_SCRIPT")?].map(std::ffi::OsString::from);
    let folder = std::path::PathBuf::from(var("TEST_RUN")?);
    daemon::world::supervisor::start(own.as_os_str(), &folder, limit, &command).map_err(std::io::Error::other)
}

/// The steps of this release and one more.
fn with(apply: fn(&mut Draft<'_>) -> migrations::Result<()>) -> &'static [Step] {
    let last = STEPS.last().map_or(0, |step| step.number);
    let more = Step {
        number: last + 1,
        name: "more",
        source: "a test's step",
        apply,
        validate: holds,
    };
    Vec::leak(STEPS.iter().copied().chain([more]).collect())
}

fn more(draft: &mut Draft<'_>) -> migrations::Result<()> {
    draft.put("more", b"made", b"by the next schema".to_vec());
    Ok(())
}

fn fails(draft: &mut Draft<'_>) -> migrations::Result<()> {
    more(draft)?;
    Err(Error::Export("this step fails on purpose".to_owned()))
}

fn holds(_: &Draft<'_>) -> migrations::Result<()> {
    Ok(())
}
