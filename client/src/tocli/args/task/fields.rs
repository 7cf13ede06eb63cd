//! The fields of tasks as words: those of a new one, of a changed one, and those that narrow a list.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use proto::index::Since;
use proto::task::{
    self, Complexity, Edit, Filter, Link, MAX_DESCRIPTION, MAX_TEXT, NewTask, NextAction, Priority, Status,
};
use proto::{Error, error::Result};

use super::{Changed, Common};
use crate::time;

/// The text of a file, or of standard input for `-`; at most `limit` bytes.
pub(crate) fn text_of(path: &Path, limit: usize) -> Result<String> {
    let shown = match path.to_str() {
        Some("-") => "standard input".to_owned(),
        _ => format!("`{}`", path.display()),
    };
    let unreadable = |error: std::io::Error| {
        Error::not_found(format!("{shown} cannot be read"))
            .why(error)
            .next("name a file of text, or `-` for standard input")
    };
    let mut text = Vec::new();
    let most = limit as u64 + 1;
    if path == Path::new("-") {
        std::io::stdin()
            .take(most)
            .read_to_end(&mut text)
            .map_err(unreadable)?;
    } else {
        let file = std::fs::File::open(path).map_err(unreadable)?;
        file.take(most).read_to_end(&mut text).map_err(unreadable)?;
    }
    if text.len() > limit {
        return Err(Error::too_large(format!("{shown} has more than {limit} bytes"))
            .why("that is the limit here")
            .next("give less; `tocli artifact store` keeps files of any size"));
    }
    String::from_utf8(text).map_err(|_| {
        Error::usage(format!("{shown} is not UTF-8 text"))
            .next("convert it, or keep it as it is with `tocli artifact store`")
    })
}

/// A text as given, or standard input for `-`.
pub(crate) fn given(text: &str) -> Result<String> {
    match text {
        "-" => text_of(Path::new("-"), MAX_TEXT),
        text => Ok(text.to_owned()),
    }
}

fn description(text: Option<&String>, file: Option<&PathBuf>) -> Result<Option<String>> {
    match (text, file) {
        (_, Some(file)) => text_of(file, MAX_DESCRIPTION).map(Some),
        (Some(text), None) => given(text).map(Some),
        (None, None) => Ok(None),
    }
}

/// `name=value`.
pub(super) fn pair(text: &str) -> std::result::Result<(String, String), String> {
    text.split_once('=')
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .ok_or_else(|| "it has the form `name=value`".to_owned())
}

fn link(text: &str) -> std::result::Result<Link, String> {
    pair(text).map(|(kind, to)| Link { kind, to })
}

fn priority(word: &str) -> std::result::Result<Priority, String> {
    Priority::parse(word).ok_or_else(|| "it is one of: critical, high, medium, low".to_owned())
}

fn complexity(word: &str) -> std::result::Result<Complexity, String> {
    Complexity::parse(word).ok_or_else(|| "it is one of: simple, moderate, complex, very_complex".to_owned())
}

/// What other systems call a status.
const OTHERWISE: [(&str, Status); 12] = [
    ("todo", Status::Pending),
    ("open", Status::Pending),
    ("new", Status::Pending),
    ("in_progress", Status::Active),
    ("doing", Status::Active),
    ("started", Status::Active),
    ("rework", Status::NeedsRevision),
    ("done", Status::Completed),
    ("complete", Status::Completed),
    ("finished", Status::Completed),
    ("canceled", Status::Cancelled),
    ("deleted", Status::Archived),
];

/// The fields of a task in a list, as JSON names them.
pub(super) const FIELDS: [&str; 23] = [
    "task_id",
    "title",
    "specialist",
    "status",
    "ready",
    "waiting_for",
    "parent",
    "after",
    "priority",
    "complexity",
    "effort",
    "labels",
    "created_by",
    "created",
    "updated",
    "started",
    "finished",
    "claim",
    "attempts",
    "revision",
    "reason",
    "children",
    "open_children",
];

fn field(name: &str) -> std::result::Result<String, String> {
    match name {
        "id" => Ok("task_id".to_owned()),
        name if FIELDS.contains(&name) => Ok(name.to_owned()),
        _ => Err(format!("it is one of: {}", FIELDS.join(", "))),
    }
}

fn status(word: &str) -> std::result::Result<Status, String> {
    let word = word.to_ascii_lowercase().replace(['-', ' '], "_");
    let known = |status: &&Status| status.word() == word;
    let otherwise = || OTHERWISE.iter().find(|(other, _)| *other == word);
    let found = Status::ALL.iter().find(known).copied();
    found
        .or_else(|| otherwise().map(|(_, status)| *status))
        .ok_or_else(|| {
            let words: Vec<&str> = Status::ALL.iter().map(|status| status.word()).collect();
            format!("it is one of: {}", words.join(", "))
        })
}

/// A moment, as nanoseconds since 1970 UTC.
fn moment(text: &str) -> std::result::Result<i64, String> {
    match time::since(text)? {
        Since::Time(at) => Ok(at),
        Since::Clock(_) => Err("it is a clock, and a time is needed".to_owned()),
    }
}

/// What completing leads to.
#[derive(Clone, Copy, Debug, ValueEnum)]
#[value(rename_all = "snake_case")]
pub(crate) enum Next {
    /// Done; the work goes on with others
    Continue,
    /// Not good yet: the task returns
    #[value(alias = "needs-revision")]
    NeedsRevision,
    /// It cannot go on
    Blocked,
    /// Done
    Complete,
}

impl From<Next> for NextAction {
    fn from(next: Next) -> Self {
        match next {
            Next::Continue => Self::Continue,
            Next::NeedsRevision => Self::NeedsRevision,
            Next::Blocked => Self::Blocked,
            Next::Complete => Self::Complete,
        }
    }
}

/// `add`.
#[derive(Args, Debug)]
pub(crate) struct New {
    /// One line
    title: String,
    /// An id of your own: letters, digits and `.` `_` `-`
    #[arg(long)]
    id: Option<String>,
    /// What is to be done; `-` for standard input
    #[arg(long, short, value_name = "TEXT")]
    description: Option<String>,
    /// The same from a file
    #[arg(long, value_name = "FILE", conflicts_with = "description")]
    description_file: Option<PathBuf>,
    /// What one needs to know for it
    #[arg(long, value_name = "TEXT")]
    context: Option<String>,
    /// The kind of worker [default: generic]
    #[arg(long, short = 's', value_name = "NAME")]
    specialist: Option<String>,
    /// The group it belongs to
    #[arg(long, value_name = "TASK")]
    parent: Option<String>,
    /// What must be completed first; may be given several times
    #[arg(long, value_name = "TASK")]
    after: Vec<String>,
    /// critical, high, medium or low
    #[arg(long, short, default_value = "medium", value_parser = priority)]
    priority: Priority,
    /// simple, moderate, complex or very_complex
    #[arg(long, value_parser = complexity)]
    complexity: Option<Complexity>,
    /// What it takes, in your words
    #[arg(long)]
    effort: Option<String>,
    /// A word to find it by; may be given several times
    #[arg(long = "label", short = 'l', value_name = "WORD")]
    labels: Vec<String>,
    /// Where it comes from: commit, branch, issue or discovered-from
    #[arg(long = "link", value_name = "KIND=TO", value_parser = link)]
    links: Vec<Link>,
    #[command(flatten)]
    pub(super) common: Common,
}

impl New {
    pub(super) fn task(&self) -> Result<NewTask> {
        Ok(NewTask {
            id: self.id.clone(),
            title: self.title.clone(),
            description: description(self.description.as_ref(), self.description_file.as_ref())?
                .unwrap_or_default(),
            context: self.context.clone().unwrap_or_default(),
            specialist: self.specialist.clone(),
            parent: self.parent.clone(),
            after: self.after.clone(),
            priority: self.priority,
            complexity: self.complexity,
            effort: self.effort.clone(),
            labels: self.labels.clone(),
            links: self.links.clone(),
        })
    }
}

/// `update`.
#[derive(Args, Debug)]
pub(crate) struct Changes {
    #[command(flatten)]
    pub(super) task: Changed,
    /// One line
    #[arg(long)]
    title: Option<String>,
    /// What is to be done; `-` for standard input
    #[arg(long, short, value_name = "TEXT")]
    description: Option<String>,
    /// The same from a file
    #[arg(long, value_name = "FILE", conflicts_with = "description")]
    description_file: Option<PathBuf>,
    /// What one needs to know for it
    #[arg(long, value_name = "TEXT")]
    context: Option<String>,
    /// What was done
    #[arg(long, value_name = "TEXT")]
    summary: Option<String>,
    /// The kind of worker
    #[arg(long, short = 's', value_name = "NAME")]
    specialist: Option<String>,
    /// The group it belongs to
    #[arg(long, value_name = "TASK")]
    parent: Option<String>,
    /// Take it out of its group
    #[arg(long, conflicts_with = "parent")]
    no_parent: bool,
    /// What must be completed first too
    #[arg(long = "add-after", alias = "after", value_name = "TASK")]
    add_after: Vec<String>,
    /// What need not be completed first any more
    #[arg(long, value_name = "TASK")]
    remove_after: Vec<String>,
    /// critical, high, medium or low
    #[arg(long, short, value_parser = priority)]
    priority: Option<Priority>,
    /// simple, moderate, complex or very_complex
    #[arg(long, value_parser = complexity)]
    complexity: Option<Complexity>,
    /// What it takes, in your words
    #[arg(long)]
    effort: Option<String>,
    /// A word to find it by
    #[arg(long = "add-label", alias = "label", short = 'l', value_name = "WORD")]
    add_labels: Vec<String>,
    /// A word to find it by no more
    #[arg(long = "remove-label", value_name = "WORD")]
    remove_labels: Vec<String>,
    /// What it led to: commit, branch, issue or discovered-from
    #[arg(long = "link", value_name = "KIND=TO", value_parser = link)]
    links: Vec<Link>,
}

impl Changes {
    pub(super) fn edit(&self) -> Result<Edit> {
        let parent = match (&self.parent, self.no_parent) {
            (Some(parent), _) => Some(Some(parent.clone())),
            (None, true) => Some(None),
            (None, false) => None,
        };
        let edit = Edit {
            title: self.title.clone(),
            description: description(self.description.as_ref(), self.description_file.as_ref())?,
            context: self.context.clone(),
            summary: self.summary.clone(),
            specialist: self.specialist.clone(),
            parent,
            add_after: self.add_after.clone(),
            remove_after: self.remove_after.clone(),
            priority: self.priority,
            complexity: self.complexity.map(Some),
            effort: self.effort.clone(),
            add_labels: self.add_labels.clone(),
            remove_labels: self.remove_labels.clone(),
            add_links: self.links.clone(),
        };
        if edit == Edit::default() {
            return Err(Error::usage("nothing to change")
                .next("name a field, such as `--title` or `--priority`; `--help` lists them"));
        }
        Ok(edit)
    }
}

/// `list`.
#[derive(Args, Debug)]
pub(crate) struct Narrow {
    /// Only these; may be given several times
    #[arg(long, value_parser = status, value_delimiter = ',')]
    status: Vec<Status>,
    /// Also what is closed and put away
    #[arg(long, short)]
    all: bool,
    /// Only what can be begun now
    #[arg(long, short)]
    ready: bool,
    /// Only what waits for something
    #[arg(long)]
    waiting: bool,
    /// Only for this specialist
    #[arg(long, short = 's', value_name = "NAME")]
    specialist: Option<String>,
    /// Only the children of this task
    #[arg(long, value_name = "TASK")]
    parent: Option<String>,
    /// Only with this word
    #[arg(long, short = 'l', value_name = "WORD")]
    label: Option<String>,
    /// Only where title, description, id or labels hold these words
    #[arg(long, short, value_name = "WORDS")]
    text: Option<String>,
    /// Only what this actor holds or made
    #[arg(long, value_name = "NAME")]
    of: Option<String>,
    /// Only what was last changed before, as `7d` or `2026-11-21`
    #[arg(long, value_name = "TIME", value_parser = moment)]
    older_than: Option<i64>,
    /// Only what was last changed since, as `2h` or `today`
    #[arg(long, value_name = "TIME", value_parser = moment)]
    newer_than: Option<i64>,
    /// At most so many
    #[arg(long, short = 'n', default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,
    /// Go on where the page before ended: its `next_cursor`
    #[arg(long)]
    cursor: Option<String>,
    /// Only these fields of each task, as JSON names them
    #[arg(long, value_delimiter = ',', value_name = "FIELD,…", value_parser = field)]
    pub(super) fields: Vec<String>,
    #[command(flatten)]
    pub(super) common: Common,
}

impl Narrow {
    pub(super) fn request(&self) -> task::Request {
        task::Request::List {
            filter: Box::new(Filter {
                status: self.status.clone(),
                all: self.all,
                ready: self.ready,
                waiting: self.waiting,
                specialist: self.specialist.clone(),
                parent: self.parent.clone(),
                label: self.label.clone(),
                text: self.text.clone(),
                actor: self.of.clone(),
                changed_before: self.older_than,
                changed_since: self.newer_than,
            }),
            limit: self.limit,
            cursor: self.cursor.clone(),
        }
    }
}
