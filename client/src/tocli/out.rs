//! Standard output: JSON, tables for people, or lines for pipes.
//!
//! Asked by everything that renders. What must stay true: names and texts come from outside, so nothing in them reaches
//! a terminal as a command, and no name in a pipe can look like two.

use std::io::{self, IsTerminal as _, Write};

use proto::RawPath;
use serde::Serialize;

use crate::closed;
use crate::fit;
use crate::quote::{cell, inert, inert_json, quoted};

/// The version of what `--json` prints: it rises with the first release in which a field has changed its meaning or is gone.
pub(crate) const SCHEMA_VERSION: u32 = 1;

/// For whom standard output is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// One object, on one line or for eyes.
    Json,
    /// Aligned, with headings.
    Terminal,
    /// A row a line, tabs between fields.
    Pipe,
}

/// Whether text may be coloured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Colour {
    /// It may.
    Yes,
    /// It must not.
    No,
}

/// Where rendered answers go.
pub(crate) struct Out {
    to: Box<dyn Write>,
    form: Form,
    colour: Colour,
    pretty: bool,
    /// How wide a table may be; none where it may be as wide as it is.
    columns: Option<usize>,
    /// The beginning of a letter whose end has not come yet.
    begun: Vec<u8>,
}

#[derive(Serialize)]
struct Versioned<'a, T> {
    schema_version: u32,
    #[serde(flatten)]
    rest: &'a T,
}

impl Out {
    /// Standard output, as wished and as it is.
    pub(crate) fn stdout(json: bool, colour: Colour) -> Self {
        let stdout = io::stdout();
        let terminal = stdout.is_terminal();
        let form = match (json, terminal) {
            (true, _) => Form::Json,
            (false, true) => Form::Terminal,
            (false, false) => Form::Pipe,
        };
        let to: Box<dyn Write> = match closed::at_start() {
            true => Box::new(closed::Shut),
            false => Box::new(stdout.lock()),
        };
        Self {
            to: Box::new(io::BufWriter::with_capacity(32 << 10, to)),
            form,
            colour: if terminal { colour } else { Colour::No },
            pretty: terminal,
            columns: (form == Form::Terminal).then(fit::columns).flatten(),
            begun: Vec::new(),
        }
    }

    #[cfg(test)]
    pub(crate) fn to(to: impl Write + 'static, form: Form) -> Self {
        Self {
            to: Box::new(to),
            form,
            colour: Colour::No,
            pretty: false,
            columns: None,
            begun: Vec::new(),
        }
    }

    pub(crate) fn form(&self) -> Form {
        self.form
    }

    /// Whether nobody reads standard output any more, which would be found out at the next write only.
    pub(crate) fn reader_gone(&self) -> bool {
        use rustix::event::{PollFd, PollFlags, Timespec, poll};
        let stdout = io::stdout();
        let mut asked = [PollFd::new(&stdout, PollFlags::empty())];
        let now = Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        poll(&mut asked, Some(&now)).is_ok_and(|count| count > 0)
            && asked[0].revents().contains(PollFlags::ERR)
    }

    pub(crate) fn flush(&mut self) -> io::Result<()> {
        let begun = std::mem::take(&mut self.begun);
        self.to.write_all(&spelt(&begun))?;
        self.to.flush()
    }

    /// One object with the version of its schema first.
    pub(crate) fn json(&mut self, value: &impl Serialize) -> io::Result<()> {
        self.json_as(value, self.pretty)
    }

    /// The same on one line, whoever reads it.
    pub(crate) fn json_line(&mut self, value: &impl Serialize) -> io::Result<()> {
        self.json_as(value, false)
    }

    fn json_as(&mut self, value: &impl Serialize, pretty: bool) -> io::Result<()> {
        let value = Versioned {
            schema_version: SCHEMA_VERSION,
            rest: value,
        };
        let text = if pretty {
            serde_json::to_string_pretty(&value)?
        } else {
            serde_json::to_string(&value)?
        };
        self.to.write_all(inert_json(&text).as_bytes())?;
        self.to.write_all(b"\n")
    }

    /// Bytes as they are.
    pub(crate) fn raw(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.to.write_all(bytes)
    }

    /// A piece of what somebody else wrote: as it is for a pipe, its commands spelt out on a terminal.
    pub(crate) fn foreign(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.form != Form::Terminal {
            return self.raw(bytes);
        }
        let mut whole = std::mem::take(&mut self.begun);
        whole.extend_from_slice(bytes);
        let mut chunks = whole.utf8_chunks().peekable();
        while let Some(chunk) = chunks.next() {
            self.to.write_all(inert(chunk.valid()).as_bytes())?;
            let invalid = chunk.invalid();
            let unfinished = || std::str::from_utf8(invalid).is_err_and(|error| error.error_len().is_none());
            if chunks.peek().is_none() && unfinished() {
                self.begun = invalid.to_vec();
            } else {
                self.to.write_all(&spelt(invalid))?;
            }
        }
        Ok(())
    }

    /// A line of text of our own or of the daemon's.
    pub(crate) fn line(&mut self, text: &str) -> io::Result<()> {
        writeln!(self.to, "{}", inert(text))
    }

    /// A line of several cells' worth of text, already made with [`Out::name`] or [`inert`].
    pub(crate) fn cell_line(&mut self, cell: &[u8]) -> io::Result<()> {
        self.to.write_all(cell)?;
        self.to.write_all(b"\n")
    }

    /// A name as it is shown: as git shows it with `core.quotePath=false`, and on a terminal with nothing left that it
    /// could take for a command.
    pub(crate) fn name(&self, name: &RawPath) -> Vec<u8> {
        quoted(name.as_bytes(), self.form == Form::Terminal)
    }

    /// A text for a cell: all of it for a pipe, its beginning where a table is for eyes.
    pub(crate) fn prose(&self, text: &str, columns: usize) -> Vec<u8> {
        let whole = cell(text);
        match self.form {
            Form::Terminal => fit::cut(whole, columns),
            Form::Json | Form::Pipe => whole,
        }
    }

    fn strong(&self, text: &str) -> String {
        match self.colour {
            Colour::Yes => format!("\x1b[1m{text}\x1b[0m"),
            Colour::No => text.to_owned(),
        }
    }

    /// Names of fields and their values.
    pub(crate) fn pairs(&mut self, pairs: &[(&str, Vec<u8>)]) -> io::Result<()> {
        let width = pairs.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
        for (name, value) in pairs {
            if self.form == Form::Terminal {
                let gap = " ".repeat(width - name.len() + 2);
                write!(self.to, "{}{gap}", self.strong(name))?;
            } else {
                write!(self.to, "{name}\t")?;
            }
            self.cell_line(value)?;
        }
        Ok(())
    }

    /// Rows under headings; the headings are for eyes only.
    pub(crate) fn table<const N: usize>(
        &mut self,
        heads: [&str; N],
        rows: &[[Vec<u8>; N]],
    ) -> io::Result<()> {
        self.table_of((heads, &[]), rows)
    }

    /// The same with columns of prose, by their headings, which are shortened where the terminal is too narrow.
    pub(crate) fn table_of<const N: usize>(
        &mut self,
        (heads, prose): ([&str; N], &[&str]),
        rows: &[[Vec<u8>; N]],
    ) -> io::Result<()> {
        if self.form != Form::Terminal {
            for row in rows {
                self.cell_line(&row.join(&b'\t'))?;
            }
            return Ok(());
        }
        if rows.is_empty() {
            return Ok(());
        }
        let needed = std::array::from_fn(|column| {
            let cells = rows.iter().map(|row| fit::width(&row[column]));
            cells.chain([heads[column].len()]).max().unwrap_or_default()
        });
        let widths = match self.columns {
            Some(columns) => fit::fitted((heads, prose), needed, columns),
            None => needed,
        };
        let gap = |column: usize, taken: usize| match column + 1 < N {
            true => " ".repeat(widths[column] - taken + fit::GAP),
            false => String::new(),
        };
        for (column, head) in heads.iter().enumerate() {
            write!(self.to, "{}{}", self.strong(head), gap(column, head.len()))?;
        }
        writeln!(self.to)?;
        for row in rows {
            for (column, cell) in row.iter().enumerate() {
                let cell = fit::cut(cell.clone(), widths[column]);
                self.to.write_all(&cell)?;
                write!(self.to, "{}", gap(column, fit::width(&cell)))?;
            }
            writeln!(self.to)?;
        }
        Ok(())
    }
}

/// Bytes that are no text, spelt out.
fn spelt(bytes: &[u8]) -> Vec<u8> {
    bytes
        .iter()
        .flat_map(|byte| format!("\\x{byte:02x}").into_bytes())
        .collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    /// A place to write to and to look at afterwards.
    #[derive(Clone, Default)]
    pub(crate) struct Page(Arc<Mutex<Vec<u8>>>);

    impl Write for Page {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("not poisoned").extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What is written in a form.
    pub(crate) fn written(form: Form, write: impl FnOnce(&mut Out) -> io::Result<()>) -> String {
        let page = Page::default();
        write(&mut Out::to(page.clone(), form)).expect("written");
        let bytes = page.0.lock().expect("not poisoned").clone();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    #[test]
    fn tables_are_aligned_for_eyes_and_tabbed_for_pipes() {
        let rows = [["a".into(), "1".into()], ["long".into(), "2".into()]];
        let table = |out: &mut Out| out.table(["NAME", "N"], &rows);
        assert_eq!(written(Form::Terminal, table), "NAME  N\na     1\nlong  2\n");
        assert_eq!(written(Form::Pipe, table), "a\t1\nlong\t2\n");
    }

    #[test]
    fn a_table_is_as_wide_as_the_terminal_and_its_columns_stand_below_each_other() {
        let rows = [
            ["t_1".into(), "日本語の長い題名です".into(), "ready".into()],
            ["t_22".into(), "short".into(), "open".into()],
        ];
        let page = Page::default();
        let mut out = Out::to(page.clone(), Form::Terminal);
        out.columns = Some(26);
        out.table_of((["TASK", "TITLE", "STATE"], &["TITLE"]), &rows)
            .expect("written");
        let shown = String::from_utf8(page.0.lock().expect("not poisoned").clone()).expect("text");
        let expected = "TASK  TITLE          STATE\n\
                        t_1   日本語の長い…  ready\n\
                        t_22  short          open\n";
        assert_eq!(shown, expected);
    }

    #[test]
    fn what_others_wrote_commands_no_terminal_wherever_its_pieces_end() {
        let text = "a\u{1b}[31mß\u{9b}2J\n\u{202e}".as_bytes();
        let text = [text, b"\xff\xc3"].concat();
        let shown = |form, size: usize| {
            written(form, |out| {
                text.chunks(size).try_for_each(|piece| out.foreign(piece))?;
                out.flush()
            })
        };
        for size in 1..=text.len() {
            let expected = "a\\u{1b}[31mß\\u{9b}2J\n\\u{202e}\\xff\\xc3";
            assert_eq!(shown(Form::Terminal, size), expected, "in pieces of {size}");
        }
        assert_eq!(shown(Form::Pipe, 3), String::from_utf8_lossy(&text));
    }

    #[test]
    fn long_texts_are_cut_for_eyes_only() {
        let long = "x".repeat(50);
        let show = |out: &mut Out| out.cell_line(&out.prose(&long, 10));
        assert_eq!(written(Form::Terminal, show), "xxxxxxxxx…\n");
        assert_eq!(written(Form::Pipe, show), format!("{long}\n"));
    }

    #[test]
    fn the_version_of_the_schema_is_the_first_field() {
        #[derive(Serialize)]
        struct Answer {
            a: u8,
        }
        let json = written(Form::Json, |out| out.json(&Answer { a: 1 }));
        assert_eq!(json, "{\"schema_version\":1,\"a\":1}\n");
    }
}
