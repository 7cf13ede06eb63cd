//! `role`: the kinds of workers and their prompt texts, by name: workspace first, then user, then built in.
//!
//! `dispatch` asks [`answer`]; the prompt of a task asks [`in_force`]. What must stay true: a role of a higher layer
//! takes the place of the lower one of the same name whole, and of no other; a file that cannot be taken is named with
//! its line and changes nothing.

pub mod kits;
pub mod rules;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use proto::config::Layer;
use proto::detect::From;
use proto::role::{Answer, Request, Role};
use proto::{Error, Kind, RawPath, error::Result};

use self::kits::{KITS, Kit};
use super::Folder;
use super::config::files::{said, text};
use super::registry::Registry;
use super::tree::{Fault, MAX_BYTES, hint, shortened};
use super::yaml;
use crate::db::Batch;
use crate::world::World;

/// The roles that come with the program, one file each.
const BUILT_IN: [(&str, &str); 12] = [
    ("analyst", include_str!("builtin/analyst.yaml")),
    ("architect", include_str!("builtin/architect.yaml")),
    ("coder", include_str!("builtin/coder.yaml")),
    ("coordinator", include_str!("builtin/coordinator.yaml")),
    ("debugger", include_str!("builtin/debugger.yaml")),
    ("devops", include_str!("builtin/devops.yaml")),
    ("documenter", include_str!("builtin/documenter.yaml")),
    ("generic", include_str!("builtin/generic.yaml")),
    ("implementer", include_str!("builtin/implementer.yaml")),
    ("researcher", include_str!("builtin/researcher.yaml")),
    ("reviewer", include_str!("builtin/reviewer.yaml")),
    ("tester", include_str!("builtin/tester.yaml")),
];

/// The folder of role files.
const FOLDER: &str = "roles";
/// The most files in it.
const MOST_FILES: usize = 200;
/// The roles that a kit speaks to.
const OF_A_KIT: [&str; 5] = ["coder", "debugger", "implementer", "reviewer", "tester"];

/// The roles in force, and what could not be taken.
#[derive(Clone, Debug, Default)]
pub struct Roles {
    /// By name.
    pub roles: BTreeMap<String, Role>,
    /// Files that could not be taken, with file and line.
    pub warnings: Vec<String>,
}

/// One request.
///
/// # Errors
/// `not found` for a role or kind of project that is none, with the nearest one; `conflict` for a file that is there;
/// what detection and the disk say.
pub fn answer(registry: &Registry<'_>, request: Request) -> Result<proto::Answer> {
    let answer = match request {
        Request::List { at } => {
            let found = at_place(registry, &at)?;
            Answer::Roles {
                roles: found.roles.into_values().collect(),
                warnings: found.warnings,
            }
        }
        Request::Show { at, name } => {
            let mut found = at_place(registry, &at)?;
            let names: Vec<String> = found.roles.keys().cloned().collect();
            Answer::Role(found.roles.remove(&name).ok_or_else(|| {
                let hint = hint(&name, names.iter().map(String::as_str));
                let error = Error::not_found(format!("there is no role `{}`{hint}", shortened(&name)));
                match found.warnings.first() {
                    Some(fault) => error.why(fault).next("correct that file"),
                    None => error.next("see `tocli role list`"),
                }
            })?)
        }
        Request::Init { at, project_type } => return init(registry, &at, project_type.as_deref()),
    };
    Ok(proto::Answer::Role(answer))
}

/// The roles where the caller is; outside of any project those of the user and the built-in ones.
fn at_place(registry: &Registry<'_>, at: &From) -> Result<Roles> {
    let found = match registry.detect(at) {
        Ok(found) => found,
        Err(error) if error.kind == Kind::NotFound && *at == From::Caller => {
            return Ok(in_force(
                registry.world,
                registry.places.config_dir.as_deref(),
                None,
            ));
        }
        Err(error) => return Err(error),
    };
    let folder = match registry.known(&found)? {
        Some(scope) => scope.folder().clone(),
        None => Folder::of(registry.storage(), found.root.as_path(), "new", registry.places),
    };
    Ok(in_force(
        registry.world,
        registry.places.config_dir.as_deref(),
        Some(&folder),
    ))
}

/// The roles in force for a project's folder and the user's.
#[must_use]
pub fn in_force(world: &dyn World, own: Option<&Path>, folder: Option<&Folder>) -> Roles {
    let mut found = built_in();
    if let Some(own) = own {
        let folder = own.join(FOLDER);
        let names = sorted(world.list(&folder, MOST_FILES), &folder, &mut found.warnings);
        for path in names.into_iter().map(|name| folder.join(name)) {
            let bytes =
                super::config::files::followed(world, &path).and_then(|path| world.read(&path, MAX_BYTES));
            let roles = text(bytes).and_then(|text| parsed(&text, Layer::User));
            take(&mut found, Layer::User, Some(&path), roles);
        }
    }
    if let Some(folder) = folder {
        let listed = world.list_beneath(&folder.base, &folder.within(FOLDER), MOST_FILES);
        for name in sorted(listed, &folder.path().join(FOLDER), &mut found.warnings) {
            let path = folder.within(FOLDER).join(name);
            let bytes = world.read_beneath(&folder.base, &path, MAX_BYTES);
            let roles = text(bytes).and_then(|text| parsed(&text, Layer::Workspace));
            take(&mut found, Layer::Workspace, Some(&folder.base.join(path)), roles);
        }
    }
    found
}

fn built_in() -> Roles {
    let mut found = Roles::default();
    for (_, text) in BUILT_IN {
        take(&mut found, Layer::BuiltIn, None, parsed(text, Layer::BuiltIn));
    }
    found
}

fn parsed(text: &str, layer: Layer) -> std::result::Result<Vec<Role>, Fault> {
    rules::file(&yaml::parse(text)?, layer)
}

/// The role files among the names of a folder, sorted.
fn sorted(
    listed: io::Result<Vec<crate::world::Entry>>,
    folder: &Path,
    warnings: &mut Vec<String>,
) -> Vec<PathBuf> {
    let entries = match listed {
        Ok(entries) => entries,
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            ) =>
        {
            return Vec::new();
        }
        Err(error) if error.kind() == io::ErrorKind::FileTooLarge => {
            warnings.push(format!(
                "`{}`: more than {MOST_FILES} files, none is taken",
                folder.display()
            ));
            return Vec::new();
        }
        Err(error) => {
            warnings.push(format!("`{}`: {}", folder.display(), said(&error)));
            return Vec::new();
        }
    };
    let mut names: Vec<PathBuf> = entries
        .into_iter()
        .map(|entry| PathBuf::from(entry.name))
        .filter(|name| is_role_file(name))
        .collect();
    names.sort();
    names
}

fn is_role_file(name: &Path) -> bool {
    let hidden = name.to_string_lossy().starts_with('.');
    !hidden && name.extension().is_some_and(|end| end == "yaml" || end == "yml")
}

fn take(found: &mut Roles, layer: Layer, path: Option<&Path>, roles: std::result::Result<Vec<Role>, Fault>) {
    let path_or_none = path.unwrap_or(Path::new(""));
    let roles = match roles {
        Ok(roles) => roles,
        Err(fault) => return found.warnings.push(fault.in_file(path_or_none)),
    };
    for mut role in roles {
        role.file = path.map(RawPath::from);
        match found.roles.get(&role.name) {
            Some(first) if first.layer == layer => {
                let first = first
                    .file
                    .as_ref()
                    .map(|file| file.display().into_owned())
                    .unwrap_or_default();
                found.warnings.push(format!(
                    "`{}`: the role `{}` is in `{first}` already, which counts",
                    path_or_none.display(),
                    role.name
                ));
            }
            _ => drop(found.roles.insert(role.name.clone(), role)),
        }
    }
}

/// The role files of a project's folder, as ways within it.
///
/// # Errors
/// When the folder cannot be listed.
pub fn file_names(world: &dyn World, folder: &Folder) -> Result<Vec<String>> {
    let mut warnings = Vec::new();
    let path = folder.path().join(FOLDER);
    let names = sorted(
        world.list_beneath(&folder.base, &folder.within(FOLDER), MOST_FILES),
        &path,
        &mut warnings,
    );
    match warnings.first() {
        Some(why) => {
            Err(Error::refused(format!("the roles in `{}` could not be read", path.display())).why(why))
        }
        None => Ok(names
            .iter()
            .filter_map(|name| Some(format!("{FOLDER}/{}", name.to_str()?)))
            .collect()),
    }
}

fn init(registry: &Registry<'_>, at: &From, project_type: Option<&str>) -> Result<proto::Answer> {
    let detection = registry.detect(at)?;
    let wanted = match project_type {
        Some(wanted) => Some(wanted),
        None => detection
            .project_types
            .iter()
            .map(String::as_str)
            .find(|name| kits::find(name).is_some()),
    };
    let names: Vec<&str> = KITS.iter().map(|kit| kit.name).collect();
    let choose = format!("choose one of `{}`", names.join("`, `"));
    let wanted = wanted.ok_or_else(|| {
        Error::usage("it is not known what type of project this is")
            .next(format!("give it with `--for`: {choose}"))
    })?;
    let kit = kits::find(wanted).ok_or_else(|| {
        let hint = hint(wanted, names.iter().copied());
        Error::not_found(format!("there are no roles for `{}`{hint}", shortened(wanted))).next(choose)
    })?;
    let scope = registry.activate_found(&detection)?;
    let (name, text) = (file_of(kit), text_of(kit)?);
    (registry.change)(
        scope.id(),
        Box::new(|batch: &mut Batch| {
            let folder = scope.folder();
            let file = folder.path().join(&name);
            match registry.world.stat_beneath(&folder.base, &folder.within(&name)) {
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
                    ) => {}
                Err(error) => return Err(super::folder::cannot_write(&file, &error)),
                Ok(_) => {
                    return Err(Error::conflict(format!("`{}` is there already", file.display()))
                        .next("edit it, or move it away and repeat this"));
                }
            }
            registry.claim(batch, &scope)?;
            folder.write(registry.world, Path::new(&name), text.as_bytes())?;
            let roles = OF_A_KIT.map(str::to_owned).to_vec();
            Ok(proto::Answer::Role(Answer::Written {
                file: RawPath::from(file),
                roles,
            }))
        }),
    )
}

/// The file of a kit's roles, within the project's folder.
#[must_use]
pub fn file_of(kit: &Kit) -> String {
    format!("{FOLDER}/{}.yaml", kit.name)
}

/// The roles of a kit: the built-in ones with what the kind of project has of its own.
///
/// # Errors
/// When a built-in role cannot be read, which a test excludes.
pub fn text_of(kit: &Kit) -> Result<String> {
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let mut out = format!(
        "# Roles for a {} project, made from the built-in ones: change them as you like.\n\
         # A role that is not in a file here is the user's own or the built-in one.\n",
        kit.title
    );
    let built_in = built_in().roles;
    for name in OF_A_KIT {
        let role = built_in
            .get(name)
            .ok_or_else(|| Error::bug(format!("the built-in role `{name}` is missing")))?;
        out.push_str(&format!(
            "\n{name}:\n  role_definition: {}\n  expertise:\n",
            quoted(&role.role_definition)
        ));
        let known = format!(
            "{} and its tools: {} to build, {} to test",
            kit.title, kit.build, kit.test
        );
        for item in role.expertise.iter().chain([&known]) {
            out.push_str(&format!("    - {}\n", quoted(item)));
        }
        out.push_str("  approach:\n");
        let checks = format!(
            "Before handing over run the build ({}), the tests ({}) and the style checks ({})",
            kit.build, kit.test, kit.lint
        );
        let habits = kit.habits.iter().map(|habit| (*habit).to_owned());
        for item in role.approach.iter().cloned().chain(habits).chain([checks]) {
            out.push_str(&format!("    - {}\n", quoted(&item)));
        }
        out.push_str("  output_format: |\n");
        for line in role.output_format.lines() {
            out.push_str(&format!("    {line}\n"));
        }
        out.push_str("  context_awareness:\n");
        for (key, json) in &role.context_awareness {
            out.push_str(&format!("    {key}: {json}\n"));
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::FakeWorld;

    fn folder() -> Folder {
        Folder {
            base: "/p".into(),
            relative: ".task_orchestrator".into(),
        }
    }

    #[test]
    fn every_built_in_role_is_complete_and_stands_in_its_own_file() {
        let found = built_in();
        assert!(found.warnings.is_empty(), "{:?}", found.warnings);
        assert_eq!(found.roles.len(), BUILT_IN.len());
        for (name, _) in BUILT_IN {
            let role = &found.roles[name];
            assert!(role.role_definition.len() > 80, "{name}");
            assert!(role.expertise.len() >= 3 && role.approach.len() >= 5, "{name}");
            assert!(
                role.output_format.lines().count() >= 3 && !role.context_awareness.is_empty(),
                "{name}"
            );
        }
    }

    #[test]
    fn a_workspace_overrides_just_the_roles_it_names() {
        let world = FakeWorld::new();
        world
            .file(
                "/c/roles/mine.yaml",
                "coder:\n  role_definition: of the user\ntester:\n  role_definition: of the user\n",
            )
            .file(
                "/p/.task_orchestrator/roles/a.yaml",
                "coder:\n  role_definition: of the project\n",
            )
            .file(
                "/p/.task_orchestrator/roles/b.yml",
                "coder:\n  role_definition: too late\nnew-one:\n  role_definition: x\n",
            )
            .file("/p/.task_orchestrator/roles/.hidden.yaml", "- broken")
            .file("/p/.task_orchestrator/roles/notes.txt", "- broken");
        let found = in_force(&world, Some(Path::new("/c")), Some(&folder()));
        let of = |name: &str| {
            (
                found.roles[name].role_definition.as_str(),
                found.roles[name].layer,
            )
        };
        assert_eq!(of("coder"), ("of the project", Layer::Workspace));
        assert_eq!(of("tester"), ("of the user", Layer::User));
        assert_eq!(of("new-one"), ("x", Layer::Workspace));
        assert_eq!(found.roles["architect"].layer, Layer::BuiltIn);
        assert!(
            found.roles["coder"].expertise.is_empty(),
            "a role is replaced whole"
        );
        assert_eq!(found.warnings.len(), 1, "{:?}", found.warnings);
    }

    #[test]
    fn a_file_that_cannot_be_taken_is_named_with_its_line_and_the_layer_beneath_counts() {
        let world = FakeWorld::new();
        world
            .file(
                "/p/.task_orchestrator/roles/bad.yaml",
                "coder:\n  role_definition: x\n  expertice: []\n",
            )
            .file(
                "/p/.task_orchestrator/roles/good.yaml",
                "tester:\n  role_definition: mine\n",
            )
            .link("/p/.task_orchestrator/roles/link.yaml", "/etc/passwd");
        let found = in_force(&world, None, Some(&folder()));
        assert_eq!(found.roles["coder"].layer, Layer::BuiltIn);
        assert_eq!(found.roles["tester"].role_definition, "mine");
        assert_eq!(found.warnings.len(), 2, "{:?}", found.warnings);
        assert!(
            found.warnings[0].contains("bad.yaml` line 3"),
            "{:?}",
            found.warnings
        );
    }

    #[test]
    fn the_roles_of_every_kit_are_read_back_and_name_its_commands() {
        for kit in KITS {
            let text = text_of(kit).expect(kit.name);
            let roles = parsed(&text, Layer::Workspace).expect(kit.name);
            assert_eq!(roles.len(), OF_A_KIT.len());
            for role in &roles {
                assert!(
                    role.approach.iter().any(|step| step.contains(kit.test)),
                    "{} {}",
                    kit.name,
                    role.name
                );
                let base = &built_in().roles[&role.name];
                assert_eq!(role.output_format, base.output_format);
                assert_eq!(role.context_awareness, base.context_awareness);
            }
        }
        assert!(KITS.is_sorted_by(|a, b| a.name < b.name));
    }
}
