//! What is said and not yet written: frames in their order, large ones as they are, small ones joined.
//!
//! Held by `connection`. What must stay true: bytes leave in the order in which they were put, each once; a large piece is
//! not copied on its way, and the memory it lay in is used again.

use std::collections::VecDeque;
use std::io::IoSlice;

/// Larger parts are not joined to others: copying them costs more than naming them.
const JOINED: usize = 16 << 10;
/// Parts that leave in one write at the most.
const AT_ONCE: usize = 8;

/// Bytes on their way out.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    parts: VecDeque<Vec<u8>>,
    /// How much of the first part was written.
    sent: usize,
    waiting: usize,
}

impl From<Vec<u8>> for Outbox {
    fn from(bytes: Vec<u8>) -> Self {
        let mut outbox = Self::default();
        outbox.put(bytes);
        outbox
    }
}

impl Outbox {
    /// Bytes that are not written yet.
    pub(super) fn waiting(&self) -> usize {
        self.waiting
    }

    /// Lays bytes behind all others.
    pub(super) fn put(&mut self, bytes: Vec<u8>) {
        self.waiting += bytes.len();
        match self.parts.back_mut() {
            Some(last) if last.len() + bytes.len() <= JOINED => last.extend_from_slice(&bytes),
            _ if bytes.is_empty() => {}
            _ => self.parts.push_back(bytes),
        }
    }

    /// What is to be written next, in one write.
    pub(super) fn next(&self) -> ([IoSlice<'_>; AT_ONCE], usize) {
        let mut slices = [IoSlice::new(&[]); AT_ONCE];
        let mut count = 0;
        for (slice, part) in slices.iter_mut().zip(&self.parts) {
            let from = if count == 0 { self.sent } else { 0 };
            *slice = IoSlice::new(&part[from..]);
            count += 1;
        }
        (slices, count)
    }

    /// So many bytes were written.
    pub(super) fn wrote(&mut self, count: usize) {
        self.waiting -= count.min(self.waiting);
        self.sent += count;
        while let Some(first) = self.parts.front()
            && self.sent >= first.len()
        {
            self.sent -= first.len();
            if let Some(first) = self.parts.pop_front() {
                proto::piece::give(first);
            }
        }
    }

    /// What was not written.
    pub(super) fn rest(self) -> Vec<u8> {
        let mut all = Vec::with_capacity(self.waiting);
        for part in self.parts {
            all.extend_from_slice(&part);
        }
        all.split_off(self.sent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_leaves_in_order_and_once_whatever_a_write_takes() {
        for taken in [1, 7, 100, JOINED - 1, JOINED, 3 * JOINED, 1 << 20] {
            let mut outbox = Outbox::default();
            let (mut put, mut left) = (Vec::new(), Vec::new());
            for (number, length) in [3, 0, 200, JOINED, 1, JOINED + 5, 64 << 10, 2, 2]
                .into_iter()
                .enumerate()
            {
                let bytes = vec![u8::try_from(number).unwrap(); length];
                put.extend_from_slice(&bytes);
                outbox.put(bytes);
            }
            while outbox.waiting() > 0 {
                let (slices, count) = outbox.next();
                let before = left.len();
                left.extend(slices[..count].iter().flat_map(|slice| slice.iter()).take(taken));
                assert!(left.len() > before, "nothing to write while something waits");
                outbox.wrote(left.len() - before);
                assert_eq!(outbox.waiting(), put.len() - left.len());
                if left.len() > put.len() / 2 {
                    let rest = std::mem::take(&mut outbox).rest();
                    left.extend_from_slice(&rest);
                }
            }
            assert_eq!(left, put, "{taken} at a time");
        }
    }
}
