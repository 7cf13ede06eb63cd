//! One image's turn: what it begins with, fresh or handed over.
//!
//! Used by `lifecycle` alone. What must stay true: until [`Turn::commit`], everything that an earlier image passed stays
//! as it was passed, so that it can be given back.

use std::sync::Arc;
use std::time::Duration;

use interprocess::local_socket::tokio::Listener;
use proto::places::{LockFile, Places};
use proto::{Error, RawPath, error::Result};

use super::{Begin, Options, Start};
use crate::ctx::{Before, Ctx};
use crate::handover::state::State;
use crate::handover::{self, Inherited, Word};
use crate::life::Wish;
use crate::reboot;
use crate::server::Server;
use crate::world::lock::Lock;
use crate::world::socket::{self, Bound, Owner};
use crate::world::{fd, folder, image, process};

/// What an image begins with.
pub(super) struct Turn {
    pub(super) places: Places,
    pub(super) lock: Lock,
    pub(super) start: Start,
    pub(super) idle_exit: Option<Duration>,
    from: From,
}

enum From {
    Nothing(Option<std::os::fd::OwnedFd>),
    Image(Box<Earlier>),
}

/// What an earlier image has passed.
struct Earlier {
    inherited: Inherited,
    state: State,
    /// Whether this is the image that was to be replaced.
    old_again: bool,
}

impl Turn {
    /// The first turn of this process, or of this image in it.
    pub(super) fn first(options: &Options, places: Places) -> Result<Self> {
        match &options.begin {
            Begin::Fresh { passed } => Self::fresh(options, passed, places),
            Begin::HandedOver { numbers, back } => {
                let inherited = Inherited::adopt(numbers)?;
                let state = inherited.read_state()?;
                crate::log::begin(&places.logs(), Start::OnDemand)?;
                image::keep_own(&places.state_dir, image::Begins::HandedOver);
                Self::earlier(places, inherited, state, back.clone())
            }
        }
    }

    fn fresh(options: &Options, passed: &[i32], places: Places) -> Result<Self> {
        if options.start == Start::OnDemand {
            fd::close_inherited(passed);
            // Out of the session of whoever started us: neither its end nor a key pressed in it is meant for us. It fails
            // where this process leads a group already, and then it is apart as it is.
            let _already_apart = rustix::process::setsid();
        }
        // Whatever it makes is its user's alone.
        rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
        let passed = fd::adopt(passed).map_err(|error| {
            Error::usage("a descriptor named by `LISTEN_FDS` is not open")
                .why(error)
                .next("unset `LISTEN_FDS`")
        })?;
        folder::make(&places.state_dir, process::uid())?;
        let lock = take_lock(&places)?;
        crate::db::make_room(&places.state_dir);
        crate::log::begin(&places.logs(), options.start)?;
        image::keep_own(&places.state_dir, image::Begins::Afresh);
        tracing::info!(
            version = process::version(),
            pid = std::process::id(),
            ?options,
            "starting"
        );
        Ok(Self {
            places,
            lock,
            start: options.start,
            idle_exit: options.idle_exit,
            from: From::Nothing(passed.into_iter().next()),
        })
    }

    /// This image again, after it could not become the next one.
    pub(super) fn again(places: Places, inherited: Inherited, state: State, why: Error) -> Result<Self> {
        Self::earlier(places, inherited, state, Some(why))
    }

    fn earlier(places: Places, inherited: Inherited, mut state: State, back: Option<Error>) -> Result<Self> {
        let unusable = |error: std::io::Error| Error::unavailable("a descriptor cannot be used").why(error);
        let lock = Lock::adopt(inherited.lock.try_clone().map_err(unusable)?);
        let old_again = back.is_some();
        if let Some(why) = back {
            reboot::failed(&mut state.reboot, &why, state.guardian);
        }
        let idle_exit = (state.idle_exit_ms > 0).then(|| Duration::from_millis(state.idle_exit_ms));
        handover::step("the next image begins", state.paused);
        tracing::info!(
            version = process::version(),
            generation = state.reboot.generation,
            old_again,
            "taking over"
        );
        let from = From::Image(Box::new(Earlier {
            inherited,
            state,
            old_again,
        }));
        Ok(Self {
            places,
            lock,
            start: Start::OnDemand,
            idle_exit,
            from,
        })
    }

    /// The listening socket.
    pub(super) fn listen(&mut self) -> Result<(Listener, Bound)> {
        match &mut self.from {
            From::Nothing(passed) => match passed.take() {
                Some(passed) => socket::adopt(passed, &self.places.socket, Owner::ServiceManager),
                None => {
                    socket::make_folder(&self.places.runtime_dir(), process::uid())?;
                    socket::bind(&self.places.socket)
                }
            },
            From::Image(earlier) => {
                let listener =
                    earlier.inherited.listener.try_clone().map_err(|error| {
                        Error::unavailable("the listening socket cannot be used").why(error)
                    })?;
                socket::adopt(
                    listener,
                    earlier.state.socket.as_path(),
                    earlier.state.socket_owner,
                )
            }
        }
    }

    /// Says in the log how far a hand-over has come.
    pub(super) fn step(&self, what: &str) {
        if let From::Image(earlier) = &self.from {
            handover::step(what, earlier.state.paused);
        }
    }

    /// What the image before has left.
    pub(super) fn before(&self) -> Result<Option<Before>> {
        let From::Image(earlier) = &self.from else {
            return Ok(None);
        };
        let watcher = earlier.inherited.watcher.try_clone();
        let watcher =
            watcher.map_err(|error| Error::unavailable("the watcher cannot be taken over").why(error))?;
        let let_go = !earlier.old_again;
        Ok(Some(Before { watcher, let_go }))
    }

    /// Writes into the lock file where we listen.
    pub(super) fn say_where(&mut self, bound: &Bound) -> Result<()> {
        self.lock
            .say(&lock_file(bound))
            .map_err(|error| cannot_lock(&self.places, &error))
    }

    /// Goes on with the life of the image before.
    pub(super) fn resume(&self, ctx: &Ctx) {
        if let From::Image(earlier) = &self.from {
            let state = &earlier.state;
            ctx.life
                .resume(state.started, state.reboot.clone(), state.warnings.clone());
            if state.stop {
                ctx.life.wish(Wish::Stop, "a signal before the hand-over");
            }
        }
    }

    /// Goes on with the connections of the image before.
    pub(super) fn go_on(&mut self, ctx: &Arc<Ctx>, server: &Server) {
        let From::Image(earlier) = &mut self.from else {
            return;
        };
        let recognised = std::mem::take(&mut earlier.state.workspaces).into_iter();
        ctx.entered
            .go_on_with(recognised.map(|(tree, id, root)| (tree.to_path_buf(), id, root.to_path_buf())));
        let now = process::monotonic();
        let reboot = &mut earlier.state.reboot;
        reboot.pause_us = now.saturating_sub(earlier.state.paused) / 1000;
        reboot.took_ms = now.saturating_sub(earlier.state.asked) / 1_000_000;
        reboot.pid = std::process::id();
        ctx.life.resume(earlier.state.started, reboot.clone(), Vec::new());
        ctx.life
            .clients
            .take_over(std::mem::take(&mut earlier.state.clients));
        let carried = std::mem::take(&mut earlier.state.connections);
        for (descriptor, carried) in earlier.inherited.connections.iter().zip(carried) {
            match descriptor.try_clone() {
                Ok(descriptor) => server.serve_descriptor(descriptor, carried),
                Err(error) => tracing::error!(%error, "a connection could not be taken over"),
            }
        }
    }

    /// The image serves: nothing will be given back from here on.
    pub(super) fn commit(&mut self, ctx: &Arc<Ctx>) {
        let From::Image(earlier) = std::mem::replace(&mut self.from, From::Nothing(None)) else {
            return;
        };
        // Whoever takes over from a guardian is one no more, and one that was told before has gone.
        let guardian = earlier.state.guardian;
        if guardian != 0 && guardian != std::process::id() {
            earlier.inherited.tell_guardian(Word::Committed, guardian);
        }
        image::keep_own_alone();
        let reboot = &earlier.state.reboot;
        tracing::info!(outcome = ?reboot.outcome, pause_us = reboot.pause_us, connections = reboot.connections, "took over");
        reboot::remember(ctx, reboot.clone());
        let carried = earlier.inherited.read_indexes().unwrap_or_else(|error| {
            tracing::error!(%error, "the indexes cannot be read");
            Vec::new()
        });
        if let Err(error) = ctx.trees.go_on(&carried) {
            ctx.life.warn(format!("files are not followed: {error}"));
        }
        handover::step("read the indexes", earlier.state.paused);
        let read_anew = |root: &RawPath| ctx.trees.get(root.as_path()).is_none();
        for root in earlier.state.trees.into_iter().filter(read_anew) {
            let ctx = Arc::clone(ctx);
            tokio::task::spawn_blocking(move || {
                if let Err(error) = ctx.trees.ensure(root.as_path()) {
                    tracing::warn!(%error, "a tree is not watched any more");
                }
            });
        }
    }

    /// The image cannot serve. Does not return when there is an earlier one to give back to.
    pub(super) fn failed(self, error: Error) -> Error {
        let From::Image(earlier) = &self.from else {
            return error;
        };
        if earlier.old_again {
            return error;
        }
        tracing::error!(%error, "this image cannot serve; giving back to the one before");
        match earlier.state.put_backup_back() {
            Ok(()) => handover::give_back(&earlier.inherited, &earlier.state, &error),
            // The guardian will try the same, with nobody else in its way.
            Err(error) => error,
        }
    }
}

/// How a turn's reboot ended is known from who serves now.
pub(super) fn lock_file(bound: &Bound) -> LockFile {
    LockFile {
        boot: process::boot_id(),
        pid: std::process::id(),
        socket: bound.path().to_path_buf(),
        version: process::version().to_owned(),
    }
}

fn take_lock(places: &Places) -> Result<Lock> {
    let path = places.lock();
    match Lock::take(&path).map_err(|error| cannot_lock(places, &error))? {
        Some(lock) => Ok(lock),
        None => Err(Error::conflict("another daemon is running")
            .why(format!("it holds the lock `{}`", path.display()))
            .next("use it, or end it with `tocli daemon stop`")),
    }
}

fn cannot_lock(places: &Places, error: &std::io::Error) -> Error {
    Error::unavailable(format!(
        "the lock `{}` cannot be written",
        places.lock().display()
    ))
    .why(error)
    .next("check the folder's rights and its free space, or set `TOD_STATE_DIR` to another folder")
}
