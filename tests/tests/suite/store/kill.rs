//! `kill -9` at moments nobody chose.

use daemon::db::Source;
use tests::store::{commits, open};

use super::{Dice, Writer, nothing_lost, writer_program};

#[test]
fn a_thousand_acknowledged_writes_survive_kills_at_random_moments() {
    let state = tempfile::tempdir().expect("a folder");
    let mut dice = Dice(7);
    let (mut total, mut rounds) = (0, 0);
    while total < 1_000 || rounds < 12 {
        let before = total;
        let mut writer = Writer::start(state.path(), 4, 0);
        // Some are killed while they open.
        let enough = if rounds % 4 == 3 { 0 } else { 50 + dice.count(150) };
        writer.wait_for(enough);
        let acknowledged = writer.kill();
        let opened = open(state.path(), &writer_program()).expect("it opens");
        assert!(
            matches!(opened.recovery.source, Source::Fresh | Source::AsLeft),
            "{:?}",
            opened.recovery
        );
        let found = commits(&opened.db);
        nothing_lost(&acknowledged, &found);
        total = found.values().map(|&count| count as usize).sum();
        assert!(total >= before, "what an earlier round had stored is there");
        // Every other round goes on from a crash, not from a clean close.
        if rounds % 2 == 0 {
            opened.db.close().expect("it closes");
        }
        rounds += 1;
    }
}
