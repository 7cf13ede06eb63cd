//! The server as the SDK sees it: each method is turned into a call of the daemon.
//!
//! Made by `main`. What must stay true: nothing is decided here and nothing kept but what the protocol itself wants kept: who the
//! client is and which roots it named.

mod calls;
mod roots;

use std::path::PathBuf;
use std::sync::Arc;

use rmcp::model::{
    CallToolRequestParams, CallToolResponse, ErrorData, Implementation, InitializeRequestParams,
    InitializeResult, ListToolsResult, PaginatedRequestParams, ServerCapabilities, ServerConfig,
    Tool as Shown, ToolAnnotations,
};
use rmcp::service::{NotificationContext, RequestContext};
use rmcp::{RoleServer, ServerHandler};

use crate::declare::{Hints, Profile, Tool};
use crate::place::Home;
use crate::pool::Pool;
use roots::Roots;

/// What a client is told once, instead of with every tool.
const INSTRUCTIONS: &str = "Tasks, decisions, artifacts and file changes of this project, kept outside of your context. Begin \
    with `orchestrator_workspace` or `orchestrator_tasks`; take work with `orchestrator_next` (`claim: true`), end it with \
    `orchestrator_task` (`action: complete`). `cwd` names another project's directory; every answer names the `root` it is \
    about. A failure says what, why and what to do next.";

/// The server.
#[derive(Clone)]
pub(crate) struct Shim {
    shared: Arc<Shared>,
}

struct Shared {
    profile: Profile,
    home: Home,
    pool: Pool,
    roots: Roots,
}

impl Shim {
    pub(crate) fn new(profile: Profile, home: Home, pool: Pool) -> Self {
        let roots = Roots::default();
        Self {
            shared: Arc::new(Shared {
                profile,
                home,
                pool,
                roots,
            }),
        }
    }

    fn tools(&self) -> &'static [&'static Tool] {
        crate::tools::of(self.shared.profile)
    }

    /// The roots that the client named, where its era has them.
    async fn roots(&self, context: &RequestContext<RoleServer>) -> Vec<PathBuf> {
        if context.meta.protocol_version().is_some() {
            return Vec::new();
        }
        self.shared.roots.of(&context.peer).await
    }
}

/// A tool as a client is shown it.
fn shown(tool: &Tool, profile: Profile) -> Shown {
    let hints = match tool.hints {
        Hints::Reads => ToolAnnotations::new().read_only(true),
        Hints::Adds => ToolAnnotations::new().read_only(false).destructive(false),
        Hints::Changes => ToolAnnotations::new().read_only(false).destructive(true),
    };
    Shown::new(tool.name, tool.about, tool.input(profile))
        .with_raw_output_schema(Arc::new(tool.output()))
        .with_annotations(hints.open_world(false))
}

impl ServerHandler for Shim {
    fn get_info(&self) -> ServerConfig {
        let capabilities = ServerCapabilities::builder().enable_tools().build();
        ServerConfig::new(capabilities)
            .with_server_info(Implementation::new(
                "task-orchestrator",
                env!("CARGO_PKG_VERSION"),
            ))
            .with_instructions(INSTRUCTIONS)
    }

    async fn initialize(
        &self,
        request: InitializeRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<InitializeResult, ErrorData> {
        let result = self.negotiate_initialize(&request)?;
        // What was agreed on, not what was asked for, says how later requests are read.
        let mut agreed = request;
        agreed.protocol_version = result.protocol_version.clone();
        context.peer.set_peer_info(agreed);
        self.shared.roots.forget();
        Ok(result)
    }

    async fn on_roots_list_changed(&self, _context: NotificationContext<RoleServer>) {
        self.shared.roots.forget();
    }

    async fn list_tools(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let profile = self.shared.profile;
        Ok(ListToolsResult::with_all_items(
            self.tools().iter().map(|tool| shown(tool, profile)).collect(),
        ))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let Some(tool) = self.tools().iter().find(|tool| tool.name == request.name) else {
            let names: Vec<&str> = self.tools().iter().map(|tool| tool.name).collect();
            let name = crate::message::shown(&request.name);
            let why = format!("Unknown tool: {name}; there are {}", names.join(", "));
            return Err(ErrorData::invalid_params(why, None));
        };
        Ok(self.tool(tool, request.arguments, context).await.into())
    }
}
