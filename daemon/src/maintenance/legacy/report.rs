//! What became of everything that was found: the books of an import. Pure.
//!
//! What must stay true: whatever was found is imported, was there already, or is skipped with the reason; lists in the
//! answer are bounded, counts are not.

use proto::maintenance::{Counts, Legacy, Mapped, Skipped};

/// The most entries of each list: all of them fit into a frame.
const LISTED: usize = 500;
/// The most bytes of an id or a reason in a list.
const LONGEST: usize = 300;

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Breakdowns and subtasks.
    Task,
    /// That one task waits for another.
    Dependency,
    /// Results that a record names.
    Artifact,
    /// Decisions.
    Decision,
    /// What was done to files.
    FileOperation,
    /// Tasks that were put away.
    Archive,
    /// Files of results that no record names.
    UnlistedFile,
}

impl Kind {
    /// The word in `skipped`.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Task => "task",
            Self::Dependency => "dependency",
            Self::Artifact => "artifact",
            Self::Decision => "decision",
            Self::FileOperation => "file_operation",
            Self::Archive => "archive",
            Self::UnlistedFile => "unlisted_file",
        }
    }

    /// The kind with this word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        let all = [
            Self::Task,
            Self::Dependency,
            Self::Artifact,
            Self::Decision,
            Self::FileOperation,
            Self::Archive,
            Self::UnlistedFile,
        ];
        all.into_iter().find(|kind| kind.word() == word)
    }

    fn of(self, counts: &mut Counts) -> &mut u64 {
        match self {
            Self::Task => &mut counts.tasks,
            Self::Dependency => &mut counts.dependencies,
            Self::Artifact => &mut counts.artifacts,
            Self::Decision => &mut counts.decisions,
            Self::FileOperation => &mut counts.file_operations,
            Self::Archive => &mut counts.archives,
            Self::UnlistedFile => &mut counts.unlisted_files,
        }
    }
}

/// The books.
#[derive(Clone, Debug, Default)]
pub struct Report(pub Legacy);

impl Report {
    /// Something was there.
    pub fn found(&mut self, kind: Kind) {
        *kind.of(&mut self.0.found) += 1;
    }

    /// It came in.
    pub fn imported(&mut self, kind: Kind) {
        *kind.of(&mut self.0.imported) += 1;
    }

    /// It had come in before.
    pub fn there(&mut self, kind: Kind) {
        *kind.of(&mut self.0.already_there) += 1;
    }

    /// It does not come in.
    pub fn skip(&mut self, kind: Kind, id: &str, why: &str) {
        *kind.of(&mut self.0.skipped_counts) += 1;
        if self.0.skipped.len() < LISTED {
            self.0.skipped.push(Skipped {
                what: kind.word().to_owned(),
                id: short(id),
                why: short(why),
            });
        }
    }

    /// It has another id here.
    pub fn mapped(&mut self, kind: Kind, (id, to): (&str, &str), why: &str) {
        if self.0.mapped.len() < LISTED {
            self.0.mapped.push(Mapped {
                what: kind.word().to_owned(),
                id: short(id),
                to: to.to_owned(),
                why: short(why),
            });
        }
    }

    /// Somebody should know it.
    pub fn warn(&mut self, what: &str) {
        match self.0.warnings.len() {
            count if count < LISTED => self.0.warnings.push(short(what)),
            LISTED => self.0.warnings.push("there were more warnings".to_owned()),
            _ => {}
        }
    }
}

/// Cut, control characters made visible.
fn short(text: &str) -> String {
    let (kept, cut) = crate::task::rules::cut(text, LONGEST);
    let mut kept: String = kept
        .chars()
        .map(|letter| if letter.is_control() { '\u{fffd}' } else { letter })
        .collect();
    if cut {
        kept.push('…');
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_books_add_up_when_the_lists_are_cut() {
        let mut report = Report::default();
        for number in 0..2000 {
            report.found(Kind::Dependency);
            report.skip(Kind::Dependency, &format!("a\nb{number}"), &"x".repeat(10_000));
            report.warn("w");
        }
        let legacy = report.0;
        assert_eq!(
            (legacy.found.dependencies, legacy.skipped_counts.dependencies),
            (2000, 2000)
        );
        assert_eq!(
            (legacy.skipped.len(), legacy.warnings.len()),
            (LISTED, LISTED + 1)
        );
        assert!(!legacy.skipped[0].id.contains('\n') && legacy.skipped[0].why.len() < 400);
        for kind in [Kind::Task, Kind::UnlistedFile] {
            assert_eq!(Kind::parse(kind.word()), Some(kind));
        }
    }
}
