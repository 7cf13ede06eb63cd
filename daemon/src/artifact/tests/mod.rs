//! The room with the real database in a folder of its own, and a project of files in a map.

mod faults;
mod keeping;
mod moving;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use proto::artifact::{Answer, Artifact, Call, Filter, NewArtifact, Request, Source, Stored};
use proto::error::Result;
use proto::places::Places;
use proto::task::NewTask;
use proto::{Caller, workspace};

use super::{Home, Place};
use crate::ctx::Ctx;
use crate::db::{Db, Disk, Options};
use crate::dispatch::{Ask, Desk};
use crate::workspace::config::Storage;
use crate::world::FakeWorld;

const WS: &str = "ws_000000000001";
const ROOT: &str = "/p";

struct Bed {
    ctx: Ctx,
    world: Arc<FakeWorld>,
    folder: tempfile::TempDir,
}

fn open(folder: &Path, world: &Arc<FakeWorld>) -> Ctx {
    let places = Places {
        socket: folder.join("s"),
        state_dir: folder.join("state"),
        config_dir: None,
        home: None,
    };
    let mut ctx = Ctx::open(places).expect("opened");
    ctx.world = world.clone();
    ctx
}

impl Bed {
    /// With a task `t`.
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let world = Arc::new(FakeWorld::new());
        world.dir(ROOT);
        let bed = Self {
            ctx: open(folder.path(), &world),
            world,
            folder,
        };
        bed.task("t");
        bed
    }

    /// The same after the daemon was started anew; `disk` is what it finds.
    fn again(mut self, disk: Option<Arc<dyn Disk>>) -> Self {
        self.ctx.db.close().expect("closed");
        match disk {
            Some(disk) => {
                let options = Options {
                    disk,
                    ..Options::new(1)
                };
                self.ctx.db = Db::open(&self.folder.path().join("state"), options)
                    .expect("opened")
                    .db;
                self.ctx.artifacts = super::Cabinet::default();
            }
            None => self.ctx = open(self.folder.path(), &self.world),
        }
        self
    }

    fn task(&self, id: &str) {
        let new = NewTask {
            id: Some(id.to_owned()),
            title: "Work".to_owned(),
            specialist: Some("coder".to_owned()),
            ..NewTask::default()
        };
        let call = proto::task::Call {
            at: workspace::Which::Named(WS.to_owned()),
            what: proto::task::Request::Add(Box::new(new)),
        };
        let place = crate::task::Place {
            workspace: WS,
            to: None,
            tree: None,
            terms: crate::task::Terms::default(),
            roles: &|_| None,
            enter: &|_| Ok(()),
            warnings: &[],
        };
        let ask = asked(None);
        let desk = Desk {
            ctx: &self.ctx,
            ask: &ask,
        };
        let whole = proto::Request::Task(Box::new(call));
        crate::task::answer_in(&desk, &place, &whole).expect("added");
    }

    fn home(&self) -> Home {
        Home {
            workspace: WS.to_owned(),
            root: PathBuf::from(ROOT),
            storage: Storage::Project,
            places: self.ctx.places.clone(),
        }
    }

    fn ask(&self, id: Option<&str>, what: Request) -> Result<Answer> {
        let ask = asked(id);
        let desk = Desk {
            ctx: &self.ctx,
            ask: &ask,
        };
        let place = Place {
            home: self.home(),
            tree: Path::new(ROOT),
            limit: 10 << 20,
            archive_after_days: 90,
            enter: &|_| Ok(()),
            warnings: &[],
        };
        let call = Call {
            at: workspace::Which::Named(WS.to_owned()),
            what: what.clone(),
        };
        let whole = proto::Request::Artifact(Box::new(call));
        match super::answer_in(&desk, &place, &whole, what)? {
            proto::Answer::Artifact(answer) => Ok(answer),
            other => panic!("another room answered: {other:?}"),
        }
    }

    fn store(&self, name: &str, bytes: &[u8]) -> Stored {
        stored(self.ask(None, keep(name, bytes)).expect("stored"))
    }

    fn list(&self) -> Vec<Artifact> {
        let list = Request::List {
            filter: Box::new(Filter {
                archived: true,
                ..Filter::default()
            }),
            limit: 1000,
            cursor: None,
        };
        match self.ask(None, list).expect("listed") {
            Answer::Artifacts { artifacts, .. } => artifacts,
            other => panic!("not a list: {other:?}"),
        }
    }

    fn read(&self, id: &str, version: u32) -> Result<Vec<u8>> {
        let read = Request::Read {
            id: id.to_owned(),
            version: Some(version),
            offset: 0,
            length: 1 << 16,
        };
        match self.ask(None, read)? {
            Answer::Piece { bytes, .. } => Ok(bytes),
            other => panic!("not a piece: {other:?}"),
        }
    }

    /// What stands in the project.
    fn file(&self, path: &str) -> Option<Vec<u8>> {
        use crate::world::World as _;
        self.world.read(&Path::new(ROOT).join(path), 1 << 20).ok()
    }

    /// Copies that are not in their place.
    fn left(&self) -> usize {
        use crate::world::World as _;
        let drafts = Path::new(ROOT).join(".task_orchestrator/artifacts/.drafts");
        self.world.list(&drafts, 100).map_or(0, |names| names.len())
    }
}

fn asked(request_id: Option<&str>) -> Ask {
    let caller = Caller {
        actor: Some("me".to_owned()),
        ..Caller::default()
    };
    Ask {
        caller,
        request_id: request_id.map(str::to_owned),
        deadline: None,
    }
}

fn keep(name: &str, bytes: &[u8]) -> Request {
    let new = NewArtifact {
        task: "t".to_owned(),
        name: name.to_owned(),
        ..NewArtifact::default()
    };
    Request::Store(Box::new(Source::Here {
        new,
        bytes: bytes.to_vec(),
    }))
}

fn stored(answer: Answer) -> Stored {
    match answer {
        Answer::Stored(stored) => *stored,
        other => panic!("not stored: {other:?}"),
    }
}
