//! The settings in force for one caller and one project, by name and type.
//!
//! Every room takes its settings from here. What must stay true: a getter asks for a key of the table with the type
//! the table gives it (a test calls all of them).

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::rules::Held;
use crate::detect::CustomMarker;

/// The settings in force, and what was passed over on the way.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settings {
    pub(super) held: BTreeMap<&'static str, Held>,
    /// Files and values that do not count, a sentence each.
    pub warnings: Vec<String>,
}

/// Where artifacts, decisions and settings of projects are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Storage {
    /// In `<root>/.task_orchestrator/`.
    Project,
    /// In `<state>/projects/<id>/`: the project is not touched.
    User,
}

impl Settings {
    /// One setting with its origin.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Held> {
        self.held.get(name)
    }

    /// All settings in the order of their names.
    pub fn all(&self) -> impl Iterator<Item = (&'static str, &Held)> {
        self.held.iter().map(|(name, held)| (*name, held))
    }

    fn json(&self, name: &'static str) -> Json {
        match self.held.get(name) {
            Some(held) => held.value.clone(),
            None => super::keys::find(name)
                .map(super::keys::Spec::built_in)
                .unwrap_or_default(),
        }
    }

    fn flag(&self, name: &'static str) -> bool {
        self.json(name).as_bool().unwrap_or_default()
    }

    fn number(&self, name: &'static str) -> u64 {
        self.json(name).as_u64().unwrap_or_default()
    }

    /// Whether a version-control root comes before a project marker below it.
    #[must_use]
    pub fn prefer_git_root(&self) -> bool {
        self.flag("detection.prefer_git_root")
    }

    /// Whether the home directory is taken when nothing else is found.
    #[must_use]
    pub fn fallback_to_home(&self) -> bool {
        self.flag("detection.fallback_to_home")
    }

    /// More markers.
    #[must_use]
    pub fn custom_markers(&self) -> Vec<CustomMarker> {
        let text = |item: &Json, name: &str| item.get(name).and_then(Json::as_str).map(str::to_owned);
        let marker = |item: &Json| {
            Some(CustomMarker {
                name: text(item, "name")?,
                project_type: text(item, "type")?,
                confidence: u8::try_from(item.get("confidence")?.as_u64()?).ok()?,
            })
        };
        let items = self.json("detection.custom_markers");
        items
            .as_array()
            .map(|items| items.iter().filter_map(marker).collect())
            .unwrap_or_default()
    }

    /// How long an unused answer stays in memory, in minutes.
    #[must_use]
    pub fn cache_ttl_minutes(&self) -> u64 {
        self.number("performance.cache_ttl_minutes")
    }

    /// The most workspaces held in memory.
    #[must_use]
    pub fn max_cached_workspaces(&self) -> u64 {
        self.number("performance.max_cached_workspaces")
    }

    /// What tells of changes: `auto`, `inotify`, `notify` or `poll`.
    #[must_use]
    pub fn backend(&self) -> String {
        self.json("watch.backend").as_str().unwrap_or("auto").to_owned()
    }

    /// How long changes are gathered after the first one, in milliseconds.
    #[must_use]
    pub fn settle_ms(&self) -> u64 {
        self.number("watch.settle_ms")
    }

    /// The most directories watched at one time.
    #[must_use]
    pub fn max_watches(&self) -> u64 {
        self.number("watch.max_watches")
    }

    /// How often a file system that tells nothing is looked at, in seconds.
    #[must_use]
    pub fn poll_seconds(&self) -> u64 {
        self.number("watch.poll_seconds")
    }

    /// How many changes are remembered for clocks.
    #[must_use]
    pub fn remembered_changes(&self) -> u64 {
        self.number("watch.remembered_changes")
    }

    /// More patterns of what is not watched, as in `.gitignore`.
    #[must_use]
    pub fn extra_ignores(&self) -> Vec<String> {
        let items = self.json("watch.extra_ignores");
        let texts = items.as_array().into_iter().flatten().filter_map(Json::as_str);
        texts.map(str::to_owned).collect()
    }

    /// How long a claim holds without a sign of life, in minutes.
    #[must_use]
    pub fn lease_minutes(&self) -> u64 {
        self.number("tasks.lease_minutes")
    }

    /// After so many expired claims a task waits for a person.
    #[must_use]
    pub fn max_attempts(&self) -> u64 {
        self.number("tasks.max_attempts")
    }

    /// Whether a task is completed only after a check newer than its last edit.
    #[must_use]
    pub fn require_validation(&self) -> bool {
        self.flag("tasks.require_validation")
    }

    /// The largest artifact, in mebibytes.
    #[must_use]
    pub fn max_artifact_size_mb(&self) -> u64 {
        self.number("workspace.max_artifact_size_mb")
    }

    /// After so many days what nobody has used may be put away.
    #[must_use]
    pub fn archive_after_days(&self) -> u64 {
        self.number("maintenance.archive_after_days")
    }

    /// The project's type, where somebody has said it.
    #[must_use]
    pub fn project_type(&self) -> Option<String> {
        self.json("workspace.project_type").as_str().map(str::to_owned)
    }

    /// Where the project's things are kept.
    #[must_use]
    pub fn storage(&self) -> Storage {
        match self.json("workspace.storage").as_str() {
            Some("user") => Storage::User,
            _ => Storage::Project,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_getter_finds_its_key_with_its_type() {
        let settings = Settings::default();
        assert!(settings.prefer_git_root() && settings.fallback_to_home());
        assert_eq!(settings.backend(), "auto");
        assert!(settings.custom_markers().is_empty() && settings.extra_ignores().is_empty());
        assert_eq!(
            (settings.cache_ttl_minutes(), settings.max_cached_workspaces()),
            (5, 50)
        );
        assert_eq!(
            (
                settings.settle_ms(),
                settings.poll_seconds(),
                settings.max_watches()
            ),
            (20, 10, 524_288)
        );
        assert_eq!(
            (settings.max_artifact_size_mb(), settings.archive_after_days()),
            (100, 90)
        );
        assert_eq!(
            (settings.project_type(), settings.storage()),
            (None, Storage::Project)
        );
    }
}
