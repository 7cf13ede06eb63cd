//! One call: its arguments, its place, a connection, the answer; progress and cancellation while it runs.

use std::sync::atomic::Ordering;

use client::Client;
use proto::Kind;
use proto::error::Result;
use rmcp::RoleServer;
use rmcp::model::{CallToolResult, ProgressNotificationParam};
use rmcp::service::RequestContext;
use serde_json::{Map, Value};
use tokio::sync::mpsc;

use super::Shim;
use crate::declare::{CWD, Needs, Tool, WORKING_DIRECTORY};
use crate::reply::{Reply, failure};
use crate::talk::{Ends, Place, Step, Talk};

impl Shim {
    /// Calls a tool; what goes wrong is part of the result, so that the model reads it.
    pub(super) async fn tool(
        &self,
        tool: &'static Tool,
        arguments: Option<Map<String, Value>>,
        context: RequestContext<RoleServer>,
    ) -> CallToolResult {
        let args = match tool.arguments(arguments) {
            Ok(args) => args,
            Err(error) => return failure(&error, self.shared.profile),
        };
        let cwd = args.owned(CWD.name).or_else(|| args.owned(WORKING_DIRECTORY));
        let worked = self
            .with_daemon(&context, cwd.as_deref(), move |talk| {
                let root = match tool.needs {
                    Needs::Project => Some(talk.detect()?.root),
                    Needs::Nothing => match talk.detect() {
                        Ok(found) => Some(found.root),
                        Err(error) if error.kind == Kind::Refused => return Err(error),
                        Err(_) => None,
                    },
                };
                let reply = (tool.run)(talk, &args)?;
                Ok(match root {
                    Some(root) if reply.field("root").is_none() => reply.root(&root),
                    _ => reply,
                })
            })
            .await;
        worked.map_or_else(|error| failure(&error, self.shared.profile), Reply::result)
    }

    /// Works with a connection from the call's place, telling the client how far it has come.
    pub(super) async fn with_daemon<T: Send + 'static>(
        &self,
        context: &RequestContext<RoleServer>,
        cwd: Option<&str>,
        work: impl FnOnce(&mut Talk<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let place = self.place(context, cwd).await?;
        let token = context.meta.get_progress_token();
        let (to, mut steps) = mpsc::channel(4);
        let ends = Ends {
            progress: token.is_some().then_some(to),
            ..Ends::default()
        };
        // Whatever ends this call ends its work, also when it is only dropped.
        let _gives_up = GivesUp(ends.clone());
        let run = self.shared.pool.run(move |client: &mut Client| {
            let mut talk = Talk::new(client, place, ends);
            work(&mut talk)
        });
        tokio::pin!(run);
        let mut last = f64::NEG_INFINITY;
        loop {
            tokio::select! {
                // What was told before the answer leaves before it.
                biased;
                () = context.ct.cancelled() => return Err(given_up()),
                Some(step) = steps.recv(), if token.is_some() => {
                    // Progress only ever grows.
                    if let Some(token) = token.clone().filter(|_| step.done > last) {
                        last = step.done;
                        let _told = context.peer.notify_progress(told(token, step)).await;
                    }
                }
                done = &mut run => return done,
            }
        }
    }

    pub(super) async fn place(
        &self,
        context: &RequestContext<RoleServer>,
        cwd: Option<&str>,
    ) -> Result<Place> {
        let roots = self.roots(context).await;
        self.shared.home.place(cwd, &roots, actor(context)?)
    }
}

fn told(token: rmcp::model::ProgressToken, step: Step) -> ProgressNotificationParam {
    let mut told = ProgressNotificationParam::new(token, step.done);
    told.total = step.total;
    told.message = Some(step.text);
    told
}

/// Who asks: the name that the user gave, else the client's with this process behind it. A claim is held as long as that
/// process is there.
fn actor(context: &RequestContext<RoleServer>) -> Result<Option<String>> {
    if std::env::var_os("TO_ACTOR").is_some_and(|name| !name.is_empty()) {
        return client::actor(None);
    }
    let name = context.client_info().map(|info| info.name);
    let name = name
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| "mcp".to_owned());
    Ok(client::this_process(&name))
}

fn given_up() -> proto::Error {
    proto::Error::new(proto::Kind::Cancelled, "the client gave the call up")
}

struct GivesUp(Ends);

impl Drop for GivesUp {
    fn drop(&mut self) {
        self.0.given_up.store(true, Ordering::Relaxed);
    }
}
