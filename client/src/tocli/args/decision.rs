//! The words of `tocli decision`.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use proto::decision::{
    self, Alternative, Call, Category, Draft, Filter, Impact, MAX_DECISION, Relation, Status, Verb,
};
use proto::workspace::Which;
use proto::{Caller, RawPath, error::Result};

use super::task::fields::{given, text_of};
use super::{Question, Where, absolute};

/// Where and who. `--path` is what a decision is about, so that the place has another name here.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct Common {
    /// Look from this directory instead of the working directory
    #[arg(long, short = 'C', value_name = "DIR", help_heading = "Where and who")]
    at: Option<PathBuf>,
    /// The workspace, by id or name, instead of that of the working directory
    #[arg(
        long,
        short = 'w',
        value_name = "WORKSPACE",
        conflicts_with = "at",
        help_heading = "Where and who"
    )]
    workspace: Option<String>,
    /// Your name [default: `$TO_ACTOR`, else the program that runs this]
    #[arg(long, value_name = "NAME", help_heading = "Where and who")]
    pub(crate) actor: Option<String>,
    /// Do it once however often it is asked with this id, of 1 to 64 bytes
    #[arg(long, value_name = "ID", help_heading = "Where and who")]
    request_id: Option<String>,
}

impl Common {
    fn at(&self, caller: &Caller) -> Result<Which> {
        match &self.workspace {
            Some(name) => Ok(Which::Named(name.clone())),
            None => Where::at(self.at.clone()).from(caller).map(Which::At),
        }
    }

    /// A path as the caller means it: from the working directory, or from the root of a workspace that was named.
    fn path(&self, path: &Path, caller: &Caller) -> Result<RawPath> {
        match (&self.workspace, &self.at) {
            (Some(_), _) => Ok(RawPath::from(path)),
            (None, Some(at)) => absolute(&at.join(path), caller),
            (None, None) => absolute(path, caller),
        }
    }

    fn paths(&self, paths: &[PathBuf], caller: &Caller) -> Result<Vec<RawPath>> {
        paths.iter().map(|path| self.path(path, caller)).collect()
    }

    fn asks(&self, caller: &Caller, what: decision::Request) -> Result<Question> {
        let call = Call {
            at: self.at(caller)?,
            what,
        };
        let question = Question::soon(proto::Request::Decision(Box::new(call)));
        Ok(Question {
            request_id: self.request_id.clone(),
            ..question
        })
    }
}

/// What a new decision says.
#[derive(Args, Debug, Default)]
pub(crate) struct New {
    /// One line
    #[arg(value_name = "TITLE", conflicts_with = "title")]
    words: Option<String>,
    /// The same, by name
    #[arg(long, short = 't', value_name = "TEXT")]
    title: Option<String>,
    /// What is decided; `-` for standard input
    #[arg(long, short, value_name = "TEXT")]
    decision: Option<String>,
    /// Why
    #[arg(long, short, value_name = "TEXT", alias = "why")]
    rationale: Option<String>,
    /// What made a decision necessary
    #[arg(long, value_name = "TEXT")]
    context: Option<String>,
    /// architecture, implementation, design, technology, process, quality, security or performance
    /// [default: architecture]
    #[arg(long, short, value_parser = category)]
    category: Option<Category>,
    /// high, medium or low [default: medium]
    #[arg(long, short, value_parser = impact)]
    impact: Option<Impact>,
    /// What else could have been decided, with pros and cons: `name|pro;pro|con;con`; may be given several times
    #[arg(long = "alternative", value_name = "NAME|PROS|CONS", value_parser = alternative)]
    alternatives: Vec<Alternative>,
    /// What follows; may be given several times
    #[arg(long = "consequence", value_name = "TEXT")]
    consequences: Vec<String>,
    /// What may go wrong; may be given several times
    #[arg(long = "risk", value_name = "TEXT")]
    risks: Vec<String>,
    /// A file, folder or glob it is about; may be given several times
    #[arg(long = "path", alias = "file", value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// A part of the system it is about; may be given several times
    #[arg(long = "component", value_name = "NAME")]
    components: Vec<String>,
    /// A word to find it by; may be given several times
    #[arg(long = "tag", value_name = "WORD")]
    tags: Vec<String>,
    /// The task it was made for
    #[arg(long, value_name = "TASK")]
    task: Option<String>,
    /// It holds at once, without being accepted later
    #[arg(long)]
    accepted: bool,
    /// All of it, or the rest, from JSON or YAML; `-` for standard input
    #[arg(long, short = 'f', value_name = "FILE")]
    from: Option<PathBuf>,
    #[command(flatten)]
    common: Common,
}

impl New {
    fn draft(&self, caller: &Caller) -> Result<Draft> {
        let text = |text: &Option<String>| text.as_deref().map(given).transpose();
        Ok(Draft {
            title: self.words.clone().or_else(|| self.title.clone()),
            decision: text(&self.decision)?,
            rationale: text(&self.rationale)?,
            context: text(&self.context)?,
            category: self.category,
            impact: self.impact,
            alternatives: self.alternatives.clone(),
            consequences: self.consequences.clone(),
            risks: self.risks.clone(),
            paths: self.common.paths(&self.paths, caller)?,
            components: self.components.clone(),
            tags: self.tags.clone(),
            task: self.task.clone(),
            accepted: self.accepted,
        })
    }

    fn question(&self, caller: &Caller, link: Option<(Relation, String)>) -> Result<Question> {
        let document = self.from.as_deref().map(|file| text_of(file, MAX_DECISION));
        let record = decision::Request::Record {
            draft: Box::new(self.draft(caller)?),
            document: document.transpose()?,
            link,
        };
        self.common.asks(caller, record)
    }
}

/// A decision that another is recorded about.
#[derive(Args, Debug)]
pub(crate) struct Older {
    /// The older decision: its number or id
    #[arg(id = "decision-number", value_name = "DECISION")]
    which: String,
    #[command(flatten)]
    new: Box<New>,
}

impl Older {
    fn question(&self, caller: &Caller, relation: Relation) -> Result<Question> {
        self.new.question(caller, Some((relation, self.which.clone())))
    }
}

/// A decision to which something is added.
#[derive(Args, Debug)]
pub(crate) struct Changed {
    /// Its number or id
    #[arg(id = "decision-number", value_name = "DECISION")]
    which: String,
    /// Only if it is still at this revision
    #[arg(long, value_name = "N")]
    if_revision: Option<u64>,
    #[command(flatten)]
    common: Common,
}

impl Changed {
    fn question(&self, caller: &Caller, verb: Verb) -> Result<Question> {
        let change = decision::Request::Change {
            which: self.which.clone(),
            if_revision: self.if_revision,
            verb,
        };
        self.common.asks(caller, change)
    }
}

/// Which ones.
#[derive(Args, Debug)]
pub(crate) struct Narrow {
    /// Only of this category
    #[arg(long, short, value_parser = category)]
    category: Option<Category>,
    /// Only of this impact
    #[arg(long, short, value_parser = impact)]
    impact: Option<Impact>,
    /// Only these: proposed, accepted, rejected, superseded or reversed
    #[arg(long, value_parser = status, value_delimiter = ',')]
    status: Vec<Status>,
    /// Only what is to be followed: neither rejected, superseded nor reversed
    #[arg(long)]
    in_force: bool,
    /// Only what is about this file or folder
    #[arg(long, value_name = "PATH")]
    path: Option<PathBuf>,
    /// Only with this word
    #[arg(long, value_name = "WORD")]
    tag: Option<String>,
    /// Only about this part of the system
    #[arg(long, value_name = "NAME")]
    component: Option<String>,
    /// Only made for this task
    #[arg(long, value_name = "TASK")]
    task: Option<String>,
    /// At most so many
    #[arg(long, short = 'n', default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,
    #[command(flatten)]
    common: Common,
}

impl Narrow {
    fn filter(&self, caller: &Caller) -> Result<Filter> {
        let path = self.path.as_deref().map(|path| self.common.path(path, caller));
        Ok(Filter {
            category: self.category,
            impact: self.impact,
            status: self.status.clone(),
            in_force: self.in_force,
            path: path.transpose()?,
            tag: self.tag.clone(),
            component: self.component.clone(),
            task: self.task.clone(),
        })
    }
}

fn cursor(text: &str) -> std::result::Result<u64, String> {
    text.parse()
        .map_err(|_| "take the `next_cursor` of the page before".to_owned())
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub(crate) enum Words {
    /// Record a decision
    #[command(alias = "add", alias = "new", alias = "create")]
    Record(Box<New>),
    /// Record a decision that takes the place of an older one
    #[command(alias = "replace")]
    Supersede(Older),
    /// Record a decision that says more about an older one, which stays in force
    Refine(Older),
    /// Record a decision that takes an older one back
    #[command(alias = "revert")]
    Reverse(Older),
    /// Record a decision that says what an older one means, which stays in force
    Clarify(Older),
    /// Say that a proposed decision holds
    Accept(Changed),
    /// Say that a proposed decision does not hold
    Reject {
        #[command(flatten)]
        decision: Changed,
        /// Why
        #[arg(long, short, default_value = "")]
        reason: String,
    },
    /// Add what came of a decision
    Outcome {
        #[command(flatten)]
        decision: Changed,
        /// In words; `-` for standard input
        text: String,
    },
    /// Decisions, the newest first
    #[command(visible_alias = "ls")]
    List {
        #[command(flatten)]
        narrow: Box<Narrow>,
        /// Go on where the page before ended: its `next_cursor`
        #[arg(long, value_parser = cursor)]
        cursor: Option<u64>,
    },
    /// One decision with its texts
    #[command(alias = "get", alias = "info")]
    Show {
        /// Its number or id
        #[arg(id = "decision-number", value_name = "DECISION")]
        which: String,
        #[command(flatten)]
        common: Common,
    },
    /// The decisions that fit words best, the best first
    #[command(alias = "find")]
    Search {
        /// What to look for
        #[arg(required = true, value_name = "WORDS")]
        words: Vec<String>,
        #[command(flatten)]
        narrow: Box<Narrow>,
    },
    /// The decisions to be followed for files or folders, the newest first
    For {
        /// Files or folders
        #[arg(required = true, value_name = "PATH")]
        paths: Vec<PathBuf>,
        #[command(flatten)]
        common: Common,
    },
    /// How the files of the decisions in the project are
    #[command(alias = "mirror", alias = "verify")]
    Files {
        /// Write those that are missing or behind; what was changed by hand stays as it is
        #[arg(long)]
        write: bool,
        #[command(flatten)]
        common: Common,
    },
}

impl Words {
    /// Who asks, as the words say it.
    pub(crate) fn common(&self) -> &Common {
        match self {
            Self::Record(new) => &new.common,
            Self::Supersede(older) | Self::Refine(older) | Self::Reverse(older) | Self::Clarify(older) => {
                &older.new.common
            }
            Self::Accept(decision) | Self::Reject { decision, .. } | Self::Outcome { decision, .. } => {
                &decision.common
            }
            Self::List { narrow, .. } | Self::Search { narrow, .. } => &narrow.common,
            Self::Show { common, .. } | Self::For { common, .. } | Self::Files { common, .. } => common,
        }
    }

    pub(crate) fn question(&self, caller: &Caller) -> Result<Question> {
        let what = match self {
            Self::Record(new) => return new.question(caller, None),
            Self::Supersede(older) => return older.question(caller, Relation::Supersedes),
            Self::Refine(older) => return older.question(caller, Relation::Refines),
            Self::Reverse(older) => return older.question(caller, Relation::Reverses),
            Self::Clarify(older) => return older.question(caller, Relation::Clarifies),
            Self::Accept(decision) => return decision.question(caller, Verb::Accept),
            Self::Reject { decision, reason } => {
                let reason = reason.clone();
                return decision.question(caller, Verb::Reject { reason });
            }
            Self::Outcome { decision, text } => {
                let text = given(text)?;
                return decision.question(caller, Verb::Outcome { text });
            }
            Self::List { narrow, cursor } => decision::Request::List {
                filter: Box::new(narrow.filter(caller)?),
                limit: narrow.limit,
                cursor: *cursor,
            },
            Self::Show { which, .. } => decision::Request::Show { which: which.clone() },
            Self::Search { words, narrow } => decision::Request::Search {
                words: words.join(" "),
                filter: Box::new(narrow.filter(caller)?),
                limit: narrow.limit,
            },
            Self::For { paths, common } => decision::Request::For {
                paths: common.paths(paths, caller)?,
            },
            Self::Files { write, .. } => decision::Request::Files { write: *write },
        };
        self.common().asks(caller, what)
    }
}

fn one_of<T>(found: Option<T>, words: Vec<&'static str>) -> std::result::Result<T, String> {
    found.ok_or_else(|| format!("it is one of: {}", words.join(", ")))
}

fn category(word: &str) -> std::result::Result<Category, String> {
    one_of(Category::parse(word), Category::ALL.map(Category::word).to_vec())
}

fn impact(word: &str) -> std::result::Result<Impact, String> {
    one_of(Impact::parse(word), Impact::ALL.map(Impact::word).to_vec())
}

fn status(word: &str) -> std::result::Result<Status, String> {
    one_of(Status::parse(word), Status::ALL.map(Status::word).to_vec())
}

/// `name|pro;pro|con;con`; what is left out is empty.
fn alternative(text: &str) -> std::result::Result<Alternative, String> {
    let mut parts = text.split('|');
    let name = parts.next().unwrap_or_default().trim().to_owned();
    let mut list = || {
        let part = parts.next().unwrap_or_default();
        let texts = part.split(';').map(str::trim).filter(|text| !text.is_empty());
        texts.map(str::to_owned).collect()
    };
    let (pros, cons) = (list(), list());
    match (name.is_empty(), parts.next()) {
        (false, None) => Ok(Alternative { name, pros, cons }),
        _ => Err("it has the form `name|pro;pro|con;con`".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{asked, wrong};
    use super::*;

    fn of(line: &str) -> decision::Request {
        match asked(line).expect(line).request {
            proto::Request::Decision(call) => call.what,
            other => panic!("`{line}` asks {other:?}"),
        }
    }

    #[test]
    fn a_decision_is_recorded_with_all_it_says() {
        let line = "decision record --title T -d D --alternative a|b;c|d --path src/x --tag t --impact HIGH --accepted";
        let decision::Request::Record { draft, link, .. } = of(line) else {
            panic!("no record")
        };
        assert_eq!(draft.paths, ["/home/a/src/x".into()]);
        assert_eq!(draft.alternatives[0].pros, ["b", "c"]);
        assert_eq!(
            (draft.impact, draft.accepted, link),
            (Some(Impact::High), true, None)
        );
        let decision::Request::Record { draft, link, .. } = of("decision supersede 7 T -d D") else {
            panic!("no record")
        };
        assert_eq!(link, Some((Relation::Supersedes, "7".to_owned())));
        assert_eq!(draft.title.as_deref(), Some("T"));
    }

    #[test]
    fn paths_are_those_of_the_place_that_was_named() {
        let paths = |line: &str| match of(line) {
            decision::Request::For { paths } => paths,
            other => panic!("{other:?}"),
        };
        assert_eq!(
            paths("decision for src ../b"),
            ["/home/a/src".into(), "/home/a/../b".into()]
        );
        assert_eq!(paths("decision for src -C /p"), ["/p/src".into()]);
        assert_eq!(paths("decision for src -w name"), ["src".into()]);
    }

    #[test]
    fn wrong_words_are_refused() {
        for line in [
            "decision record T --title T",
            "decision record T --impact huge",
            "decision record T --alternative |a",
            "decision record T --alternative a|b|c|d",
            "decision accept",
            "decision search",
            "decision for",
            "decision list --limit 0",
        ] {
            assert!(wrong(line), "{line}");
        }
    }
}
