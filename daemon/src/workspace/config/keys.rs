//! Every setting there is: one table of name, type, default, range and who may set it.
//!
//! Asked by the readers of files, by `config get|set|list` and by the getters of [`super::Settings`]. What must stay
//! true: a key is in this table or it does not exist; a default satisfies its own range (a test checks all).

use std::sync::OnceLock;

use serde_json::Value as Json;

/// What a value must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `true` or `false`.
    Flag,
    /// A whole number within a range, ends included.
    Number(u64, u64),
    /// One of a few words.
    Word(&'static [&'static str]),
    /// A text without control characters, at most 4 KiB; nothing for none.
    Text,
    /// A list of such texts, at most 1,000.
    Texts,
    /// Five fields of a cron schedule.
    Cron,
    /// A map from names to whole numbers from 1 to the given limit.
    Numbers(u64),
    /// A list of `{name, type, confidence}`: files that say what kind of project a directory is.
    Markers,
}

/// From where a value counts. A file in a project is untrusted: it came with the project.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// From every layer.
    Any,
    /// From every layer, but only the user's own file may raise it.
    LowerOnly,
    /// From the user's own file alone.
    User,
    /// From the user's own file and from the caller's environment: detection must know it before there is a project
    /// whose files could be asked.
    BeforeProject,
}

/// One setting.
#[derive(Clone, Copy, Debug)]
pub struct Spec {
    /// `section.key`.
    pub name: &'static str,
    /// What its value must be.
    pub kind: Kind,
    /// The built-in value, as JSON.
    pub default: &'static str,
    /// From where it counts.
    pub trust: Trust,
    /// What it does, one sentence.
    pub about: &'static str,
}

const fn spec(
    name: &'static str,
    kind: Kind,
    default: &'static str,
    trust: Trust,
    about: &'static str,
) -> Spec {
    Spec {
        name,
        kind,
        default,
        trust,
        about,
    }
}

/// A hundred years, in days: what nobody means to exceed.
const DAYS: Kind = Kind::Number(1, 36_500);
/// A terabyte, in megabytes.
const MEGABYTES: Kind = Kind::Number(1, 1_048_576);
/// An hour, in milliseconds.
const MILLISECONDS: Kind = Kind::Number(1, 3_600_000);

/// The table, by section.
pub const KEYS: &[Spec] = &[
    spec(
        "agents.auto_merge",
        Kind::Flag,
        "false",
        Trust::User,
        "Merge an agent's branch by itself when its task is completed",
    ),
    spec(
        "agents.conflict_strategy",
        Kind::Word(&["stop", "newest_file_wins", "ours", "theirs"]),
        "\"stop\"",
        Trust::User,
        "What a merge does with a path that both sides changed",
    ),
    spec(
        "agents.disk_threshold_gb",
        Kind::Number(0, 1_048_576),
        "10",
        Trust::User,
        "No agent workspace is made with less free disk than this",
    ),
    spec(
        "agents.max_count",
        Kind::Number(0, 10_000),
        "50",
        Trust::User,
        "The most agent workspaces at one time",
    ),
    spec(
        "agents.max_depth",
        Kind::Number(0, 100),
        "10",
        Trust::User,
        "The longest chain of agents made by agents",
    ),
    spec(
        "agents.root",
        Kind::Text,
        "\"{state}/agents/{workspace}\"",
        Trust::User,
        "Where agent workspaces are made; `{state}`, `{home}`, `{workspace}` and `{name}` are filled in",
    ),
    // Health: warn and critical; the alerts that only warn stand beside them.
    spec(
        "alerts.artifacts_critical",
        Kind::Number(1, 10_000_000),
        "2000",
        Trust::Any,
        "So many artifacts in a workspace are critical",
    ),
    spec(
        "alerts.artifacts_warn",
        Kind::Number(1, 10_000_000),
        "500",
        Trust::Any,
        "So many artifacts in a workspace are worth a warning",
    ),
    spec(
        "alerts.detection_critical_ms",
        MILLISECONDS,
        "1000",
        Trust::Any,
        "A detection as slow as this is critical",
    ),
    spec(
        "alerts.detection_failure_percent",
        Kind::Number(0, 100),
        "5",
        Trust::Any,
        "More failed detections than this are worth an alert",
    ),
    spec(
        "alerts.detection_warn_ms",
        MILLISECONDS,
        "100",
        Trust::Any,
        "A detection as slow as this is worth a warning",
    ),
    spec(
        "alerts.enumeration_alert_ms",
        MILLISECONDS,
        "1000",
        Trust::Any,
        "A listing of artifacts as slow as this is worth an alert",
    ),
    spec(
        "alerts.enumeration_critical_ms",
        MILLISECONDS,
        "2000",
        Trust::Any,
        "A listing of artifacts as slow as this is critical",
    ),
    spec(
        "alerts.enumeration_warn_ms",
        MILLISECONDS,
        "500",
        Trust::Any,
        "A listing of artifacts as slow as this is worth a warning",
    ),
    spec(
        "alerts.size_critical_mb",
        MEGABYTES,
        "200",
        Trust::Any,
        "A workspace as large as this is critical",
    ),
    spec(
        "alerts.size_warn_mb",
        MEGABYTES,
        "50",
        Trust::Any,
        "A workspace as large as this is worth a warning",
    ),
    spec(
        "daemon.auto_upgrade",
        Kind::Flag,
        "true",
        Trust::BeforeProject,
        "A newer client has an older daemon hand over to the `tod` beside the client",
    ),
    spec(
        "detection.custom_markers",
        Kind::Markers,
        "[]",
        Trust::BeforeProject,
        "More files that say what kind of project a directory is",
    ),
    spec(
        "detection.fallback_to_home",
        Kind::Flag,
        "true",
        Trust::BeforeProject,
        "Take the home directory when nothing else is found",
    ),
    spec(
        "detection.prefer_git_root",
        Kind::Flag,
        "true",
        Trust::BeforeProject,
        "Take the root of version control before a project marker below it",
    ),
    spec(
        "maintenance.abandoned_hours",
        Kind::Number(1, 876_000),
        "168",
        Trust::Any,
        "A breakdown less than a tenth done and untouched for so long counts as abandoned",
    ),
    spec(
        "maintenance.archive_after_days",
        DAYS,
        "90",
        Trust::Any,
        "Completed work is archived after this time",
    ),
    spec(
        "maintenance.archive_before_delete",
        Kind::Flag,
        "true",
        Trust::User,
        "Keep an archive of all that a clean-up removes",
    ),
    // The schedule only archives, so that it may run without being asked.
    spec(
        "maintenance.auto_cleanup_enabled",
        Kind::Flag,
        "true",
        Trust::Any,
        "Archive by schedule",
    ),
    spec(
        "maintenance.cleanup_schedule",
        Kind::Cron,
        "\"0 2 * * 0\"",
        Trust::Any,
        "When to archive: minute, hour, day, month, weekday",
    ),
    spec(
        "maintenance.max_workspace_size_mb",
        MEGABYTES,
        "100",
        Trust::LowerOnly,
        "A workspace larger than this is worth an alert",
    ),
    spec(
        "maintenance.retention_days",
        Kind::Numbers(36_500),
        r#"{"completed":90,"failed":60,"stale":30,"cancelled":14,"orphaned":7}"#,
        Trust::Any,
        "How long work is kept, by its state",
    ),
    spec(
        "performance.artifact_enumeration_limit",
        Kind::Number(1, 1_000_000),
        "1000",
        Trust::LowerOnly,
        "The most artifacts in one listing",
    ),
    spec(
        "performance.cache_ttl_minutes",
        Kind::Number(0, 525_600),
        "5",
        Trust::LowerOnly,
        "How long an unused answer stays in memory; it bounds memory alone, an answer is never stale",
    ),
    spec(
        "performance.max_cached_workspaces",
        Kind::Number(1, 10_000),
        "50",
        Trust::LowerOnly,
        "The most workspaces held in memory",
    ),
    spec(
        "tasks.lease_minutes",
        Kind::Number(1, 10_080),
        "15",
        Trust::Any,
        "How long a claim holds without a sign of life",
    ),
    spec(
        "tasks.max_attempts",
        Kind::Number(1, 1000),
        "3",
        Trust::LowerOnly,
        "After so many expired claims a task waits for a person",
    ),
    spec(
        "tasks.require_validation",
        Kind::Flag,
        "false",
        Trust::Any,
        "A task is completed only after a check newer than its last edit; none can be recorded yet, so that a completion needs force",
    ),
    spec(
        "tasks.stale_hours",
        Kind::Numbers(876_000),
        r#"{"reviewer":6,"documenter":8,"researcher":12,"tester":16,"debugger":24,"implementer":48,"architect":72}"#,
        Trust::Any,
        "After so many hours untouched a task is stale, by specialist",
    ),
    spec(
        "watch.backend",
        Kind::Word(&["auto", "inotify", "notify", "poll"]),
        "\"auto\"",
        Trust::Any,
        "What tells of changes; with `notify` and `poll` every question compares all files with the disk",
    ),
    spec(
        "watch.extra_ignores",
        Kind::Texts,
        "[]",
        Trust::Any,
        "More patterns, written as in `.gitignore`, of what is not watched",
    ),
    // VS Code's advice for large trees is the same number; Linux counts watches for all programs of a user together.
    spec(
        "watch.max_watches",
        Kind::Number(0, 16_777_216),
        "524288",
        Trust::LowerOnly,
        "The most directories watched at one time: the user's of all projects together, a project's own of that one",
    ),
    // Mutagen's polling interval.
    spec(
        "watch.poll_seconds",
        Kind::Number(1, 86_400),
        "10",
        Trust::Any,
        "How often a file system that tells nothing is looked at",
    ),
    spec(
        "watch.remembered_changes",
        Kind::Number(64, 16_777_216),
        "65536",
        Trust::LowerOnly,
        "How many changes a clock reaches back, or a quarter of the files when those are more; older ones are answered with all files",
    ),
    // Watchman's settle time.
    spec(
        "watch.settle_ms",
        Kind::Number(0, 60_000),
        "20",
        Trust::Any,
        "How long changes are gathered after the first one",
    ),
    spec(
        "workspace.artifact_retention_days",
        DAYS,
        "30",
        Trust::Any,
        "How long old versions of artifacts are kept",
    ),
    spec(
        "workspace.max_artifact_size_mb",
        MEGABYTES,
        "100",
        Trust::LowerOnly,
        "The largest artifact",
    ),
    spec(
        "workspace.project_type",
        Kind::Text,
        "null",
        Trust::Any,
        "The project's type, where detection finds the wrong one",
    ),
    spec(
        "workspace.storage",
        Kind::Word(&["project", "user"]),
        "\"project\"",
        Trust::User,
        "Keep artifacts, decisions and settings in the project, or under the user's state folder",
    ),
];

/// The setting called `name`.
#[must_use]
pub fn find(name: &str) -> Option<&'static Spec> {
    KEYS.binary_search_by(|spec| spec.name.cmp(name))
        .ok()
        .map(|at| &KEYS[at])
}

/// All names.
pub fn names() -> impl Iterator<Item = &'static str> {
    KEYS.iter().map(|spec| spec.name)
}

/// All sections, each once.
#[must_use]
pub fn sections() -> Vec<&'static str> {
    let mut sections: Vec<_> = KEYS.iter().map(Spec::section).collect();
    sections.dedup();
    sections
}

impl Spec {
    /// The part before the dot.
    #[must_use]
    pub fn section(&self) -> &'static str {
        self.name.split_once('.').map_or("", |(section, _)| section)
    }

    /// The part after the dot.
    #[must_use]
    pub fn key(&self) -> &'static str {
        self.name.split_once('.').map_or("", |(_, key)| key)
    }

    /// The client's variable that sets it: `TO_<SECTION>_<KEY>`.
    #[must_use]
    pub fn variable(&self) -> String {
        format!("TO_{}", self.name.replace('.', "_").to_uppercase())
    }

    /// The built-in value.
    #[must_use]
    pub fn built_in(&self) -> Json {
        static DEFAULTS: OnceLock<Vec<Json>> = OnceLock::new();
        let all = DEFAULTS.get_or_init(|| {
            KEYS.iter()
                .map(|spec| serde_json::from_str(spec.default).unwrap_or_default())
                .collect()
        });
        KEYS.iter()
            .position(|spec| spec.name == self.name)
            .and_then(|at| all.get(at).cloned())
            .unwrap_or_default()
    }

    /// Whether the value is a text, so that a command line gives it as it is.
    #[must_use]
    pub fn is_text(&self) -> bool {
        matches!(self.kind, Kind::Text | Kind::Cron | Kind::Word(_))
    }
}

#[cfg(test)]
mod tests;
