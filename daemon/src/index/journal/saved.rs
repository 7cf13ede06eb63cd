//! The log as it stands in a saved index.
//!
//! What must stay true: a log that is read speaks only of nodes and names that are there, in the order of its ticks, and
//! lets each dead node go once; anything else is refused.

use std::collections::VecDeque;

use super::{Id, Journal, KEPT, Name, Record, Tree, What};
use crate::index::saved::bytes::{Reader, Writer, u32_at, u64_at};

/// Bytes of one record, of one time and of one tick.
const RECORD: usize = 18;
const TIME: usize = 12;
const TICK: usize = 4;

impl Journal {
    /// Writes it.
    pub(in crate::index) fn save(&self, writer: &mut Writer) {
        writer.u32(self.tick);
        writer.u32(self.floor);
        writer.count(self.log.len());
        for record in &self.log {
            let (what, parent, name) = match record.what {
                What::Created => (0, 0, None),
                What::Modified => (1, 0, None),
                What::Deleted => (2, 0, None),
                What::Moved(parent, name) => (3, parent.0, Some(name)),
            };
            writer.u32(record.tick);
            writer.u32(record.node.0);
            writer.u8(what);
            writer.u32(parent);
            writer.u32(name.map_or(0, |name| name.at));
            writer.u8(name.map_or(0, |name| name.len));
        }
        writer.count(self.times.len());
        for &(tick, time) in &self.times {
            writer.u32(tick);
            writer.i64(time);
        }
        writer.count(self.away.len());
        for &tick in &self.away {
            writer.u32(tick);
        }
    }

    /// Reads what [`Journal::save`] wrote, and gives the tree's ids back of which it does not speak.
    pub(in crate::index) fn load(reader: &mut Reader<'_>, tree: &mut Tree) -> Option<Self> {
        let (tick, floor) = (reader.u32()?, reader.u32()?);
        let mut dead = vec![false; tree.ids() as usize];
        let log: VecDeque<Record> = reader
            .records::<RECORD>()?
            .iter()
            .map(|record| read(record, tree, &mut dead))
            .collect::<Option<_>>()?;
        let is_known = |record: &Record| tree.is_attached(record.node) || dead[record.node.0 as usize];
        if !log.iter().all(is_known) || !tree.free_all_but(|id| dead[id.0 as usize]) {
            return None;
        }
        let times: VecDeque<(u32, i64)> = reader
            .records::<TIME>()?
            .iter()
            .map(|time| (u32_at(time, 0), u64_at(time, 4).cast_signed()))
            .collect();
        let away: VecDeque<u32> = reader
            .records::<TICK>()?
            .iter()
            .map(|tick| u32_at(tick, 0))
            .collect();
        let are_in_order = log.iter().is_sorted_by_key(|record| record.tick)
            && times.iter().is_sorted_by_key(|(tick, _)| tick)
            && away.iter().is_sorted();
        let is_within = |at: Option<u32>| at.is_none_or(|at| (floor..=tick).contains(&at));
        let are_within = is_within(log.front().map(|record| record.tick))
            && is_within(log.back().map(|record| record.tick))
            && is_within(times.back().map(|time| time.0));
        let is_right = floor <= tick && tick < u32::MAX && are_in_order && are_within;
        is_right.then_some(Self {
            tick,
            floor,
            log,
            times,
            away,
            is_away: false,
            open: false,
            kept: KEPT,
        })
    }
}

fn read(record: &[u8; RECORD], tree: &Tree, dead: &mut [bool]) -> Option<Record> {
    let node = Id(u32_at(record, 4)).known(tree)?;
    let what = match record[8] {
        0 => What::Created,
        1 => What::Modified,
        2 => {
            let is_dead = &mut dead[node.0 as usize];
            if std::mem::replace(is_dead, true) || tree.is_attached(node) {
                return None;
            }
            What::Deleted
        }
        3 => {
            let name = Name {
                at: u32_at(record, 13),
                len: record[17],
            };
            let is_there = !tree.name_bytes(name).is_empty();
            What::Moved(Id(u32_at(record, 9)).known(tree).filter(|_| is_there)?, name)
        }
        _ => return None,
    };
    Some(Record {
        tick: u32_at(record, 0),
        node,
        what,
    })
}

impl Id {
    fn known(self, tree: &Tree) -> Option<Self> {
        (self.0 < tree.ids()).then_some(self)
    }
}
