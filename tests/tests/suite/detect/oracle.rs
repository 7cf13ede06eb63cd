//! Detection against git itself: whatever `git rev-parse --show-toplevel` says of a directory is what we say.

use std::path::{Path, PathBuf};
use std::process::Command;

use daemon::detect::{Detector, Settings};
use daemon::world::OsWorld;
use proto::detect::{Detection, From, Method};
use proto::{Caller, RawPath};

struct Yard {
    _dir: tempfile::TempDir,
    root: PathBuf,
    world: OsWorld,
}

impl Yard {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        Self {
            _dir: dir,
            root,
            world: OsWorld::new(),
        }
    }

    fn at(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    fn dir(&self, path: &str) -> PathBuf {
        std::fs::create_dir_all(self.at(path)).unwrap();
        self.at(path)
    }

    fn git(&self, at: &str, args: &[&str]) {
        let output = command(&self.at(at)).args(args).output().unwrap();
        assert!(
            output.status.success(),
            "git {args:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }

    /// A repository with one commit.
    fn repository(&self, at: &str) {
        self.dir(at);
        self.git(at, &["init", "-q", "-b", "main"]);
        self.git(at, &["commit", "-q", "--allow-empty", "-m", "one"]);
    }

    fn find(&self, at: &Path, vars: &[(&str, &str)]) -> Detection {
        let vars = vars
            .iter()
            .map(|(name, value)| ((*name).to_owned(), RawPath::from(*value)))
            .collect();
        let caller = Caller {
            cwd: at.into(),
            vars,
            actor: None,
        };
        Detector::new()
            .find(&self.world, &caller, &From::Caller, &Settings::default())
            .unwrap()
    }

    /// Asks both, and says what both said.
    fn same(&self, at: &str, vars: &[(&str, &str)]) -> Option<PathBuf> {
        let mut judge = command(&self.at(at));
        judge
            .args(["rev-parse", "--show-toplevel"])
            .envs(vars.iter().copied());
        let output = judge.output().unwrap();
        let theirs = output.status.success().then(|| {
            let line = output.stdout.strip_suffix(b"\n").unwrap();
            RawPath::from(line).to_path_buf()
        });
        let found = self.find(&self.at(at), vars);
        let ours = (found.method == Method::VcsRoot).then(|| found.root.to_path_buf());
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(ours, theirs, "from {at} with {vars:?}: {found:?}; git: {said}");
        ours
    }
}

fn command(at: &Path) -> Command {
    let mut git = Command::new("git");
    git.current_dir(at)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap())
        .env("HOME", "/nonexistent");
    git.env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1");
    git.args([
        "-c",
        "user.name=t",
        "-c",
        "user.email=t@example.org",
        "-c",
        "protocol.file.allow=always",
    ]);
    git
}

fn vcs(found: &Detection) -> &proto::detect::Vcs {
    found.vcs.as_ref().unwrap()
}

#[test]
fn plain_and_nested_repositories_are_where_git_says() {
    let yard = Yard::new();
    yard.repository("p");
    yard.dir("p/a/b");
    yard.repository("p/a/inner");
    yard.dir("p/a/inner/x");
    yard.dir("none");
    for at in ["p", "p/a", "p/a/b", "p/a/inner", "p/a/inner/x", "none"] {
        yard.same(at, &[]);
    }
    assert_eq!(
        vcs(&yard.find(&yard.at("p/a/b"), &[])).branch.as_deref(),
        Some("main")
    );
    yard.git("p", &["checkout", "-q", "-b", "topic/one"]);
    assert_eq!(
        vcs(&yard.find(&yard.at("p"), &[])).branch.as_deref(),
        Some("topic/one")
    );
    yard.git("p", &["checkout", "-q", "--detach"]);
    assert_eq!(vcs(&yard.find(&yard.at("p"), &[])).branch, None);
}

#[test]
fn a_repository_kept_elsewhere_or_of_another_format_is_taken_as_git_takes_it() {
    let yard = Yard::new();
    yard.dir("p/a");
    yard.git("p", &["init", "-q", "--separate-git-dir", "../kept"]);
    assert!(yard.same("p/a", &[]).is_some());
    yard.dir("s/a");
    yard.git("s", &["init", "-q", "--object-format=sha256"]);
    yard.git("s", &["commit", "-q", "--allow-empty", "-m", "one"]);
    yard.git("s", &["checkout", "-q", "--detach"]);
    assert!(yard.same("s/a", &[]).is_some());
    yard.dir("r/a");
    yard.git("r", &["init", "-q", "--ref-format=reftable"]);
    assert!(yard.same("r/a", &[]).is_some());
    assert_eq!(
        vcs(&yard.find(&yard.at("r"), &[])).branch,
        None,
        "a place-holder is no branch"
    );
}

#[test]
fn linked_worktrees_name_the_main_checkout() {
    let yard = Yard::new();
    yard.repository("main");
    yard.git("main", &["worktree", "add", "-q", "../linked"]);
    yard.git(
        "main",
        &["worktree", "add", "-q", "-b", "second", "inside/linked"],
    );
    yard.dir("linked/a");
    for at in ["main", "linked", "linked/a", "main/inside", "main/inside/linked"] {
        assert!(yard.same(at, &[]).is_some());
    }
    let found = yard.find(&yard.at("linked/a"), &[]);
    assert_eq!(vcs(&found).main_root, Some(yard.at("main").into()));
    assert_eq!(vcs(&found).branch.as_deref(), Some("linked"));
    assert_eq!(vcs(&yard.find(&yard.at("main"), &[])).main_root, None);
}

#[test]
fn submodules_name_their_superproject_and_nest() {
    let yard = Yard::new();
    yard.repository("leaf");
    yard.repository("lib");
    yard.git("lib", &["submodule", "-q", "add", "../leaf", "deep/leaf"]);
    yard.git("lib", &["commit", "-q", "-m", "leaf"]);
    yard.repository("app");
    yard.git("app", &["submodule", "-q", "add", "../lib", "vendor/lib"]);
    yard.git("app", &["submodule", "-q", "update", "--init", "--recursive"]);
    for at in [
        "app",
        "app/vendor",
        "app/vendor/lib",
        "app/vendor/lib/deep",
        "app/vendor/lib/deep/leaf",
    ] {
        assert!(yard.same(at, &[]).is_some());
    }
    let superproject = |at: &str| vcs(&yard.find(&yard.at(at), &[])).superproject.clone();
    assert_eq!(superproject("app/vendor/lib"), Some(yard.at("app").into()));
    assert_eq!(
        superproject("app/vendor/lib/deep/leaf"),
        Some(yard.at("app/vendor/lib").into())
    );
    assert_eq!(superproject("app"), None);
    assert_eq!(vcs(&yard.find(&yard.at("app/vendor/lib"), &[])).main_root, None);

    // A submodule of a linked worktree, and a linked worktree of a submodule.
    yard.git("app", &["commit", "-q", "-m", "lib"]);
    yard.git("app", &["worktree", "add", "-q", "../tree"]);
    yard.git("tree", &["submodule", "-q", "update", "--init"]);
    yard.git("app/vendor/lib", &["worktree", "add", "-q", "../../../libtree"]);
    for at in ["tree", "tree/vendor/lib", "libtree"] {
        assert!(yard.same(at, &[]).is_some());
    }
    assert_eq!(superproject("tree/vendor/lib"), Some(yard.at("tree").into()));
    assert_eq!(
        vcs(&yard.find(&yard.at("libtree"), &[])).main_root,
        Some(yard.at("app/vendor/lib").into())
    );
}

#[test]
fn bare_repositories_have_worktrees_beside_and_inside() {
    let yard = Yard::new();
    yard.repository("seed");
    yard.git("", &["clone", "-q", "--bare", "seed", "yard/.bare"]);
    std::fs::write(yard.at("yard/.git"), "gitdir: ./.bare\n").unwrap();
    yard.git("yard", &["worktree", "add", "-q", "main"]);
    yard.git("yard", &["worktree", "add", "-q", "-b", "x/y", "x/y"]);
    yard.git("", &["clone", "-q", "--bare", "seed", "proj.git"]);
    yard.git("proj.git", &["worktree", "add", "-q", "../proj-main", "main"]);
    yard.git("proj.git", &["worktree", "add", "-q", "-b", "in", "inside"]);
    for at in ["yard/main", "yard/x/y", "proj-main", "proj.git/inside"] {
        assert!(yard.same(at, &[]).is_some());
    }
    for at in ["yard", "yard/x", "yard/.bare", "proj.git", "proj.git/refs/heads"] {
        assert_eq!(yard.same(at, &[]), None);
        assert!(
            yard.find(&yard.at(at), &[])
                .warnings
                .iter()
                .any(|warning| warning.contains("bare"))
        );
    }
    let main = |at: &str| vcs(&yard.find(&yard.at(at), &[])).main_root.clone();
    assert_eq!(main("yard/main"), Some(yard.at("yard/.bare").into()));
    assert_eq!(main("proj-main"), Some(yard.at("proj.git").into()));
}

#[test]
fn a_work_tree_is_where_the_configuration_names_it() {
    let yard = Yard::new();
    yard.repository("p");
    yard.dir("p/a");
    yard.dir("tree/b");
    yard.git("p", &["config", "core.worktree", "../../tree"]);
    assert_eq!(yard.same("p/a", &[]), Some(yard.at("tree")));
    yard.git(
        "p",
        &["config", "core.worktree", yard.at("tree").to_str().unwrap()],
    );
    assert_eq!(yard.same("p", &[]), Some(yard.at("tree")));
    yard.same("tree/b", &[]);
    assert_eq!(yard.same("p/.git", &[]), Some(yard.at("tree")));
}

#[test]
fn worktrees_may_have_a_configuration_of_their_own() {
    let yard = Yard::new();
    yard.repository("p");
    yard.git("p", &["worktree", "add", "-q", "../linked"]);
    yard.git("p", &["config", "extensions.worktreeConfig", "true"]);
    for at in ["p", "linked"] {
        assert!(yard.same(at, &[]).is_some());
    }
    yard.dir("other");
    yard.git(
        "linked",
        &[
            "config",
            "--worktree",
            "core.worktree",
            yard.at("other").to_str().unwrap(),
        ],
    );
    assert_eq!(yard.same("linked", &[]), Some(yard.at("other")));
    assert!(yard.same("p", &[]).is_some());
    yard.git("p", &["config", "--worktree", "core.bare", "true"]);
    assert_eq!(yard.same("p", &[]), None);
    yard.git("p", &["config", "--worktree", "--unset", "core.bare"]);
    yard.git("p", &["config", "core.bare", "true"]);
    yard.same("p", &[]);
    yard.git("linked", &["config", "--worktree", "--unset", "core.worktree"]);
    yard.same("linked", &[]);
}

#[test]
fn what_git_does_not_take_for_a_repository_is_passed_over() {
    type Case = (&'static str, fn(&Path));
    let yard = Yard::new();
    yard.repository("p");
    let breaks: [Case; 8] = [
        ("empty", |git| std::fs::create_dir_all(git).unwrap()),
        ("no-head", |git| remove(&copied(git).join("HEAD"))),
        ("bad-head", |git| {
            std::fs::write(copied(git).join("HEAD"), "ref: x\n").unwrap()
        }),
        ("short-head", |git| {
            std::fs::write(copied(git).join("HEAD"), "0123456\n").unwrap()
        }),
        ("empty-head", |git| {
            std::fs::write(copied(git).join("HEAD"), "").unwrap()
        }),
        ("no-objects", |git| remove(&copied(git).join("objects"))),
        ("no-refs", |git| remove(&copied(git).join("refs"))),
        ("bad-commondir", |git| {
            std::fs::write(copied(git).join("commondir"), "../gone\n").unwrap()
        }),
    ];
    for (name, broken) in breaks {
        let at = format!("p/{name}");
        broken(&yard.dir(&at).join(".git"));
        assert_eq!(yard.same(&at, &[]), Some(yard.at("p")), "{name}");
        assert_eq!(yard.find(&yard.at(&at), &[]).warnings.len(), 1, "{name}");
    }
    // Links and odd but valid heads are taken.
    let accepts: [Case; 4] = [
        ("link", |git| std::os::unix::fs::symlink("../.git", git).unwrap()),
        ("link-head", |git| {
            remove(&copied(git).join("HEAD"));
            std::os::unix::fs::symlink("refs/heads/gone", git.join("HEAD")).unwrap();
        }),
        ("no-config", |git| remove(&copied(git).join("config"))),
        ("spaced-head", |git| {
            std::fs::write(copied(git).join("HEAD"), "ref: \t refs/heads/main\n\n").unwrap()
        }),
    ];
    for (name, made) in accepts {
        let at = format!("p/{name}");
        made(&yard.dir(&at).join(".git"));
        assert_eq!(yard.same(&at, &[]), Some(yard.at(&at)), "{name}");
        assert!(yard.find(&yard.at(&at), &[]).warnings.is_empty(), "{name}");
    }
}

/// Copies the outer repository's `.git` to this path.
fn copied(git: &Path) -> &Path {
    let from = git.parent().unwrap().parent().unwrap().join(".git");
    assert!(
        Command::new("cp")
            .arg("-r")
            .arg(from)
            .arg(git)
            .status()
            .unwrap()
            .success()
    );
    git
}

fn remove(path: &Path) {
    if path.is_dir() {
        std::fs::remove_dir_all(path).unwrap()
    } else {
        std::fs::remove_file(path).unwrap()
    }
}

#[test]
fn ceilings_are_read_as_git_reads_them() {
    let yard = Yard::new();
    yard.repository("p");
    yard.dir("p/a/b");
    std::os::unix::fs::symlink(yard.at("p/a"), yard.at("link")).unwrap();
    let (p, a, b) = (yard.at("p"), yard.at("p/a"), yard.at("p/a/b"));
    let link = yard.at("link");
    let [p, a, b, link] = [&p, &a, &b, &link].map(|path| path.to_str().unwrap().to_owned());
    let root = yard.root.to_str().unwrap().to_owned();
    let values = [
        p.clone(),
        a.clone(),
        b,
        root,
        link.clone(),
        format!(":{link}"),
        format!("{link}:"),
        format!("{a}/"),
        format!("{a}/../a"),
        format!("{a}/gone"),
        format!("{a}/gone/gone"),
        format!(":{a}/."),
        format!("relative:{p}"),
        format!("/nowhere:{a}"),
        "/".to_owned(),
        ":/".to_owned(),
        ":".to_owned(),
    ];
    let mut answers = Vec::new();
    for value in &values {
        for at in ["p", "p/a", "p/a/b"] {
            answers.push(yard.same(at, &[("GIT_CEILING_DIRECTORIES", value)]).is_some());
        }
    }
    assert!(answers.contains(&true) && answers.contains(&false));
}

#[test]
fn paths_through_links_lead_to_the_same_root() {
    let yard = Yard::new();
    yard.repository("p");
    yard.dir("p/a/b");
    yard.dir("q");
    std::os::unix::fs::symlink("p/a", yard.at("short")).unwrap();
    std::os::unix::fs::symlink("../short/b", yard.at("q/far")).unwrap();
    for at in ["short", "short/b", "q/far", "q/far/..", "short/../.."] {
        yard.same(at, &[]);
    }
}

#[test]
fn inside_the_repository_itself_git_sees_no_work_tree_and_we_the_project() {
    let yard = Yard::new();
    yard.repository("p");
    yard.git("p", &["worktree", "add", "-q", "../linked"]);
    for at in ["p/.git", "p/.git/refs/heads", "p/.git/worktrees/linked"] {
        assert!(
            !command(&yard.at(at))
                .args(["rev-parse", "--show-toplevel"])
                .status()
                .unwrap()
                .success()
        );
        let found = yard.find(&yard.at(at), &[]);
        assert_eq!(
            (found.method, found.root),
            (Method::VcsRoot, yard.at("p").into()),
            "{at}"
        );
        assert_eq!(found.warnings.len(), 1);
    }
    // The repository of a submodule knows where that is checked out, and so does git.
    yard.repository("lib");
    yard.git("p", &["submodule", "-q", "add", "../lib", "lib"]);
    assert_eq!(yard.same("p/.git/modules/lib/refs", &[]), Some(yard.at("p/lib")));
}

#[test]
fn another_file_system_is_a_border_unless_git_is_told_otherwise() {
    let shm = Path::new("/dev/shm");
    let Ok(there) = tempfile::tempdir_in(shm) else {
        eprintln!("skipped: no writable /dev/shm beside the temporary directory");
        return;
    };
    let yard = Yard::new();
    // Neither root is a repository, and neither is entered from the other.
    std::os::unix::fs::symlink(there.path(), yard.at("far")).unwrap();
    yard.git("", &["init", "-q"]);
    assert_eq!(yard.same("far", &[]), None);
    assert_eq!(
        yard.same("far", &[("GIT_DISCOVERY_ACROSS_FILESYSTEM", "true")]),
        None
    );
}
