//! Numbers and strings as they stand in a saved index: little-endian, lengths first.
//!
//! What must stay true: a reader never takes more than there is, and allots nothing that it has not seen the bytes of.

/// Writes.
#[derive(Debug, Default)]
pub(in crate::index) struct Writer {
    pub(in crate::index) bytes: Vec<u8>,
}

impl Writer {
    pub(in crate::index) fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    pub(in crate::index) fn u8(&mut self, number: u8) {
        self.bytes.push(number);
    }

    pub(in crate::index) fn u32(&mut self, number: u32) {
        self.raw(&number.to_le_bytes());
    }

    pub(in crate::index) fn u64(&mut self, number: u64) {
        self.raw(&number.to_le_bytes());
    }

    pub(in crate::index) fn i64(&mut self, number: i64) {
        self.raw(&number.to_le_bytes());
    }

    pub(in crate::index) fn count(&mut self, number: usize) {
        self.u64(number as u64);
    }

    pub(in crate::index) fn text(&mut self, bytes: &[u8]) {
        self.count(bytes.len());
        self.raw(bytes);
    }
}

/// Reads what a [`Writer`] has written.
#[derive(Debug)]
pub(in crate::index) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(in crate::index) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(in crate::index) fn is_at_the_end(&self) -> bool {
        self.rest.is_empty()
    }

    pub(in crate::index) fn raw(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.rest.split_first_chunk::<N>()?;
        self.rest = rest;
        Some(*taken)
    }

    pub(in crate::index) fn u8(&mut self) -> Option<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(in crate::index) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub(in crate::index) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    pub(in crate::index) fn i64(&mut self) -> Option<i64> {
        self.array().map(i64::from_le_bytes)
    }

    /// A number of things of which each takes `size` bytes at least.
    pub(in crate::index) fn count(&mut self, size: usize) -> Option<usize> {
        let count = usize::try_from(self.u64()?).ok()?;
        (count.checked_mul(size)? <= self.rest.len()).then_some(count)
    }

    pub(in crate::index) fn text(&mut self) -> Option<&'a [u8]> {
        let length = self.count(1)?;
        self.raw(length)
    }

    /// As many records of `N` bytes as are announced.
    pub(in crate::index) fn records<const N: usize>(&mut self) -> Option<&'a [[u8; N]]> {
        let count = self.count(N)?;
        let (records, _) = self.raw(count * N)?.as_chunks::<N>();
        Some(records)
    }
}

/// The number at a place of a record; zero beyond its end, which no caller asks for.
pub(in crate::index) fn u32_at(record: &[u8], at: usize) -> u32 {
    let bytes = record.get(at..).and_then(|bytes| bytes.first_chunk());
    u32::from_le_bytes(bytes.copied().unwrap_or_default())
}

/// As [`u32_at`].
pub(in crate::index) fn u64_at(record: &[u8], at: usize) -> u64 {
    let bytes = record.get(at..).and_then(|bytes| bytes.first_chunk());
    u64::from_le_bytes(bytes.copied().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_no_more() {
        let mut writer = Writer::default();
        writer.u8(1);
        writer.u32(2);
        writer.i64(-3);
        writer.text(b"four");
        writer.count(2);
        writer.raw(&[5, 5, 6, 6]);
        let mut reader = Reader::new(&writer.bytes);
        assert_eq!(
            (reader.u8(), reader.u32(), reader.i64()),
            (Some(1), Some(2), Some(-3))
        );
        assert_eq!(reader.text(), Some(b"four".as_slice()));
        assert_eq!(reader.records::<2>(), Some([[5, 5], [6, 6]].as_slice()));
        assert!(reader.is_at_the_end() && reader.u8().is_none());
    }

    #[test]
    fn a_count_that_cannot_be_true_is_refused() {
        let mut writer = Writer::default();
        writer.u64(u64::MAX);
        assert_eq!(Reader::new(&writer.bytes).text(), None);
        assert_eq!(Reader::new(&writer.bytes).records::<44>(), None);
    }
}
