//! What the daemon does on its own once a second, on one thread of its own.
//!
//! An idle daemon wakes once a second for all of it together: the rooms' ticks, the questions that lie in spools, the
//! look whether the socket is in place. The thread of the connections sleeps meanwhile, and looks every [`GUARD`] only
//! whether the other one still ticks: a tick that hangs in a dead mount is left alone, and another thread goes on.
//! Used by `lifecycle` alone. What must stay true: once it is stopped no tick begins any more, and one that has begun
//! counts as a call (`Life::calls`) until it is over; a tick that panics is in the log, and the next one comes.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::sync::{Notify, watch};

use crate::ctx::Ctx;
use crate::dispatch::{self, hold};
use crate::server::{Phase, spool};
use crate::world::socket::Bound;

/// Time between two ticks: the longest time for which a removed runtime folder keeps clients away.
const PERIOD: Duration = Duration::from_secs(1);

/// How often somebody looks whether the ticks still come.
pub(super) const GUARD: Duration = Duration::from_secs(5);

/// How soon after a tick that did not come back.
pub(super) const AGAIN: Duration = Duration::from_secs(1);

/// A tick that takes longer hangs, or has so much to do that others must not wait for it.
const STUCK: Duration = Duration::from_secs(3);

/// The ticks, until this is dropped.
pub(super) struct Ticker(Arc<Shared>);

struct Shared {
    ctx: Arc<Ctx>,
    phase: watch::Receiver<Phase>,
    runtime: Handle,
    state: Mutex<State>,
    stopped: Condvar,
    lost: Notify,
}

struct State {
    /// Which thread is the one that ticks.
    turn: u32,
    is_stopped: bool,
    /// Since when that one is at work.
    begun: Option<Instant>,
    bound: Bound,
}

impl Ticker {
    /// Ticks from now on. To be called on the runtime.
    pub(super) fn start(ctx: &Arc<Ctx>, phase: watch::Receiver<Phase>, bound: &Bound) -> Self {
        let ticker = Self(Arc::new(Shared {
            ctx: Arc::clone(ctx),
            phase,
            runtime: Handle::current(),
            state: Mutex::new(State {
                turn: 0,
                is_stopped: false,
                begun: None,
                bound: bound.clone(),
            }),
            stopped: Condvar::new(),
            lost: Notify::new(),
        }));
        ticker.spawn(0);
        ticker
    }

    fn spawn(&self, turn: u32) {
        let shared = Arc::clone(&self.0);
        let thread = std::thread::Builder::new().name("tick".to_owned());
        if let Err(error) = thread.spawn(move || shared.run(turn)) {
            tracing::error!(%error, "nothing is done once a second until there is room for a thread");
            // Looked at again like one that hangs.
            hold(&self.0.state).begun = Some(Instant::now());
        }
    }

    /// Returns when the socket is not in its place, at most once a second.
    pub(super) async fn lost(&self) {
        self.0.lost.notified().await;
    }

    /// The socket was bound again.
    pub(super) fn follow(&self, bound: &Bound) {
        hold(&self.0.state).bound = bound.clone();
    }

    /// Lets another thread go on when a tick does not come back. Whether that was so.
    pub(super) fn guard(&self) -> bool {
        let mut state = hold(&self.0.state);
        if state.is_stopped || state.begun.is_none_or(|begun| begun.elapsed() <= STUCK) {
            return false;
        }
        let turn = state.next();
        drop(state);
        tracing::warn!("what is done once a second does not come back; going on beside it");
        self.spawn(turn);
        true
    }

    /// No tick begins from here on.
    pub(super) fn stop(&self) {
        hold(&self.0.state).is_stopped = true;
        self.0.stopped.notify_all();
    }

    /// Ticks again.
    pub(super) fn go_on(&self) {
        let turn = hold(&self.0.state).next();
        self.spawn(turn);
    }
}

impl State {
    /// The number of a thread that ticks from now on.
    fn next(&mut self) -> u32 {
        (self.turn, self.is_stopped, self.begun) = (self.turn + 1, false, None);
        self.turn
    }

    fn is_turn_of(&self, turn: u32) -> bool {
        self.turn == turn && !self.is_stopped
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Shared {
    fn run(&self, turn: u32) {
        loop {
            let mut state = hold(&self.state);
            if !state.is_turn_of(turn) {
                return;
            }
            state.begun = Some(Instant::now());
            // With the state held: whoever has ended the ticks finds this one among the calls.
            let inside = self.ctx.life.calls.enter();
            let bound = state.bound.clone();
            drop(state);
            if catch_unwind(AssertUnwindSafe(|| self.tick(&bound))).is_err() {
                tracing::error!("a tick ended in a panic (its message stands above)");
            }
            drop(inside);
            let mut state = hold(&self.state);
            if !state.is_turn_of(turn) {
                return;
            }
            state.begun = None;
            let waited = self
                .stopped
                .wait_timeout_while(state, PERIOD, |state| state.is_turn_of(turn));
            drop(waited);
        }
    }

    fn tick(&self, bound: &Bound) {
        if !bound.in_place() {
            self.lost.notify_one();
        }
        spool::look(&self.ctx, &self.phase, &self.runtime);
        dispatch::tick(&self.ctx);
    }
}
