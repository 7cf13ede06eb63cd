//! `tocli artifact`: what moves contents, and what is asked until there is no more.
//!
//! What must stay true: a mutation carries the request id that was given, or ones of its own; the parts of one upload
//! carry ids made of it, so that a repeated command does nothing twice.

mod behind;
pub(crate) mod get;
pub(crate) mod send;

use client::{Ask, Client, Options};
use proto::artifact::{self, Answer, Call, Fault, MAX_PIECE, NewArtifact, Request, Source, Stored};
use proto::workspace::Which;
use proto::{Caller, Error, error::Result};

use crate::args::artifact::{Store, Words, asked, mirrored};
use crate::args::task::{Common, WithResults};
use crate::end::End;
use crate::out::Out;
use crate::progress::Progress;
use crate::render::artifact as render;
use crate::talk;
use crate::voice::Voice;
use send::{Feed, name_of};

/// Who asks, of which workspace, over which connection.
pub(crate) struct Line {
    pub(crate) client: Client,
    pub(crate) caller: Caller,
    pub(crate) at: Which,
    /// That was given, under which it is done once.
    pub(crate) request_id: Option<String>,
}

impl Line {
    /// Asks and waits; `part` tells the requests of one command from each other.
    pub(crate) fn ask(&mut self, what: Request, part: &str) -> Result<Answer> {
        let ask = self.question(what, part);
        match self.client.call(&ask)? {
            proto::Answer::Artifact(answer) => Ok(answer),
            _ => Err(Error::bug("the answer is not about artifacts")),
        }
    }

    pub(crate) fn question(&self, what: Request, part: &str) -> Ask {
        let call = Call {
            at: self.at.clone(),
            what,
        };
        let ask = Ask::new(self.caller.clone(), proto::Request::Artifact(Box::new(call)));
        let given = self.request_id.as_ref().filter(|_| ask.request_id.is_some());
        let request_id = match (given, part) {
            (Some(given), "") => Some(given.clone()),
            (Some(given), part) => Some(derived(given, part)),
            (None, _) => ask.request_id.clone(),
        };
        Ask { request_id, ..ask }
    }
}

/// The id of a part of what a caller's id stands for.
fn derived(given: &str, part: &str) -> String {
    let digest = blake3::hash(format!("{given}\0{part}").as_bytes());
    digest.to_hex()[..40].to_owned()
}

/// Does what the words say.
pub(crate) fn run(
    options: Options,
    caller: Caller,
    words: &Words,
    (out, voice): (&mut Out, &Voice),
) -> std::result::Result<(), End> {
    let common = words.common();
    let caller = Caller {
        actor: client::actor(common.actor.as_deref())?,
        ..caller
    };
    let mut line = Line {
        client: Client::new(options),
        at: common.at(&caller)?,
        caller,
        request_id: common.request_id.clone(),
    };
    match words {
        Words::Store(words) => {
            let stored = store(&mut line, words, voice)?;
            Ok(render::answer(out, voice, &Answer::Stored(Box::new(stored)))?)
        }
        Words::Get(words) => get::run(&mut line, words, (out, voice)),
        Words::Resume {
            draft,
            file,
            only_send,
            ..
        } => {
            let mut feed = Feed::open(file)?;
            let sent = send::go_on(&mut line, draft, &mut feed, voice)?;
            let answer = match only_send {
                true => sent,
                false => line.ask(kept(draft), "")?,
            };
            Ok(render::answer(out, voice, &answer)?)
        }
        Words::Verify { .. } => {
            let request = words
                .request()
                .ok_or_else(|| Error::bug("a verb without a request"))?;
            verify(&mut line, request, (out, voice))
        }
        _ => {
            let request = words
                .request()
                .ok_or_else(|| Error::bug("a verb without a request"))?;
            let question = asked(common, &line.caller, request)?;
            match line.client.call(&talk::ask(question, line.caller.clone()))? {
                proto::Answer::Artifact(answer) => Ok(render::answer(out, voice, &answer)?),
                _ => Err(End::Failed(Error::bug("the answer is not about artifacts"))),
            }
        }
    }
}

fn kept(draft: &str) -> Request {
    artifact::Request::Store(Box::new(Source::Draft {
        draft: draft.to_owned(),
    }))
}

fn store(line: &mut Line, words: &Store, voice: &Voice) -> Result<Stored> {
    if let Some(path) = mirrored(words, &line.caller)? {
        let new = words.new.artifact(words.new.name.clone().unwrap_or_default());
        return stored(line.ask(
            artifact::Request::Store(Box::new(Source::Project { new, path })),
            "",
        )?);
    }
    let file = words.file.as_deref().unwrap_or_else(|| std::path::Path::new("-"));
    let name = match &words.new.name {
        Some(name) => name.clone(),
        None => name_of(file)?,
    };
    let mut feed = Feed::open(file)?;
    let new = words.new.artifact(name);
    if let Some(bytes) = feed.whole()? {
        return stored(line.ask(
            artifact::Request::Store(Box::new(Source::Here { new, bytes })),
            "",
        )?);
    }
    let draft = stage(line, new, &feed, "stage")?;
    match send::go_on(line, &draft, &mut feed, voice) {
        // The same command has come to its end before: its first answer comes again.
        Err(error) if error.kind == proto::Kind::NotFound && line.request_id.is_some() => {}
        Err(error) => return Err(with_hint(error, &draft, feed.is_file())),
        Ok(_) => {}
    }
    stored(line.ask(kept(&draft), "")?)
}

fn with_hint(error: Error, draft: &str, is_file: bool) -> Error {
    match (error.kind, is_file) {
        (proto::Kind::Unavailable, true) => {
            error.next(format!("go on with `tocli artifact resume {draft} FILE`"))
        }
        _ => error,
    }
}

fn stored(answer: Answer) -> Result<Stored> {
    match answer {
        Answer::Stored(stored) => Ok(*stored),
        _ => Err(Error::bug("the answer is not about what was stored")),
    }
}

fn stage(line: &mut Line, new: NewArtifact, feed: &Feed, part: &str) -> Result<String> {
    let request = Request::Stage {
        new: Box::new(new),
        size: feed.size(),
        digest: None,
    };
    match line.ask(request, part)? {
        Answer::Upload { draft, .. } => Ok(draft),
        _ => Err(Error::bug("the answer is not about an upload")),
    }
}

/// Completes a task with its results: they are uploaded first, and recorded with it in one transaction.
pub(crate) fn complete(
    options: Options,
    caller: Caller,
    (common, (request, files)): (&Common, WithResults<'_>),
    (out, voice): (&mut Out, &Voice),
) -> std::result::Result<(), End> {
    let caller = Caller {
        actor: client::actor(common.actor.as_deref())?,
        ..caller
    };
    let mut line = Line {
        client: Client::new(options),
        at: common.at(&caller)?,
        caller,
        request_id: common.request_id.clone(),
    };
    let Request::Complete {
        id,
        if_revision,
        summary,
        next_action,
        force,
        ..
    } = request
    else {
        return Err(End::Failed(Error::bug(
            "another request came to the end of a task",
        )));
    };
    // All can be read, before the first is sent.
    let mut feeds = Vec::new();
    for file in files {
        feeds.push((name_of(file)?, Feed::open(file)?));
    }
    let mut drafts = Vec::new();
    for (number, (name, mut feed)) in feeds.into_iter().enumerate() {
        let new = NewArtifact {
            task: id.clone(),
            name,
            ..NewArtifact::default()
        };
        drafts.push(uploaded(&mut line, new, &mut feed, (number, voice))?);
    }
    let answer = line.ask(
        Request::Complete {
            id,
            if_revision,
            summary,
            next_action,
            force,
            drafts,
        },
        "",
    )?;
    Ok(render::answer(out, voice, &answer)?)
}

fn uploaded(
    line: &mut Line,
    new: NewArtifact,
    feed: &mut Feed,
    (number, voice): (usize, &Voice),
) -> Result<String> {
    let draft = stage(line, new, feed, &format!("stage {number}"))?;
    match send::go_on(line, &draft, feed, voice) {
        Err(error) if error.kind == proto::Kind::NotFound && line.request_id.is_some() => {}
        other => drop(other?),
    }
    Ok(draft)
}

/// Asks until all has been looked at; what is wrong is the command's failure.
fn verify(
    line: &mut Line,
    request: Request,
    (out, voice): (&mut Out, &Voice),
) -> std::result::Result<(), End> {
    let (mut versions, mut bytes, mut faults): (u64, u64, Vec<Fault>) = (0, 0, Vec::new());
    let mut progress = Progress::new(voice);
    let mut next = request.clone();
    loop {
        let Answer::Verified {
            versions: more,
            bytes: read,
            faults: found,
            next_cursor,
        } = line.ask(next, "")?
        else {
            return Err(End::Failed(Error::bug("the answer is not about a check")));
        };
        versions += more;
        bytes += read;
        faults.extend(found);
        progress.count("versions", versions, None);
        let Some(cursor) = next_cursor else { break };
        let Request::Verify { id, .. } = &request else {
            break;
        };
        next = Request::Verify {
            id: id.clone(),
            cursor: Some(cursor),
        };
    }
    progress.clear();
    let wrong = faults.len();
    let answer = Answer::Verified {
        versions,
        bytes,
        faults,
        next_cursor: None,
    };
    render::answer(out, voice, &answer)?;
    match wrong {
        0 => Ok(()),
        _ => Err(End::Told(
            Error::conflict(format!("{wrong} faults")).next("do what stands beside each of them"),
        )),
    }
}

/// The most bytes that travel at once.
pub(crate) const PIECE: usize = MAX_PIECE;
