//! What the official conformance suite asks servers to offer by names of its own; never part of a release.
//!
//! Built with the feature `conformance-fixtures` and run by `tests/conformance/run`. What must stay true: these names are reached
//! by the same transport, the same checks of arguments, the same pool and the same handlers as the product's own.

mod asks;
mod reading;

use std::time::Duration;

use proto::Error;
use rmcp::model::{ContentBlock, ResourceContents};
use serde_json::json;

use crate::declare::{Hints, Needs, Param, Tool};
use crate::reply::Reply;
use crate::talk::Step;

pub(crate) use asks::{asks_first, call, log_from, shown};
pub(crate) use reading::{completes, prompt, prompts, read, resources, templates};

#[cfg(not(debug_assertions))]
compile_error!("`conformance-fixtures` is for the conformance suite and never for a release");

/// An image of one pixel.
const PNG: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==";
/// A sound without a sample.
const WAV: &str = "UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAEAfAAABAAgAZGF0YQAAAAA=";

/// How far apart the suite wants what a tool tells while it runs.
const APART: Duration = Duration::from_millis(50);

/// The tools that only answer, declared and called as all others are.
pub(crate) static TOOLS: [&Tool; 7] = [&SIMPLE_TEXT, &IMAGE, &AUDIO, &EMBEDDED, &MIXED, &ERROR, &PROGRESS];

const fn tool(
    name: &'static str,
    about: &'static str,
    run: fn(&mut crate::talk::Talk<'_>, &crate::declare::Args) -> proto::error::Result<Reply>,
) -> Tool {
    const NONE: &[Param] = &[];
    Tool {
        name,
        about,
        hints: Hints::Reads,
        needs: Needs::Nothing,
        params: NONE,
        returns: &[],
        run,
    }
}

fn empty() -> Reply {
    Reply::of(&json!({}), "")
}

fn embedded(uri: &str, mime: &str, text: &str) -> ContentBlock {
    ContentBlock::resource(ResourceContents::text(text, uri).with_mime_type(mime))
}

static SIMPLE_TEXT: Tool = tool("test_simple_text", "Answers with a text", |_, _| {
    Ok(empty().prose("This is a simple text response for testing."))
});

static IMAGE: Tool = tool("test_image_content", "Answers with an image", |_, _| {
    Ok(empty().block(ContentBlock::image(PNG, "image/png")))
});

static AUDIO: Tool = tool("test_audio_content", "Answers with a sound", |_, _| {
    Ok(empty().block(ContentBlock::audio(WAV, "audio/wav")))
});

static EMBEDDED: Tool = tool("test_embedded_resource", "Answers with a resource", |_, _| {
    let text = "This is an embedded resource content.";
    Ok(empty().block(embedded("test://embedded-resource", "text/plain", text)))
});

static MIXED: Tool = tool(
    "test_multiple_content_types",
    "Answers with a text, an image and a resource",
    |_, _| {
        let text = json!({ "test": "data", "value": 123 }).to_string();
        Ok(empty()
            .prose("Multiple content types test:")
            .block(ContentBlock::image(PNG, "image/png"))
            .block(embedded(
                "test://mixed-content-resource",
                "application/json",
                &text,
            )))
    },
);

static ERROR: Tool = tool("test_error_handling", "Fails", |_, _| {
    Err(Error::refused(
        "This tool intentionally returns an error for testing",
    ))
});

static PROGRESS: Tool = tool(
    "test_tool_with_progress",
    "Says three times how far it is",
    |talk, _| {
        for done in [0.0, 50.0, 100.0] {
            talk.tell(Step {
                done,
                total: Some(100.0),
                text: format!("{done} of 100"),
            });
            std::thread::sleep(APART);
        }
        Ok(empty().prose("It has said how far it is."))
    },
);
