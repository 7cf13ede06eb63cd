//! Standard input as lines of bounded length, and standard output as whole lines: one thread each.
//!
//! Asked by the transport. What must stay true: a line over the limit is told and passed over without being held in memory;
//! a line of output is written whole, in the order in which it was handed over; nothing else ever writes to standard output.

use std::io::{self, Read, Write};
use std::sync::Arc;
use std::sync::mpsc as queue;

use tokio::sync::mpsc;

/// The most bytes of a line: a plan of the greatest size with all its quotes escaped fits.
pub(crate) const MAX_LINE: usize = 2 << 20;

/// What one read takes at the most.
const READ: usize = 64 << 10;

/// Lines read ahead of those being worked on.
const AHEAD: usize = 16;

/// A capacity that is not worth keeping for the next line.
const LARGE: usize = 256 << 10;

/// What came over standard input.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Line {
    /// A line without its end.
    Whole(Vec<u8>),
    /// A line longer than [`MAX_LINE`]; its bytes are gone.
    TooLong,
}

/// Cuts bytes into lines.
#[derive(Debug, Default)]
struct Cutter {
    held: Vec<u8>,
    skipping: bool,
}

impl Cutter {
    /// Takes bytes; gives every line that they complete to `give`, until that says to stop.
    fn take(&mut self, mut bytes: &[u8], give: &mut dyn FnMut(Line) -> bool) -> bool {
        while let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
            let (head, tail) = bytes.split_at(end);
            bytes = tail.get(1..).unwrap_or_default();
            self.hold(head);
            if !self.end(give) {
                return false;
            }
        }
        self.hold(bytes);
        true
    }

    fn hold(&mut self, bytes: &[u8]) {
        if self.skipping {
            return;
        }
        if self.held.len() + bytes.len() > MAX_LINE {
            self.skipping = true;
            self.held = Vec::new();
        } else {
            self.held.extend_from_slice(bytes);
        }
    }

    fn end(&mut self, give: &mut dyn FnMut(Line) -> bool) -> bool {
        if std::mem::take(&mut self.skipping) {
            return give(Line::TooLong);
        }
        if self.held.iter().all(u8::is_ascii_whitespace) {
            self.held.clear();
            return true;
        }
        let line = if self.held.capacity() > LARGE {
            std::mem::take(&mut self.held)
        } else {
            let line = self.held.clone();
            self.held.clear();
            line
        };
        give(Line::Whole(line))
    }
}

/// Reads lines on a thread of their own until the end; then `ended` is called and the queue closes.
pub(crate) fn read(
    mut input: impl Read + Send + 'static,
    ended: impl FnOnce() + Send + 'static,
) -> io::Result<mpsc::Receiver<Line>> {
    let (to, lines) = mpsc::channel(AHEAD);
    crate::thread("lines in", move || {
        let mut cutter = Cutter::default();
        let mut buffer = vec![0; READ];
        let mut give = |line| to.blocking_send(line).is_ok();
        loop {
            match input.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => {
                    if !cutter.take(buffer.get(..count).unwrap_or_default(), &mut give) {
                        break;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
        // A last line without an end is a line.
        let _the_same_end = cutter.end(&mut give);
        ended();
    })?;
    Ok(lines)
}

/// A line on its way out, and what to let go of once it is written.
struct Outgoing {
    bytes: Vec<u8>,
    _held: Option<Held>,
}

/// Something that ends with the line that it belongs to.
pub(crate) type Held = tokio::sync::OwnedSemaphorePermit;

/// The way out: lines are queued and written by a thread of their own.
#[derive(Clone, Debug)]
pub(crate) struct Writer {
    queue: queue::Sender<Outgoing>,
    last: Arc<std::sync::Mutex<Option<queue::Receiver<()>>>>,
}

impl std::fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} bytes", self.bytes.len())
    }
}

impl Writer {
    /// Starts the thread; `broken` is called when nobody reads the output any more.
    pub(crate) fn new(
        mut output: impl Write + Send + 'static,
        broken: impl FnOnce() + Send + 'static,
    ) -> io::Result<Self> {
        let (to, lines) = queue::channel::<Outgoing>();
        let (written, last) = queue::channel::<()>();
        crate::thread("lines out", move || {
            let _held_until_the_last_line_is_written = written;
            for mut line in lines {
                line.bytes.push(b'\n');
                if output
                    .write_all(&line.bytes)
                    .and_then(|()| output.flush())
                    .is_err()
                {
                    broken();
                    return;
                }
            }
        })?;
        Ok(Self {
            queue: to,
            last: Arc::new(std::sync::Mutex::new(Some(last))),
        })
    }

    /// Queues a line, which must hold no end of a line; `held` is let go of when it has been written.
    pub(crate) fn line(&self, bytes: Vec<u8>, held: Option<Held>) {
        // A queue that nobody empties belongs to a process that is ending.
        let _gone = self.queue.send(Outgoing { bytes, _held: held });
    }

    /// Waits until everything queued has been written or `limit` has passed. The last thing that is done with it.
    pub(crate) fn finish(self, limit: std::time::Duration) {
        let Self { queue, last } = self;
        drop(queue);
        let last = last.lock().ok().and_then(|mut last| last.take());
        if let Some(last) = last {
            let _closed_or_late = last.recv_timeout(limit);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(parts: &[&[u8]]) -> Vec<Line> {
        let mut lines = Vec::new();
        let mut cutter = Cutter::default();
        let mut give = |line| {
            lines.push(line);
            true
        };
        for part in parts {
            assert!(cutter.take(part, &mut give));
        }
        assert!(cutter.end(&mut give));
        lines
    }

    fn whole(text: &str) -> Line {
        Line::Whole(text.as_bytes().to_vec())
    }

    #[test]
    fn lines_are_cut_wherever_the_bytes_were() {
        assert_eq!(
            cut(&[b"a\nb", b"c\n\n  \r\n", b"d"]),
            [whole("a"), whole("bc"), whole("d")]
        );
        assert_eq!(cut(&[b""]), []);
    }

    #[test]
    fn a_line_over_the_limit_is_told_and_the_next_one_is_read() {
        let long = vec![b'x'; MAX_LINE];
        assert_eq!(cut(&[&long, b"\n"]).len(), 1);
        assert_eq!(cut(&[&long, b"y", b"z\nnext\n"]), [Line::TooLong, whole("next")]);
        assert_eq!(
            cut(&[&long, b"y"]),
            [Line::TooLong],
            "also when nothing comes after it"
        );
    }
}
