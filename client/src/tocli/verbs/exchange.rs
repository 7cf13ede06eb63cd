//! `tocli workspace export` and `tocli workspace import`: a file of JSON lines, written by us, read by the daemon.
//!
//! What must stay true: a file under its name is a whole export, on the disk; a reader that went away ends the export;
//! what comes on standard input is kept in a file of our own for as long as the daemon reads it.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;
use std::time::Duration;

use client::{Client, GoOn, Listener, Options};
use proto::maintenance::{self, Answer, Call, Request};
use proto::{Caller, Error, Item, RawPath, error::Result};

use crate::args::Question;
use crate::args::task::Common;
use crate::args::workspace::Words;
use crate::draft::{Draft, Older, Place};
use crate::end::End;
use crate::out::{Form, Out};
use crate::piped::Piped;
use crate::progress::Progress;
use crate::render::{self, Wishes};
use crate::talk;
use crate::voice::Voice;

/// Where the lines go.
enum Target<'o> {
    Out(&'o mut Out),
    File(Draft),
}

/// Writes lines as they come.
struct Writing<'o> {
    target: Target<'o>,
    progress: Progress,
    began: bool,
    broken: Option<io::Error>,
}

impl Writing<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.target {
            Target::Out(out) => out.raw(bytes),
            Target::File(draft) => draft.file().write_all(bytes),
        }
    }
}

impl Listener for Writing<'_> {
    fn item(&mut self, item: Item) -> Result<()> {
        let Item::Lines(bytes) = item else {
            return Err(Error::bug("the daemon sent a part of another answer"));
        };
        self.began = true;
        self.write(&bytes).map_err(|error| {
            self.broken = Some(error);
            talk::closed()
        })
    }

    fn progress(&mut self, what: &str, done: u64, total: Option<u64>) {
        self.progress.count(what, done, total);
    }

    fn waiting(&mut self, _so_far: Duration) -> Result<()> {
        self.progress.tick();
        Ok(())
    }

    fn broken(&mut self) -> GoOn {
        // What was written is the beginning of another moment's export.
        if self.began { GoOn::GiveUp } else { GoOn::Repeat }
    }
}

fn cannot(path: &Path, error: impl std::borrow::Borrow<io::Error>) -> Error {
    let error = error.borrow();
    // A file with a passing name says that name too, which nobody knows.
    let inner = error.get_ref().and_then(|inner| inner.source());
    let why = inner.map_or_else(|| error.to_string(), ToString::to_string);
    Error::unavailable(format!("`{}` cannot be written", path.display()))
        .why(why)
        .next("name another place, or make room there; nothing was left behind")
}

/// Carries out the one or the other.
pub(crate) fn run(
    options: Options,
    caller: Caller,
    words: &Words,
    shown: (&mut Out, &Voice),
) -> std::result::Result<(), End> {
    match words {
        Words::Export { file, force, common } => {
            let question = words.question(&caller)?;
            export(options, (question, caller, common), (file, *force), shown)
        }
        Words::Import {
            file,
            dry_run,
            common,
        } => import(options, (caller, common), (file, *dry_run), shown),
        _ => Err(End::Failed(Error::bug(
            "another command came to the door of exports",
        ))),
    }
}

/// Exports into a file or to standard output.
fn export(
    options: Options,
    (question, caller, common): (Question, Caller, &Common),
    (file, force): (&Path, bool),
    (out, voice): (&mut Out, &Voice),
) -> std::result::Result<(), End> {
    let to_out = file == Path::new("-");
    if to_out && out.form() == Form::Json {
        return Err(End::Failed(
            Error::usage("standard output cannot hold both the export and its report")
                .next("give a file, or leave out `--json`"),
        ));
    }
    let path = std::path::absolute(file)?;
    let target = if to_out {
        Target::Out(&mut *out)
    } else {
        Target::File(draft(&path, force)?)
    };
    let mut writing = Writing {
        target,
        progress: Progress::new(voice),
        began: false,
        broken: None,
    };
    let mut client = Client::new(options);
    let ask = talk::ask(question, known(caller, common)?);
    let answer = client.call_streaming(&ask, &mut writing);
    writing.progress.clear();
    talk::hindered(&client, voice);
    let Writing { target, broken, .. } = writing;
    match (broken, &target) {
        (Some(error), Target::Out(_)) => return Err(End::Output(error)),
        (Some(error), Target::File(_)) => return Err(End::Failed(cannot(&path, error))),
        (None, _) => {}
    }
    let answer = answer?;
    if let Target::File(draft) = target {
        keep(draft, &path, force)?;
        voice.note(&format!("written: {}", path.display()));
        render::answer(out, voice, &answer, Wishes::default())?;
    } else if let proto::Answer::Maintenance(Answer::Exported(said)) = &answer {
        said.warnings.iter().for_each(|warning| voice.warn(warning));
        voice.note(&format!("{} lines, {} bytes", said.lines, said.bytes));
    }
    Ok(())
}

/// A file that has not its name yet.
fn draft(path: &Path, force: bool) -> Result<Draft> {
    let spot = match Place::of(path).map_err(|error| cannot(path, error))? {
        Place::File(spot) => spot,
        Place::Stream => {
            return Err(Error::refused(format!("`{}` is no regular file", path.display()))
                .next("name another file, or `-` for standard output"));
        }
    };
    if !force && path.exists() {
        return Err(Error::conflict(format!("`{}` is there already", path.display()))
            .next("name another file, or replace it with `--force`"));
    }
    Draft::new(spot).map_err(|error| cannot(path, error))
}

fn keep(draft: Draft, path: &Path, force: bool) -> Result<()> {
    let older = match force {
        true => Older::Goes,
        false => Older::Stays,
    };
    let synced = draft.file().sync_all();
    synced
        .and_then(|()| draft.keep(older))
        .map_err(|error| cannot(path, error))
}

fn known(caller: Caller, common: &Common) -> Result<Caller> {
    Ok(Caller {
        actor: client::actor(common.actor.as_deref())?,
        ..caller
    })
}

/// Imports from a file or from standard input.
fn import(
    options: Options,
    (caller, common): (Caller, &Common),
    (file, dry_run): (&Path, bool),
    (out, voice): (&mut Out, &Voice),
) -> std::result::Result<(), End> {
    // Until the answer has come, this holds what came on a pipe.
    let (path, mut piped) = whole(file)?;
    let at = common.at(&caller)?;
    let caller = known(caller, common)?;
    let mut client = Client::new(options);
    let mut asked = |path: RawPath, shown: (&mut Out, &Voice)| {
        let kept = path.display().into_owned();
        let at = at.clone();
        let what = Request::Import { path, dry_run };
        let question = Question {
            request_id: common.request_id.clone(),
            ..Question::patient(proto::Request::Maintenance(Box::new(Call { at, what })))
        };
        let asked = (question, caller.clone());
        let answer = talk::answer(&mut client, asked, shown, talk::Manner::default());
        answer.map_err(|end| match end {
            End::Failed(error) => End::Failed(as_given(error, &kept, file)),
            end => end,
        })
    };
    let mut answer = asked(path, (&mut *out, voice));
    if let (Err(End::Failed(error)), Some(piped)) = (&answer, &mut piped)
        && error.kind == proto::error::Kind::NotFound
        && piped.name()?
    {
        answer = asked(RawPath::from(piped.path()), (out, voice));
    }
    let answer = answer?;
    drop(piped);
    match answer {
        proto::Answer::Maintenance(maintenance::Answer::Imported(_)) => Ok(()),
        _ => Err(End::Failed(Error::bug("the answer is about something else"))),
    }
}

/// The user knows the pipe, and not where we kept what came on it.
fn as_given(error: Error, kept: &str, file: &Path) -> Error {
    let given = |text: String| text.replace(kept, &file.to_string_lossy());
    Error {
        what: given(error.what),
        why: error.why.map(given),
        next: error.next.map(given),
        ..error
    }
}

/// A regular file that the daemon can read: the one that is named, or a copy of what a pipe gives.
fn whole(file: &Path) -> Result<(RawPath, Option<Piped>)> {
    let unreadable = |error: io::Error| {
        Error::not_found(format!("`{}` cannot be read", file.display()))
            .why(error)
            .next("name a file that `tocli workspace export` wrote, or `-` for standard input")
    };
    let mut input: Box<dyn io::BufRead> = if file == Path::new("-") {
        Box::new(io::stdin().lock())
    } else {
        let found = std::fs::metadata(file).map_err(unreadable)?;
        if found.is_dir() {
            return Err(Error::usage(format!("`{}` is a folder", file.display()))
                .next("name the file that `tocli workspace export` wrote"));
        }
        if found.is_file() {
            let path = std::fs::canonicalize(file).map_err(unreadable)?;
            return Ok((RawPath::from(path), None));
        }
        Box::new(io::BufReader::new(File::open(file).map_err(unreadable)?))
    };
    let piped = Piped::of(&mut input, file)?;
    Ok((RawPath::from(piped.path()), Some(piped)))
}
