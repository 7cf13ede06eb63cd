//! Clients that keep their connection: turns of reads and writes, each answer looked at, each change checked in the end.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::Instant;

use client::{Ask, Client, Options, Start};
use proto::detect::From;
use proto::index::{self, Since, Sync};
use proto::places::Places;
use proto::task::{self, NewTask};
use proto::workspace::Which;
use proto::{Answer, Caller, ClientFrame, Error, Item, RawPath, Request, ServerFrame, daemon, detect, frame};

use super::{PATIENCE, Stage};
use crate::chance::Chance;
use crate::wire::Peer;

/// Files in the folder that clients list.
const FOLDER: usize = 10;

/// The two ways to ask.
enum Voice {
    /// As every real client does.
    Library(Box<Client>),
    /// Several questions at once, where an answer that is lost or said twice shows.
    Bytes(Peer),
}

struct Kept<'a> {
    stage: &'a Stage<'a>,
    voice: Voice,
    caller: Caller,
    clock: Option<String>,
    /// Titles of the tasks whose making was acknowledged.
    made: Vec<String>,
}

/// One client, until the load is over.
pub(super) fn client(stage: &Stage<'_>, number: usize) {
    let caller = Caller {
        cwd: RawPath::from(stage.root.as_path()),
        ..Caller::default()
    };
    let voice = if number.is_multiple_of(2) {
        Voice::Library(Box::new(library(stage)))
    } else {
        let mut peer = stage.bed.peer();
        peer.patience(PATIENCE);
        Voice::Bytes(peer)
    };
    let mut kept = Kept {
        stage,
        voice,
        caller,
        clock: None,
        made: Vec::new(),
    };
    let mut chance = Chance::new(number as u64);
    for turn in 0.. {
        if stage.is_over() {
            break;
        }
        let began = Instant::now();
        let writes = chance.below(4) == 0;
        if writes {
            kept.write(format!("client {number} turn {turn}"));
        } else {
            kept.read(&mut chance);
        }
        let took = began.elapsed();
        stage.note(|report| {
            if writes {
                report.writes.push(took);
            } else {
                report.reads.push(took);
            }
        });
        stage.turns[number].fetch_add(1, Ordering::Relaxed);
        stage.think(stage.size.thinks);
    }
    kept.end(number);
}

fn library(stage: &Stage<'_>) -> Client {
    let (home, runtime) = (stage.bed.home(), stage.bed.runtime());
    let var = |name: &str| match name {
        "XDG_RUNTIME_DIR" => Some(runtime.clone().into_os_string()),
        "HOME" => Some(home.clone().into_os_string()),
        _ => None,
    };
    let uid = rustix::process::geteuid().as_raw();
    let options = Options {
        places: Places::resolve(&var, uid, Some(home.clone())).expect("the places of the bed"),
        start: Start::Never,
        program: None,
        patience: PATIENCE,
    };
    Client::new(options)
}

impl Kept<'_> {
    fn read(&mut self, chance: &mut Chance) {
        let detect = Request::Detect(detect::Request::Find(From::Caller));
        let status = Request::Daemon(daemon::Request::Status);
        match chance.below(8) {
            0 => self.ask(vec![list(None, 20)]),
            1 => {
                let request = match self.clock.take() {
                    None => index::Request::Clock {
                        at: From::Caller,
                        sync: Sync::Cookie,
                    },
                    Some(clock) => index::Request::Changes {
                        at: From::Caller,
                        since: Since::Clock(clock),
                        wait: false,
                        sync: Sync::Cookie,
                    },
                };
                self.ask(vec![Request::Index(request), detect])
            }
            2 => {
                let glob = Some("group_000/module_00000/**".to_owned());
                let files = index::Request::Files {
                    at: From::Caller,
                    glob,
                    sync: Sync::No,
                };
                self.ask(vec![Request::Index(files)])
            }
            3 => self.ask(vec![status]),
            _ => self.ask(vec![detect.clone(), status, detect]),
        };
    }

    fn write(&mut self, title: String) {
        let add = NewTask {
            title: title.clone(),
            ..NewTask::default()
        };
        if self.ask(vec![call(task::Request::Add(Box::new(add)))]) {
            self.made.push(title);
        }
    }

    /// Asks, and looks at the answers; whether all of them were right.
    fn ask(&mut self, requests: Vec<Request>) -> bool {
        let answers = match &mut self.voice {
            Voice::Library(client) => requests
                .iter()
                .map(|request| {
                    let ask = Ask::new(self.caller.clone(), request.clone());
                    let mut parts = Parts::default();
                    let answer = client.call_streaming(&ask, &mut parts);
                    (answer, parts)
                })
                .collect(),
            Voice::Bytes(peer) => at_once(peer, &self.caller, &requests),
        };
        let mut right = answers.len() == requests.len();
        for (request, (answer, parts)) in requests.iter().zip(answers) {
            let judged = self.judge(request, answer).and_then(|()| parts.judge(request));
            if let Err(why) = judged {
                right = false;
                self.stage.fault(why);
            }
        }
        right
    }

    fn judge(&mut self, request: &Request, answer: Result<Answer, Error>) -> Result<(), String> {
        let wrong = |found: &dyn std::fmt::Debug| Err(format!("{request:?} was answered with {found:?}"));
        match (request, answer) {
            (_, Err(error)) => Err(format!("{request:?}: {error}")),
            (Request::Detect(_), Ok(Answer::Detect(found))) if found.root.as_path() == self.stage.root => {
                Ok(())
            }
            (Request::Daemon(_), Ok(Answer::Daemon(daemon::Answer::Status(status))))
                if status.pid == self.stage.pid =>
            {
                Ok(())
            }
            (
                Request::Index(_),
                Ok(Answer::Index(
                    index::Answer::Clock { clock, .. }
                    | index::Answer::Changes { clock, .. }
                    | index::Answer::Files { clock, .. },
                )),
            ) => {
                self.clock = Some(clock);
                Ok(())
            }
            (Request::Task(call), Ok(Answer::Task(answer))) => match (&call.what, answer) {
                (task::Request::Add(asked), task::Answer::Task { task, .. }) if task.title == asked.title => {
                    Ok(())
                }
                (task::Request::List { .. }, task::Answer::Tasks { .. }) => Ok(()),
                (_, other) => wrong(&other),
            },
            (_, Ok(other)) => wrong(&other),
        }
    }

    /// The last look: every change that was acknowledged is there once, and nothing of this client that was not.
    fn end(mut self, number: usize) {
        let mut found: BTreeMap<String, usize> = BTreeMap::new();
        let mut cursor = None;
        loop {
            let request = list(cursor, task::MAX_PAGE);
            let answer = match &mut self.voice {
                Voice::Library(client) => client.call(&Ask::new(self.caller.clone(), request)),
                Voice::Bytes(peer) => at_once(peer, &self.caller, &[request]).remove(0).0,
            };
            let Ok(Answer::Task(task::Answer::Tasks { tasks, next_cursor })) = answer else {
                return self
                    .stage
                    .fault(format!("client {number} cannot list its tasks: {answer:?}"));
            };
            let own = format!("client {number} turn ");
            for task in tasks.into_iter().filter(|task| task.title.starts_with(&own)) {
                *found.entry(task.title).or_default() += 1;
            }
            cursor = next_cursor;
            if cursor.is_none() {
                break;
            }
        }
        for title in &self.made {
            match found.remove(title) {
                Some(1) => {}
                other => self.stage.fault(format!(
                    "the acknowledged task `{title}` is there {} times",
                    other.unwrap_or_default()
                )),
            }
        }
        if !found.is_empty() {
            self.stage
                .fault(format!("client {number} was not told of {found:?}"));
        }
        self.stage.note(|report| report.acknowledged += self.made.len());
    }
}

/// The files that an answer names.
#[derive(Default)]
struct Parts {
    files: Vec<RawPath>,
}

impl Parts {
    fn take(&mut self, item: Item) {
        if let Item::Files(files) = item {
            self.files.extend(files);
        }
    }

    /// Each file once, and all that were there from the beginning.
    fn judge(mut self, request: &Request) -> Result<(), String> {
        if !matches!(request, Request::Index(index::Request::Files { .. })) {
            return Ok(());
        }
        let told = self.files.len();
        self.files.sort_unstable();
        self.files.dedup();
        if self.files.len() == told && told >= FOLDER {
            Ok(())
        } else {
            Err(format!(
                "{request:?} named {told} files, {} of them different",
                self.files.len()
            ))
        }
    }
}

impl client::Listener for Parts {
    fn item(&mut self, item: Item) -> proto::error::Result<()> {
        self.take(item);
        Ok(())
    }
}

/// Asks all before it reads the first answer. Each is answered once, in any order.
fn at_once(peer: &mut Peer, caller: &Caller, requests: &[Request]) -> Vec<(Result<Answer, Error>, Parts)> {
    let mut bytes = Vec::new();
    let ids: Vec<u64> = requests
        .iter()
        .map(|request| {
            let id = peer.new_id();
            let ask = ClientFrame::Ask {
                id,
                deadline_ms: 0,
                request_id: (!client::only_reads(request)).then(client::request_id).flatten(),
                caller: caller.clone(),
                request: request.clone(),
            };
            bytes.extend_from_slice(&frame::encode(&ask).expect("a request fits in a frame"));
            id
        })
        .collect();
    peer.send(&bytes);
    let mut answers: BTreeMap<u64, Result<Answer, Error>> = BTreeMap::new();
    let mut parts: BTreeMap<u64, Parts> = ids.iter().map(|id| (*id, Parts::default())).collect();
    while answers.len() < ids.len() {
        let (id, answer) = match peer.frame().expect("the answer comes before the end") {
            ServerFrame::Done { id, answer } => (id, Ok(answer)),
            ServerFrame::Failed { id, error } => (id, Err(error)),
            ServerFrame::Item { id, item } => {
                let parts = parts.get_mut(&id).filter(|_| !answers.contains_key(&id));
                parts.expect("no part comes after the end").take(item);
                continue;
            }
            ServerFrame::Progress { id, .. } => {
                assert!(
                    ids.contains(&id) && !answers.contains_key(&id),
                    "progress of {id} after its end"
                );
                continue;
            }
        };
        assert!(ids.contains(&id), "an answer to {id}, which was not asked now");
        assert!(answers.insert(id, answer).is_none(), "{id} was answered twice");
    }
    answers.into_values().zip(parts.into_values()).collect()
}

fn call(what: task::Request) -> Request {
    Request::Task(Box::new(task::Call {
        at: Which::At(From::Caller),
        what,
    }))
}

fn list(cursor: Option<String>, limit: u32) -> Request {
    call(task::Request::List {
        filter: Box::default(),
        limit,
        cursor,
    })
}
