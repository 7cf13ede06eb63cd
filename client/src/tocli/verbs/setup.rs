//! `tocli setup`: our server in the settings of a client, shown before, checked after, and taken back on request.
//!
//! No daemon is asked. What must stay true: everything is worked out before the first file is written; what would be
//! refused changes nothing.

use std::path::{Path, PathBuf};

use client::Options;
use proto::{Error, RawPath, error::Result};
use serde::Serialize;
use similar::TextDiff;

use crate::args::setup::{Client, Profile, Words};
use crate::end::End;
use crate::out::{Form, Out};
use crate::quote::cell;
use crate::setup::{self, Edit, Homes, Manifest, State, Wanted};
use crate::voice::Voice;

#[derive(Serialize)]
struct Report {
    client: &'static str,
    program: String,
    changed: bool,
    pieces: Vec<Piece>,
}

#[derive(Serialize)]
struct Piece {
    what: &'static str,
    file: RawPath,
    /// `missing`, `present`, `differs`, `not ours`; after a change `added`, `updated`, `removed`, `restored`.
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    diff: Option<String>,
}

#[derive(Serialize)]
struct Clients {
    clients: Vec<Line>,
}

#[derive(Serialize)]
struct Line {
    client: &'static str,
    what: &'static str,
    file: RawPath,
    /// Whether the folder of the client's settings is there.
    installed: bool,
    state: String,
}

/// What is going to happen to one file.
struct Step {
    wanted: Wanted,
    read: Option<String>,
    /// None when the file is to go.
    text: Option<String>,
    state: &'static str,
    edit: Option<Edit>,
}

/// Sets a client up, checks it, or takes it back.
pub(crate) fn run(
    options: &Options,
    words: &Words,
    out: &mut Out,
    voice: &Voice,
) -> std::result::Result<(), End> {
    let homes = homes(options)?;
    let state = &options.places.state_dir;
    let Some(client) = words.client else {
        return list(&homes, out);
    };
    let programs = programs(words.program.as_deref())?;
    let profile = words.profile.unwrap_or(Profile::Core);
    let wanted = setup::wanted(client, &homes, (&programs.0, &programs.1), profile);
    let manifest = Manifest::load(state, client.word())?;
    if words.check {
        return check(client, &programs.0, wanted, (out, voice));
    }
    let steps: Vec<Step> = if words.remove {
        wanted
            .into_iter()
            .map(|wanted| removal(wanted, &manifest))
            .collect::<Result<_>>()?
    } else {
        if !words.dry_run {
            is_program(&programs.0)?;
        }
        let addition = |wanted| addition(wanted, &manifest, words.force);
        wanted.into_iter().map(addition).collect::<Result<_>>()?
    };
    if !words.dry_run {
        carry_out(&steps, manifest, (state, client))?;
    }
    show(client, programs.0, &steps, (out, voice))?;
    if words.dry_run {
        voice.note("nothing was changed: this was a dry run");
    } else if steps.iter().any(Step::changes) {
        voice.note(&format!("{} reads it when it starts anew", client.word()));
    }
    Ok(())
}

impl Step {
    fn changes(&self) -> bool {
        self.read != self.text
    }
}

fn homes(options: &Options) -> Result<Homes> {
    let var = |name: &str| {
        let value = std::env::var_os(name).map(PathBuf::from);
        value.filter(|path| path.is_absolute())
    };
    let home = options.places.home.clone().ok_or_else(|| {
        Error::usage("nobody's settings can be found").why("`HOME` is not set and the user has no home")
    })?;
    Ok(Homes {
        config: var("XDG_CONFIG_HOME").unwrap_or_else(|| home.join(".config")),
        claude: var("CLAUDE_CONFIG_DIR"),
        codex: var("CODEX_HOME"),
        home,
    })
}

/// The paths of `to-mcp` and `tocli` as text, which is all that the files can hold.
fn programs(server: Option<&Path>) -> Result<(String, String)> {
    let own = std::env::current_exe()
        .map_err(|error| Error::unavailable("this program does not know its own path").why(error))?;
    let server = match server {
        Some(path) => std::path::absolute(path).map_err(|error| {
            Error::usage(format!("`{}` is not the path of a program", path.display())).why(error)
        })?,
        None => own.with_file_name("to-mcp"),
    };
    let text = |path: PathBuf| {
        path.into_os_string().into_string().map_err(|path| {
            Error::usage(format!("the path `{}` is not UTF-8", path.to_string_lossy()))
                .why("settings of clients are text")
                .next("give another one with `--program`")
        })
    };
    Ok((text(server)?, text(own)?))
}

fn is_program(path: &str) -> Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let runs =
        std::fs::metadata(path).is_ok_and(|about| about.is_file() && about.permissions().mode() & 0o111 != 0);
    if runs {
        return Ok(());
    }
    Err(Error::not_found(format!("there is no program `{path}`"))
        .why("the client would fail to start it")
        .next("install it, or name it with `--program`"))
}

/// What putting a piece in comes to.
fn addition(wanted: Wanted, manifest: &Manifest, force: bool) -> Result<Step> {
    let read = setup::read(&wanted.file)?;
    let text = read.clone().unwrap_or_default();
    let found = setup::look(&text, &wanted)?;
    let old = manifest.edit(wanted.what, &wanted.file);
    let state = match found {
        State::Present => {
            return Ok(Step {
                text: read.clone(),
                read,
                state: State::Present.word(),
                edit: old.cloned(),
                wanted,
            });
        }
        State::Missing => "added",
        State::Outdated => "updated",
        State::Foreign if force => "updated",
        State::Foreign => {
            return Err(Error::conflict(format!(
                "`{}` has an entry of this name that is not ours",
                wanted.file.display()
            ))
            .why("it runs another program")
            .next("rename it, or replace it with `--force`: `--remove` brings it back"));
        }
    };
    // From the text before our last change, so that one removal brings back the very first.
    let original = old.and_then(|old| Some((old.undo(&text)?, old.created)));
    let (base, created) = original.unwrap_or((text.clone(), read.is_none()));
    let after = setup::put(&base, &wanted)?;
    let previous = match found {
        State::Foreign => setup::current(&text, &wanted)?,
        _ => old.and_then(|old| old.previous.clone()),
    };
    let mut edit = Edit::new(wanted.what, &wanted.file, &base, &after);
    edit.created = created;
    edit.previous = previous;
    edit.folders = old.map(|old| old.folders.clone()).unwrap_or_default();
    Ok(Step {
        wanted,
        read,
        text: Some(after),
        state,
        edit: Some(edit),
    })
}

/// What taking a piece away comes to.
fn removal(wanted: Wanted, manifest: &Manifest) -> Result<Step> {
    let read = setup::read(&wanted.file)?;
    let old = manifest.edit(wanted.what, &wanted.file).cloned();
    let Some(text) = read.clone() else {
        return Ok(Step {
            wanted,
            read,
            text: None,
            state: State::Missing.word(),
            edit: None,
        });
    };
    let exact = old.as_ref().and_then(|old| old.undo(&text));
    let (after, state) = match exact {
        Some(before) => {
            let gone = before.is_empty() && old.as_ref().is_some_and(|old| old.created);
            ((!gone).then_some(before), "removed")
        }
        None => match setup::look(&text, &wanted)? {
            state @ (State::Missing | State::Foreign) => (Some(text), state.word()),
            State::Present | State::Outdated => {
                let without = setup::take(&text, &wanted)?;
                match old.as_ref().and_then(|old| old.previous.clone()) {
                    None => (Some(without), "removed"),
                    Some(value) => {
                        let theirs = Wanted {
                            value,
                            ..wanted.clone()
                        };
                        (Some(setup::put(&without, &theirs)?), "restored")
                    }
                }
            }
        },
    };
    Ok(Step {
        wanted,
        read,
        text: after,
        state,
        // Its folders are still to be known when the file goes.
        edit: old,
    })
}

/// Writes the manifest, then the files. A removal writes the files first: until they are done it can be repeated.
fn carry_out(steps: &[Step], mut manifest: Manifest, (state, client): (&Path, Client)) -> Result<()> {
    let removing = steps
        .iter()
        .any(|step| matches!(step.state, "removed" | "restored"));
    if removing {
        for step in steps.iter().filter(|step| step.changes()) {
            let folders = step
                .edit
                .as_ref()
                .map(|edit| edit.folders.clone())
                .unwrap_or_default();
            match &step.text {
                Some(text) => drop(setup::write(&step.wanted.file, step.read.as_deref(), text)?),
                None => setup::remove(&step.wanted.file, &folders)?,
            }
        }
        return Manifest::default().save(state, client.word());
    }
    if !steps.iter().any(Step::changes) {
        return Ok(());
    }
    manifest.edits = steps.iter().filter_map(|step| step.edit.clone()).collect();
    manifest.clone().save(state, client.word())?;
    for step in steps.iter().filter(|step| step.changes()) {
        let Some(text) = &step.text else { continue };
        let made = setup::write(&step.wanted.file, step.read.as_deref(), text)?;
        let of_step =
            |edit: &&mut Edit| edit.what == step.wanted.what && edit.file.as_path() == step.wanted.file;
        if let Some(edit) = manifest.edits.iter_mut().find(of_step)
            && !made.is_empty()
        {
            edit.folders = made;
        }
    }
    manifest.save(state, client.word())
}

fn diff(step: &Step) -> Option<String> {
    let before = step.read.as_deref().unwrap_or_default();
    let after = step.text.as_deref().unwrap_or_default();
    if !step.changes() {
        return None;
    }
    let name = step.wanted.file.to_string_lossy();
    // Nothing around the changes: the neighbours of our entry may hold secrets of others.
    let diff = TextDiff::from_lines(before, after);
    Some(
        diff.unified_diff()
            .context_radius(0)
            .header(&name, &name)
            .to_string(),
    )
}

fn show(
    client: Client,
    program: String,
    steps: &[Step],
    (out, _): (&mut Out, &Voice),
) -> std::result::Result<(), End> {
    let pieces: Vec<Piece> = steps
        .iter()
        .map(|step| Piece {
            what: step.wanted.what,
            file: step.wanted.file.as_path().into(),
            state: step.state,
            diff: diff(step),
        })
        .collect();
    if out.form() == Form::Json {
        let report = Report {
            client: client.word(),
            program,
            changed: steps.iter().any(Step::changes),
            pieces,
        };
        out.json(&report)?;
        return Ok(());
    }
    let row = |piece: &Piece| [cell(piece.what), cell(piece.state), out.name(&piece.file)];
    let rows: Vec<_> = pieces.iter().map(row).collect();
    out.table(["WHAT", "STATE", "FILE"], &rows)?;
    for diff in pieces.iter().filter_map(|piece| piece.diff.as_ref()) {
        for line in diff.lines() {
            out.line(line)?;
        }
    }
    Ok(())
}

fn check(
    client: Client,
    program: &str,
    wanted: Vec<Wanted>,
    (out, voice): (&mut Out, &Voice),
) -> std::result::Result<(), End> {
    let mut steps = Vec::new();
    for wanted in wanted {
        let read = setup::read(&wanted.file)?;
        let state = setup::look(read.as_deref().unwrap_or_default(), &wanted)?;
        steps.push(Step {
            text: read.clone(),
            read,
            state: state.word(),
            edit: None,
            wanted,
        });
    }
    let well = steps.iter().all(|step| step.state == State::Present.word());
    show(client, program.to_owned(), &steps, (out, voice))?;
    is_program(program)?;
    if well {
        return Ok(());
    }
    let word = client.word();
    Err(End::Failed(
        Error::not_found(format!("`{word}` is not set up"))
            .why("the list says what is missing or differs")
            .next(format!(
                "run `tocli setup {word}`, with `--dry-run` to see it first"
            )),
    ))
}

/// All clients: which are there, and which are set up.
fn list(homes: &Homes, out: &mut Out) -> std::result::Result<(), End> {
    let (server, tocli) = programs(None)?;
    let mut lines = Vec::new();
    for client in setup::all() {
        for wanted in setup::wanted(client, homes, (&server, &tocli), Profile::Core) {
            let state = match setup::read(&wanted.file)
                .and_then(|text| setup::look(text.as_deref().unwrap_or_default(), &wanted))
            {
                Ok(state) => state.word().to_owned(),
                Err(error) => format!("unreadable: {}", error.why.unwrap_or(error.what)),
            };
            lines.push(Line {
                client: client.word(),
                what: wanted.what,
                installed: wanted
                    .file
                    .parent()
                    .is_some_and(|folder| folder != homes.home && folder.exists())
                    || wanted.file.exists(),
                file: wanted.file.into(),
                state,
            });
        }
    }
    if out.form() == Form::Json {
        out.json(&Clients { clients: lines })?;
        return Ok(());
    }
    let row = |line: &Line| {
        let there = if line.installed { "yes" } else { "no" };
        [
            cell(line.client),
            cell(line.what),
            cell(there),
            cell(&line.state),
            out.name(&line.file),
        ]
    };
    let rows: Vec<_> = lines.iter().map(row).collect();
    out.table(["CLIENT", "WHAT", "INSTALLED", "STATE", "FILE"], &rows)?;
    Ok(())
}
