//! The tour of the README, run as it is written.

use std::process::Stdio;

use tests::daemon::{Bed, program};
use tests::process;

/// The lines of the first block of shell under a heading.
fn block(readme: &str, heading: &str) -> String {
    let (_, rest) = readme
        .split_once(&format!("\n## {heading}\n"))
        .expect("the heading is there");
    let (_, rest) = rest.split_once("```sh\n").expect("a block of shell follows");
    let (block, _) = rest.split_once("```\n").expect("the block ends");
    block.to_owned()
}

#[test]
fn the_tour_of_the_readme_works_as_it_is_written() {
    let readme = std::fs::read_to_string(super::tidy::root().join("README.md")).expect("read");
    let tour = block(&readme, "Five minutes with its memory");
    let bed = Bed::new();
    let bin = program("tocli").parent().expect("a folder").to_path_buf();
    let mut path = bin.into_os_string();
    path.push(":");
    path.push(std::env::var_os("PATH").unwrap_or_default());
    let mut shell = bed.command("bash");
    shell
        .args(["-euo", "pipefail", "-c", &tour])
        .env("PATH", path)
        .stdin(Stdio::null());
    let said = process::run(&mut shell).ok();
    let out = String::from_utf8_lossy(&said.out);
    for words in [
        "Three hinges of brass",
        "Hinges of brass",
        "shopping.md",
        "The frame is 2 mm out of true",
        "task.complete",
    ] {
        assert!(out.contains(words), "{words}: {said:?}");
    }
    let door = bed.work().join("door");
    let json = |line: &str| {
        let words = line.split(' ').chain(["--json"]);
        process::run(bed.tocli(words).current_dir(&door)).ok().json()
    };
    assert_eq!(json("task show door")["status"], "completed");
    assert_eq!(json("audit verify")["whole"], true);
    let kept = &json("artifact list")["artifacts"][0];
    let file = std::fs::read_to_string(kept["path"].as_str().expect("a path")).expect("read");
    assert_eq!(file, "Three of brass, 80 mm\n");
}
