//! Asking through files where a sandbox forbids sockets (`proto::spool`).
//!
//! Asked by the client when the socket was refused. What must stay true: nothing is written into a folder that another
//! user could have made or reached, and what we left there is taken away again, whatever comes.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use proto::hello::{Control, Hello};
use proto::spool::{ANSWER, ASK, FOLDER, MAX_ANSWER, NONCE, NONCE_LENGTH, next_frame, question};
use proto::{Answer, Error, Kind, ServerFrame, error::Result, frame, hello};

use crate::{Ask, Listener, guard, request_id};

/// The project's own folder.
const OWN: &str = ".task_orchestrator";

/// How long the daemon has to take a question: it looks once a second.
const TAKEN: Duration = Duration::from_secs(5);

/// How long an answer may take after that, when the question has no limit of its own. The daemon's limit is 30 s.
const ANSWERED: Duration = Duration::from_secs(35);

const PAUSE: Duration = Duration::from_millis(20);

/// The answer by way of files; none where there is no such way from the asker's directory, or nobody takes the question.
pub(crate) fn ask(
    ask: &Ask,
    (id, frame): (u64, &[u8]),
    listener: &mut dyn Listener,
) -> Option<Result<Answer>> {
    let (folder, nonce) = folder(ask.caller.cwd.as_path())?;
    let name = request_id()?;
    let asked = Left(folder.join(format!("{name}{ASK}")));
    let answer = Left(folder.join(format!("{name}{ANSWER}")));
    let hello = Hello::of_this_build(Control::Talk).to_bytes();
    let draft = Left(folder.join(format!(".draft-{name}")));
    write(&draft.0, &question(&nonce, &hello, frame)).ok()?;
    fs::rename(&draft.0, &asked.0).ok()?;
    let began = Instant::now();
    let bytes = loop {
        if let Ok(about) = fs::symlink_metadata(&answer.0)
            && about.is_file()
            && about.len() <= (MAX_ANSWER + (2 << 20)) as u64
        {
            match fs::read(&answer.0) {
                Ok(bytes) => break bytes,
                Err(error) => return Some(Err(unread(&error.to_string()))),
            }
        }
        let passed = began.elapsed();
        if passed > TAKEN && asked.0.exists() {
            return None;
        }
        if passed > TAKEN + ask.deadline.unwrap_or(ANSWERED).min(ANSWERED) {
            return Some(Err(unread("no answer came in time")));
        }
        if let Err(error) = listener.waiting(passed) {
            return Some(Err(error));
        }
        std::thread::sleep(PAUSE);
    };
    Some(hear(&bytes, id, listener))
}

fn unread(why: &str) -> Error {
    Error::unavailable("the daemon was asked through files, and its answer cannot be read")
        .why(why.to_owned())
        .next("ask again, or outside of the sandbox")
}

fn hear(bytes: &[u8], id: u64, listener: &mut dyn Listener) -> Result<Answer> {
    let mut rest = bytes.get(hello::LENGTH..).unwrap_or_default();
    while let Some((payload, more)) = next_frame(rest)? {
        rest = more;
        match frame::decode(payload)? {
            ServerFrame::Done { answer, .. } => return Ok(answer),
            ServerFrame::Failed { error, .. } => return Err(error),
            ServerFrame::Item { id: of, item } if of == id => listener.item(item)?,
            ServerFrame::Progress {
                what, done, total, ..
            } => listener.progress(&what, done, total),
            ServerFrame::Item { .. } => {}
        }
    }
    Err(Error::new(Kind::Bug, "the daemon left an answer without an end"))
}

/// The nearest project's spool above a directory, and its nonce.
fn folder(cwd: &Path) -> Option<(PathBuf, String)> {
    cwd.ancestors().find_map(|root| {
        let folder = root.join(OWN).join(FOLDER);
        let about = fs::symlink_metadata(&folder).ok()?;
        let own = about.is_dir() && about.uid() == guard::uid() && about.mode() & 0o077 == 0;
        let nonce = own
            .then(|| fs::read_to_string(folder.join(NONCE)).ok())
            .flatten()?;
        (nonce.len() == NONCE_LENGTH).then_some((folder, nonce))
    })
}

fn write(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(bytes)
}

/// A file that is taken away when nobody needs it any more.
struct Left(PathBuf);

impl Drop for Left {
    fn drop(&mut self) {
        // Gone already, in most cases.
        drop(fs::remove_file(&self.0));
    }
}
