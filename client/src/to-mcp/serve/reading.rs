//! Resources, prompts and completions as the SDK asks for them: calls of the daemon, with protocol errors for failures.

use proto::{Error, Kind};
use rmcp::RoleServer;
use rmcp::model::{
    CompleteRequestParams, CompleteResult, CompletionInfo, ErrorCode, ErrorData, GetPromptRequestParams,
    GetPromptResult, ListResourcesResult, PaginatedRequestParams, ReadResourceResult, Reference,
};
use rmcp::service::RequestContext;

use super::Shim;
use super::watching::since;
use crate::{prompts, resources};

impl Shim {
    pub(super) async fn resources(
        &self,
        request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        let cursor = request.and_then(|request| request.cursor);
        // A session hears when its list is another one; the stateless revision has to ask for that.
        let session = context.meta.protocol_version().is_none();
        let page = self
            .with_daemon(&context, None, move |talk| {
                let head = if session { since(talk, 0).0 } else { 0 };
                Ok((head, resources::list(talk, cursor.as_deref())?))
            })
            .await;
        let (head, (found, next)) = page.map_err(|error| fault(&error))?;
        if session && let Ok(place) = self.place(&context, None).await {
            self.has_listed(place, head, &context.peer);
        }
        let mut page = ListResourcesResult::with_all_items(found);
        page.next_cursor = next;
        Ok(page)
    }

    pub(super) async fn resource(
        &self,
        uri: String,
        context: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResult, ErrorData> {
        let of = uri.clone();
        let read = self.with_daemon(&context, None, move |talk| resources::read(talk, &of));
        match read.await {
            Ok(contents) => Ok(ReadResourceResult::new(vec![contents])),
            Err(error) if error.kind == Kind::NotFound => Err(missing(&error, uri)),
            Err(error) => Err(fault(&error)),
        }
    }

    pub(super) async fn prompt(
        &self,
        request: GetPromptRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<GetPromptResult, ErrorData> {
        let arguments = request.arguments.unwrap_or_default();
        let name = request.name;
        let messages = self
            .with_daemon(&context, None, move |talk| {
                prompts::messages(talk, &name, &arguments)
            })
            .await
            .map_err(|error| fault(&error))?;
        Ok(GetPromptResult::new(messages))
    }

    pub(super) async fn completion(
        &self,
        request: CompleteRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CompleteResult, ErrorData> {
        let known = match &request.r#ref {
            Reference::Prompt(prompt) => prompts::all().iter().any(|known| known.name == prompt.name),
            Reference::Resource(resource) => {
                let uri = &resource.uri;
                resources::templates()
                    .iter()
                    .any(|known| known.uri_template == *uri)
                    || uri.starts_with("task-orchestrator://")
            }
            _ => false,
        };
        if !known {
            return Err(ErrorData::invalid_params(
                "there is no such prompt or resource template",
                None,
            ));
        }
        let workspace = request
            .context
            .and_then(|context| context.arguments)
            .and_then(|arguments| arguments.get("workspace").cloned());
        let argument = request.argument;
        let found = self
            .with_daemon(&context, None, move |talk| {
                resources::complete(talk, &argument.name, &argument.value, workspace)
            })
            .await;
        let mut values = match found {
            Ok(values) => values,
            // Where there is no project there is nothing to complete.
            Err(error) if error.kind == Kind::NotFound => Vec::new(),
            Err(error) => return Err(fault(&error)),
        };
        let total = values.len();
        values.truncate(CompletionInfo::MAX_VALUES);
        let mut info = CompletionInfo::new(values).map_err(|why| ErrorData::internal_error(why, None))?;
        info.total = u32::try_from(total).ok();
        info.has_more = Some(total > CompletionInfo::MAX_VALUES);
        Ok(CompleteResult::new(info))
    }
}

/// A failure where the protocol has no place for one in a result: what, why and next as text, and apart for programs.
pub(super) fn fault(error: &Error) -> ErrorData {
    let code = match error.kind {
        Kind::Usage | Kind::NotFound | Kind::Refused | Kind::TooLarge => ErrorCode::INVALID_PARAMS,
        _ => ErrorCode::INTERNAL_ERROR,
    };
    ErrorData::new(code, error.to_string(), Some(data(error)))
}

/// Nothing stands at an address, which the protocol wants to be said again.
pub(super) fn missing(error: &Error, uri: String) -> ErrorData {
    let mut data = data(error);
    if let Some(fields) = data.as_object_mut() {
        fields.insert("uri".to_owned(), uri.into());
    }
    ErrorData::resource_not_found(error.to_string(), Some(data))
}

fn data(error: &Error) -> serde_json::Value {
    serde_json::to_value(error).unwrap_or_default()
}
