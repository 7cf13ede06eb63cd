//! The second way in: questions that clients in a sandbox leave as files in their project.
//!
//! Asked by `lifecycle` once a second; while questions come it looks again at once. What must stay true: only folders
//! that the daemon made are looked into, only questions with their nonce are read further, and only requests about
//! the workspace in whose folder they lay are carried out; a question is removed when its answer stands, so that a daemon
//! that ends in between answers it when it is back, a change still only once by its request id.

mod rules;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use proto::detect::From;
use proto::hello::{Control, Hello, Verdict};
use proto::spool::{ANSWER, ASK, MAX_ANSWER, MAX_ASK, TAKEN, asked, is_name};
use proto::{Caller, ClientFrame, Error, Request, ServerFrame, error::Result, frame};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use super::Phase;
use super::sink::{QUEUE, Sink};
use crate::ctx::Ctx;
use crate::dispatch::{self, Ask, Desk};
use crate::workspace::spool::{Spool, all};
use crate::world::{FileKind, World};

/// The most names of a folder that are read.
const MOST_NAMES: usize = 1024;
/// The most questions taken from one folder in one look.
const MOST_ASKS: usize = 16;
/// How long an answer waits for its reader, and a question that cannot be read for its end.
const KEPT: i64 = 600 * 1_000_000_000;
/// How long a question may take when its client names no limit or a longer one.
const LIMIT: Duration = Duration::from_secs(30);
/// How long after a question the folders are looked at again and again, and how often.
const AWAKE: Duration = Duration::from_secs(3);
const PAUSE: Duration = Duration::from_millis(20);

/// Whether somebody is looking already: a mount that hangs holds up one look, not the daemon.
static LOOKING: AtomicBool = AtomicBool::new(false);

/// A question that may be carried out.
struct Question {
    spool: Spool,
    name: String,
    id: u64,
    ask: Ask,
    request: Request,
}

/// What lies in the folders.
#[derive(Default)]
struct Found {
    questions: Vec<Question>,
    /// Those that get an error at once.
    wrong: Vec<(Spool, String, Error)>,
}

impl Found {
    fn is_empty(&self) -> bool {
        self.questions.is_empty() && self.wrong.is_empty()
    }
}

/// Whoever looks: alone, until this is dropped.
struct Looking;

impl Looking {
    fn begin() -> Option<Self> {
        (!LOOKING.swap(true, Ordering::AcqRel)).then_some(Self)
    }
}

impl Drop for Looking {
    fn drop(&mut self) {
        LOOKING.store(false, Ordering::Release);
    }
}

/// Looks into all folders, on the thread that asks; when questions have come, they are answered on the runtime, which looks
/// again as long as more come.
pub fn look(ctx: &Arc<Ctx>, phase: &watch::Receiver<Phase>, runtime: &Handle) {
    let Some(looking) = Looking::begin() else {
        return;
    };
    let found = gather(ctx);
    if !found.is_empty() {
        runtime.spawn(answer_while_asked(Arc::clone(ctx), found, phase.clone(), looking));
    }
}

async fn answer_while_asked(
    ctx: Arc<Ctx>,
    mut found: Found,
    phase: watch::Receiver<Phase>,
    looking: Looking,
) {
    let mut last = Instant::now();
    loop {
        if !found.is_empty() {
            last = Instant::now();
            answer_all(&ctx, found, &phase).await;
        }
        if *phase.borrow() != Phase::Serving || last.elapsed() > AWAKE {
            break;
        }
        tokio::time::sleep(PAUSE).await;
        let (looked, inside) = (Arc::clone(&ctx), ctx.life.calls.enter());
        let gathered = tokio::task::spawn_blocking(move || {
            let _inside = inside;
            gather(&looked)
        });
        found = gathered.await.unwrap_or_default();
    }
    drop(looking);
}

fn gather(ctx: &Ctx) -> Found {
    let world = &*ctx.world;
    let mut found = Found::default();
    for spool in all(&ctx.db).unwrap_or_default() {
        // Nearly always only the secret lies there.
        let names = names(world, &spool);
        if names.is_empty() || !spool.is_there(world) {
            continue;
        }
        for name in names {
            if name.ends_with(ANSWER) {
                sweep(world, &spool, &name);
            } else {
                read(ctx, &spool, name, &mut found);
            }
        }
    }
    found
}

/// The names of some questions and answers. Whose folder it is has not been looked at yet.
fn names(world: &dyn World, spool: &Spool) -> Vec<String> {
    let entries = world.list(&spool.path(), MOST_NAMES).unwrap_or_default();
    let ours = |name: &str| {
        [ASK, TAKEN, ANSWER]
            .iter()
            .any(|end| name.strip_suffix(end).is_some_and(is_name))
    };
    let names = entries
        .into_iter()
        .filter_map(|entry| entry.name.into_string().ok());
    let (answers, mut questions): (Vec<_>, Vec<_>) = names
        .filter(|name| ours(name))
        .partition(|name| name.ends_with(ANSWER));
    questions.sort();
    questions.truncate(MOST_ASKS);
    questions.extend(answers);
    questions
}

/// Takes an answer away that nobody came for.
fn sweep(world: &dyn World, spool: &Spool, name: &str) {
    let old = world
        .stat(&spool.path().join(name))
        .is_ok_and(|stat| world.now().saturating_sub(stat.mtime) > KEPT);
    if old {
        discard(world, spool, name);
    }
}

fn read(ctx: &Ctx, spool: &Spool, file: String, found: &mut Found) {
    let world = &*ctx.world;
    let Some((name, _)) = file.split_once('.') else {
        return;
    };
    let name = name.to_owned();
    let path = spool.path().join(&file);
    let own = world
        .stat(&path)
        .is_ok_and(|stat| stat.kind == FileKind::File && stat.uid == world.uid());
    let bytes = match world.read(&path, MAX_ASK) {
        Ok(bytes) if own => bytes,
        _ => return discard(world, spool, &file),
    };
    let Ok(parts) = asked(&bytes) else {
        return discard(world, spool, &file);
    };
    if parts.nonce != spool.nonce.as_bytes() {
        tracing::warn!(folder = %spool.path().display(), "a question without the secret of its folder was not read");
        return discard(world, spool, &file);
    }
    let taken = format!("{name}{TAKEN}");
    if file != taken {
        let renamed = world.set_aside(spool.tree.as_path(), &spool.within(&file), Path::new(&taken));
        if renamed.is_err() {
            return discard(world, spool, &file);
        }
    }
    let question = Hello::from_bytes(parts.hello)
        .and_then(|hello| talks(&hello))
        .and_then(|()| frame::decode::<ClientFrame>(parts.payload))
        .and_then(|message| judge(ctx, spool, name.clone(), message));
    match question {
        Ok(question) => found.questions.push(question),
        Err(error) => found.wrong.push((spool.clone(), name, error)),
    }
}

fn talks(hello: &Hello) -> Result<()> {
    let spoken = hello.lowest <= proto::hello::HIGHEST && hello.highest >= proto::hello::LOWEST;
    match hello.control == Control::Talk && spoken {
        true => Ok(()),
        false => Err(Error::refused("this header is not taken from a sandbox's spool")
            .why("it speaks another protocol, or asks for more than an answer")),
    }
}

/// Whether a question may be carried out: about the project whose folder it lay in, and no other.
fn judge(ctx: &Ctx, spool: &Spool, name: String, message: ClientFrame) -> Result<Question> {
    let ClientFrame::Ask {
        id,
        deadline_ms,
        request_id,
        caller,
        request,
    } = message
    else {
        return Err(Error::usage("only questions are taken from a sandbox's spool"));
    };
    let limit = match deadline_ms {
        0 => LIMIT,
        limit => Duration::from_millis(limit.into()).min(LIMIT),
    };
    let ask = Ask {
        // Variables choose settings and projects: those of a sandbox choose nothing.
        caller: Caller {
            cwd: caller.cwd,
            vars: Vec::new(),
            actor: caller.actor,
        },
        request_id,
        deadline: Some(Instant::now() + limit),
    };
    let from = rules::allowed(&request)?;
    let outside = || {
        Error::refused("a sandbox's spool serves its own project only")
            .why(format!("it lies in `{}`", spool.tree.display()))
            .next("run the command in that project, or outside of the sandbox")
    };
    let start = match from {
        From::Start(path) => path,
        _ => &ask.caller.cwd,
    };
    if !start.as_path().starts_with(spool.tree.as_path()) {
        return Err(outside());
    }
    let found = Desk { ctx, ask: &ask }.locate(from)?;
    if found.root != spool.tree {
        return Err(outside());
    }
    Ok(Question {
        spool: spool.clone(),
        name,
        id,
        ask,
        request,
    })
}

async fn answer_all(ctx: &Arc<Ctx>, found: Found, phase: &watch::Receiver<Phase>) {
    // Counted as somebody who is served: neither an idle exit nor a hand-over comes in between. A hand-over that was
    // before us closes the database: what is left undone then lies there for the next image.
    let _inside = ctx.life.connections.enter();
    let serving = || *phase.borrow() == Phase::Serving;
    for (spool, name, error) in found.wrong {
        if !serving() {
            return;
        }
        let frames = frame::encode(&ServerFrame::Failed { id: 0, error }).unwrap_or_default();
        put(ctx, spool, name, frames).await;
    }
    for question in found.questions {
        if !serving() {
            return;
        }
        let _working = ctx.life.requests.enter();
        let Question {
            spool,
            name,
            id,
            ask,
            request,
        } = question;
        let frames = carry_out(ctx, id, ask, request).await;
        put(ctx, spool, name, frames).await;
    }
}

/// All frames of an answer.
async fn carry_out(ctx: &Arc<Ctx>, id: u64, ask: Ask, request: Request) -> Vec<u8> {
    let (queue, mut parts) = mpsc::channel(QUEUE);
    let (give_up, cancelled) = watch::channel(None);
    let sink = Sink { id, queue, cancelled };
    let route = dispatch::route(ctx, &ask, request);
    let collecting = tokio::spawn(async move {
        let mut frames = Vec::new();
        while let Some(part) = parts.recv().await {
            if frames.len() + part.bytes.len() > MAX_ANSWER {
                give_up.send_replace(Some(too_long()));
            } else {
                frames.extend_from_slice(&part.bytes);
            }
        }
        frames
    });
    let answer = dispatch::run(Arc::clone(ctx), ask, route, &sink).await;
    drop(sink);
    let mut frames = collecting.await.unwrap_or_default();
    let last = match answer {
        Ok(answer) => frame::encode(&ServerFrame::Done { id, answer }),
        Err(error) => frame::encode(&ServerFrame::Failed { id, error }),
    };
    let last = last.or_else(|error| frame::encode(&ServerFrame::Failed { id, error }));
    frames.extend_from_slice(&last.unwrap_or_default());
    frames
}

fn too_long() -> Error {
    Error::too_large("the answer is too long for a sandbox's spool")
        .why(format!("it holds at most {MAX_ANSWER} bytes"))
        .next("ask for less, or outside of the sandbox")
}

/// Leaves the answer, then takes the question away.
async fn put(ctx: &Arc<Ctx>, spool: Spool, name: String, frames: Vec<u8>) {
    let ctx = Arc::clone(ctx);
    let written = tokio::task::spawn_blocking(move || {
        let world = &*ctx.world;
        if !spool.is_there(world) {
            return;
        }
        let header = ctx
            .life
            .welcome(Verdict::Accepted, proto::hello::HIGHEST)
            .to_bytes();
        let bytes = [&header[..], &frames].concat();
        let answer = spool.within(&format!("{name}{ANSWER}"));
        if let Err(error) = world.write(spool.tree.as_path(), &answer, &bytes) {
            tracing::warn!(%error, "an answer to a client in a sandbox could not be left");
        }
        discard(world, &spool, &format!("{name}{TAKEN}"));
    });
    drop(written.await);
}

fn discard(world: &dyn World, spool: &Spool, file: &str) {
    if let Err(error) = world.remove(spool.tree.as_path(), &spool.within(file)) {
        tracing::debug!(%error, "a question of a client in a sandbox could not be removed");
    }
}
