//! `tocli detect` as a whole process, beside the least that a client can be and beside git's own answer.

use std::path::Path;
use std::process::{Command, Stdio};

use proto::hello::{Control, Hello};
use proto::{Request, detect};
use tests::bench::{Row, Samples, Target};
use tests::daemon::{Bed, program};
use tests::wire::ask_frame;

const ROUNDS: usize = 500;

/// Both comparisons.
pub fn rows() -> Vec<Row> {
    let bed = Bed::new();
    let daemon = bed.start();
    let start = crate::detect::project(&bed, "process");
    let file = bed.path().join("asked");
    let hello = Hello::of_this_build(Control::Talk).to_bytes();
    let asked = ask_frame(
        1,
        &start,
        Request::Detect(detect::Request::Find(detect::From::Caller)),
    );
    std::fs::write(&file, [&hello[..], &asked].concat()).expect("the bytes to send");

    let mut ours = silent(bed.tocli(["detect"]), &start);
    let mut minimal = bed.command(program("minimal"));
    minimal.arg(bed.socket()).arg(&file);
    let mut minimal = silent(minimal, &start);
    let mut git = bed.command("git");
    git.args(["rev-parse", "--show-toplevel"]);
    let mut git = silent(git, &start);

    let mut samples = [Samples::default(), Samples::default(), Samples::default()];
    for round in 0..ROUNDS + ROUNDS / 10 {
        for (command, samples) in [&mut ours, &mut minimal, &mut git].into_iter().zip(&mut samples) {
            let mut unused = Samples::default();
            let into = if round < ROUNDS / 10 { &mut unused } else { samples };
            let status = into.time(|| command.status()).expect("it runs");
            assert!(status.success(), "{command:?}: {status}");
        }
    }
    drop(daemon);
    let [ours, minimal, git] = samples.map(|samples| samples.median());
    vec![
        Row::times(
            "`tocli detect`, whole process",
            ours,
            ("minimal client", minimal),
            Target::AtMost(1.3),
        ),
        Row::times(
            "`tocli detect`, whole process",
            ours,
            ("git rev-parse", git),
            Target::AtMost(0.7),
        ),
    ]
}

fn silent(mut command: Command, folder: &Path) -> Command {
    command
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    command
}
