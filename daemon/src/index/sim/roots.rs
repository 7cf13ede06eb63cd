//! The root goes away, comes back or is replaced before each single call of the engine: what the seeds meet by chance,
//! one by one.
//!
//! What must stay true: wherever it happens, the next sync shows what a walk shows, by the rules of the repository that is
//! there then, and hears of what happens afterwards.

use super::fs::{Fs, ROOT};
use super::lives::start;
use super::work::{self, PROJECT};
use super::{Bug, Engine, Sim, SimDisk};
use crate::index::saved::{Saved, Watches};
use crate::world::FileKind;

/// A project of which git's rules hide something.
fn project(fs: &mut Fs) {
    work::begin(fs);
    let root = fs.find(ROOT, PROJECT).unwrap();
    fs.write(fs.find(root, b".git/info").unwrap(), b"exclude", b"*.log");
    fs.write(root, b".gitignore", b"out/");
    let dir = fs.make(root, b"a", FileKind::Dir);
    fs.write(dir, b"f", b"1");
    fs.write(dir, b"k.log", b"1");
    let out = fs.make(root, b"out", FileKind::Dir);
    fs.write(out, b"g", b"1");
}

fn leave(fs: &mut Fs) {
    let aside = fs.find(ROOT, b"t").unwrap();
    fs.rename((ROOT, b"r"), (aside, b"0"));
}

fn come_back(fs: &mut Fs) {
    let aside = fs.find(ROOT, b"t").unwrap();
    fs.rename((aside, b"0"), (ROOT, b"r"));
}

/// The one that came is moved away, and the old one comes back.
fn put_back(fs: &mut Fs) {
    let aside = fs.find(ROOT, b"t").unwrap();
    fs.rename((ROOT, b"r"), (aside, b"1"));
    come_back(fs);
}

/// Another takes its place, with its number where that is free.
fn removed_and_made_anew(fs: &mut Fs) {
    fs.remove(ROOT, b"r");
    project(fs);
}

fn moved_away_and_made_anew(fs: &mut Fs) {
    leave(fs);
    project(fs);
}

fn made_anew_without_a_repository(fs: &mut Fs) {
    leave(fs);
    folder(fs);
}

fn folder(fs: &mut Fs) {
    let root = fs.make(ROOT, b"r", FileKind::Dir);
    fs.write(root, b"k.log", b"1");
}

/// What happens before which of the engine's calls.
pub(super) type Script = Vec<(usize, fn(&mut Fs))>;

/// How the engine comes to its pass, in which the script is followed.
type Begin = fn(&mut Sim, Script);

const BEGINS: [(&str, Begin); 5] = [
    ("first crawl", first_crawl),
    ("event", event),
    ("other rules", other_rules),
    ("start with a saved index", saved),
    ("hand-over", handed_over),
];

fn first_crawl(sim: &mut Sim, script: Script) {
    sim.drop_watches();
    sim.incarnation += 1;
    sim.engine = Engine::new(sim.disk.clone(), start(sim.bug)).unwrap();
    sim.disk.quiet().script = script;
    sim.engine.crawl();
}

fn event(sim: &mut Sim, script: Script) {
    write(sim, b"r/f", b"2");
    settle(sim, script);
}

fn other_rules(sim: &mut Sim, script: Script) {
    if sim.disk.quiet().find(ROOT, b"r/.git/info").is_some() {
        write(sim, b"r/.git/info/exclude", b"*.log\n*.o");
    }
    settle(sim, script);
}

fn saved(sim: &mut Sim, script: Script) {
    let bytes = sim.engine.save(1).expect("at rest");
    sim.drop_watches();
    write(sim, b"r/f", b"2");
    resume(sim, (&bytes, Watches::Gone), script);
}

fn handed_over(sim: &mut Sim, script: Script) {
    let bytes = sim.engine.save(1).expect("at rest");
    write(sim, b"r/f", b"2");
    resume(sim, (&bytes, Watches::Kept), script);
}

fn resume(sim: &mut Sim, (bytes, watches): (&[u8], Watches), script: Script) {
    let saved = Saved::read(bytes).expect("what was written is read");
    let engine = Engine::resume(sim.disk.clone(), start(sim.bug), saved, watches);
    sim.engine = engine.unwrap().expect("the same root");
    sim.disk.quiet().script = script;
    sim.engine.go_on();
    if sim.engine.is_unverified() {
        sim.engine.settle();
    }
}

fn write(sim: &Sim, path: &[u8], data: &[u8]) {
    let at = path.iter().rposition(|&byte| byte == b'/').unwrap();
    let mut fs = sim.disk.quiet();
    let dir = fs.find(ROOT, &path[..at]).unwrap();
    fs.write(dir, &path[at + 1..], data);
}

/// What becomes of the root at a call.
fn scripts(call: usize) -> Vec<(&'static str, Script)> {
    let away = |calls: usize| -> Script { vec![(call, leave), (call + calls, come_back)] };
    vec![
        ("away for two calls", away(2)),
        ("away for five calls", away(5)),
        ("away until the sync", away(usize::MAX / 2)),
        ("removed and made anew", vec![(call, removed_and_made_anew)]),
        ("moved away and made anew", vec![(call, moved_away_and_made_anew)]),
        (
            "made anew without a repository",
            vec![(call, made_anew_without_a_repository)],
        ),
        (
            "another for two calls",
            vec![(call, moved_away_and_made_anew), (call + 2, put_back)],
        ),
    ]
}

/// What there is at first, and the watches that can be had before the pass and from then on.
type Scene = (fn(&mut Fs), usize, usize);

/// A simulation of what is on a disk, at rest.
pub(super) fn crawled(fs: Fs) -> Sim {
    let disk = SimDisk::new(fs);
    let mut engine = Engine::new(disk.clone(), start(Bug::None)).unwrap();
    engine.crawl();
    let mut sim = Sim::of(disk, engine, Bug::None);
    sim.check().expect("nothing has happened yet");
    sim
}

/// A pass over what events have told, in which the script is followed.
pub(super) fn settle(sim: &mut Sim, script: Script) {
    sim.deliver();
    sim.engine.look_outside();
    sim.disk.quiet().script = script;
    sim.engine.settle();
}

/// Does what the script still holds. Whether the pass made so many calls that it began in it.
pub(super) fn rest_of_script(sim: &Sim) -> bool {
    let mut fs = sim.disk.quiet();
    let script = std::mem::take(&mut fs.script);
    let was_reached = script[0].0 == 0;
    let rest = script.into_iter().filter(|&(count, _)| count > 0);
    rest.for_each(|(_, act)| act(&mut fs));
    was_reached
}

/// One pass and what comes after it. Whether the pass made so many calls that the script began in it.
fn pass(begin: Begin, script: Script, (make, before, after): Scene) -> (bool, Result<(), String>) {
    let mut fs = Fs::new(1, false);
    fs.pause = usize::MAX;
    fs.watch_limit = before;
    fs.make(ROOT, b"t", FileKind::Dir);
    make(&mut fs);
    let mut sim = crawled(fs);
    sim.disk.quiet().watch_limit = after;
    begin(&mut sim, script);
    let was_reached = rest_of_script(&sim);
    // What changed since a clock of before is not asked here: the seeds do that.
    sim.tick = 0;
    (was_reached, is_right(&mut sim))
}

/// Now, and after what happens next.
fn is_right(sim: &mut Sim) -> Result<(), String> {
    sim.check()?;
    for (path, data) in [
        (&b"r/new"[..], &b"1"[..]),
        (b"r/k.log", b"2"),
        (b"r/.gitignore", b"new"),
    ] {
        write(sim, path, data);
    }
    sim.check()?;
    if sim.disk.quiet().find(ROOT, b"r/.git/info").is_none() {
        return Ok(());
    }
    write(sim, b"r/.git/info/exclude", b"f");
    sim.check()
}

/// Every begin, every script, before every call.
fn all(scene: Scene) {
    let (mut failed, mut tried) = (Vec::new(), 0);
    for (name, begin) in BEGINS {
        for nth in 0..scripts(1).len() {
            for call in 1.. {
                let (what, script) = scripts(call).swap_remove(nth);
                tried += 1;
                let (was_reached, outcome) = pass(begin, script, scene);
                if let Err(error) = outcome {
                    failed.push(format!("{name}, {what} at {call}: {error}"));
                }
                if !was_reached {
                    break;
                }
            }
        }
    }
    assert!(
        failed.is_empty(),
        "{} of {tried} failed:\n{}",
        failed.len(),
        failed.join("\n")
    );
    assert!(tried > 200, "{tried} calls");
}

#[test]
fn a_root_that_goes_away_or_is_replaced_before_any_single_call_is_shown_as_it_is_then() {
    all((project, usize::MAX, usize::MAX));
}

#[test]
fn a_root_that_had_no_watch_is_shown_as_it_is_after_it_went_away_before_any_single_call() {
    all((project, 0, usize::MAX));
}

#[test]
fn a_root_that_gets_no_watch_is_shown_as_it_is_after_it_went_away_before_any_single_call() {
    all((project, usize::MAX, 0));
}

#[test]
fn a_root_without_a_repository_is_shown_as_it_is_after_it_went_away_before_any_single_call() {
    all((folder, usize::MAX, usize::MAX));
}
