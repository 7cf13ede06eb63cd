//! Files and what changed among them.

use std::time::Duration;

use proto::error::Result;
use proto::index::{Answer, Change, Request, Since, Sync};
use proto::{Error, Item, Kind, RawPath, Request as Room};

use crate::declare::Form::{Flag, Number, Text, Word};
use crate::declare::{Args, Hints, Needs, Param, Tool};
use crate::reply::Reply;
use crate::talk::{Talk, foreign};

/// The most entries of a page, and how many without a word.
const PAGE: (u32, u32) = (1000, 200);
/// The first look at a large project reads all of it.
const CRAWL: Duration = Duration::from_secs(600);
/// The longest wait for a change.
const MOST_WAIT: u64 = 3600;

pub(super) static CHANGES: Tool = Tool {
    name: "orchestrator_changes",
    about: "Files as git shows them, and what changed since a clock (of an earlier answer) or a time (`2h`). `wait_s` waits \
            for a change.",
    hints: Hints::Reads,
    needs: Needs::Project,
    params: &[
        Param::new("action", Word(&["changes", "files", "clock"]), "Default changes"),
        Param::text("since", ""),
        Param::new("wait_s", Number, ""),
        Param::text("glob", "For files"),
        Param::new("limit", Number, ""),
        Param::text("cursor", "The last `next_cursor`"),
        Param::new("no_sync", Flag, "Answer from what is known now").full(),
    ],
    returns: &[("clock", Text)],
    run,
};

fn run(talk: &mut Talk<'_>, args: &Args) -> Result<Reply> {
    let sync = if args.flag("no_sync") {
        Sync::No
    } else {
        Sync::Cookie
    };
    let at = talk.from();
    match args.text("action").unwrap_or("changes") {
        "files" => {
            let request = Request::FilesPage {
                at,
                glob: args.owned("glob"),
                after: args.text("cursor").map(|cursor| cursor.as_bytes().into()),
                limit: args.limit(PAGE.1, PAGE.0),
                sync,
            };
            let mut files: Vec<RawPath> = Vec::new();
            let mut part = |item| match item {
                Item::Files(part) => {
                    files.extend(part);
                    Ok(())
                }
                _ => Err(foreign()),
            };
            let ended = last(talk.hear(Room::Index(request), CRAWL, &mut part))?;
            let mut reply = Reply::of_variant(&ended, "");
            if matches!(ended, Answer::FilesPage { left: 1.., .. }) {
                let cursor = files.last().map(|file| file.display().into_owned());
                reply = reply.with("next_cursor", cursor);
            }
            Ok(reply.with_list("files", &files))
        }
        "clock" => Ok(Reply::of_variant(
            &last(talk.ask(Room::Index(Request::Clock { at, sync })))?,
            "",
        )),
        _ => {
            let since = since(args)?;
            let wait = args.number("wait_s").map(|wait| wait.clamp(1, MOST_WAIT));
            let request = |wait| {
                Room::Index(Request::Changes {
                    at: at.clone(),
                    since: since.clone(),
                    wait,
                    sync,
                })
            };
            let limit = wait.map_or(CRAWL, Duration::from_secs);
            let mut page = Page::new(args, |change: &Change| change.path.clone());
            let mut part = |item| match item {
                Item::Changes(changes) => changes.into_iter().try_for_each(|change| page.take(change)),
                _ => Err(foreign()),
            };
            let ended = talk.hear(request(wait.is_some()), limit, &mut part);
            if wait.is_none() || !matches!(&ended, Err(error) if late(error)) {
                return page.reply("changes", ended);
            }
            // Nothing came in that time: how it stands now is the answer.
            let ended = talk.hear(request(false), CRAWL, &mut |_| Ok(()));
            page.reply("changes", ended)
        }
    }
}

/// A wait that was too short for a change.
fn late(error: &Error) -> bool {
    error.kind == Kind::Cancelled
}

fn since(args: &Args) -> Result<Since> {
    let text = args.need("since").map_err(|error| {
        error.next("give a clock of an earlier answer, a time ago (`2h`), or use `action: clock` to get one")
    })?;
    client::time::since(text).map_err(|why| {
        Error::usage("`since` is neither a clock nor a time")
            .why(why)
            .next("give a clock of an earlier answer, `2h`, or `2026-11-21T08:00:00Z`")
    })
}

fn last(answer: Result<proto::Answer>) -> Result<Answer> {
    match answer? {
        proto::Answer::Index(answer) => Ok(answer),
        _ => Err(foreign()),
    }
}

/// One page of a streamed list, which comes sorted by path.
struct Page<T> {
    after: Option<Vec<u8>>,
    limit: usize,
    path: fn(&T) -> RawPath,
    entries: Vec<T>,
    left: u64,
}

impl<T: serde::Serialize> Page<T> {
    fn new(args: &Args, path: fn(&T) -> RawPath) -> Self {
        let limit = args.limit(PAGE.1, PAGE.0);
        Self {
            after: args.text("cursor").map(|cursor| cursor.as_bytes().to_vec()),
            limit: usize::try_from(limit).unwrap_or(usize::MAX),
            path,
            entries: Vec::new(),
            left: 0,
        }
    }

    fn take(&mut self, entry: T) -> Result<()> {
        let path = (self.path)(&entry);
        if self
            .after
            .as_ref()
            .is_some_and(|after| path.as_bytes() <= after.as_slice())
        {
            return Ok(());
        }
        // The rest is counted, and heard to its end for the clock that stands there.
        if self.entries.len() < self.limit {
            self.entries.push(entry);
        } else {
            self.left += 1;
        }
        Ok(())
    }

    fn reply(self, name: &str, ended: Result<proto::Answer>) -> Result<Reply> {
        let mut reply = Reply::of_variant(&last(ended)?, "");
        if self.left > 0 {
            let cursor = self
                .entries
                .last()
                .map(|entry| (self.path)(entry).display().into_owned());
            reply = reply.with("next_cursor", cursor).with("left", self.left);
        }
        Ok(reply.with_list(name, &self.entries))
    }
}
