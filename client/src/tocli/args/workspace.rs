//! The words of `tocli workspace`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueHint};
use proto::detect::From;
use proto::workspace::{self, Seed, Which};
use proto::{Caller, Error, Request, error::Result, maintenance};

use super::task::Common;
use super::{Question, Where, absolute, from_here};

/// The verbs.
#[derive(Debug, Subcommand)]
pub(crate) enum Words {
    /// All workspaces, the one used last first
    #[command(visible_alias = "ls")]
    List {
        /// Also those that were forgotten and can be restored
        #[arg(long, visible_alias = "all", short_alias = 'a')]
        forgotten: bool,
    },
    /// One workspace and what it holds
    #[command(alias = "info")]
    Show(Chosen),
    /// Where a workspace keeps its things
    ShowLocation(Chosen),
    /// Register a project and make its folder
    #[command(alias = "init", alias = "add")]
    Create(Create),
    /// Give a workspace another name
    Rename {
        /// The workspace, unless it is the one of the working directory, and the new name
        #[arg(value_names = ["WORKSPACE", "NAME"], num_args = 1..=2, required = true)]
        names: Vec<String>,
        #[command(flatten)]
        at: Where,
    },
    /// Say where a project that was moved is now
    #[command(alias = "mv", alias = "move")]
    Relocate {
        /// Id or name
        workspace: String,
        /// Where it is now
        #[arg(default_value = ".")]
        to: PathBuf,
        /// Although the directory is not the one on record (another device or inode)
        #[arg(long)]
        confirm: bool,
    },
    /// Take a workspace off the list; its records can be restored for 30 days, its files stay
    Forget {
        /// Id or name
        #[arg(required_unless_present = "path")]
        workspace: Option<String>,
        #[command(flatten)]
        at: Where,
    },
    /// Put a forgotten workspace back
    #[command(alias = "unforget")]
    Restore {
        /// Its id, from `workspace list --forgotten`
        id: String,
    },
    /// Write all that is kept of a workspace into one file of JSON lines
    Export {
        /// The file, which must not exist; `-` for standard output
        #[arg(value_name = "FILE", default_value = "-", value_hint = ValueHint::FilePath)]
        file: PathBuf,
        /// Replace a file that is there
        #[arg(long)]
        force: bool,
        #[command(flatten)]
        common: Common,
    },
    /// Take in what `workspace export` wrote: all of it, or nothing
    Import {
        /// The file; `-` for standard input
        #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
        file: PathBuf,
        /// Only say what would be done
        #[arg(long, short = 'n')]
        dry_run: bool,
        #[command(flatten)]
        common: Common,
    },
    /// Check that no workspace can reach the records or files of another
    ValidateIsolation {
        /// Also write the report, as JSON, into this file
        #[arg(long, value_name = "FILE")]
        report: Option<PathBuf>,
    },
}

/// One workspace.
#[derive(Args, Debug)]
pub(crate) struct Chosen {
    /// Id or name [default: the one of the working directory]
    workspace: Option<String>,
    #[command(flatten)]
    at: Where,
}

impl Chosen {
    fn which(&self, caller: &Caller) -> Result<Which> {
        which(self.workspace.as_ref(), &self.at, caller)
    }
}

fn which(name: Option<&String>, at: &Where, caller: &Caller) -> Result<Which> {
    match (name, &at.path) {
        (Some(name), None) => Ok(Which::Named(name.clone())),
        (None, _) => at.from(caller).map(Which::At),
        (Some(name), Some(_)) => Err(
            Error::usage(format!("both `{name}` and `--path` say which workspace"))
                .next("leave out one of them"),
        ),
    }
}

/// `create`.
#[derive(Args, Debug)]
pub(crate) struct Create {
    /// The project [default: the one of the working directory]
    path: Option<PathBuf>,
    /// This directory is the project, whatever is found in it
    #[arg(long, value_name = "DIR", conflicts_with = "path")]
    explicit: Option<PathBuf>,
    /// Its name [default: the directory's]
    #[arg(long)]
    name: Option<String>,
    /// Begin with the settings and roles of a built-in template
    #[arg(long, value_name = "TEMPLATE")]
    template: Option<String>,
    /// Begin with the settings and roles of another workspace
    #[arg(long, value_name = "WORKSPACE", conflicts_with = "template")]
    from_existing: Option<String>,
}

impl Create {
    fn request(&self, caller: &Caller) -> Result<workspace::Request> {
        let at = match (&self.path, &self.explicit) {
            (_, Some(path)) => From::Explicit(absolute(path, caller)?),
            (Some(path), None) => From::Start(absolute(path, caller)?),
            (None, None) => from_here(caller)?,
        };
        let seed = match (&self.template, &self.from_existing) {
            (Some(template), _) => Seed::Template(template.clone()),
            (None, Some(workspace)) => Seed::Existing(workspace.clone()),
            (None, None) => Seed::Empty,
        };
        Ok(workspace::Request::Create {
            at,
            name: self.name.clone(),
            seed,
        })
    }
}

impl Words {
    /// Whether a whole workspace goes out or in, which is not one question and one answer.
    pub(crate) fn is_exchange(&self) -> bool {
        matches!(self, Self::Export { .. } | Self::Import { .. })
    }

    pub(crate) fn question(&self, caller: &Caller) -> Result<Question> {
        let request = match self {
            Self::List { forgotten } => workspace::Request::List {
                forgotten: *forgotten,
            },
            Self::Show(chosen) => workspace::Request::Show(chosen.which(caller)?),
            Self::ShowLocation(chosen) => workspace::Request::ShowLocation(chosen.which(caller)?),
            Self::Create(create) => create.request(caller)?,
            Self::Rename { names, at } => {
                let (name, workspace) = match names.as_slice() {
                    [workspace, name] => (name, Some(workspace)),
                    [name] => (name, None),
                    _ => {
                        return Err(Error::usage(
                            "`rename` takes a new name, and a workspace before it",
                        ));
                    }
                };
                workspace::Request::Rename {
                    which: which(workspace, at, caller)?,
                    name: name.clone(),
                }
            }
            Self::Relocate {
                workspace,
                to,
                confirm,
            } => workspace::Request::Relocate {
                which: Which::Named(workspace.clone()),
                to: absolute(to, caller)?,
                confirmed: *confirm,
            },
            Self::Forget { workspace, at } => {
                workspace::Request::Forget(which(workspace.as_ref(), at, caller)?)
            }
            Self::Restore { id } => workspace::Request::Restore { id: id.clone() },
            Self::ValidateIsolation { .. } => workspace::Request::ValidateIsolation,
            Self::Export { common, .. } => return exchange(common, maintenance::Request::Export, caller),
            Self::Import {
                file,
                dry_run,
                common,
            } => {
                let request = maintenance::Request::Import {
                    path: absolute(file, caller)?,
                    dry_run: *dry_run,
                };
                return exchange(common, request, caller);
            }
        };
        Ok(Question::soon(Request::Workspace(request)))
    }
}

/// All of a workspace, out or in: for as long as it takes.
fn exchange(common: &Common, what: maintenance::Request, caller: &Caller) -> Result<Question> {
    let at = common.at(caller)?;
    Ok(Question {
        request_id: common.request_id.clone(),
        ..Question::patient(Request::Maintenance(Box::new(maintenance::Call { at, what })))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::tests::{asked, wrong};

    fn is(line: &str, request: workspace::Request) {
        assert_eq!(
            asked(line),
            Ok(Question::soon(Request::Workspace(request))),
            "{line}"
        );
    }

    #[test]
    fn words_of_the_registry_become_its_requests() {
        let named = |name: &str| Which::Named(name.to_owned());
        is("workspace ls", workspace::Request::List { forgotten: false });
        is(
            "ws list --forgotten",
            workspace::Request::List { forgotten: true },
        );
        is(
            "workspace show",
            workspace::Request::Show(Which::At(From::Caller)),
        );
        is("workspace show ws_1", workspace::Request::Show(named("ws_1")));
        is(
            "workspace show-location x",
            workspace::Request::ShowLocation(named("x")),
        );
        is("workspace forget x", workspace::Request::Forget(named("x")));
        is(
            "workspace restore ws_1",
            workspace::Request::Restore { id: "ws_1".into() },
        );
        is(
            "workspace validate-isolation --report r",
            workspace::Request::ValidateIsolation,
        );
        is(
            "workspace rename new",
            workspace::Request::Rename {
                which: Which::At(From::Caller),
                name: "new".into(),
            },
        );
        is(
            "workspace rename old new",
            workspace::Request::Rename {
                which: named("old"),
                name: "new".into(),
            },
        );
        is(
            "workspace relocate old --confirm",
            workspace::Request::Relocate {
                which: named("old"),
                to: "/home/a".into(),
                confirmed: true,
            },
        );
        is(
            "workspace create b --name n --template rust",
            workspace::Request::Create {
                at: From::Start("/home/a/b".into()),
                name: Some("n".into()),
                seed: Seed::Template("rust".into()),
            },
        );
    }

    #[test]
    fn an_export_goes_to_standard_output_and_an_import_names_an_absolute_path() {
        let what = |line: &str| match asked(line).map(|question| question.request) {
            Ok(Request::Maintenance(call)) => call.what,
            other => panic!("{line}: {other:?}"),
        };
        assert_eq!(what("workspace export"), maintenance::Request::Export);
        assert_eq!(what("ws export x -w ws_1 --force"), maintenance::Request::Export);
        let import = maintenance::Request::Import {
            path: "/home/a/../x".into(),
            dry_run: true,
        };
        assert_eq!(what("workspace import ../x --dry-run"), import);
        assert!(wrong("workspace import"));
    }

    #[test]
    fn forgetting_names_its_workspace_and_two_names_for_one_thing_are_refused() {
        assert!(wrong("workspace forget"));
        assert!(wrong("workspace create --template a --from-existing b"));
        assert!(asked("workspace show x --path y").is_err());
    }
}
