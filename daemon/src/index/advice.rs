//! What to do about watches: how many there are, how many there may be, and which directories take them. Pure.
//!
//! Asked by `doctor`. What must stay true: an advice names what is the matter, what follows, and commands that can be
//! typed as they stand; none of them takes anything away that cannot be brought back.

use proto::RawPath;
use proto::index::{Advice, Limits, Subtree, Urgency};

/// Names under which tools put what they make again: nobody needs to hear of each change in them.
const GENERATED: [&str; 22] = [
    ".cache",
    ".dart_tool",
    ".gradle",
    ".mypy_cache",
    ".next",
    ".nuxt",
    ".pytest_cache",
    ".terraform",
    ".tox",
    ".venv",
    "Pods",
    "__pycache__",
    "_build",
    "bower_components",
    "build",
    "dist",
    "node_modules",
    "out",
    "target",
    "vendor",
    "venv",
    "zig-cache",
];

/// Directories below which nobody is told to ignore one.
const FEW: u64 = 200;

/// What is known of one tree.
#[derive(Clone, Debug, Default)]
pub(super) struct Tree {
    pub(super) root: RawPath,
    /// Directories beyond the limit.
    pub(super) beyond: u64,
    /// Directories for which there is no queue of events.
    pub(super) no_queue: u64,
    /// Directories that the system did not let us watch.
    pub(super) denied: u64,
    /// Its root is not there, or cannot be opened.
    pub(super) is_gone: bool,
    pub(super) directories: u64,
    pub(super) largest: Vec<Subtree>,
    /// What `watch.extra_ignores` says already.
    pub(super) ignores: Vec<String>,
}

/// What is known of the machine.
#[derive(Clone, Debug, Default)]
pub(super) struct Facts {
    /// Watches of the trees.
    pub(super) used: u64,
    /// And of detection.
    pub(super) detection: u64,
    pub(super) max_watches: u64,
    pub(super) limits: Limits,
    /// Watches and descriptors of other programs.
    pub(super) others: (u64, u64),
    pub(super) overflows: u64,
    pub(super) trees: Vec<Tree>,
}

impl Facts {
    fn all(&self) -> u64 {
        self.used + self.detection + self.others.0
    }

    fn beyond(&self) -> u64 {
        self.trees.iter().map(|tree| tree.beyond).sum()
    }

    /// The limit of the system that counts, by its name.
    fn system(&self) -> Option<(&'static str, u64)> {
        let whole = self.limits.max_user_watches.map(|limit| (WATCHES, limit));
        let own = self.limits.namespace_watches.map(|limit| (NAMESPACE, limit));
        // The wider one is named when both are the same: the narrower is of a namespace of its own.
        [whole, own].into_iter().flatten().min_by_key(|(_, limit)| *limit)
    }
}

const WATCHES: &str = "fs.inotify.max_user_watches";
const NAMESPACE: &str = "user.max_inotify_watches";
const INSTANCES: &str = "fs.inotify.max_user_instances";
const QUEUE: &str = "fs.inotify.max_queued_events";
/// The descriptors of this daemon: for trees and for detection.
const OWN_INSTANCES: u64 = 2;

/// What could be done, the most pressing first.
pub(super) fn advise(facts: &Facts) -> Vec<Advice> {
    let mut said = Vec::new();
    said.extend(limits(facts));
    said.extend(instances(facts));
    said.extend(queue(facts));
    for tree in &facts.trees {
        said.extend(gone(tree));
        said.extend(denied(tree));
        said.extend(ignore(tree));
    }
    said.sort_by_key(|advice| advice.urgency);
    said
}

/// The limits of watches: reached, or nearly.
fn limits(facts: &Facts) -> Vec<Advice> {
    let (beyond, mut said) = (facts.beyond(), Vec::new());
    let is_ours = facts.used >= facts.max_watches;
    let is_near = |used: u64, limit: u64| used.saturating_mul(10) >= limit.saturating_mul(9);
    let urgency = if beyond > 0 {
        Urgency::Trouble
    } else {
        Urgency::Hint
    };
    if (beyond > 0 && is_ours) || (beyond == 0 && is_near(facts.used, facts.max_watches)) {
        said.push(Advice {
            urgency,
            what: format!(
                "{} of {} watches of `watch.max_watches` are used",
                facts.used, facts.max_watches
            ),
            why: what_follows(beyond),
            commands: vec![format!(
                "tocli config set --user watch.max_watches {}",
                enough(facts.used + beyond)
            )],
        });
    }
    if let Some((name, limit)) = facts.system() {
        let is_short = beyond > 0 && (!is_ours || facts.all() + beyond > limit);
        if is_short || (beyond == 0 && is_near(facts.all(), limit)) {
            said.push(Advice {
                urgency,
                what: format!(
                    "{} of {limit} watches of `{name}` are used by all programs",
                    facts.all()
                ),
                why: what_follows(beyond),
                commands: raise(name, enough(facts.all() + beyond).max(1 << 19)),
            });
        }
    }
    said
}

fn what_follows(beyond: u64) -> String {
    match beyond {
        0 => "when none is left, what has none is compared with the disk at every question".to_owned(),
        1 => "1 directory has none and is compared with the disk at every question".to_owned(),
        n => format!("{n} directories have none and are compared with the disk at every question"),
    }
}

/// Twice what is needed, as a power of two.
fn enough(needed: u64) -> u64 {
    needed
        .saturating_mul(2)
        .checked_next_power_of_two()
        .unwrap_or(u64::MAX)
}

/// Now, and at every start of the machine.
fn raise(name: &str, to: u64) -> Vec<String> {
    let file = name.rsplit(['.', '_']).next().unwrap_or(name);
    vec![
        format!("sudo sysctl {name}={to}"),
        format!("echo '{name}={to}' | sudo tee /etc/sysctl.d/60-task-orchestrator-{file}.conf"),
    ]
}

fn instances(facts: &Facts) -> Option<Advice> {
    let missing: u64 = facts.trees.iter().map(|tree| tree.no_queue).sum();
    let limit = facts.limits.max_user_instances?;
    let used = facts.others.1 + if missing > 0 { 0 } else { OWN_INSTANCES };
    let is_near = used.saturating_mul(10) >= limit.saturating_mul(9);
    (missing > 0 || is_near).then(|| {
        let (urgency, why) = match missing {
            0 => (
                Urgency::Hint,
                "when none is left, a daemon that begins looks at everything, and other programs hear of no changes"
                    .to_owned(),
            ),
            missing => (Urgency::Trouble, format!("none is left; {}", what_follows(missing))),
        };
        Advice {
            urgency,
            what: format!("{used} of {limit} descriptors for watches of `{INSTANCES}` are used by all programs"),
            why,
            commands: raise(INSTANCES, enough(used).max(1024)),
        }
    })
}

fn queue(facts: &Facts) -> Option<Advice> {
    let limit = facts.limits.max_queued_events?;
    (facts.overflows > 0).then(|| Advice {
        urgency: Urgency::Hint,
        what: format!("the queue of {limit} events was full {} times since the daemon began", facts.overflows),
        why: "each time all projects are compared with the disk, and the next answer is `fresh_instance`; a longer \
              queue counts from the daemon's next start"
            .to_owned(),
        commands: raise(QUEUE, enough(limit * 2)),
    })
}

fn gone(tree: &Tree) -> Option<Advice> {
    tree.is_gone.then(|| Advice {
        urgency: Urgency::Hint,
        what: format!("`{}` is gone or cannot be opened", tree.root.display()),
        why: "until it is back its files count as deleted; once it is mounted, put back or may be read again it is read \
              anew by itself; `tocli workspace relocate` says where a project is that was moved, `tocli workspace \
              forget` that one does not come back"
            .to_owned(),
        commands: Vec::new(),
    })
}

fn denied(tree: &Tree) -> Option<Advice> {
    (tree.denied > 0).then(|| Advice {
        urgency: Urgency::Hint,
        what: format!(
            "{} directories of `{}` may not be watched",
            tree.denied,
            tree.root.display()
        ),
        why: "the system refuses it, so they are compared with the disk at every question".to_owned(),
        commands: Vec::new(),
    })
}

/// Directories that take many watches and that nobody may want to hear of.
fn ignore(tree: &Tree) -> Option<Advice> {
    let is_short = tree.beyond > 0;
    let is_large = |subtree: &&Subtree| subtree.directories >= FEW || (is_short && subtree.directories > 1);
    let generated = |subtree: &&Subtree| {
        let name = subtree
            .path
            .as_bytes()
            .rsplit(|&byte| byte == b'/')
            .next()
            .unwrap_or_default();
        GENERATED.iter().any(|known| known.as_bytes() == name)
    };
    let large: Vec<&Subtree> = tree.largest.iter().filter(is_large).collect();
    let mut chosen: Vec<&Subtree> = large.iter().copied().filter(generated).collect();
    if chosen.is_empty() && is_short {
        chosen.extend(large.first());
    }
    chosen.retain(|subtree| quotable(subtree.path.as_bytes()).is_some_and(is_literal));
    let takes: u64 = chosen.iter().map(|subtree| subtree.directories).sum();
    let patterns: Vec<String> = chosen
        .iter()
        .map(|subtree| format!("/{}/", subtree.path.display()))
        .collect();
    let root = quotable(tree.root.as_bytes())?;
    let mut all = tree.ignores.clone();
    all.extend(patterns.iter().cloned());
    if patterns.is_empty() || all.iter().any(|pattern| quotable(pattern.as_bytes()).is_none()) {
        return None;
    }
    Some(Advice {
        urgency: Urgency::Hint,
        what: format!(
            "{} of {} directories of `{}` lie in {}",
            takes,
            tree.directories,
            tree.root.display(),
            patterns.join(", ")
        ),
        why: "if nobody needs to hear of changes there: a line in `.gitignore` hides them from git too, the setting from \
              this daemon alone"
            .to_owned(),
        commands: vec![format!(
            "tocli config set --path '{root}' watch.extra_ignores '[{}]'",
            all.iter().map(|pattern| format!("\"{pattern}\"")).collect::<Vec<_>>().join(", ")
        )],
    })
}

/// The text, when nothing in it ends the quotes of a shell or of YAML.
fn quotable(text: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(text).ok()?;
    let is_special = |letter: char| letter.is_control() || "'\"\\".contains(letter);
    (!text.is_empty() && !text.contains(is_special)).then_some(text)
}

/// Whether a pattern of this path chooses it and nothing else.
fn is_literal(path: &str) -> bool {
    !path.contains(['*', '?', '[', ']', '{', '}']) && !path.ends_with(' ')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts() -> Facts {
        Facts {
            used: 100,
            detection: 10,
            max_watches: 10_000,
            limits: Limits {
                max_user_watches: Some(100_000),
                max_user_instances: Some(128),
                max_queued_events: Some(16_384),
                namespace_watches: Some(100_000),
            },
            others: (1000, 10),
            overflows: 0,
            trees: vec![Tree {
                root: "/p".into(),
                directories: 100,
                ..Tree::default()
            }],
        }
    }

    fn subtree(path: &str, directories: u64) -> Subtree {
        Subtree {
            path: path.into(),
            directories,
            files: 0,
        }
    }

    #[test]
    fn nothing_is_advised_where_nothing_is_the_matter() {
        assert_eq!(advise(&facts()), []);
    }

    #[test]
    fn a_limit_of_ours_is_raised_by_the_setting_and_the_systems_by_sysctl() {
        let mut facts = facts();
        facts.trees[0].beyond = 50;
        facts.max_watches = 100;
        let said = advise(&facts);
        assert_eq!(said[0].urgency, Urgency::Trouble);
        assert_eq!(
            said[0].commands,
            ["tocli config set --user watch.max_watches 512"]
        );
        assert_eq!(said.len(), 1, "{said:?}");

        facts.max_watches = 10_000;
        let said = advise(&facts);
        assert_eq!(
            said[0].commands,
            [
                "sudo sysctl fs.inotify.max_user_watches=524288",
                "echo 'fs.inotify.max_user_watches=524288' | sudo tee /etc/sysctl.d/60-task-orchestrator-watches.conf",
            ]
        );
        assert!(said[0].why.contains("50 directories"), "{said:?}");

        facts.limits.namespace_watches = Some(70);
        assert!(advise(&facts)[0].commands[0].contains("user.max_inotify_watches="));

        // Raising one alone would not do.
        (facts.max_watches, facts.limits.max_user_watches) = (100, Some(1120));
        facts.limits.namespace_watches = None;
        assert_eq!(advise(&facts).len(), 2);
    }

    #[test]
    fn what_is_nearly_used_up_is_a_hint() {
        let mut facts = facts();
        facts.others = (90_000, 120);
        facts.overflows = 2;
        let said = advise(&facts);
        assert!(
            said.iter().all(|advice| advice.urgency == Urgency::Hint),
            "{said:?}"
        );
        let whats: Vec<_> = said.iter().map(|advice| advice.what.as_str()).collect();
        assert_eq!(whats.len(), 3, "{whats:?}");
        assert!(whats[0].contains("90110 of 100000"), "{whats:?}");
        assert!(whats[1].contains("122 of 128"), "{whats:?}");
        assert!(whats[2].contains("full 2 times"), "{whats:?}");
    }

    #[test]
    fn what_tools_make_is_named_when_it_is_large_and_anything_large_when_watches_are_short() {
        let mut facts = facts();
        facts.trees[0].largest = vec![
            subtree("src", 5000),
            subtree("web/node_modules", 4000),
            subtree("target", 100),
        ];
        facts.trees[0].ignores = vec!["it's".to_owned()];
        assert_eq!(
            advise(&facts),
            [],
            "a list that cannot be written down again is left alone"
        );
        facts.trees[0].ignores = vec!["*.tmp".to_owned()];
        let said = advise(&facts);
        assert_eq!(
            said[0].commands,
            ["tocli config set --path '/p' watch.extra_ignores '[\"*.tmp\", \"/web/node_modules/\"]'"]
        );
        facts.trees[0].beyond = 1;
        let said = advise(&facts);
        assert!(
            said[1].commands[0].contains("\"/web/node_modules/\", \"/target/\""),
            "{said:?}"
        );
        facts.trees[0].largest.truncate(1);
        let said = advise(&facts);
        assert!(said[1].commands[0].contains("\"/src/\""), "{said:?}");
    }

    #[test]
    fn without_a_queue_of_events_the_limit_of_those_is_what_counts() {
        let mut facts = facts();
        (facts.trees[0].no_queue, facts.others.1) = (30, 128);
        let said = advise(&facts);
        assert_eq!((said.len(), said[0].urgency), (1, Urgency::Trouble), "{said:?}");
        assert!(said[0].what.contains("128 of 128") && said[0].why.contains("30 directories"));
        assert_eq!(
            said[0].commands[0],
            "sudo sysctl fs.inotify.max_user_instances=1024"
        );
    }

    #[test]
    fn a_root_that_is_gone_is_said_and_nothing_is_to_be_typed() {
        let mut facts = facts();
        facts.trees[0].is_gone = true;
        let said = advise(&facts);
        assert_eq!((said.len(), said[0].urgency), (1, Urgency::Hint), "{said:?}");
        assert!(said[0].what.contains("`/p` is gone"), "{said:?}");
        assert!(said[0].commands.is_empty(), "{said:?}");
    }

    #[test]
    fn no_command_carries_a_name_that_a_shell_would_read() {
        let mut facts = facts();
        facts.trees[0].largest = vec![subtree("a';rm -rf x;'/node_modules", 5000)];
        assert_eq!(advise(&facts), []);
        facts.trees[0].largest = vec![subtree("node_modules", 5000)];
        facts.trees[0].root = "/p'; x".into();
        assert_eq!(advise(&facts), []);
    }
}
