//! Which of several values is in force: pure.
//!
//! Asked by [`super::Config`] with what each layer says, weakest first. What must stay true: nothing that came with a
//! project widens what may happen (SPEC 5): such a value is passed over with a warning, whichever project file holds it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use proto::RawPath;
use proto::config::{Layer, Setting};
use serde_json::Value as Json;

use super::super::tree::hint;
use super::check::{self, Entry};
use super::keys::{self, KEYS, Spec, Trust};

/// What one file or the environment says.
#[derive(Clone, Debug)]
pub struct Source {
    /// Its layer.
    pub layer: Layer,
    /// Its file.
    pub file: Option<Arc<Path>>,
    /// Its values.
    pub entries: Arc<Vec<Entry>>,
}

/// A value in force.
#[derive(Clone, Debug, PartialEq)]
pub struct Held {
    /// The value, which fits its setting.
    pub value: Json,
    /// Who set it.
    pub layer: Layer,
    /// Where.
    pub file: Option<Arc<Path>>,
    /// The line there, from 1.
    pub line: Option<u32>,
}

/// The values of all settings, and what was passed over.
#[must_use]
pub fn merge(sources: &[Source]) -> (BTreeMap<&'static str, Held>, Vec<String>) {
    let built_in = |spec: &'static Spec| {
        (
            spec.name,
            Held {
                value: spec.built_in(),
                layer: Layer::BuiltIn,
                file: None,
                line: None,
            },
        )
    };
    let mut held: BTreeMap<_, _> = KEYS.iter().map(built_in).collect();
    let mut trusted = held.clone();
    let mut warnings = Vec::new();
    for source in sources {
        for entry in source.entries.iter() {
            let bound = trusted.get(entry.spec.name).map(|held| &held.value);
            if let Err(why) = counts(entry, source.layer, bound) {
                warnings.push(format!("{} is passed over: {why}", place(entry, source)));
                continue;
            }
            let now = Held {
                value: entry.value.clone(),
                layer: source.layer,
                file: source.file.clone(),
                line: entry.line,
            };
            if source.layer == Layer::User {
                trusted.insert(entry.spec.name, now.clone());
            }
            held.insert(entry.spec.name, now);
        }
    }
    (held, warnings)
}

/// Whether a value counts when it comes from a layer.
///
/// # Errors
/// Why not.
pub fn counts(entry: &Entry, layer: Layer, trusted: Option<&Json>) -> Result<(), String> {
    if matches!(layer, Layer::BuiltIn | Layer::User) {
        return Ok(());
    }
    match entry.spec.trust {
        Trust::Any => Ok(()),
        Trust::User => Err("only your own `config.yaml` may set it".to_owned()),
        Trust::BeforeProject if layer == Layer::Environment => Ok(()),
        Trust::BeforeProject => {
            Err("detection knows it before it knows the project, so only your own `config.yaml` or your environment may set it".to_owned())
        }
        Trust::LowerOnly => match (entry.value.as_u64(), trusted.and_then(Json::as_u64)) {
            (Some(wanted), Some(most)) if wanted <= most => Ok(()),
            (_, most) => {
                let most = most.unwrap_or_default();
                Err(format!("only your own `config.yaml` may raise it above {most}"))
            }
        },
    }
}

fn place(entry: &Entry, source: &Source) -> String {
    let name = entry.spec.name;
    match (&source.file, entry.line) {
        (Some(file), Some(line)) => format!("`{name}` in `{}` line {line}", file.display()),
        (Some(file), None) => format!("`{name}` in `{}`", file.display()),
        (None, _) => format!("`{}`", entry.spec.variable()),
    }
}

/// What the caller's variables say, and what is wrong with them.
#[must_use]
pub fn environment(vars: &[(String, RawPath)]) -> (Source, Vec<String>) {
    let (mut entries, mut warnings) = (Vec::new(), Vec::new());
    for (name, value) in vars {
        let Some(rest) = name.strip_prefix("TO_") else {
            continue;
        };
        let ours = keys::sections().iter().any(|section| {
            rest.to_lowercase()
                .strip_prefix(section)
                .is_some_and(|rest| rest.starts_with('_'))
        });
        let Some(spec) = KEYS.iter().find(|spec| spec.variable() == *name) else {
            if ours {
                let known: Vec<String> = KEYS.iter().map(Spec::variable).collect();
                let hint = hint(name, known.iter().map(String::as_str));
                warnings.push(format!("`{name}` sets nothing{hint}"));
            }
            continue;
        };
        let given = std::str::from_utf8(value.as_bytes()).map_err(|_| "it is not UTF-8".to_owned());
        match given.and_then(|given| check::text(spec, given).map_err(|fault| fault.what)) {
            Ok(value) => entries.push(Entry {
                spec,
                value,
                line: None,
            }),
            Err(why) => warnings.push(format!("`{name}` is passed over: {why}")),
        }
    }
    (
        Source {
            layer: Layer::Environment,
            file: None,
            entries: Arc::new(entries),
        },
        warnings,
    )
}

/// A value in force, for the wire.
#[must_use]
pub fn setting(name: &str, held: &Held) -> Setting {
    Setting {
        key: name.to_owned(),
        value: held.value.to_string(),
        layer: held.layer,
        file: held.file.as_ref().map(|file| RawPath::from(&**file)),
        line: held.line,
    }
}

/// The file of a layer that may be written.
///
/// # Errors
/// For the other layers.
pub fn written(layer: Layer, user: Option<PathBuf>, workspace: PathBuf) -> proto::error::Result<PathBuf> {
    match layer {
        Layer::User => user.ok_or_else(|| {
            proto::Error::unavailable("there is no place for your own settings")
                .why("neither `XDG_CONFIG_HOME` nor a home is known")
                .next("set `HOME` and start the daemon again")
        }),
        Layer::Workspace => Ok(workspace),
        Layer::BuiltIn | Layer::Project | Layer::Environment => Err(proto::Error::usage(
            "only the user's and the workspace's files are written",
        )
        .next("edit the project's own file yourself, or use `--user` or `--workspace`")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::yaml;
    use super::*;

    fn source(layer: Layer, text: &str) -> Source {
        let entries = check::file(&yaml::parse(text).expect("YAML")).expect("good");
        Source {
            layer,
            file: Some(Path::new("/p/f").into()),
            entries: Arc::new(entries),
        }
    }

    #[test]
    fn a_later_layer_wins_and_says_where_it_stands() {
        let (held, warnings) = merge(&[
            source(Layer::User, "watch: {settle_ms: 1, poll_seconds: 3}"),
            source(Layer::Project, "watch: {settle_ms: 2}"),
            source(Layer::Workspace, "watch:\n  settle_ms: 3"),
            environment(&[("TO_TASKS_LEASE_MINUTES".into(), "7".into())]).0,
        ]);
        assert!(warnings.is_empty(), "{warnings:?}");
        assert_eq!(held["watch.settle_ms"].value, 3);
        assert_eq!(
            (held["watch.settle_ms"].layer, held["watch.settle_ms"].line),
            (Layer::Workspace, Some(2))
        );
        assert_eq!(held["watch.poll_seconds"].layer, Layer::User);
        assert_eq!(
            (
                held["tasks.lease_minutes"].value.clone(),
                held["tasks.lease_minutes"].layer
            ),
            (7.into(), Layer::Environment)
        );
        assert_eq!(held["tasks.max_attempts"].layer, Layer::BuiltIn);
        assert_eq!(held.len(), KEYS.len());
    }

    #[test]
    fn no_file_of_a_project_and_no_variable_widens_what_may_happen() {
        let wide = "agents: {max_count: 9999, root: /tmp/x, auto_merge: true}\nworkspace: {storage: user, max_artifact_size_mb: 101}\nwatch: {max_watches: 16777216}\nmaintenance: {archive_before_delete: false}\n";
        for layer in [Layer::Project, Layer::Workspace, Layer::Environment] {
            let (held, warnings) = merge(&[source(layer, wide)]);
            assert!(
                held.values().all(|held| held.layer == Layer::BuiltIn),
                "{layer:?}"
            );
            assert_eq!(warnings.len(), 7, "{warnings:?}");
        }
        let (held, warnings) = merge(&[source(Layer::User, wide)]);
        assert!(warnings.is_empty());
        assert_eq!(held["agents.max_count"].value, 9999);
    }

    #[test]
    fn a_project_may_lower_a_limit_and_never_pass_what_the_user_allows() {
        let user = source(Layer::User, "watch: {max_watches: 100}");
        let lower = source(Layer::Project, "watch: {max_watches: 50}");
        let above = source(Layer::Workspace, "watch: {max_watches: 100}");
        let over = source(Layer::Workspace, "watch: {max_watches: 101}");
        assert_eq!(
            merge(&[user.clone(), lower.clone()]).0["watch.max_watches"].value,
            50
        );
        assert_eq!(
            merge(&[user.clone(), lower.clone(), above]).0["watch.max_watches"].value,
            100
        );
        let (held, warnings) = merge(&[user, lower, over]);
        assert_eq!(held["watch.max_watches"].value, 50);
        assert!(warnings[0].contains("above 100"), "{warnings:?}");
    }

    #[test]
    fn detection_listens_to_the_user_and_the_caller_alone() {
        let text = "detection: {prefer_git_root: false}";
        assert_eq!(merge(&[source(Layer::Workspace, text)]).1.len(), 1);
        assert_eq!(
            merge(&[source(Layer::User, text)]).0["detection.prefer_git_root"].value,
            false
        );
        let (env, _) = environment(&[("TO_DETECTION_PREFER_GIT_ROOT".into(), "false".into())]);
        assert_eq!(
            merge(&[env]).0["detection.prefer_git_root"].layer,
            Layer::Environment
        );
    }

    #[test]
    fn a_variable_that_sets_nothing_is_named_and_client_directories_are_left_alone() {
        let (env, warnings) = environment(&[
            ("TO_WATCH_SETLE_MS".into(), "1".into()),
            ("TO_PROJECT_DIR".into(), "/p".into()),
            ("TO_WATCH_SETTLE_MS".into(), RawPath::from(vec![0xff])),
            ("TO_WATCH_POLL_SECONDS".into(), "soon".into()),
        ]);
        assert!(env.entries.is_empty());
        assert_eq!(warnings.len(), 3, "{warnings:?}");
        assert!(warnings[0].contains("TO_WATCH_SETTLE_MS"));
    }
}
