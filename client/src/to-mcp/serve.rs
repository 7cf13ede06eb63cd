//! The server as the SDK sees it: each method is turned into a call of the daemon.
//!
//! Made by `main`. What must stay true: nothing is decided here and nothing kept but what the protocol itself wants kept: who the
//! client is and which roots it named.

mod calls;
mod reading;
mod roots;
mod watching;

use std::path::PathBuf;
use std::sync::Arc;

use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CompleteRequestParams, CompleteResult, ErrorData,
    GetPromptRequestParams, GetPromptResponse, Implementation, InitializeRequestParams, InitializeResult,
    ListPromptsResult, ListResourceTemplatesResult, ListResourcesResult, ListToolsResult,
    PaginatedRequestParams, ReadResourceRequestParams, ReadResourceResponse, ServerCapabilities,
    ServerConfig, SubscribeRequestParams, SubscriptionFilter, Tool as Shown, ToolAnnotations,
    UnsubscribeRequestParams,
};
use rmcp::service::{NotificationContext, RequestContext, SubscriptionContext};
use rmcp::{RoleServer, ServerHandler};

use crate::declare::{Hints, Profile, Tool};
use crate::place::Home;
use crate::pool::Pool;
use roots::Roots;
use watching::Watched;

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
    watched: Watched,
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
                watched: Watched::default(),
            }),
        }
    }

    fn tools(&self) -> impl Iterator<Item = &'static Tool> + use<> {
        let tools = crate::tools::of(self.shared.profile).iter();
        #[cfg(feature = "conformance-fixtures")]
        let tools = tools.chain(&crate::fixtures::TOOLS);
        tools.copied()
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
        .with_annotations(match profile {
            Profile::Core => hints,
            _ => hints.open_world(false),
        })
}

/// What all profiles can do. Tools and prompts never change while the process runs.
#[cfg_attr(
    feature = "conformance-fixtures",
    expect(deprecated, reason = "the suite tests what older revisions have")
)]
fn capabilities() -> ServerCapabilities {
    let all = ServerCapabilities::builder()
        .enable_tools()
        .enable_prompts()
        .enable_completions()
        .enable_resources()
        .enable_resources_subscribe()
        .enable_resources_list_changed();
    #[cfg(feature = "conformance-fixtures")]
    let all = all.enable_logging();
    all.build()
}

impl ServerHandler for Shim {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(capabilities())
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
        let tools = self.tools().map(|tool| shown(tool, profile));
        #[cfg(feature = "conformance-fixtures")]
        let tools = tools.chain(crate::fixtures::shown());
        Ok(ListToolsResult::with_all_items(tools.collect()))
    }

    async fn list_resources(
        &self,
        request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        self.resources(request, context).await
    }

    async fn list_resource_templates(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        Ok(ListResourceTemplatesResult::with_all_items(
            crate::resources::templates(),
        ))
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        Ok(self.resource(request.uri, context).await?.into())
    }

    async fn subscribe(
        &self,
        request: SubscribeRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        self.subscribe_to(request.uri, context).await
    }

    async fn unsubscribe(
        &self,
        request: UnsubscribeRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        // Giving up what was never asked for is no fault.
        let _was_heard_of = self.shared.watched.forget(&request.uri);
        Ok(())
    }

    fn accepted_subscription_filter(&self, requested: &SubscriptionFilter) -> Option<SubscriptionFilter> {
        // Tools and prompts do not change: nobody shall wait for that.
        let mut accepted = requested.clone();
        accepted.tools_list_changed = None;
        accepted.prompts_list_changed = None;
        Some(accepted)
    }

    async fn listen(&self, subscription: SubscriptionContext) -> Result<(), ErrorData> {
        self.listen_to(subscription).await
    }

    #[cfg(feature = "conformance-fixtures")]
    #[expect(deprecated, reason = "the suite tests what older revisions have")]
    async fn set_level(
        &self,
        request: rmcp::model::SetLevelRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        crate::fixtures::log_from(&request.level);
        Ok(())
    }

    async fn list_prompts(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListPromptsResult, ErrorData> {
        Ok(ListPromptsResult::with_all_items(crate::prompts::all()))
    }

    async fn get_prompt(
        &self,
        request: GetPromptRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<GetPromptResponse, ErrorData> {
        #[cfg(feature = "conformance-fixtures")]
        if let Some(answer) = crate::fixtures::asks_first(&request) {
            return answer;
        }
        Ok(self.prompt(request, context).await?.into())
    }

    async fn complete(
        &self,
        request: CompleteRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CompleteResult, ErrorData> {
        self.completion(request, context).await
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        #[cfg(feature = "conformance-fixtures")]
        if let Some(answer) = crate::fixtures::call(&request, &context).await {
            return answer;
        }
        let Some(tool) = self.tools().find(|tool| tool.name == request.name) else {
            let names: Vec<&str> = self.tools().map(|tool| tool.name).collect();
            let name = crate::message::shown(&request.name);
            let why = format!("Unknown tool: {name}; there are {}", names.join(", "));
            return Err(ErrorData::invalid_params(why, None));
        };
        Ok(self.tool(tool, request.arguments, context).await.into())
    }
}
