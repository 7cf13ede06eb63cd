//! The table of legal moves: from which status what leads where. No other place decides that.
//!
//! Asked by `change.rs` and `board.rs`. Pure.

use proto::task::Status::{
    self, Active, Archived, Blocked, Cancelled, Completed, Failed, NeedsRevision, Pending,
};
use proto::{Error, error::Result};

/// What happens to a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Move {
    /// Somebody begins it.
    Start,
    /// Somebody begins it although it is not ready.
    ForceStart,
    /// Its holder gives it back.
    Release,
    /// Its lease expired.
    Expire,
    /// Its lease expired once too often.
    Exhaust,
    /// It is done.
    Complete,
    /// It is returned.
    Return,
    /// It cannot go on.
    Block,
    /// It is impossible.
    Fail,
    /// It is not wanted.
    Cancel,
    /// It is to be done again.
    Reopen,
    /// It is put away.
    Archive,
}

/// Where a move leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum To {
    /// To this status.
    Is(Status),
    /// To what the task was when its holder took it.
    Back,
}

/// A row: the move, the word for it, from which statuses, and where to.
pub struct Row {
    /// The move.
    pub step: Move,
    /// The word in messages.
    pub word: &'static str,
    /// Where it may begin.
    pub from: &'static [Status],
    /// Where it leads.
    pub to: To,
}

const fn row(step: Move, word: &'static str, from: &'static [Status], to: To) -> Row {
    Row { step, word, from, to }
}

/// The table.
pub const TABLE: [Row; 12] = [
    row(
        Move::Start,
        "start",
        &[Pending, Active, NeedsRevision],
        To::Is(Active),
    ),
    row(
        Move::ForceStart,
        "start",
        &[Pending, Active, NeedsRevision, Blocked],
        To::Is(Active),
    ),
    row(Move::Release, "release", &[Active], To::Back),
    row(Move::Expire, "expire", &[Active], To::Back),
    row(Move::Exhaust, "block", &[Active], To::Is(Blocked)),
    row(
        Move::Complete,
        "complete",
        &[Pending, Active, NeedsRevision],
        To::Is(Completed),
    ),
    row(
        Move::Return,
        "return",
        &[Pending, Active, NeedsRevision, Completed],
        To::Is(NeedsRevision),
    ),
    row(
        Move::Block,
        "block",
        &[Pending, Active, NeedsRevision],
        To::Is(Blocked),
    ),
    row(
        Move::Fail,
        "fail",
        &[Pending, Active, NeedsRevision, Blocked],
        To::Is(Failed),
    ),
    row(
        Move::Cancel,
        "cancel",
        &[Pending, Active, NeedsRevision, Blocked],
        To::Is(Cancelled),
    ),
    row(
        Move::Reopen,
        "reopen",
        &[NeedsRevision, Blocked, Completed, Failed, Cancelled, Archived],
        To::Is(Pending),
    ),
    row(
        Move::Archive,
        "delete",
        &[
            Pending,
            Active,
            NeedsRevision,
            Blocked,
            Completed,
            Failed,
            Cancelled,
        ],
        To::Is(Archived),
    ),
];

/// Where `step` leads from `from`; `back` is what the task was when its holder took it.
///
/// # Errors
/// `Refused`, naming what is possible, when the table has no such move.
pub fn lead(step: Move, id: &str, from: Status, back: Option<Status>) -> Result<Status> {
    let row = TABLE.iter().find(|row| row.step == step);
    match row {
        Some(row) if row.from.contains(&from) => Ok(match row.to {
            To::Is(status) => status,
            To::Back => back.unwrap_or(Pending),
        }),
        _ => Err(illegal(row.map_or("change", |row| row.word), id, from)),
    }
}

fn illegal(word: &str, id: &str, from: Status) -> Error {
    let legal = |step: Move| {
        TABLE
            .iter()
            .any(|row| row.step == step && row.from.contains(&from))
    };
    let mut possible: Vec<&str> = TABLE
        .iter()
        .filter(|row| row.from.contains(&from))
        .filter_map(|row| match row.step {
            // Nobody asks for these two.
            Move::Expire | Move::Exhaust => None,
            Move::ForceStart if legal(Move::Start) => None,
            Move::ForceStart => Some("start --force"),
            Move::Return if legal(Move::Complete) => None,
            Move::Return => Some("complete --next-action needs_revision"),
            _ => Some(row.word),
        })
        .collect();
    if from == Archived {
        possible.push("delete --purge");
    }
    possible.sort_unstable();
    possible.dedup();
    Error::refused(format!("cannot {word} `{id}`: it is {}", from.word())).next(format!(
        "from {} a task can go on by: {}",
        from.word(),
        possible.join(", ")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_move_has_exactly_one_row_and_begins_somewhere() {
        for row in &TABLE {
            assert_eq!(TABLE.iter().filter(|other| other.step == row.step).count(), 1);
            assert!(!row.from.is_empty());
        }
    }

    #[test]
    fn what_is_blocked_cannot_be_completed_or_claimed() {
        assert!(lead(Move::Complete, "t", Blocked, None).is_err());
        assert!(lead(Move::Start, "t", Blocked, None).is_err());
        assert_eq!(lead(Move::ForceStart, "t", Blocked, None), Ok(Active));
    }

    #[test]
    fn what_is_closed_goes_on_only_by_being_reopened_returned_or_put_away() {
        for from in [Completed, Failed, Cancelled, Archived] {
            for row in &TABLE {
                let legal = matches!(row.step, Move::Reopen)
                    || (row.step == Move::Archive && from != Archived)
                    || (row.step == Move::Return && from == Completed);
                assert_eq!(
                    lead(row.step, "t", from, None).is_ok(),
                    legal,
                    "{:?} from {from:?}",
                    row.step
                );
            }
        }
    }

    #[test]
    fn every_status_is_reached_and_every_status_can_be_left() {
        for status in Status::ALL {
            let reached = TABLE.iter().any(|row| row.to == To::Is(status));
            assert!(reached, "{status:?} is never reached");
            assert!(
                TABLE.iter().any(|row| row.from.contains(&status)),
                "{status:?} is a trap"
            );
        }
    }

    #[test]
    fn a_task_given_back_is_what_it_was_when_it_was_taken() {
        assert_eq!(
            lead(Move::Release, "t", Active, Some(NeedsRevision)),
            Ok(NeedsRevision)
        );
        assert_eq!(lead(Move::Expire, "t", Active, Some(Pending)), Ok(Pending));
    }

    #[test]
    fn a_refusal_names_what_is_possible() {
        let error = lead(Move::Complete, "t", Failed, None).expect_err("illegal");
        assert_eq!(error.what, "cannot complete `t`: it is failed");
        assert_eq!(
            error.next.as_deref(),
            Some("from failed a task can go on by: delete, reopen")
        );
    }
}
