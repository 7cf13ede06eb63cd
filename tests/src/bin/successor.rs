//! A program that takes the place of a new `tod` in tests and fails in one way, which is its file name:
//! `<where>-<how>` with `rehearsal` or `service`, and `exits`, `crashes`, `hangs` or `babbles`. Where it is not to fail it
//! becomes the `real` beside it.

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::process::Command;

fn main() -> std::io::Result<()> {
    let own = std::env::current_exe()?;
    let name = own
        .file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default();
    let (place, how) = name.split_once('-').unwrap_or(("", ""));
    let words: Vec<_> = std::env::args_os().skip(1).collect();
    let rehearsing = words.first().is_some_and(|word| word == "rehearse");
    if rehearsing != (place == "rehearsal") {
        return Err(Command::new(own.with_file_name("real")).args(words).exec());
    }
    match how {
        "crashes" => std::process::abort(),
        "hangs" => loop {
            std::thread::park();
        },
        "babbles" => std::io::stdout().write_all(&[0xff, b'\n', 0, b'x'].repeat(100_000)),
        _ => Err(std::io::Error::other("the successor ends at once")),
    }
}
