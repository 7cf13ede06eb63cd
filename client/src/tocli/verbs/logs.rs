//! `tocli daemon logs`: the end of the daemon's log, read from its files, so that it works when nothing else does.
//!
//! What must stay true: only as much is read as is shown, and the rotation of the files loses no line while following.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use proto::Error;
use serde::Serialize;

use crate::end::End;
use crate::out::{Form, Out};
use crate::quote::inert;

/// The newest file; older ones are `tod.log.1` and so on.
const NAME: &str = "tod.log";

/// No more files than this are looked for.
const OLDER: u32 = 16;

/// The longest line that is shown; a file of the daemon's has none that is longer.
const LINE: u64 = 64 << 10;

/// Between two looks at a log that is followed.
const PAUSE: Duration = Duration::from_millis(200);

#[derive(Serialize)]
struct Lines<'a> {
    lines: &'a VecDeque<String>,
}

#[derive(Serialize)]
struct Line<'a> {
    line: &'a str,
}

/// Shows the last lines, and then what comes.
pub(crate) fn show(folder: &Path, (follow, count): (bool, usize), out: &mut Out) -> Result<(), End> {
    let newest = folder.join(NAME);
    let mut files: Vec<PathBuf> = (1..=OLDER)
        .map(|number| folder.join(format!("{NAME}.{number}")))
        .take_while(|path| path.exists())
        .collect();
    files.insert(0, newest.clone());
    let mut lines = VecDeque::new();
    let mut open = None;
    for path in &files {
        let Ok(mut file) = File::open(path) else { continue };
        let wanted = count - lines.len();
        let mut older = last(&mut file, wanted).map_err(|error| unreadable(path, &error))?;
        older.append(&mut lines);
        lines = older;
        if *path == newest {
            open = Some(file);
        }
        if lines.len() >= count {
            break;
        }
    }
    if open.is_none() && lines.is_empty() && !follow {
        return Err(End::Failed(
            Error::not_found("there is no log yet")
                .why(format!("`{}` does not exist", newest.display()))
                .next("the daemon writes it when it runs: see `tocli daemon status`"),
        ));
    }
    match out.form() {
        Form::Json if !follow => out.json(&Lines { lines: &lines })?,
        _ => lines.iter().try_for_each(|line| one(out, line))?,
    }
    if follow {
        out.flush()?;
        go_on(&newest, open, out)?;
    }
    Ok(())
}

fn one(out: &mut Out, line: &str) -> io::Result<()> {
    match out.form() {
        Form::Json => out.json_line(&Line { line }),
        _ => out.line(line),
    }
}

/// The last lines of a file; the file is left at its end.
fn last(file: &mut File, count: usize) -> io::Result<VecDeque<String>> {
    let size = file.metadata()?.len();
    let mut begin = size;
    let mut breaks = 0;
    // Backwards until enough line ends have been passed: the last byte of the file is one of them.
    while begin > 0 && breaks <= count {
        let step = begin.min(LINE);
        begin -= step;
        file.seek(SeekFrom::Start(begin))?;
        let mut bytes = Vec::new();
        file.by_ref().take(step).read_to_end(&mut bytes)?;
        breaks += bytes.iter().filter(|byte| **byte == b'\n').count();
    }
    file.seek(SeekFrom::Start(begin))?;
    let mut bytes = Vec::new();
    file.by_ref().take(size - begin).read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().collect();
    let skip = lines.len().saturating_sub(count);
    Ok(lines[skip..].iter().map(|line| (*line).to_owned()).collect())
}

/// Shows what is written from now on, until the reader goes.
fn go_on(path: &Path, mut open: Option<File>, out: &mut Out) -> Result<(), End> {
    loop {
        if let Some(file) = open.take() {
            let number = file.metadata().map(|found| found.ino()).unwrap_or_default();
            let mut reader = BufReader::new(file);
            copy(&mut reader, out)?;
            let replaced = std::fs::metadata(path).is_ok_and(|found| found.ino() != number);
            if replaced {
                // What was written between the last look and the rotation.
                copy(&mut reader, out)?;
            } else {
                open = Some(reader.into_inner());
                std::thread::sleep(PAUSE);
                continue;
            }
        }
        open = File::open(path).ok();
        if open.is_none() {
            std::thread::sleep(PAUSE);
        }
    }
}

fn copy(reader: &mut BufReader<File>, out: &mut Out) -> Result<(), End> {
    loop {
        let mut line = Vec::new();
        let count = reader.by_ref().take(LINE).read_until(b'\n', &mut line)?;
        if count == 0 {
            return Ok(out.flush()?);
        }
        let text = String::from_utf8_lossy(&line);
        one(out, &inert(text.trim_end_matches('\n')))?;
    }
}

fn unreadable(path: &Path, error: &io::Error) -> Error {
    Error::unavailable(format!("the log `{}` cannot be read", path.display())).why(error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::out::tests::written;

    fn shown(folder: &Path, count: usize) -> String {
        written(Form::Pipe, |out| match show(folder, (false, count), out) {
            Ok(()) => Ok(()),
            Err(end) => panic!("{end:?}"),
        })
    }

    #[test]
    fn the_last_lines_are_found_across_rotated_files() {
        let folder = tempfile::tempdir().expect("a folder");
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("written");
        write("tod.log", "5\n6\n");
        write("tod.log.1", "3\n4\n");
        write("tod.log.2", "1\n2\n");
        assert_eq!(shown(folder.path(), 1), "6\n");
        assert_eq!(shown(folder.path(), 2), "5\n6\n");
        assert_eq!(shown(folder.path(), 3), "4\n5\n6\n");
        assert_eq!(shown(folder.path(), 99), "1\n2\n3\n4\n5\n6\n");
    }

    #[test]
    fn lines_longer_than_one_step_backwards_are_whole() {
        let folder = tempfile::tempdir().expect("a folder");
        let long = "x".repeat(200_000);
        std::fs::write(folder.path().join("tod.log"), format!("a\n{long}\nb\n")).expect("written");
        assert_eq!(shown(folder.path(), 2), format!("{long}\nb\n"));
    }

    #[test]
    fn a_log_that_does_not_exist_is_an_error() {
        let folder = tempfile::tempdir().expect("a folder");
        let page = crate::out::tests::Page::default();
        assert!(show(folder.path(), (false, 5), &mut Out::to(page, Form::Pipe)).is_err());
    }
}
