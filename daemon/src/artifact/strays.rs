//! Files in the folders of artifacts that nobody stored: somebody put them there by hand.
//!
//! Asked by `verify`. What must stay true: they are told of and left as they are; a file of ours is never among them,
//! nor one that was set aside for somebody.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use proto::artifact::Fault;

use super::catalog::Entry;
use super::copies::Home;
use super::rules;
use crate::world::{FileKind, World};

/// The most entries of one folder that are looked at.
const MOST_ENTRIES: usize = 100_000;

/// The names in each folder of artifacts that are ours, put away or not.
type Ours = BTreeMap<PathBuf, BTreeMap<OsString, BTreeSet<OsString>>>;

/// At most `most` of them, in the checkouts that hold artifacts and in `tree`.
pub(super) fn found(
    world: &dyn World,
    home: &Home,
    (entries, tree): (&[Entry], &Path),
    most: usize,
) -> Vec<Fault> {
    let mut ours: Ours = BTreeMap::from([(home.root.clone(), BTreeMap::new())]);
    ours.entry(tree.to_owned()).or_default();
    for entry in entries {
        let tree = entry
            .card
            .tree
            .as_ref()
            .map_or(home.root.as_path(), |tree| tree.as_path());
        let folders = ours.entry(tree.to_owned()).or_default();
        let names = folders.entry(OsString::from(&entry.card.folder)).or_default();
        names.insert(OsString::from(&entry.card.name));
    }
    let mut faults = Vec::new();
    for (tree, folders) in &ours {
        let folder = home.folder(Some(&tree.as_path().into()));
        let list = |way: &Path| {
            let found = world.list_beneath(&folder.base, &folder.within(way), MOST_ENTRIES);
            let mut names: Vec<(OsString, Option<FileKind>)> = found
                .unwrap_or_default()
                .into_iter()
                .map(|entry| (entry.name, entry.kind))
                .filter(|(name, _)| name != OsStr::new(rules::DRAFTS))
                .collect();
            names.sort_by(|one, other| one.0.cmp(&other.0));
            names
        };
        let top = Path::new(rules::FOLDER);
        for (name, kind) in list(top) {
            let path = |way: &Path| folder.base.join(folder.within(way));
            if kind.is_some_and(|kind| kind != FileKind::Dir) {
                faults.push(added(Path::new(&name), &path(&top.join(&name))));
                continue;
            }
            let none = BTreeSet::new();
            let names = folders.get(&name).unwrap_or(&none);
            for (inner, _) in list(&top.join(&name)) {
                if names.contains(&inner) || set_aside(&inner) {
                    continue;
                }
                let way = Path::new(&name).join(&inner);
                faults.push(added(&way, &path(&top.join(&way))));
            }
            if faults.len() >= most {
                faults.truncate(most);
                return faults;
            }
        }
    }
    faults
}

/// Whether a name is what a changed file of ours was set aside under: its owner was told then.
fn set_aside(name: &OsStr) -> bool {
    name.to_string_lossy().contains(rules::BY_HAND)
}

fn added(way: &Path, path: &Path) -> Fault {
    Fault {
        id: String::new(),
        version: 0,
        name: way.to_string_lossy().into_owned(),
        fault: "added".to_owned(),
        detail: format!(
            "nobody stored `{path}`; keep it with `tocli artifact store TASK {path}`, then remove it here",
            path = path.display()
        ),
    }
}
