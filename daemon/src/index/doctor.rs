//! `doctor watch`: watches used, allowed and wanted, tree by tree.
//!
//! Asked by `door`. What must stay true: each figure is of the moment it was asked for, and what could not be found out
//! is said to be so.

use std::collections::HashMap;
use std::time::Duration;

use proto::index::{Subtree, TreeState, TreeStatus, TreeWatches, Watches};

use super::advice::{self, Facts};
use super::tree::{Id, Kind, Tree as Nodes};
use super::{Tree, Trees};
use crate::detect::Detector;
use crate::watch::Backend;
use crate::workspace::Entered;
use crate::world::watches;

/// How long other programs may be looked at.
const PATIENCE: Duration = Duration::from_secs(2);
/// Subtrees that are named of one tree.
const NAMED: usize = 8;
/// A subtree of which a part so large lies in one of its own is not named: that one is.
const DOMINATES: u64 = 80;

/// All of it. Blocks: it reads what the kernel says of other processes.
pub(super) fn report(trees: &Trees, detector: &Detector, entered: &Entered) -> Watches {
    let (limits, others) = (watches::limits(), watches::others(PATIENCE));
    let mut facts = Facts {
        used: trees.hub.used(),
        detection: detector.watches() as u64,
        max_watches: trees.hub.max(),
        limits,
        others: (others.watches, others.instances),
        overflows: trees.hub.overflows(),
        trees: Vec::new(),
    };
    let all = trees.status().into_iter().map(|status| {
        let (told, fact) = one(trees, &status);
        facts.trees.extend(fact);
        let workspace = entered.of(status.root.as_path()).map(|(id, _)| id);
        TreeWatches { workspace, ..told }
    });
    let trees = all.collect();
    Watches {
        used: facts.used,
        detection: facts.detection,
        remembered: detector.kept() as u64,
        refreshed: detector.refreshed(),
        max_watches: facts.max_watches,
        limits,
        overflows: facts.overflows,
        others,
        trees,
        advice: advice::advise(&facts),
    }
}

/// One tree, as it is told and as it counts for an advice. One that sleeps has no watches, and wants none.
fn one(trees: &Trees, status: &TreeStatus) -> (TreeWatches, Option<advice::Tree>) {
    let mut told = TreeWatches {
        workspace: None,
        root: status.root.clone(),
        state: status.state,
        backend: "none".to_owned(),
        why: status.reason.clone().unwrap_or_default(),
        directories: status.dirs,
        watches: status.watches,
        unwatched: 0,
        largest: Vec::new(),
    };
    let Some(tree) = trees
        .awake_at(status.root.as_path())
        .filter(|_| status.state != TreeState::Asleep)
    else {
        told.watches = 0;
        return (told, None);
    };
    let unwatched = tree.state().unwatched.clone();
    let silent: u64 = unwatched.silent.values().sum();
    let beyond = unwatched.limit + unwatched.no_queue + unwatched.budget;
    told.unwatched = beyond + unwatched.denied + unwatched.mounted + silent;
    let is_gone = status.state == TreeState::Unreachable;
    let (backend, why) = match (status.watches, unwatched.reason()) {
        (_, None) if is_gone => ("none", String::new()),
        (_, Some(why)) if unwatched.chosen.1 == Some(Backend::Notify) => ("notify, polling", why),
        (_, None) => (
            "inotify",
            "the kernel tells of every change in every directory".to_owned(),
        ),
        (0, Some(why)) => ("polling", why),
        (_, Some(why)) => ("inotify, polling", why),
    };
    told.backend = backend.to_owned();
    // A root that is gone, or a first look under way, says so itself.
    if told.why.is_empty() || told.unwatched > 0 {
        told.why = why;
    }
    told.largest = tree.largest();
    let fact = advice::Tree {
        root: status.root.clone(),
        beyond: unwatched.limit,
        no_queue: unwatched.no_queue,
        denied: unwatched.denied,
        is_gone,
        directories: status.dirs,
        largest: told.largest.clone(),
        ignores: tree.extra_ignores(),
    };
    (told, Some(fact))
}

impl Tree {
    /// Where most of its directories are.
    fn largest(&self) -> Vec<Subtree> {
        largest(&self.shared.read().tree, NAMED)
    }
}

/// Directories and files beneath a directory, itself included.
#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    dirs: u64,
    files: u64,
}

/// The largest subtrees, none in another; what lies nearly whole in one directory is named by that.
fn largest(nodes: &Nodes, most: usize) -> Vec<Subtree> {
    let mut order = vec![Nodes::ROOT];
    let mut sums: HashMap<Id, Sum> = HashMap::new();
    let mut next = 0;
    while let Some(&id) = order.get(next) {
        next += 1;
        let mut sum = Sum { dirs: 1, files: 0 };
        for child in nodes.children(id) {
            match nodes.kind(child) {
                Kind::Dir => order.push(child),
                _ => sum.files += 1,
            }
        }
        sums.insert(id, sum);
    }
    for &id in order.iter().skip(1).rev() {
        let own = sums.get(&id).copied().unwrap_or_default();
        let above = sums.entry(nodes.parent(id)).or_default();
        above.dirs += own.dirs;
        above.files += own.files;
    }
    let sum = |id: Id| sums.get(&id).copied().unwrap_or_default();
    let dirs_in = |id: Id| nodes.children(id).filter(|&child| nodes.kind(child) == Kind::Dir);
    let mut candidates: Vec<Id> = dirs_in(Nodes::ROOT).collect();
    let mut named = Vec::new();
    while named.len() < most {
        // Few at a time, so that looking at all of them costs little.
        let Some(at) = (0..candidates.len()).max_by_key(|&at| sum(candidates[at]).dirs) else {
            break;
        };
        let id = candidates.swap_remove(at);
        let own = sum(id);
        let heir = dirs_in(id).max_by_key(|&child| sum(child).dirs);
        match heir {
            Some(heir) if sum(heir).dirs * 100 >= own.dirs * DOMINATES => candidates.push(heir),
            _ => named.push(Subtree {
                path: nodes.path(id).into(),
                directories: own.dirs,
                files: own.files,
            }),
        }
    }
    named
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::FileKind;
    use crate::world::dir::Meta;

    #[test]
    fn the_largest_subtrees_are_named_where_they_begin_to_branch() {
        let meta = Meta::unseen(FileKind::Dir);
        let mut nodes = Nodes::new(&meta);
        let mut folder = |parent: Id, name: &str| nodes.insert(parent, name.as_bytes(), Kind::Dir, &meta);
        let web = folder(Nodes::ROOT, "web");
        let modules = folder(web, "node_modules");
        for number in 0..50 {
            folder(modules, &number.to_string());
        }
        let src = folder(Nodes::ROOT, "src");
        for number in 0..5 {
            folder(src, &number.to_string());
        }
        nodes.insert(src, b"a.rs", Kind::File, &meta);
        let said: Vec<_> = largest(&nodes, 2)
            .into_iter()
            .map(|subtree| {
                (
                    subtree.path.display().into_owned(),
                    subtree.directories,
                    subtree.files,
                )
            })
            .collect();
        assert_eq!(said, [("web/node_modules".into(), 51, 0), ("src".into(), 6, 1)]);
    }
}
