//! The rehearsal: another binary shows on copies that it can go on where this daemon stands.
//!
//! Both sides stand here. The running daemon gives a copy of its state and of its database to `tod rehearse`; that one
//! reads the state, opens the database (which migrates it), answers itself two requests, and prints a report. What must
//! stay true: the binary gets copies in a scratch folder and nothing else, and the folder is gone afterwards.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use proto::daemon::{Outcome, Reboot, Rehearsed};
use proto::hello::{HIGHEST, LOWEST};
use proto::places::{Places, SOCKET};
use proto::{Caller, Error, Request, detect, error::Result, migrate};

use super::rules::{self, Now};
use crate::ctx::Ctx;
use crate::dispatch::{self, Ask};
use crate::handover::state::State;
use crate::server::Sink;
use crate::world::image::{Image, Scratch};
use crate::world::process;
use crate::world::socket::Owner;

/// Lets a binary rehearse, and judges it.
pub(super) fn try_out(
    ctx: &Ctx,
    image: &Image,
    (limit, unwanted): (Duration, &dyn Fn() -> bool),
) -> Result<Rehearsed> {
    let began = Instant::now();
    let scratch = Scratch::make(&super::scratch(ctx))?;
    ctx.db
        .export(&scratch.backups()?.join("rehearsal.todexp"), ctx.world.now())?;
    let state = sample(ctx).to_bytes()?;
    let mut command = image.command();
    command.arg("rehearse").arg(scratch.path());
    let printed = crate::world::image::run(command, &state, (limit, unwanted))?;
    let now = Now {
        schema: ctx.life.schema,
        protocol: HIGHEST,
    };
    let rehearsed = rules::judge(&image.path().into(), &printed, now)?;
    Ok(Rehearsed {
        took_ms: u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
        ..rehearsed
    })
}

/// The state as it would be handed over now, without the connections, which come to rest only then.
fn sample(ctx: &Ctx) -> State {
    State {
        reboot: Reboot {
            at: ctx.world.now(),
            outcome: Outcome::Done,
            why: None,
            reason: None,
            binary: "".into(),
            from_version: process::version().to_owned(),
            to_version: String::new(),
            from_schema: ctx.life.schema,
            to_schema: ctx.life.schema,
            pid: std::process::id(),
            generation: ctx.life.generation(),
            connections: ctx.life.connections.now(),
            pause_us: 0,
            took_ms: 0,
        },
        started: ctx.life.started(),
        paused: 0,
        asked: 0,
        socket: ctx.places.socket.as_path().into(),
        socket_owner: Owner::Ours,
        old_image: "".into(),
        guardian: 0,
        stop: false,
        backup: None,
        idle_exit_ms: 0,
        trees: ctx.trees.status().into_iter().map(|tree| tree.root).collect(),
        workspaces: Vec::new(),
        connections: Vec::new(),
        clients: Default::default(),
        state_dir: ctx.places.state_dir.as_path().into(),
        warnings: ctx.life.told(),
    }
}

/// The other side, `tod rehearse SCRATCH` with the state on standard input: the report to print.
///
/// # Errors
/// What could not be done.
pub fn rehearse(scratch: &Path, state: &[u8]) -> Result<String> {
    let state = State::from_bytes(state)?;
    let mut passed = vec![format!("the state of {} was read", state.reboot.from_version)];
    let places = Places {
        socket: scratch.join(SOCKET),
        state_dir: scratch.to_path_buf(),
        config_dir: None,
        home: None,
    };
    let ctx = Arc::new(Ctx::open(places)?);
    let schema = ctx.life.schema;
    passed.push(format!(
        "the database of schema {} was brought to {schema}",
        state.reboot.from_schema
    ));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Error::unavailable("the threads cannot be started").why(error))?;
    let root = state.trees.first().cloned().unwrap_or_else(|| scratch.into());
    runtime.block_on(async {
        let find = Request::Detect(detect::Request::Find(detect::From::Explicit(root)));
        match answer(&ctx, find).await {
            // A project that has gone meanwhile is an answer too.
            Ok(_) => {}
            Err(error) if error.kind == proto::Kind::Bug => return Err(error),
            Err(_) => {}
        }
        passed.push("a detection was answered".to_owned());
        answer(&ctx, Request::Migrate(migrate::Request::Status)).await?;
        passed.push("the steps of the database were listed".to_owned());
        Ok(())
    })?;
    ctx.close()?;
    Ok(rules::report(
        process::version(),
        schema,
        (LOWEST, HIGHEST),
        &passed,
    ))
}

async fn answer(ctx: &Arc<Ctx>, request: Request) -> Result<proto::Answer> {
    let ask = Ask {
        caller: Caller {
            cwd: "/".into(),
            ..Caller::default()
        },
        request_id: None,
        deadline: None,
    };
    let route = dispatch::route(ctx, &ask, request);
    dispatch::run(Arc::clone(ctx), ask, route, &Sink::nowhere()).await
}
