//! The doors of this room with the real store: in a world of maps, and on the real disk where links and modes count.

use std::path::{Path, PathBuf};
use std::sync::Mutex;

use proto::config::{self as conf, Layer};
use proto::detect::{Detection, From, Method, Vcs};
use proto::places::Places;
use proto::workspace::{Answer, Request, Seed, Which, Workspace};
use proto::{Caller, Error, Kind, RawPath, error::Result};

use super::config::Config;
use super::registry::House;
use super::{config, door, role, store};
use crate::db::{Batch, Db, Options};
use crate::world::{FakeWorld, OsWorld, World};

/// A house of its own: a store in a folder, a world, and detection that takes every directory for a root.
struct Bed<W> {
    _dir: tempfile::TempDir,
    base: PathBuf,
    world: W,
    db: Db,
    config: Config,
    places: Places,
    caller: Caller,
    entering: Mutex<()>,
    /// Linked worktrees: tree and main checkout.
    linked: Mutex<Vec<(PathBuf, PathBuf)>>,
}

impl Bed<OsWorld> {
    /// On the real disk, below a folder of its own.
    fn real() -> Self {
        use std::os::unix::fs::DirBuilderExt;
        let dir = tempfile::tempdir().unwrap();
        let base = dir.path().canonicalize().unwrap();
        for folder in ["state", "config"] {
            std::fs::DirBuilder::new()
                .mode(0o700)
                .create(base.join(folder))
                .unwrap();
        }
        Self::with(dir, base, OsWorld::new())
    }
}

impl Bed<FakeWorld> {
    /// In maps, at `/w`.
    fn fake() -> Self {
        let world = FakeWorld::new();
        world.dir("/w/state").dir("/w/config").chmod("/w/state", 0o700);
        Self::with(tempfile::tempdir().unwrap(), "/w".into(), world)
    }
}

impl<W: World> Bed<W> {
    fn with(dir: tempfile::TempDir, base: PathBuf, world: W) -> Self {
        let db = Db::open(&dir.path().join("store"), Options::new(1)).unwrap().db;
        let places = Places {
            socket: base.join("tod.sock"),
            state_dir: base.join("state"),
            config_dir: Some(base.join("config")),
            home: Some(base.clone()),
        };
        Self {
            _dir: dir,
            base,
            world,
            db,
            config: Config::new(&places),
            places,
            caller: Caller::default(),
            entering: Mutex::new(()),
            linked: Mutex::default(),
        }
    }

    fn in_house<T>(&self, work: impl FnOnce(&House<'_>) -> T) -> T {
        let find = |from: &From| self.find(from);
        let change = |_: &str, change: super::Change<'_>| {
            let mut batch = Batch::new();
            let answer = change(&mut batch)?;
            self.db.commit(batch)?;
            Ok(answer)
        };
        work(&House {
            world: &self.world,
            places: &self.places,
            db: &self.db,
            config: &self.config,
            caller: &self.caller,
            find: &find,
            entering: &self.entering,
            change: &change,
        })
    }

    fn find(&self, from: &From) -> Result<Detection> {
        let (From::Start(path) | From::Explicit(path)) = from else {
            return Err(Error::not_found("no workspace"));
        };
        self.world
            .stat(path.as_path())
            .map_err(|error| Error::not_found(format!("`{}`", path.display())).why(error))?;
        let linked = self.linked.lock().unwrap();
        let main = linked
            .iter()
            .find(|(tree, _)| tree == path.as_path())
            .map(|(_, main)| RawPath::from(main.as_path()));
        Ok(Detection {
            root: path.clone(),
            package: None,
            method: Method::VcsRoot,
            confidence: 8,
            project_types: vec!["rust".into()],
            markers: Vec::new(),
            vcs: Some(Vcs {
                kind: "git".into(),
                branch: None,
                main_root: main,
                superproject: None,
            }),
            writable: true,
            warnings: Vec::new(),
            cached: false,
            micros: 0,
        })
    }

    fn at(&self, name: &str) -> From {
        From::Start(RawPath::from(self.base.join(name)))
    }

    fn ask(&self, request: Request) -> Result<Answer> {
        match self.in_house(|house| door::answer(house, request))? {
            proto::Answer::Workspace(answer) => Ok(answer),
            other => panic!("{other:?}"),
        }
    }

    fn one(&self, request: Request) -> Result<Workspace> {
        match self.ask(request)? {
            Answer::Workspace(workspace) => Ok(*workspace),
            other => panic!("{other:?}"),
        }
    }

    fn show(&self, name: &str) -> Workspace {
        self.one(Request::Show(Which::At(self.at(name)))).unwrap()
    }

    fn list(&self) -> Vec<Workspace> {
        match self.ask(Request::List { forgotten: false }).unwrap() {
            Answer::Workspaces(all) => all,
            other => panic!("{other:?}"),
        }
    }

    fn create(&self, name: &str, seed: Seed) -> Result<Workspace> {
        self.one(Request::Create {
            at: self.at(name),
            name: None,
            seed,
        })
    }

    fn config(&self, request: conf::Request) -> Result<conf::Answer> {
        match self.in_house(|house| config::door::answer(house, request))? {
            proto::Answer::Config(answer) => Ok(answer),
            other => panic!("{other:?}"),
        }
    }

    fn set(&self, name: &str, layer: Layer, key: &str, value: &str) -> Result<conf::Answer> {
        self.config(conf::Request::Set {
            at: self.at(name),
            layer,
            key: key.into(),
            value: value.into(),
        })
    }

    fn get(&self, name: &str, key: &str) -> (String, Layer) {
        match self
            .config(conf::Request::Get {
                at: self.at(name),
                key: key.into(),
            })
            .unwrap()
        {
            conf::Answer::Setting { setting, .. } => (setting.value, setting.layer),
            other => panic!("{other:?}"),
        }
    }

    fn role(&self, request: proto::role::Request) -> Result<proto::role::Answer> {
        match self.in_house(|house| role::answer(house, request))? {
            proto::Answer::Role(answer) => Ok(answer),
            other => panic!("{other:?}"),
        }
    }

    fn isolated(&self) -> Vec<String> {
        match self.ask(Request::ValidateIsolation).unwrap() {
            Answer::Isolation(findings) => findings.into_iter().flat_map(|finding| finding.details).collect(),
            other => panic!("{other:?}"),
        }
    }
}

const FOLDER: &str = ".task_orchestrator";

fn git(at: &Path, words: &[&str]) {
    let done = std::process::Command::new("git")
        .args(words)
        .current_dir(at)
        .output()
        .unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

#[test]
fn looking_leaves_the_project_untouched_and_the_first_write_makes_its_folder() {
    let bed = Bed::fake();
    bed.world.dir("/w/p");
    let before = bed.world.stat(Path::new("/w/p")).unwrap();
    let first = bed.show("p");
    assert!(first.id.starts_with("ws_") && first.present && first.name == "p");
    assert_eq!(bed.show("p").id, first.id);
    bed.ask(Request::ShowLocation(Which::At(bed.at("p")))).unwrap();
    assert_eq!(bed.get("p", "watch.settle_ms").1, Layer::BuiltIn);
    bed.role(proto::role::Request::List { at: bed.at("p") }).unwrap();
    assert_eq!(bed.isolated(), Vec::<String>::new());
    assert_eq!(
        bed.world.stat(Path::new("/w/p")).unwrap(),
        before,
        "not even its times"
    );
    bed.create("p", Seed::Empty).unwrap();
    let read = |name: &str| {
        let path = format!("/w/p/{FOLDER}/{name}");
        String::from_utf8(bed.world.read(Path::new(&path), 9999).unwrap()).unwrap()
    };
    assert!(read(".gitignore").contains("/*\n!/config.yaml\n!/roles/\n!/decisions/\n"));
    assert!(read("workspace.json").contains(&first.id));
}

#[test]
fn detection_and_reads_of_settings_enter_nothing_in_the_registry() {
    let bed = Bed::fake();
    bed.world.dir("/w/p");
    bed.get("p", "watch.settle_ms");
    bed.role(proto::role::Request::Show {
        at: bed.at("p"),
        name: "coder".into(),
    })
    .unwrap();
    assert!(bed.list().is_empty());
}

#[test]
fn what_git_would_add_of_the_folder_is_settings_roles_and_decisions_alone() {
    let bed = Bed::real();
    let root = bed.base.join("p");
    std::fs::create_dir(&root).unwrap();
    git(&root, &["init", "-q"]);
    bed.create("p", Seed::Template("rust".into())).unwrap();
    for name in [
        "artifacts/a",
        "decisions/0001-x.md",
        "logs/audit.jsonl",
        "roles/.draft-1",
    ] {
        bed.world
            .write(&root, &Path::new(FOLDER).join(name), b"x")
            .unwrap();
    }
    let listed = std::process::Command::new("git")
        .args(["ls-files", "-co", "--exclude-standard"])
        .current_dir(&root)
        .output()
        .unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    let names: Vec<&str> = listed
        .lines()
        .map(|line| line.strip_prefix(".task_orchestrator/").unwrap())
        .collect();
    assert_eq!(names, ["config.yaml", "decisions/0001-x.md", "roles/rust.yaml"]);
}

#[test]
fn a_moved_project_keeps_its_id_and_a_copied_one_gets_its_own() {
    let bed = Bed::real();
    let (a, b, c) = (bed.base.join("a"), bed.base.join("b"), bed.base.join("c"));
    std::fs::create_dir(&a).unwrap();
    let first = bed.create("a", Seed::Empty).unwrap();
    std::fs::rename(&a, &b).unwrap();
    let moved = bed.show("b");
    assert_eq!(
        (moved.id.as_str(), moved.root.as_path()),
        (first.id.as_str(), b.as_path())
    );
    assert!(
        std::process::Command::new("cp")
            .arg("-a")
            .args([&b, &c])
            .status()
            .unwrap()
            .success()
    );
    let copied = bed.show("c");
    assert_ne!(copied.id, first.id);
    assert!(copied.warnings[0].contains("--confirm"), "{:?}", copied.warnings);
    bed.create("c", Seed::Empty).unwrap();
    let mirror = std::fs::read_to_string(c.join(FOLDER).join("workspace.json")).unwrap();
    assert!(mirror.contains(&copied.id) && !mirror.contains(&first.id));
    assert_eq!(bed.isolated(), Vec::<String>::new());
    assert_eq!(bed.list().len(), 2);
}

#[test]
fn a_moved_project_that_was_never_written_to_keeps_its_id_where_the_disk_tells_when_it_was_made() {
    let bed = Bed::real();
    let (a, b) = (bed.base.join("a"), bed.base.join("b"));
    std::fs::create_dir(&a).unwrap();
    if bed.world.born(&a).unwrap().is_none() {
        eprintln!("skipped: this file system does not keep when a directory was made");
        return;
    }
    let first = bed.show("a");
    std::fs::rename(&a, &b).unwrap();
    assert_eq!(bed.show("b").id, first.id);
    // Another directory in the old place, whatever inode it gets, is another project.
    std::fs::create_dir(&a).unwrap();
    assert_ne!(bed.show("a").id, first.id);
    std::fs::remove_dir(&a).unwrap();
    std::fs::remove_dir(&b).unwrap();
    std::fs::create_dir(bed.base.join("d")).unwrap();
    assert_ne!(bed.show("d").id, first.id);
}

#[test]
fn a_crafted_workspace_json_claims_nothing() {
    let bed = Bed::real();
    for name in ["victim", "clone"] {
        std::fs::create_dir(bed.base.join(name)).unwrap();
    }
    let victim = bed.create("victim", Seed::Empty).unwrap();
    let mirror = std::fs::read(bed.base.join("victim").join(FOLDER).join("workspace.json")).unwrap();
    let crafted: Vec<Vec<u8>> = vec![
        mirror.clone(),
        format!(
            r#"{{"schema_version":1,"id":"{}","name":"x","created":1,"device":0,"inode":0}}"#,
            victim.id
        )
        .into_bytes(),
        br#"{"schema_version":1,"id":"ws_../../../../etc","name":"x","created":1,"device":0,"inode":0}"#
            .to_vec(),
        b"{".to_vec(),
        vec![b'['; 100_000],
        vec![0xff; 1000],
        format!("{}{}", " ".repeat(20_000), String::from_utf8(mirror).unwrap()).into_bytes(),
    ];
    for bytes in crafted {
        bed.world
            .write(
                &bed.base.join("clone"),
                &Path::new(FOLDER).join("workspace.json"),
                &bytes,
            )
            .unwrap();
        let seen = bed.show("clone");
        assert_ne!(seen.id, victim.id);
        assert!(super::rules::is_id(&seen.id));
    }
    assert_eq!(bed.show("victim").id, victim.id);
}

#[test]
fn the_registry_keeps_its_ids_when_the_database_was_lost() {
    let bed = Bed::real();
    std::fs::create_dir(bed.base.join("p")).unwrap();
    if bed.world.born(&bed.base.join("p")).unwrap().is_none() {
        eprintln!("skipped: this file system does not keep when a directory was made");
        return;
    }
    let first = bed.create("p", Seed::Empty).unwrap();
    let mut batch = Batch::new();
    store::erase(&bed.db, &mut batch, &first.id).unwrap();
    bed.db.commit(batch).unwrap();
    assert!(bed.list().is_empty());
    assert_eq!(bed.show("p").id, first.id);
}

#[test]
fn nothing_is_written_through_a_folder_that_is_a_link() {
    let bed = Bed::real();
    let (root, out) = (bed.base.join("p"), bed.base.join("out"));
    std::fs::create_dir(&root).unwrap();
    std::fs::create_dir(&out).unwrap();
    std::os::unix::fs::symlink(&out, root.join(FOLDER)).unwrap();
    let refused = [
        bed.create("p", Seed::Empty).unwrap_err(),
        bed.set("p", Layer::Workspace, "watch.settle_ms", "1")
            .unwrap_err(),
        bed.role(proto::role::Request::Init {
            at: bed.at("p"),
            project_type: Some("rust".into()),
        })
        .unwrap_err(),
    ];
    for error in refused {
        assert_eq!(error.kind, Kind::Refused, "{error}");
        assert!(
            error.to_string().contains("symbolic link") || error.to_string().contains("outside"),
            "{error}"
        );
    }
    assert_eq!(std::fs::read_dir(&out).unwrap().count(), 0);
    assert_eq!(bed.isolated().len(), 1);
    std::fs::remove_file(root.join(FOLDER)).unwrap();
    // One level deeper as well.
    std::fs::create_dir(root.join(FOLDER)).unwrap();
    std::os::unix::fs::symlink(&out, root.join(FOLDER).join("roles")).unwrap();
    assert!(
        bed.role(proto::role::Request::Init {
            at: bed.at("p"),
            project_type: Some("rust".into())
        })
        .is_err()
    );
    assert_eq!(std::fs::read_dir(&out).unwrap().count(), 0);
}

#[test]
fn a_root_where_nothing_may_be_written_is_told_and_can_be_used_from_the_state_folder() {
    let bed = Bed::fake();
    bed.world.dir("/w/p");
    bed.set("p", Layer::User, "workspace.storage", "user").unwrap();
    let made = bed.create("p", Seed::Template("go".into())).unwrap();
    let folder = PathBuf::from("/w/state/projects").join(&made.id);
    assert!(bed.world.stat(&folder.join("config.yaml")).is_ok());
    assert!(bed.world.stat(Path::new("/w/p/.task_orchestrator")).is_err());
    assert_eq!(
        bed.get("p", "workspace.project_type"),
        ("\"go\"".into(), Layer::Workspace)
    );
    assert!(bed.show("p").totals.bytes > 100);
}

#[test]
fn a_call_of_the_world_that_fails_leaves_the_old_state_or_the_new_one() {
    for n in 1.. {
        let bed = Bed::fake();
        bed.world.file("/w/p/x", "");
        bed.set("p", Layer::Workspace, "watch.settle_ms", "1").unwrap();
        let id = bed.show("p").id;
        let calls = bed.world.calls();
        bed.world.fail_at(n);
        let done = bed.set("p", Layer::Workspace, "watch.settle_ms", "2");
        let over = bed.world.calls() - calls < n;
        bed.world.fail_at(1_000_000);
        let now = bed.get("p", "watch.settle_ms").0;
        assert!(now == "1" || now == "2", "call {n}: {now}");
        assert!(
            done.is_err() || now == "2",
            "call {n}: success was claimed for nothing"
        );
        assert_eq!(bed.show("p").id, id, "call {n}");
        if over {
            assert!(n > 5, "the loop has seen every call");
            return;
        }
    }
}

#[test]
fn a_creation_that_fails_at_any_call_can_be_repeated() {
    for n in 1.. {
        let bed = Bed::fake();
        bed.world.dir("/w/p").fail_at(n);
        let first = bed.create("p", Seed::Empty);
        let over = bed.world.calls() < n;
        bed.world.fail_at(1_000_000);
        let second = bed.create("p", Seed::Empty).unwrap();
        if let Ok(first) = first {
            assert_eq!(first.id, second.id, "call {n}");
        }
        assert_eq!(bed.list().len(), 1, "call {n}");
        if over {
            return;
        }
    }
}

#[test]
fn workspaces_are_named_by_id_and_by_a_name_that_only_one_has() {
    let bed = Bed::fake();
    bed.world.dir("/w/a/x").dir("/w/b/x");
    let (a, b) = (bed.show("a/x"), bed.show("b/x"));
    let named = |word: &str| bed.one(Request::Show(Which::Named(word.into())));
    assert_eq!(named(&a.id).unwrap().root, a.root);
    assert_eq!(named("x").unwrap_err().kind, Kind::Conflict);
    bed.one(Request::Rename {
        which: Which::Named(b.id.clone()),
        name: "second".into(),
    })
    .unwrap();
    assert_eq!(
        (named("x").unwrap().id, named("second").unwrap().id),
        (a.id.clone(), b.id)
    );
    assert!(
        named("secund")
            .unwrap_err()
            .what
            .contains("did you mean `second`")
    );
    assert_eq!(named("ws_000000000000").unwrap_err().kind, Kind::NotFound);
    assert!(
        bed.one(Request::Rename {
            which: Which::Named(a.id),
            name: "ws_x".into()
        })
        .is_err()
    );
}

#[test]
fn what_was_forgotten_can_be_restored_for_thirty_days() {
    let bed = Bed::fake();
    bed.world.dir("/w/p");
    let first = bed.create("p", Seed::Empty).unwrap();
    let forgotten = bed.one(Request::Forget(Which::Named(first.id.clone()))).unwrap();
    assert!(forgotten.forgotten.is_some() && bed.list().is_empty());
    assert!(
        matches!(bed.ask(Request::List { forgotten: true }).unwrap(), Answer::Workspaces(all) if all.len() == 1)
    );
    assert!(
        bed.one(Request::Rename {
            which: Which::Named(first.id.clone()),
            name: "n".into()
        })
        .is_err()
    );
    // A use in between begins anew, and gives way as long as it holds nothing.
    let fresh = bed.show("p");
    assert_ne!(fresh.id, first.id);
    bed.one(Request::Restore { id: first.id.clone() }).unwrap();
    assert_eq!(bed.show("p").id, first.id);
    bed.one(Request::Forget(Which::Named(first.id.clone()))).unwrap();
    bed.create("p", Seed::Empty).unwrap();
    assert_eq!(
        bed.one(Request::Restore { id: first.id.clone() })
            .unwrap_err()
            .kind,
        Kind::Conflict
    );
    bed.world.tick(31 * 24 * 3600 * 250);
    assert_eq!(
        bed.one(Request::Restore { id: first.id.clone() })
            .unwrap_err()
            .kind,
        Kind::NotFound
    );
    bed.show("p");
    assert_eq!(
        store::rows(&bed.db).unwrap().len(),
        1,
        "what expired is removed at the next entry"
    );
}

#[test]
fn records_pass_to_another_directory_only_when_confirmed() {
    let bed = Bed::fake();
    bed.world.dir("/w/a").dir("/w/b").dir("/w/c");
    let first = bed.create("a", Seed::Empty).unwrap();
    bed.show("b");
    let to = |name: &str, confirmed| {
        bed.one(Request::Relocate {
            which: Which::Named(first.id.clone()),
            to: RawPath::from(bed.base.join(name)),
            confirmed,
        })
    };
    let refused = to("b", false).unwrap_err();
    assert_eq!(refused.kind, Kind::Refused);
    assert!(refused.next.unwrap().contains("--confirm"));
    assert_eq!(to("b", true).unwrap().root.as_path(), Path::new("/w/b"));
    assert_eq!(bed.show("b").id, first.id);
    let other = bed.create("c", Seed::Empty).unwrap();
    assert_eq!(to("c", true).unwrap_err().kind, Kind::Conflict);
    assert_eq!(bed.show("c").id, other.id);
    assert!(to("nowhere", true).is_err());
}

#[test]
fn linked_worktrees_share_a_workspace_and_a_tree_that_the_main_checkout_does_not_list_does_not() {
    let bed = Bed::real();
    let (main, tree, fake) = (
        bed.base.join("main"),
        bed.base.join("tree"),
        bed.base.join("fake"),
    );
    std::fs::create_dir(&main).unwrap();
    std::fs::create_dir(&fake).unwrap();
    git(&main, &["init", "-q"]);
    git(
        &main,
        &[
            "-c",
            "user.name=a",
            "-c",
            "user.email=a@b",
            "commit",
            "-q",
            "--allow-empty",
            "-m",
            "x",
        ],
    );
    git(&main, &["worktree", "add", "-q", "../tree"]);
    std::fs::copy(tree.join(".git"), fake.join(".git")).unwrap();
    *bed.linked.lock().unwrap() = vec![(tree.clone(), main.clone()), (fake.clone(), main.clone())];
    let first = bed.show("main");
    let second = bed.show("tree");
    assert_eq!(
        (second.id.as_str(), second.root.as_path()),
        (first.id.as_str(), main.as_path())
    );
    assert_eq!(second.trees, [RawPath::from(tree.as_path())]);
    let third = bed.show("fake");
    assert_ne!(third.id, first.id);
    assert!(
        third.warnings[0].contains("does not list it"),
        "{:?}",
        third.warnings
    );
    // Settings are those of the caller's tree.
    bed.set("tree", Layer::Workspace, "watch.settle_ms", "7").unwrap();
    assert_eq!(bed.get("tree", "watch.settle_ms").0, "7");
    assert_eq!(bed.get("main", "watch.settle_ms").0, "20");
    assert!(!main.join(FOLDER).exists() && tree.join(FOLDER).exists());
}

#[test]
fn a_workspace_begins_with_the_settings_and_roles_of_another_and_overwrites_nothing() {
    let bed = Bed::fake();
    bed.world.dir("/w/a").dir("/w/b").dir("/w/c");
    bed.create("a", Seed::Template("python".into())).unwrap();
    let copied = bed.create("b", Seed::Existing("a".into())).unwrap();
    assert!(copied.totals.bytes > 1000 && !copied.totals.bytes_at_least);
    assert_eq!(bed.get("b", "workspace.project_type").0, "\"python\"");
    assert_eq!(
        bed.create("b", Seed::Template("go".into())).unwrap_err().kind,
        Kind::Conflict
    );
    assert_eq!(bed.get("b", "workspace.project_type").0, "\"python\"");
    assert_eq!(
        bed.create("c", Seed::Template("pyton".into())).unwrap_err().kind,
        Kind::NotFound
    );
    assert_eq!(
        bed.create("b", Seed::Existing("c".into())).unwrap_err().kind,
        Kind::NotFound
    );
    assert!(
        bed.list().iter().all(|workspace| workspace.name != "c"),
        "a refused creation enters nothing"
    );
}

#[test]
fn a_setting_is_written_read_back_unset_and_reset_with_the_old_file_kept() {
    let bed = Bed::fake();
    bed.world.dir("/w/p").file(
        "/w/config/config.yaml",
        "# mine\nwatch:\n  poll_seconds: 3 # three\n",
    );
    let conf::Answer::Written { now: Some(now), .. } =
        bed.set("p", Layer::User, "watch.settle_ms", "7").unwrap()
    else {
        panic!("written");
    };
    assert_eq!(
        (now.value.as_str(), now.layer, now.line),
        ("7", Layer::User, Some(4))
    );
    let text =
        || String::from_utf8(bed.world.read(Path::new("/w/config/config.yaml"), 999).unwrap()).unwrap();
    assert_eq!(
        text(),
        "# mine\nwatch:\n  poll_seconds: 3 # three\n  settle_ms: 7\n"
    );
    bed.set("p", Layer::Workspace, "watch.settle_ms", "8").unwrap();
    assert_eq!(bed.get("p", "watch.settle_ms"), ("8".into(), Layer::Workspace));
    let unset = conf::Request::Unset {
        at: bed.at("p"),
        layer: Layer::Workspace,
        key: "watch.settle_ms".into(),
    };
    bed.config(unset).unwrap();
    assert_eq!(bed.get("p", "watch.settle_ms"), ("7".into(), Layer::User));
    let reset = conf::Request::Reset {
        at: bed.at("p"),
        layer: Layer::User,
    };
    let conf::Answer::Written { kept: Some(kept), .. } = bed.config(reset.clone()).unwrap() else {
        panic!("kept");
    };
    assert!(
        bed.world
            .read(kept.as_path(), 999)
            .unwrap()
            .starts_with(b"# mine")
    );
    assert_eq!(bed.get("p", "watch.settle_ms").1, Layer::BuiltIn);
    assert!(matches!(
        bed.config(reset).unwrap(),
        conf::Answer::Written { kept: None, .. }
    ));
}

#[test]
fn what_would_not_count_or_cannot_be_edited_is_not_written() {
    let bed = Bed::fake();
    bed.world.dir("/w/p");
    for (key, value, kind) in [
        ("agents.max_count", "1", Kind::Refused),
        ("watch.max_watches", "16777216", Kind::Refused),
        ("detection.fallback_to_home", "false", Kind::Refused),
        ("watch.setle_ms", "1", Kind::Usage),
        ("watch.settle_ms", "soon", Kind::Usage),
    ] {
        assert_eq!(
            bed.set("p", Layer::Workspace, key, value).unwrap_err().kind,
            kind,
            "{key}"
        );
    }
    assert_eq!(
        bed.set("p", Layer::Project, "watch.settle_ms", "1")
            .unwrap_err()
            .kind,
        Kind::Usage
    );
    assert!(bed.world.stat(Path::new("/w/p/.task_orchestrator")).is_err());
    bed.set("p", Layer::Workspace, "watch.max_watches", "1000")
        .unwrap();
    for broken in ["{}\n", "watch:\n  settle_ms: [\n", "watch:\n  unknown: 1\n"] {
        bed.world.file("/w/config/config.yaml", broken);
        let error = bed.set("p", Layer::User, "watch.settle_ms", "1").unwrap_err();
        assert_eq!(error.kind, Kind::Refused, "{error}");
        assert_eq!(
            bed.world.read(Path::new("/w/config/config.yaml"), 99).unwrap(),
            broken.as_bytes()
        );
    }
}

#[test]
fn the_users_file_is_made_with_its_folders_and_written_where_a_link_leads() {
    let bed = Bed::real();
    std::fs::create_dir(bed.base.join("p")).unwrap();
    std::fs::remove_dir(bed.base.join("config")).unwrap();
    bed.set("p", Layer::User, "agents.max_count", "3").unwrap();
    let own = bed.base.join("config/config.yaml");
    assert_eq!(
        std::fs::read_to_string(&own).unwrap(),
        "agents:\n  max_count: 3\n"
    );
    std::fs::create_dir(bed.base.join("dot")).unwrap();
    std::fs::rename(&own, bed.base.join("dot/mine.yaml")).unwrap();
    std::os::unix::fs::symlink("../dot/mine.yaml", &own).unwrap();
    bed.set("p", Layer::User, "agents.max_count", "4").unwrap();
    assert!(std::fs::symlink_metadata(&own).unwrap().is_symlink());
    assert!(
        std::fs::read_to_string(bed.base.join("dot/mine.yaml"))
            .unwrap()
            .contains("max_count: 4")
    );
    assert_eq!(bed.get("p", "agents.max_count").0, "4");
}

#[test]
fn roles_for_a_project_type_are_written_once_and_count_at_once() {
    let bed = Bed::fake();
    bed.world.dir("/w/p");
    let init = || {
        bed.role(proto::role::Request::Init {
            at: bed.at("p"),
            project_type: None,
        })
    };
    assert!(matches!(init().unwrap(), proto::role::Answer::Written { roles, .. } if roles.len() == 5));
    assert_eq!(init().unwrap_err().kind, Kind::Conflict);
    let shown = bed
        .role(proto::role::Request::Show {
            at: bed.at("p"),
            name: "coder".into(),
        })
        .unwrap();
    assert!(matches!(shown, proto::role::Answer::Role(role) if role.layer == Layer::Workspace));
    let wrong = bed
        .role(proto::role::Request::Show {
            at: bed.at("p"),
            name: "codr".into(),
        })
        .unwrap_err();
    assert!(wrong.what.contains("`coder`"), "{wrong}");
}

#[test]
fn isolation_finds_records_of_nobody_and_open_state() {
    let bed = Bed::real();
    std::fs::create_dir(bed.base.join("p")).unwrap();
    let id = bed.create("p", Seed::Empty).unwrap().id;
    let mut batch = Batch::new();
    let (space, _) = store::BY_WORKSPACE[0];
    batch.put(space, format!("{id}/task_1").as_bytes(), vec![1]);
    batch.put(space, b"ws_ffffffffffff/task_1", vec![1]);
    bed.db.commit(batch).unwrap();
    assert_eq!(bed.show("p").totals.tasks, [("all".to_owned(), 1)]);
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(bed.base.join("state"), std::fs::Permissions::from_mode(0o755)).unwrap();
    let found = bed.isolated();
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(
        found[0].contains("ws_ffffffffffff") && found[1].contains("others may enter"),
        "{found:?}"
    );
}

#[test]
fn many_clients_at_once_enter_a_project_once() {
    let bed = Bed::real();
    std::fs::create_dir(bed.base.join("p")).unwrap();
    let ids: std::collections::BTreeSet<String> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| bed.show("p").id)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!((ids.len(), bed.list().len()), (1, 1));
}
