//! `config`: settings by layer, from the built-in ones to the caller's own variables.
//!
//! Every room asks [`Config::settings`]; `config get|set|unset|reset|list` come to [`door`]. Settings of *detection*
//! count only from the user's file and the caller's environment: a project's files cannot be asked before there is a
//! project. What must stay true: what is answered is what the files say now (`files.rs`), and no file of a project
//! widens what may happen (`rules.rs`).

pub mod check;
pub mod door;
pub mod edit;
pub mod files;
pub mod keys;
pub mod project;
pub mod rules;
pub mod settings;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use proto::RawPath;
use proto::config::Layer;
use proto::places::Places;

use self::check::Entry;
use self::files::{Files, Place};
use self::project::FORMS;
use self::rules::Source;
pub use self::settings::{Settings, Storage};
use super::tree::Fault;
use super::yaml;
use crate::detect;
use crate::world::World;
use crate::world::mounts::MountTable;

/// How many places of one workspace are asked from: each has an answer of its own in detection's memory.
const STARTS: usize = 16;

/// The name of a settings file.
pub const FILE: &str = "config.yaml";

/// The project whose files count.
#[derive(Clone, Copy, Debug)]
pub struct Project<'a> {
    /// The root of the caller's tree.
    pub root: &'a Path,
    /// The folder of its things and the part of its path that came with the project, when that is known.
    pub folder: Option<&'a super::Folder>,
}

/// All settings files, as they were last seen.
pub struct Config {
    own: Option<PathBuf>,
    files: Files,
    generation: AtomicU64,
    last: Mutex<Arc<Vec<Entry>>>,
    detection: Mutex<Option<detect::Settings>>,
}

impl Config {
    /// For the user with these places. Reads nothing yet.
    #[must_use]
    pub fn new(places: &Places) -> Self {
        Self {
            own: places.config_dir.as_ref().map(|dir| dir.join(FILE)),
            files: Files::default(),
            generation: AtomicU64::new(0),
            last: Mutex::default(),
            detection: Mutex::default(),
        }
    }

    /// The user's own file, where one can be.
    #[must_use]
    pub fn own_file(&self) -> Option<&Path> {
        self.own.as_deref()
    }

    /// The settings in force for a caller with these variables, in a project or in none.
    #[must_use]
    pub fn settings(
        &self,
        world: &dyn World,
        project: Option<Project<'_>>,
        vars: &[(String, RawPath)],
    ) -> Settings {
        let (mut sources, mut warnings) = (Vec::new(), Vec::new());
        if let Some(own) = &self.own {
            let source = self.source(
                world,
                (Layer::User, Place::Own(own.clone())),
                whole_file,
                &mut warnings,
            );
            self.notice(&source.entries);
            sources.push(source);
        }
        if let Some(project) = project {
            for form in FORMS {
                let place = Place::Beneath(project.root.to_path_buf(), form.file_name().into());
                let parse = |text: &str| {
                    let mut found = Vec::new();
                    for part in form.parts(text)? {
                        found.extend(check::file(&part)?);
                    }
                    Ok(found)
                };
                sources.push(self.source(world, (Layer::Project, place), parse, &mut warnings));
            }
            if let Some(folder) = project.folder {
                let place = Place::Beneath(folder.base.clone(), folder.relative.join(FILE));
                sources.push(self.source(world, (Layer::Workspace, place), whole_file, &mut warnings));
            }
        }
        let (environment, of_environment) = rules::environment(vars);
        sources.push(environment);
        warnings.extend(of_environment);
        let (held, of_merge) = rules::merge(&sources);
        warnings.extend(of_merge);
        Settings { held, warnings }
    }

    /// What detection may know before there is a project: the user's file and the caller's environment.
    #[must_use]
    pub fn detection(&self, world: &dyn World, vars: &[(String, RawPath)]) -> detect::Settings {
        let generation = self.generation(world);
        let own = vars.iter().any(|(name, _)| name.starts_with("TO_DETECTION_"));
        let mut last = self.detection.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(last) = last.as_ref().filter(|last| !own && last.generation == generation) {
            return last.clone();
        }
        let settings = self.settings(world, None, vars);
        let minutes = settings.cache_ttl_minutes();
        let workspaces = usize::try_from(settings.max_cached_workspaces()).unwrap_or(usize::MAX);
        let found = detect::Settings {
            prefer_git_root: settings.prefer_git_root(),
            fallback_to_home: settings.fallback_to_home(),
            custom_markers: settings.custom_markers(),
            max_cached: workspaces.saturating_mul(STARTS),
            cache_ttl: Duration::from_secs(minutes.saturating_mul(60)),
            generation,
        };
        if !own {
            *last = Some(found.clone());
        }
        found
    }

    /// Whether the user's file can be looked at without waiting: it lies on local file systems, as far as is known.
    #[must_use]
    pub fn at_hand(&self, mounts: &MountTable) -> bool {
        let Some(own) = &self.own else { return true };
        let local = |path: &Path| mounts.remote_on_the_way(path).is_none();
        local(own) && self.files.found_at(own).is_none_or(|found| local(&found))
    }

    /// A number that is another one whenever the user's own file may mean something else. It is checked against the
    /// disk by this call.
    #[must_use]
    pub fn generation(&self, world: &dyn World) -> u64 {
        if let Some(own) = &self.own {
            self.notice(
                &self
                    .files
                    .read(world, &Place::Own(own.clone()), whole_file)
                    .entries,
            );
        }
        self.generation.load(Ordering::Acquire)
    }

    /// The generation as of the last look at the file. From memory.
    #[must_use]
    pub fn noticed(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Makes every file be read again on its next use.
    pub fn distrust(&self) {
        self.files.distrust();
    }

    fn source(
        &self,
        world: &dyn World,
        (layer, place): (Layer, Place),
        parse: impl Fn(&str) -> Result<Vec<Entry>, Fault>,
        warnings: &mut Vec<String>,
    ) -> Source {
        let seen = self.files.read(world, &place, parse);
        warnings.extend(seen.fault);
        Source {
            layer,
            file: Some(Arc::from(place.path())),
            entries: seen.entries,
        }
    }

    fn notice(&self, entries: &Arc<Vec<Entry>>) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if !Arc::ptr_eq(&last, entries) && *last != *entries {
            self.generation.fetch_add(1, Ordering::Release);
        }
        last.clone_from(entries);
    }
}

/// All values of a settings file of ours.
///
/// # Errors
/// The first fault.
pub fn whole_file(text: &str) -> Result<Vec<Entry>, Fault> {
    check::file(&yaml::parse(text)?)
}

impl std::fmt::Debug for Config {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Config")
            .field("own", &self.own)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::FakeWorld;

    fn places() -> Places {
        Places {
            socket: "/run/tod.sock".into(),
            state_dir: "/state".into(),
            config_dir: Some("/c".into()),
            home: Some("/home".into()),
        }
    }

    #[test]
    fn detection_follows_the_users_file_and_the_caller_and_is_made_once_for_each() {
        let (world, config) = (FakeWorld::new(), Config::new(&places()));
        assert_eq!(config.detection(&world, &[]), detect::Settings::default());
        world.file(
            "/c/config.yaml",
            "detection: {prefer_git_root: false, custom_markers: [{name: '*.x', type: x, confidence: 8}]}",
        );
        let of_user = config.detection(&world, &[]);
        assert!(!of_user.prefer_git_root && of_user.generation == 1);
        assert_eq!(of_user.custom_markers[0].project_type, "x");
        let of_caller = [("TO_DETECTION_PREFER_GIT_ROOT".to_owned(), RawPath::from("true"))];
        assert!(config.detection(&world, &of_caller).prefer_git_root);
        assert_eq!(config.detection(&world, &[]), of_user);
    }

    #[test]
    fn a_users_file_on_another_machine_is_not_at_hand() {
        let (world, config) = (FakeWorld::new(), Config::new(&places()));
        assert!(config.at_hand(&world.mounts()));
        world
            .mount("/net", "nfs4")
            .file("/net/mine.yaml", "watch: {settle_ms: 3}");
        world.link("/c/config.yaml", "/net/mine.yaml");
        assert_eq!(config.detection(&world, &[]).generation, 1);
        assert!(!config.at_hand(&world.mounts()));
        world.delete("/c/config.yaml").mount("/c", "nfs4");
        assert!(!config.at_hand(&world.mounts()));
    }

    #[test]
    fn all_layers_are_read_and_the_generation_rises_with_the_users_file_alone() {
        let (world, config) = (FakeWorld::new(), Config::new(&places()));
        let folder = super::super::Folder {
            base: "/p".into(),
            relative: ".task_orchestrator".into(),
        };
        let get = || {
            let project = Project {
                root: Path::new("/p"),
                folder: Some(&folder),
            };
            let settings = config.settings(&world, Some(project), &[]);
            (settings.settle_ms(), settings.warnings)
        };
        assert_eq!(get(), (20, vec![]));
        let first = config.generation(&world);
        world.file("/c/config.yaml", "watch: {settle_ms: 1}");
        assert_ne!(config.generation(&world), first);
        assert_eq!(get().0, 1);
        let second = config.generation(&world);
        world.file(
            "/p/Cargo.toml",
            "[package.metadata.task-orchestrator.watch]\nsettle_ms = 2\n",
        );
        assert_eq!(get().0, 2);
        world.file(
            "/p/pyproject.toml",
            "[tool.task-orchestrator.watch]\nsettle_ms = 3\n",
        );
        assert_eq!(get().0, 3);
        world.file("/p/.task_orchestrator/config.yaml", "watch: {settle_ms: 4}");
        assert_eq!(get().0, 4);
        assert_eq!(config.generation(&world), second);
        world.file("/p/.task_orchestrator/config.yaml", "watch: {settle_ms: x}");
        let (value, warnings) = get();
        assert_eq!((value, warnings.len()), (4, 1), "{warnings:?}");
        world
            .delete("/p/.task_orchestrator")
            .link("/p/.task_orchestrator", "/elsewhere");
        world.file("/elsewhere/config.yaml", "watch: {settle_ms: 5}");
        let (value, warnings) = get();
        assert_eq!((value, warnings.len()), (4, 1), "{warnings:?}");
    }
}
