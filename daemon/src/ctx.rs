//! All that a room may touch, in one place.
//!
//! Made once by `lifecycle`, given to every handler by `dispatch`.

use std::ffi::OsString;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use proto::Caller;
use proto::error::Result;
use proto::places::Places;

use crate::artifact::Cabinet;
use crate::context::{self, Book};
use crate::db::{self, Db};
use crate::decision;
use crate::detect::{self, Detector};
use crate::dispatch::Locks;
use crate::index::{self, Trees};
use crate::life::Life;
use crate::maintenance::exchange::owed::Debts;
use crate::maintenance::{self, Mirrors};
use crate::task::Boards;
use crate::workspace::Entered;
use crate::workspace::config::{Config, Settings};
use crate::world::{OsWorld, World, process};

/// The daemon's belongings.
pub struct Ctx {
    /// Files, clock, chance.
    pub world: Arc<dyn World>,
    /// Where the socket, the state and the user's configuration are.
    pub places: Places,
    /// The daemon's own life: since when, how many, how it is told to stop.
    pub life: Arc<Life>,
    /// All records.
    pub db: Db,
    /// One lock for each workspace.
    pub locks: Locks,
    /// Finds projects, and remembers what it found.
    pub detector: Detector,
    /// All settings.
    pub config: Config,
    /// Which workspace each tree in use belongs to.
    pub entered: Entered,
    /// The watched trees.
    pub trees: Arc<Trees>,
    /// The boards of tasks.
    pub boards: Boards,
    /// The mirrors of the audit trails.
    pub mirrors: Mirrors,
    /// Files that imports still owe.
    pub debts: Debts,
    /// The open sessions of all actors.
    pub sessions: Book,
    /// The books of decisions.
    pub decisions: decision::Books,
    /// The catalogues of artifacts.
    pub artifacts: Cabinet,
}

/// What an image of this process has left to the next.
#[derive(Debug)]
pub struct Before {
    /// The watcher of files, with its queue.
    pub watcher: OwnedFd,
    /// It has let go of the database in order, and nobody has had it since.
    pub let_go: bool,
}

impl Ctx {
    /// Opens all that needs opening. Blocks.
    ///
    /// # Errors
    /// What the database, the watcher or the first read of the configuration says.
    pub fn open(places: Places) -> Result<Self> {
        Self::open_with(places, None)
    }

    /// As [`Ctx::open`], with what an earlier image has left where there was one.
    ///
    /// # Errors
    /// As [`Ctx::open`].
    pub fn open_with(places: Places, before: Option<Before>) -> Result<Self> {
        let world = Arc::new(OsWorld::new());
        let options = db::Options {
            probe: Some(probe()),
            handed_over: before.as_ref().is_some_and(|before| before.let_go),
            ..db::Options::new(world.now())
        };
        let opened = Db::open(&places.state_dir, options)?;
        let life = Arc::new(Life::new(process::uid(), opened.migrated.to));
        for note in &opened.recovery.notes {
            match opened.recovery.is_loud() {
                true => life.warn(note.clone()),
                false => tracing::info!("{note}"),
            }
        }
        let config = Config::new(&places);
        let generation = config.generation(&*world);
        let watching = watching(&config.settings(&*world, None, &[]), &places);
        let settings = watching.clone();
        let trees = match before {
            Some(before) => Trees::adopt(watching, before.watcher)?,
            None => Trees::new(watching)?,
        };
        trees.follow(settings, generation);
        let boards = Boards::new(|process| process::started(process.pid) == Some(process.start));
        let sessions = Book::load(&opened.db)?;
        context::declare(&sessions, &boards);
        let ctx = Self {
            world,
            config,
            entered: Entered::default(),
            places,
            life,
            db: opened.db,
            locks: Locks::default(),
            detector: Detector::new(),
            trees,
            mirrors: Mirrors::default(),
            debts: Debts::default(),
            boards,
            sessions,
            decisions: decision::Books::default(),
            artifacts: Cabinet::default(),
        };
        // What an import has decided is done before anybody looks; one that cannot be done keeps nobody else waiting.
        maintenance::exchange::go_on(&ctx);
        Ok(ctx)
    }

    /// What the configuration says about detection for a caller.
    #[must_use]
    pub fn detection(&self, caller: &Caller) -> detect::Settings {
        self.config.detection(&*self.world, &caller.vars)
    }

    /// How many trees may be awake at a time.
    #[must_use]
    pub fn awake_trees(&self) -> usize {
        let most = self
            .config
            .settings(&*self.world, None, &[])
            .max_cached_workspaces();
        usize::try_from(most).unwrap_or(usize::MAX)
    }

    /// Tells the watcher what the user's file says, as of the last look that anybody took at it.
    pub fn follow_settings(&self) {
        let generation = self.config.noticed();
        if !self.trees.follows(generation) {
            let settings = self.config.settings(&*self.world, None, &[]);
            self.trees.follow(watching(&settings, &self.places), generation);
        }
    }

    /// Reads the configuration again.
    pub fn reload(&self) {
        self.config.distrust();
        let _noticed = self.config.generation(&*self.world);
        self.follow_settings();
        tracing::info!("the configuration is read again");
    }

    /// Somebody with a name has asked about a tree: a sign of life in its workspace.
    pub fn visited(&self, caller: &Caller, root: &Path) {
        if let (Some(actor), Some((id, _))) = (caller.name(), self.entered.of(root)) {
            self.entered.visited((&id, actor), Some(root), self.world.now());
        }
    }

    /// Whether nobody is connected, and no task is held: a lease is counted in the time in which the daemon runs.
    #[must_use]
    pub fn unused(&self) -> bool {
        self.life.connections.now() == 0 && self.life.requests.now() == 0 && self.boards.held() == 0
    }

    /// Copies the database into the folder of backups; where.
    ///
    /// # Errors
    /// What the store says.
    pub fn backup(&self, stem: &str) -> Result<PathBuf> {
        let now = self.world.now();
        let path = self
            .places
            .state_dir
            .join("backups")
            .join(format!("{stem}-{now}.todexp"));
        self.db.export(&path, now)?;
        Ok(path)
    }

    /// Saves and closes what outlives the process. Blocks.
    ///
    /// # Errors
    /// What could not be saved.
    pub fn close(&self) -> Result<()> {
        self.trees.stop();
        context::close(self);
        self.db.close()
    }

    /// The same for the next image, which takes the trees over besides. Blocks.
    ///
    /// # Errors
    /// As [`Ctx::close`].
    pub fn hand_over(&self) -> Result<()> {
        context::close(self);
        self.db.hand_over()
    }
}

/// What the watcher is told of the user's settings when the daemon begins.
fn watching(settings: &Settings, places: &Places) -> index::Settings {
    index::Settings {
        usual: manner(settings),
        max_watches: Some(settings.max_watches()),
        folder: Some(places.state_dir.join("index")),
        home: places.home.clone(),
        // Git's files lie where those of this program do.
        xdg_config_home: places
            .config_dir
            .as_deref()
            .and_then(Path::parent)
            .map(Path::to_path_buf),
    }
}

/// How the settings say that a tree is followed.
#[must_use]
pub fn manner(settings: &Settings) -> index::Manner {
    index::Manner {
        backend: index::Backend::of(&settings.backend()),
        max_watches: settings.max_watches(),
        settle: Duration::from_millis(settings.settle_ms()),
        poll: Duration::from_secs(settings.poll_seconds()),
        remembered: usize::try_from(settings.remembered_changes()).unwrap_or(usize::MAX),
        extra_ignores: settings.extra_ignores(),
    }
}

/// How this very program examines a database in a process of its own.
fn probe() -> Vec<OsString> {
    let program = process::own_image();
    vec![program, "probe".into()]
}

impl std::fmt::Debug for Ctx {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ctx")
            .field("places", &self.places)
            .finish_non_exhaustive()
    }
}
