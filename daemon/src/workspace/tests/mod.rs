//! The doors of this room with the real store: in a world of maps, and on the real disk where links and modes count.

mod files;
mod identity;
mod registry;

use std::path::{Path, PathBuf};
use std::sync::Mutex;

use proto::config::{self as conf, Layer};
use proto::detect::{Detection, From, Method, Vcs};
use proto::places::Places;
use proto::workspace::{Answer, Request, Seed, Which, Workspace};
use proto::{Caller, Error, Kind, RawPath, error::Result};

use super::config::Config;
use super::registry::Registry;
use super::{config, door, role, rules, store};
use crate::db::{Batch, Db, Options};
use crate::world::{FakeWorld, OsWorld, World};

/// A registry of its own: a store in a folder, a world, and detection that takes every directory for a root.
struct Bed<W> {
    _dir: tempfile::TempDir,
    base: PathBuf,
    world: W,
    db: Db,
    config: Config,
    entered: super::Entered,
    places: Places,
    caller: Caller,
    entering: Mutex<()>,
    /// Linked worktrees: tree and main checkout.
    linked: Mutex<Vec<(PathBuf, PathBuf)>>,
}

impl Bed<OsWorld> {
    /// On the real disk, below a folder of its own.
    fn real() -> Self {
        use std::os::unix::fs::DirBuilderExt;
        let dir = tempfile::tempdir().unwrap();
        let base = dir.path().canonicalize().unwrap();
        for folder in ["state", "config"] {
            std::fs::DirBuilder::new()
                .mode(0o700)
                .create(base.join(folder))
                .unwrap();
        }
        Self::with(dir, base, OsWorld::new())
    }
}

impl Bed<FakeWorld> {
    /// In maps, at `/w`.
    fn fake() -> Self {
        let world = FakeWorld::new();
        world.dir("/w/state").dir("/w/config").chmod("/w/state", 0o700);
        Self::with(tempfile::tempdir().unwrap(), "/w".into(), world)
    }
}

impl<W: World> Bed<W> {
    fn with(dir: tempfile::TempDir, base: PathBuf, world: W) -> Self {
        let db = Db::open(&dir.path().join("store"), Options::new(1)).unwrap().db;
        let places = Places {
            socket: base.join("tod.sock"),
            state_dir: base.join("state"),
            config_dir: Some(base.join("config")),
            home: Some(base.clone()),
        };
        Self {
            _dir: dir,
            base,
            world,
            db,
            config: Config::new(&places),
            entered: super::Entered::default(),
            places,
            caller: Caller::default(),
            entering: Mutex::new(()),
            linked: Mutex::default(),
        }
    }

    fn with_registry<T>(&self, work: impl FnOnce(&Registry<'_>) -> T) -> T {
        let find = |from: &From| self.find(from);
        let change = |_: &str, change: super::Change<'_>| {
            let mut batch = Batch::new();
            let answer = change(&mut batch)?;
            self.db.commit(batch)?;
            Ok(answer)
        };
        work(&Registry {
            world: &self.world,
            places: &self.places,
            db: &self.db,
            config: &self.config,
            entered: &self.entered,
            caller: &self.caller,
            find: &find,
            tasks: &|_| Ok(vec![("pending".to_owned(), 1)]),
            entering: &self.entering,
            change: &change,
        })
    }

    fn find(&self, from: &From) -> Result<Detection> {
        let (From::Start(path) | From::Explicit(path)) = from else {
            return Err(Error::not_found("no workspace"));
        };
        self.world
            .stat(path.as_path())
            .map_err(|error| Error::not_found(format!("`{}`", path.display())).why(error))?;
        let linked = self.linked.lock().unwrap();
        let main = linked
            .iter()
            .find(|(tree, _)| tree == path.as_path())
            .map(|(_, main)| RawPath::from(main.as_path()));
        Ok(Detection {
            led_from: None,
            root: path.clone(),
            package: None,
            method: Method::VcsRoot,
            confidence: 8,
            project_types: vec!["rust".into()],
            markers: Vec::new(),
            vcs: Some(Vcs {
                kind: "git".into(),
                branch: None,
                main_root: main,
                superproject: None,
            }),
            writable: true,
            warnings: Vec::new(),
            cached: false,
            micros: 0,
        })
    }

    fn at(&self, name: &str) -> From {
        From::Start(RawPath::from(self.base.join(name)))
    }

    fn ask(&self, request: Request) -> Result<Answer> {
        match self.with_registry(|registry| door::answer(registry, request))? {
            proto::Answer::Workspace(answer) => Ok(answer),
            other => panic!("{other:?}"),
        }
    }

    fn one(&self, request: Request) -> Result<Workspace> {
        match self.ask(request)? {
            Answer::Workspace(workspace) => Ok(*workspace),
            other => panic!("{other:?}"),
        }
    }

    fn show(&self, name: &str) -> Workspace {
        self.one(Request::Show(Which::At(self.at(name)))).unwrap()
    }

    fn list(&self) -> Vec<Workspace> {
        match self.ask(Request::List { forgotten: false }).unwrap() {
            Answer::Workspaces(all) => all,
            other => panic!("{other:?}"),
        }
    }

    fn create(&self, name: &str, seed: Seed) -> Result<Workspace> {
        self.one(Request::Create {
            at: self.at(name),
            name: None,
            seed,
        })
    }

    fn config(&self, request: conf::Request) -> Result<conf::Answer> {
        match self.with_registry(|registry| config::door::answer(registry, request))? {
            proto::Answer::Config(answer) => Ok(answer),
            other => panic!("{other:?}"),
        }
    }

    fn set(&self, name: &str, layer: Layer, key: &str, value: &str) -> Result<conf::Answer> {
        self.config(conf::Request::Set {
            at: self.at(name),
            layer,
            key: key.into(),
            value: value.into(),
        })
    }

    fn get(&self, name: &str, key: &str) -> (String, Layer) {
        match self
            .config(conf::Request::Get {
                at: self.at(name),
                key: key.into(),
            })
            .unwrap()
        {
            conf::Answer::Setting { setting, .. } => (setting.value, setting.layer),
            other => panic!("{other:?}"),
        }
    }

    fn role(&self, request: proto::role::Request) -> Result<proto::role::Answer> {
        match self.with_registry(|registry| role::answer(registry, request))? {
            proto::Answer::Role(answer) => Ok(answer),
            other => panic!("{other:?}"),
        }
    }

    fn isolated(&self) -> Vec<String> {
        match self.ask(Request::ValidateIsolation).unwrap() {
            Answer::Isolation(findings) => findings.into_iter().flat_map(|finding| finding.details).collect(),
            other => panic!("{other:?}"),
        }
    }
}

const FOLDER: &str = ".task_orchestrator";

fn git(at: &Path, words: &[&str]) {
    let done = std::process::Command::new("git")
        .args(words)
        .current_dir(at)
        .output()
        .unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}
