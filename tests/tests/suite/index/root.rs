//! Roots that go away and come back while somebody listens and nobody asks.

use std::fs;

use tests::ask::times;
use tests::daemon::Bed;

use super::live::begun;
use super::small;

#[test]
fn a_watch_goes_on_in_a_root_that_is_removed_and_made_again_while_nobody_else_asks() {
    let bed = Bed::new();
    let settings = bed.home().join(".config/task-orchestrator");
    fs::create_dir_all(&settings).expect("made");
    fs::write(settings.join("config.yaml"), "watch:\n  poll_seconds: 1\n").expect("written");
    let root = bed.project("project");
    small(&root);
    let mut watch = begun(&bed, &root);
    let mut known = "begin".to_owned();
    for round in 0..times(4, 40) {
        let aside = bed.work().join(format!("aside-{round}"));
        match round % 4 {
            // The same inode may be given again at once.
            0 => fs::remove_dir_all(&root).expect("removed"),
            1 => fs::rename(&root, &aside).expect("moved"),
            // There and gone again before anybody can look.
            2 => {
                fs::remove_dir_all(&root).expect("removed");
                fs::create_dir(&root).expect("made");
                fs::remove_dir(&root).expect("removed");
            }
            _ => {
                fs::remove_dir_all(&root).expect("removed");
                watch.until_gone(&known);
            }
        }
        small(&root);
        let name = format!("again-{round}");
        fs::write(root.join(&name), "1").expect("written");
        watch.until(&name);
        let below = format!("src/deep/er/again-{round}");
        fs::create_dir_all(root.join("src/deep/er")).expect("made");
        fs::write(root.join(&below), "1").expect("written");
        watch.until(&below);
        known = below;
    }
}
