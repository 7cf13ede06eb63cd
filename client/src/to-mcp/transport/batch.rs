//! Several messages on one line, as the revisions before 2025-06-18 allow: their answers leave together.
//!
//! Pure. What must stay true: a batch is answered once, when its last request is, and not at all when it held none.

use std::collections::HashMap;

use serde_json::Value;

/// The batches under way.
#[derive(Debug, Default)]
pub(super) struct Batches {
    last: u64,
    open: HashMap<u64, Batch>,
}

#[derive(Debug, Default)]
struct Batch {
    missing: usize,
    answers: Vec<Value>,
    /// Whether all its messages have been read.
    read: bool,
}

impl Batches {
    /// A new batch.
    pub(super) fn begin(&mut self) -> u64 {
        self.last += 1;
        self.open.insert(self.last, Batch::default());
        self.last
    }

    /// A request of it is under way.
    pub(super) fn expect(&mut self, batch: u64) {
        if let Some(open) = self.open.get_mut(&batch) {
            open.missing += 1;
        }
    }

    /// Keeps what is said of a message that is not under way.
    pub(super) fn put(&mut self, batch: u64, answer: Value) {
        if let Some(open) = self.open.get_mut(&batch) {
            open.answers.push(answer);
        }
    }

    /// Keeps an answer; gives all of them when it was the last one.
    pub(super) fn answer(&mut self, batch: u64, answer: Value) -> Option<Value> {
        let open = self.open.get_mut(&batch)?;
        open.answers.push(answer);
        open.missing = open.missing.saturating_sub(1);
        self.ended(batch)
    }

    /// A request of it gets no answer.
    pub(super) fn give_up(&mut self, batch: u64) -> Option<Value> {
        let open = self.open.get_mut(&batch)?;
        open.missing = open.missing.saturating_sub(1);
        self.ended(batch)
    }

    /// All its messages have been read.
    pub(super) fn complete(&mut self, batch: u64) -> Option<Value> {
        self.open.get_mut(&batch)?.read = true;
        self.ended(batch)
    }

    fn ended(&mut self, batch: u64) -> Option<Value> {
        let open = self.open.get(&batch)?;
        if open.missing > 0 || !open.read {
            return None;
        }
        let answers = self.open.remove(&batch)?.answers;
        (!answers.is_empty()).then_some(Value::Array(answers))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_batch_is_answered_once_and_whole() {
        let mut batches = Batches::default();
        let batch = batches.begin();
        batches.expect(batch);
        batches.put(batch, json!(0));
        batches.expect(batch);
        assert_eq!(batches.answer(batch, json!(1)), None);
        assert_eq!(batches.complete(batch), None);
        assert_eq!(batches.answer(batch, json!(2)), Some(json!([0, 1, 2])));
        assert_eq!(batches.answer(batch, json!(3)), None, "it is over");
    }

    #[test]
    fn answers_before_the_last_message_was_read_wait_for_it() {
        let mut batches = Batches::default();
        let batch = batches.begin();
        batches.expect(batch);
        assert_eq!(batches.answer(batch, json!(1)), None);
        assert_eq!(batches.complete(batch), Some(json!([1])));
    }

    #[test]
    fn a_batch_without_requests_is_not_answered() {
        let mut batches = Batches::default();
        let batch = batches.begin();
        assert_eq!(batches.complete(batch), None);
        let batch = batches.begin();
        batches.expect(batch);
        assert_eq!(batches.give_up(batch), None);
        assert_eq!(batches.complete(batch), None);
    }
}
