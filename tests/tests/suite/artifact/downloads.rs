//! `artifact get -o`: what is at the place that is named, and whoever is killed on the way.

use std::os::unix::fs::symlink;
use std::path::Path;

use tests::deadline;

use super::Ground;

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

fn names_in(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("listed");
    entries
        .map(|entry| entry.expect("read").file_name().to_string_lossy().into_owned())
        .collect()
}

#[test]
fn a_download_replaces_no_device_no_pipe_and_no_link() {
    let ground = Ground::new();
    let id = ground.id("a.txt", vec![7_u8; 3 << 20]);
    let work = ground.bed.work();
    let get = |to: &Path| ground.run(&["artifact", "get", &id, "-o", text(to)]);
    let pipe = work.join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.expect("`mkfifo` is there").success());
    let reader = std::thread::spawn({
        let pipe = pipe.clone();
        move || std::fs::read(pipe).expect("read")
    });
    let said = get(&pipe).ok();
    assert_eq!(reader.join().expect("ended"), vec![7_u8; 3 << 20], "{said:?}");
    let kind = pipe.symlink_metadata().expect("there").file_type();
    assert!(!kind.is_file(), "the pipe was replaced");
    // What stands for a device that root could replace as well: a link to one.
    let null = work.join("null");
    symlink("/dev/null", &null).expect("linked");
    get(&null).ok();
    assert!(null.symlink_metadata().expect("there").is_symlink());
    let (file, link) = (work.join("file"), work.join("link"));
    std::fs::write(&file, "old").expect("written");
    symlink(&file, &link).expect("linked");
    get(&link).ok();
    assert!(link.symlink_metadata().expect("there").is_symlink());
    assert_eq!(std::fs::read(&file).expect("there"), vec![7_u8; 3 << 20]);
    std::fs::remove_file(&file).expect("removed");
    let said = get(&link).ends(6);
    assert!(said.err.contains("a link to nothing"), "{said:?}");
    let full = work.join("full");
    symlink("/dev/full", &full).expect("linked");
    let said = get(&full).ends(6);
    assert!(said.err.contains("cannot be written"), "{said:?}");
    assert_eq!(
        names_in(&work)
            .iter()
            .filter(|name| name.ends_with(".part"))
            .count(),
        0
    );
}

#[test]
fn a_download_that_is_killed_leaves_the_whole_file_or_nothing() {
    let ground = Ground::new();
    let id = ground.id("large.bin", vec![7_u8; 24 << 20]);
    let folder = ground.bed.work().join("downloads");
    std::fs::create_dir(&folder).expect("made");
    let file = folder.join("large.bin");
    let mut chance = tests::chance::Chance::new(5);
    for _ in 0..tests::ask::times(8, 100) {
        let mut get = ground
            .bed
            .tocli(["artifact", "get", &id, "-q", "-o", text(&file)]);
        let mut child = get.current_dir(&ground.repo).spawn().expect("started");
        let wait = std::time::Duration::from_millis(chance.number() % 120);
        deadline::within(wait, || child.try_wait().expect("asked"));
        drop(child.kill());
        child.wait().expect("ended");
        match names_in(&folder).as_slice() {
            [] => {}
            [one] if one == "large.bin" => {
                assert_eq!(std::fs::read(&file).expect("there").len(), 24 << 20);
                std::fs::remove_file(&file).expect("removed");
            }
            others => panic!("left behind: {others:?}"),
        }
    }
}
