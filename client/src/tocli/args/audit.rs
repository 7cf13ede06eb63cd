//! The words of `tocli audit`.

use clap::{Args, Subcommand};
use proto::index::Since;
use proto::maintenance::{self, Call, EventFilter, Request};
use proto::{Caller, Error, error::Result};

use super::Question;
use super::task::Common;
use crate::time;

/// What was changed, by whom and when
#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Words {
    #[command(subcommand)]
    verb: Option<Verb>,
    #[command(flatten)]
    list: List,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// What was changed, by whom and when, the newest first
    #[command(visible_alias = "ls", alias = "log")]
    List(Box<List>),
    /// Whether the trail is whole, and its mirror file says the same
    #[command(alias = "check")]
    Verify {
        #[command(flatten)]
        common: Common,
    },
}

/// Which events.
#[derive(Args, Debug)]
pub(crate) struct List {
    /// Only since then: `10m`, `2026-11-21T08:00`, `today`
    #[arg(long, value_name = "TIME", value_parser = time::since)]
    since: Option<Since>,
    /// Only what this actor did
    #[arg(long = "by", alias = "of", value_name = "ACTOR")]
    by: Option<String>,
    /// Only this operation, or those of a room: `task.complete`, `task`
    #[arg(long, value_name = "OPERATION")]
    op: Option<String>,
    /// Only what was done to this id
    #[arg(long, value_name = "ID")]
    target: Option<String>,
    /// At most so many
    #[arg(long, short = 'n', default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,
    /// The `next_cursor` of the page before
    #[arg(long, value_name = "CURSOR")]
    cursor: Option<String>,
    #[command(flatten)]
    common: Common,
}

impl List {
    fn request(&self) -> Result<Request> {
        let since = match &self.since {
            None => None,
            Some(Since::Time(time)) => Some(*time),
            Some(Since::Clock(_)) => {
                return Err(Error::usage("a clock says nothing about the audit trail")
                    .next("give a time: `--since 10m`"));
            }
        };
        let filter = EventFilter {
            since,
            // `--actor` is the caller's name everywhere; here the caller's own doings are what it can only mean.
            actor: self.by.clone().or_else(|| self.common.actor.clone()),
            op: self.op.clone(),
            target: self.target.clone(),
        };
        Ok(maintenance::Request::Audit {
            filter,
            limit: self.limit,
            cursor: self.cursor.clone(),
        })
    }
}

impl Words {
    pub(crate) fn question(&self, caller: &Caller) -> Result<Question> {
        let (common, what) = match &self.verb {
            None => (&self.list.common, self.list.request()?),
            Some(Verb::List(list)) => (&list.common, list.request()?),
            Some(Verb::Verify { common }) => (common, maintenance::Request::AuditVerify),
        };
        let at = common.at(caller)?;
        Ok(Question::soon(proto::Request::Maintenance(Box::new(Call {
            at,
            what,
        }))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::tests::{asked, wrong};

    fn request(line: &str) -> Request {
        match asked(line).expect("asked").request {
            proto::Request::Maintenance(call) => call.what,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn without_a_verb_it_lists() {
        assert_eq!(request("audit"), request("audit list"));
        assert_eq!(
            request("audit --op task --actor me -n 3"),
            request("audit list --op task --by me --limit 3")
        );
        let Request::Audit { filter, limit, .. } = request("audit --target x") else {
            panic!("not a list");
        };
        assert_eq!((filter.target.as_deref(), limit), (Some("x"), 50));
        assert_eq!(request("audit verify"), Request::AuditVerify);
    }

    #[test]
    fn a_clock_is_no_time_and_no_limit_is_beyond_a_page() {
        assert!(asked("audit list --since c:1:2:3").is_err());
        for line in [
            "audit -n 0",
            "audit -n 1001",
            "audit --since tomorrow",
            "audit --op x verify",
        ] {
            assert!(wrong(line), "{line}");
        }
    }
}
