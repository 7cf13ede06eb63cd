//! Never stale: after a change has returned, the very next answer shows it, however often and whoever else asks.
//!
//! Each step is a change and the answer that must follow. A second client asks all the time, so that changes fall between
//! the daemon's reads and its answers. `TOD_FULL=1` runs a thousand rounds.

mod in_process;

use std::fs::{self, File, FileTimes};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use proto::Error;
use proto::detect::{Detection, Method};
use tests::ask::times;
use tests::daemon::Bed;
use tests::process;
use tests::wire::Peer;
use tests::{deadline, git};

/// The places of one round.
struct Ground {
    /// Holds everything; moved aside and back.
    top: PathBuf,
    /// The outer project.
    outer: PathBuf,
    /// Where questions are asked from.
    inner: PathBuf,
    /// A `.git` to copy from, with branches `main` and `side`.
    template: PathBuf,
}

/// What an answer must be.
struct Expected {
    root: PathBuf,
    method: Method,
    branch: Option<&'static str>,
}

impl Ground {
    fn new(bed: &Bed) -> Self {
        let top = bed.project("top");
        let (outer, inner) = (top.join("outer"), top.join("outer/pkg/inner"));
        fs::create_dir_all(&inner).expect("made");
        let template = bed.project("template");
        git::init(&template);
        git::git(&template, &["branch", "side"]);
        let real = fs::canonicalize(&top).expect("there");
        assert_eq!(real, top, "the temporary folder has no link in it");
        Self {
            top,
            outer,
            inner,
            template: template.join(".git"),
        }
    }

    /// The changes of a round in their order, each with the answer that follows it. It ends as it began.
    fn steps(&self) -> Vec<(&'static str, Step<'_>)> {
        let (outer, inner) = (&self.outer, &self.inner);
        let manifest = outer.join("pkg/Cargo.toml");
        let above = outer.join("Cargo.toml");
        let head = outer.join(".git/HEAD");
        let link = self.top.join("link");
        vec![
            step("nothing", || (), nobody(inner), inner),
            step(
                "touch Cargo.toml",
                to(&manifest, touch),
                marker(&outer.join("pkg")),
                inner,
            ),
            step(
                "a manifest above",
                to(&above, |path| write(path, "[package]\n#         ")),
                marker(&outer.join("pkg")),
                inner,
            ),
            step(
                "[workspace] in place",
                to(&above, |path| in_place(path, "[workspace]\n#       ")),
                marker(outer),
                inner,
            ),
            step(
                "no [workspace] in place",
                to(&above, |path| in_place(path, "[package]\n#         ")),
                marker(&outer.join("pkg")),
                inner,
            ),
            step(
                "a `.git` without HEAD",
                || copy_git(&self.template, &outer.join(".git"), false),
                marker(&outer.join("pkg")),
                inner,
            ),
            step(
                "HEAD last",
                to(&head, |path| copy_head(&self.template, path)),
                vcs(outer, "main"),
                inner,
            ),
            step(
                "another branch",
                to(&head, |path| write(path, "ref: refs/heads/side\n")),
                vcs(outer, "side"),
                inner,
            ),
            step(
                "rsync -t",
                to(&head, same_size_same_time),
                vcs(outer, "main"),
                inner,
            ),
            step(
                "HEAD by rename",
                to(&head, |path| by_rename(path, "ref: refs/heads/side\n")),
                vcs(outer, "side"),
                inner,
            ),
            step(
                "a nearer repository",
                || copy_git(&self.template, &inner.join(".git"), true),
                vcs(inner, "main"),
                inner,
            ),
            step(
                "the nearer one gone",
                to(&inner.join(".git"), remove),
                vcs(outer, "side"),
                inner,
            ),
            step(
                "rm -r .git",
                to(&outer.join(".git"), remove),
                marker(&outer.join("pkg")),
                inner,
            ),
            step(
                "a link to inner",
                to(&link, |path| relink(path, inner)),
                marker(&outer.join("pkg")),
                &link,
            ),
            step(
                "the link elsewhere",
                to(&link, |path| relink(path, outer)),
                marker(outer),
                &link,
            ),
            step("no link", to(&link, remove), missing(), &link),
            step("a marker gone", to(&manifest, remove), marker(outer), inner),
            step("the other one too", to(&above, remove), nobody(inner), inner),
        ]
    }
}

type Change<'a> = Box<dyn Fn() + 'a>;

/// A change, the answer that must follow, and where it is asked.
struct Step<'a> {
    change: Change<'a>,
    expected: Option<Expected>,
    asked: PathBuf,
}

fn step<'a>(
    name: &'static str,
    change: impl Fn() + 'a,
    expected: Option<Expected>,
    asked: &Path,
) -> (&'static str, Step<'a>) {
    let asked = asked.to_path_buf();
    let change = Box::new(change);
    (
        name,
        Step {
            change,
            expected,
            asked,
        },
    )
}

fn to<'a>(path: &Path, change: impl Fn(&Path) + 'a) -> impl Fn() + 'a {
    let path = path.to_path_buf();
    move || change(&path)
}

fn expected(root: &Path, method: Method, branch: Option<&'static str>) -> Option<Expected> {
    let root = root.to_path_buf();
    Some(Expected { root, method, branch })
}

fn nobody(at: &Path) -> Option<Expected> {
    expected(at, Method::CurrentDirectory, None)
}

fn marker(root: &Path) -> Option<Expected> {
    expected(root, Method::ProjectMarker, None)
}

fn vcs(root: &Path, branch: &'static str) -> Option<Expected> {
    expected(root, Method::VcsRoot, Some(branch))
}

fn missing() -> Option<Expected> {
    None
}

fn touch(path: &Path) {
    File::create(path).expect("made");
}

fn write(path: &Path, text: &str) {
    fs::write(path, text).expect("written");
}

fn in_place(path: &Path, text: &str) {
    let mut file = File::options().write(true).open(path).expect("opened");
    file.write_all(text.as_bytes()).expect("written");
}

fn by_rename(path: &Path, text: &str) {
    let draft = path.with_extension("lock");
    write(&draft, text);
    fs::rename(&draft, path).expect("renamed");
}

/// What `rsync -t` leaves: another content of the same size with the time of the old one.
fn same_size_same_time(path: &Path) {
    let before = fs::metadata(path).expect("there");
    write(path, "ref: refs/heads/main\n");
    let times = FileTimes::new().set_modified(before.modified().expect("a time"));
    File::options()
        .write(true)
        .open(path)
        .and_then(|file| file.set_times(times))
        .expect("set");
    let after = fs::metadata(path).expect("there");
    assert_eq!(
        (before.len(), before.modified().ok()),
        (after.len(), after.modified().ok())
    );
}

fn remove(path: &Path) {
    let about = fs::symlink_metadata(path).expect("there");
    if about.is_dir() {
        fs::remove_dir_all(path)
    } else {
        fs::remove_file(path)
    }
    .expect("removed");
}

fn relink(path: &Path, target: &Path) {
    let draft = path.with_extension("new");
    std::os::unix::fs::symlink(target, &draft).expect("linked");
    fs::rename(&draft, path).expect("put in place");
}

/// A `.git` as a slow copy makes it: folders and files one by one, HEAD at the very end if at all.
fn copy_git(template: &Path, git: &Path, whole: bool) {
    for folder in ["objects", "refs/heads"] {
        fs::create_dir_all(git.join(folder)).expect("made");
    }
    fs::copy(template.join("config"), git.join("config")).expect("copied");
    for branch in ["main", "side"] {
        let name = format!("refs/heads/{branch}");
        fs::copy(template.join(&name), git.join(&name)).expect("copied");
    }
    if whole {
        copy_head(template, &git.join("HEAD"));
    }
}

fn copy_head(template: &Path, head: &Path) {
    fs::copy(template.join("HEAD"), head).expect("copied");
}

fn check(expected: Option<&Expected>, found: Result<Detection, Error>, when: &str) {
    let Some(expected) = expected else {
        assert!(found.is_err(), "{when}: {found:?}");
        return;
    };
    let found = found.unwrap_or_else(|error| panic!("{when}: {error}"));
    let branch = found.vcs.as_ref().and_then(|vcs| vcs.branch.as_deref());
    assert_eq!(
        (found.root.to_path_buf(), found.method, branch),
        (expected.root.clone(), expected.method, expected.branch),
        "{when}: {found:?}"
    );
}

/// Waits until the answer about a folder comes from memory, where there is one.
fn remembered(peer: &mut Peer, asked: &Path) {
    deadline::until("the answer is remembered", || match peer.detect(asked) {
        Ok(found) => found.cached.then_some(()),
        Err(_) => Some(()),
    });
}

#[test]
fn every_change_is_in_the_very_next_answer_with_a_second_client_asking_all_the_time() {
    let bed = Bed::new();
    let _daemon = bed.start();
    let ground = Ground::new(&bed);
    let (over, asked) = (AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut peer = bed.peer();
            while !over.load(Ordering::Relaxed) {
                let _any_answer_is_right_here = peer.detect(&ground.inner);
                asked.fetch_add(1, Ordering::Relaxed);
            }
        });
        // The other client must end however this one does.
        let verdict = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let mut peer = bed.peer();
            for round in 0..times(60, 1000) {
                for (name, step) in ground.steps() {
                    // Every other round each change meets an answer that is remembered; in the rounds between, changes
                    // follow each other faster than the clock of the file system ticks.
                    if round % 2 == 0 {
                        remembered(&mut peer, &step.asked);
                    }
                    (step.change)();
                    let when = format!("round {round}, after {name}");
                    check(step.expected.as_ref(), peer.detect(&step.asked), &when);
                    // Once more: this time from the cache if it likes, and no other answer.
                    check(step.expected.as_ref(), peer.detect(&step.asked), &when);
                }
            }
        }));
        over.store(true, Ordering::Relaxed);
        if let Err(why) = verdict {
            std::panic::resume_unwind(why);
        }
    });
    assert!(asked.load(Ordering::Relaxed) > 100);
}

#[test]
fn every_change_is_in_the_next_answer_of_tocli() {
    let bed = Bed::new();
    let ground = Ground::new(&bed);
    for round in 0..times(5, 100) {
        for (name, step) in ground.steps() {
            (step.change)();
            let asked = step.asked.to_str().expect("UTF-8");
            let said = bed.run(["detect", asked, "--json"]);
            let Some(expected) = step.expected else {
                assert_ne!(said.code, 0, "round {round}, after {name}: {said:?}");
                continue;
            };
            let json = said.ok().json();
            let method = serde_json::to_value(expected.method).expect("a word");
            assert_eq!(
                (&json["root"], &json["method"]),
                (&expected.root.to_str().into(), &method),
                "round {round}, after {name}: {json}"
            );
        }
    }
}

#[test]
fn an_ancestor_that_is_moved_takes_its_answers_along() {
    let bed = Bed::new();
    let _daemon = bed.start();
    let ground = Ground::new(&bed);
    copy_git(&ground.template, &ground.outer.join(".git"), true);
    let mut peer = bed.peer();
    let aside = ground.top.with_file_name("aside");
    for round in 0..times(100, 1000) {
        let when = format!("round {round}");
        check(
            vcs(&ground.outer, "main").as_ref(),
            peer.detect(&ground.inner),
            &when,
        );
        if round % 2 == 0 {
            remembered(&mut peer, &ground.inner);
        }
        fs::rename(&ground.top, &aside).expect("moved");
        check(None, peer.detect(&ground.inner), &when);
        check(
            vcs(&aside.join("outer"), "main").as_ref(),
            peer.detect(&aside.join("outer/pkg")),
            &when,
        );
        fs::rename(&aside, &ground.top).expect("moved back");
    }
}

#[test]
fn git_init_and_checkout_by_git_itself_are_in_the_next_answer() {
    let bed = Bed::new();
    let _daemon = bed.start();
    let mut peer = bed.peer();
    for round in 0..times(10, 1000) {
        let repo = bed.project(&format!("repo{round}"));
        check(nobody(&repo).as_ref(), peer.detect(&repo), "before");
        git::git(&repo, &["init", "-q"]);
        check(vcs(&repo, "main").as_ref(), peer.detect(&repo), "git init");
        git::git(&repo, &["commit", "-q", "--allow-empty", "-m", "first"]);
        git::git(&repo, &["checkout", "-q", "-b", "topic"]);
        check(
            vcs(&repo, "topic").as_ref(),
            peer.detect(&repo),
            "git checkout -b",
        );
        remove(&repo.join(".git"));
        check(nobody(&repo).as_ref(), peer.detect(&repo), "rm -r .git");
    }
}

#[test]
fn rights_that_change_are_in_the_next_answer() {
    let Some(bed) = Bed::of_ordinary_user() else {
        return;
    };
    let repo = bed.project("repo");
    fs::write(repo.join("go.mod"), "module m\n").expect("written");
    let owner = tests::daemon::root().then_some(tests::daemon::ORDINARY);
    std::os::unix::fs::chown(&repo, owner, owner).expect("given away");
    for _ in 0..times(10, 1000) {
        for (mode, writable) in [(0o755, true), (0o555, false)] {
            tests::daemon::chmod(&repo, mode);
            let json = process::run(&mut bed.tocli(["detect", "repo", "--json"]))
                .ok()
                .json();
            assert_eq!(json["writable"], writable, "{mode:o}: {json}");
        }
    }
    tests::daemon::chmod(&repo, 0o755);
}
