//! Settings through the built programs: layers, origins, mistakes, and what a project may not decide.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tests::daemon::Bed;
use tests::git;
use tests::process::{self, Said};

struct Scene {
    bed: Bed,
    repo: PathBuf,
}

impl Scene {
    fn new() -> Self {
        let bed = Bed::new();
        let repo = bed.project("repo");
        git::init(&repo);
        fs::create_dir_all(bed.home().join(".config/task-orchestrator")).expect("made");
        Self { bed, repo }
    }

    fn user_file(&self) -> PathBuf {
        self.bed.home().join(".config/task-orchestrator/config.yaml")
    }

    fn workspace_file(&self) -> PathBuf {
        self.repo.join(".task_orchestrator/config.yaml")
    }

    fn run(&self, line: &str) -> Said {
        self.with(line, &[])
    }

    fn with(&self, line: &str, vars: &[(&str, &str)]) -> Said {
        let mut command = self.bed.tocli(line.split(' ').chain(["--json"]));
        process::run(command.current_dir(&self.repo).envs(vars.iter().copied()))
    }

    /// The value in force and who set it.
    fn get(&self, key: &str) -> (Value, String) {
        self.get_with(key, &[])
    }

    fn get_with(&self, key: &str, vars: &[(&str, &str)]) -> (Value, String) {
        let json = self.with(&format!("config get {key}"), vars).ok().json();
        (
            json["value"].clone(),
            json["layer"].as_str().expect("a layer").to_owned(),
        )
    }
}

fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().expect("a folder")).expect("made");
    fs::write(path, text).expect("written");
}

#[test]
fn each_layer_goes_before_the_ones_below_it_and_every_edit_is_in_the_next_answer() {
    let scene = Scene::new();
    let key = "watch.poll_seconds";
    assert_eq!(scene.get(key), (json!(10), "built_in".to_owned()));
    write(&scene.user_file(), "watch:\n  poll_seconds: 6\n");
    assert_eq!(scene.get(key), (json!(6), "user".to_owned()));
    write(
        &scene.repo.join("pyproject.toml"),
        "[tool.task-orchestrator.watch]\npoll_seconds = 4\n",
    );
    assert_eq!(scene.get(key), (json!(4), "project".to_owned()));
    write(&scene.workspace_file(), "watch:\n  poll_seconds: 3\n");
    assert_eq!(scene.get(key), (json!(3), "workspace".to_owned()));
    let vars = [("TO_WATCH_POLL_SECONDS", "2")];
    assert_eq!(scene.get_with(key, &vars), (json!(2), "environment".to_owned()));
    fs::remove_file(scene.workspace_file()).expect("removed");
    assert_eq!(scene.get(key), (json!(4), "project".to_owned()));
    fs::remove_file(scene.repo.join("pyproject.toml")).expect("removed");
    assert_eq!(scene.get(key), (json!(6), "user".to_owned()));
    for number in 17..37 {
        write(&scene.user_file(), &format!("watch:\n  poll_seconds: {number}\n"));
        assert_eq!(scene.get(key), (json!(number), "user".to_owned()));
    }
}

#[test]
fn set_unset_and_reset_write_the_file_they_say_and_keep_what_others_wrote() {
    let scene = Scene::new();
    write(
        &scene.user_file(),
        "# mine\nwatch:\n  settle_ms: 30 # slow disk\n",
    );
    let set = scene.run("config set --user watch.poll_seconds 9").ok().json();
    assert_eq!(set["file"], scene.user_file().to_str().expect("UTF-8"));
    let text = fs::read_to_string(scene.user_file()).expect("there");
    assert!(
        text.contains("# mine") && text.contains("# slow disk"),
        "comments stay:\n{text}"
    );
    assert_eq!(scene.get("watch.poll_seconds"), (json!(9), "user".to_owned()));
    assert_eq!(scene.get("watch.settle_ms"), (json!(30), "user".to_owned()));
    scene.run("config unset --user watch.poll_seconds").ok();
    assert_eq!(scene.get("watch.poll_seconds").1, "built_in");
    scene.run("config set workspace.project_type go").ok();
    assert_eq!(
        scene.get("workspace.project_type"),
        (json!("go"), "workspace".to_owned())
    );
    let reset = scene.run("config reset --user").ok().json();
    assert_eq!(scene.get("watch.settle_ms").1, "built_in");
    let kept = reset["kept"].as_str().expect("the old file is kept");
    assert!(fs::read_to_string(kept).expect("there").contains("slow disk"));
    assert_eq!(
        scene.get("workspace.project_type").1,
        "workspace",
        "the other file is as it was"
    );
}

#[test]
fn list_says_who_set_each() {
    let scene = Scene::new();
    write(&scene.user_file(), "\nwatch:\n  settle_ms: 30\n");
    let list = scene.run("config list --origin").ok().json();
    let settings = list["settings"].as_array().expect("a list");
    assert!(settings.len() > 20, "{list}");
    let settle = settings
        .iter()
        .find(|one| one["key"] == "watch.settle_ms")
        .expect("listed");
    assert_eq!(
        (&settle["value"], &settle["layer"], &settle["line"]),
        (&json!(30), &json!("user"), &json!(3))
    );
    assert_eq!(settle["file"], scene.user_file().to_str().expect("UTF-8"));
}

#[test]
fn an_unknown_key_and_a_wrong_value_are_told_with_file_line_and_the_nearest_key() {
    let scene = Scene::new();
    let said = scene.run("config set watch.setle_ms 5").ends(2);
    assert!(said.err.contains("watch.settle_ms"), "{}", said.err);
    let said = scene.run("config set watch.settle_ms many").ends(2);
    assert!(said.err.contains("watch.settle_ms"), "{}", said.err);
    assert!(!scene.workspace_file().exists(), "nothing was written");

    write(&scene.user_file(), "watch:\n  settle_ms: 30\n  setle_ms: 5\n");
    let list = scene.run("config list").ok().json();
    let warnings = list["warnings"].to_string();
    assert!(
        warnings.contains("config.yaml") && warnings.contains("settle_ms") && warnings.contains('3'),
        "{warnings}"
    );
}

#[test]
fn a_broken_file_leaves_the_last_good_one_in_force_and_says_so() {
    let scene = Scene::new();
    write(&scene.user_file(), "watch:\n  settle_ms: 30\n");
    assert_eq!(scene.get("watch.settle_ms"), (json!(30), "user".to_owned()));
    for broken in [
        "watch: [\n",
        "watch:\n  settle_ms: 40\n oops\n\t- x\n",
        "\0\0\0",
        "&a [*a, *a]\n",
    ] {
        write(&scene.user_file(), broken);
        let list = scene.run("config list").ok().json();
        assert_ne!(list["warnings"], json!([]), "{broken:?}");
        assert_eq!(scene.get("watch.settle_ms").0, json!(30), "{broken:?}");
    }
    write(&scene.user_file(), "watch:\n  settle_ms: 50\n");
    assert_eq!(scene.get("watch.settle_ms").0, json!(50));
    assert_eq!(scene.run("config list").ok().json()["warnings"], json!([]));
}

#[test]
fn a_project_cannot_widen_what_may_happen() {
    let scene = Scene::new();
    let manifest = "[workspace.metadata.task-orchestrator.agents]\nroot = \"/tmp/elsewhere\"\nauto_merge = true\n\
                    [workspace.metadata.task-orchestrator.workspace]\nstorage = \"user\"\n";
    write(&scene.repo.join("Cargo.toml"), manifest);
    write(
        &scene.workspace_file(),
        "agents:\n  auto_merge: true\n  max_count: 10000\nworkspace:\n  storage: user\n",
    );
    for key in [
        "agents.root",
        "agents.auto_merge",
        "agents.max_count",
        "workspace.storage",
    ] {
        assert_eq!(scene.get(key).1, "built_in", "{key}");
    }
    assert_ne!(
        scene.run("config list").ok().json()["warnings"],
        json!([]),
        "and it is told"
    );
    assert_ne!(scene.run("config set agents.auto_merge true").code, 0);
    scene.run("config set --user agents.auto_merge true").ok();
    assert_eq!(scene.get("agents.auto_merge"), (json!(true), "user".to_owned()));
}

#[test]
fn files_without_bounds_do_not_harm() {
    let scene = Scene::new();
    let bomb = (0..30).fold("a0: &a0 [x, x]\n".to_owned(), |text, level| {
        format!("{text}a{}: &a{} [*a{level}, *a{level}]\n", level + 1, level + 1)
    });
    let deep = "[".repeat(100_000);
    let large = format!("# {}\n", "x".repeat(32 << 20));
    for text in [bomb, deep, large] {
        write(&scene.workspace_file(), &text);
        let said = scene.run("config get watch.settle_ms");
        assert_eq!(said.code, 0, "{said:?}");
    }
    fs::remove_file(scene.workspace_file()).expect("removed");
    // A pipe that nobody writes to must not be waited for.
    process::run(std::process::Command::new("mkfifo").arg(scene.workspace_file())).ok();
    scene.run("config get watch.settle_ms").ok();
}
