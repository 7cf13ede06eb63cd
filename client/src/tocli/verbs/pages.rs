//! Manual pages, made from the same words that are parsed.

use std::path::{Path, PathBuf};

use clap::CommandFactory as _;
use proto::{Error, RawPath};
use serde::Serialize;

use crate::args::Cli;
use crate::end::End;
use crate::out::{Form, Out};
use crate::voice::Voice;

#[derive(Serialize)]
struct Page {
    page: String,
}

#[derive(Serialize)]
struct Pages {
    pages: Vec<RawPath>,
}

/// Prints the page of `tocli`, or writes it and one for each command into a folder.
pub(crate) fn pages(dir: Option<&Path>, out: &mut Out, voice: &Voice) -> Result<(), End> {
    let Some(dir) = dir else {
        let mut text = Vec::new();
        clap_mangen::Man::new(Cli::command()).render(&mut text)?;
        if out.form() == Form::Json {
            let page = String::from_utf8_lossy(&text).into_owned();
            out.json(&Page { page })?;
        } else {
            out.raw(&text)?;
        }
        return Ok(());
    };
    let cannot = |error: std::io::Error| {
        Error::unavailable(format!("the pages cannot be written into `{}`", dir.display()))
            .why(error)
            .next("name a folder where you may write")
    };
    std::fs::create_dir_all(dir).map_err(cannot)?;
    clap_mangen::generate_to(Cli::command(), dir).map_err(cannot)?;
    let mut pages: Vec<PathBuf> = std::fs::read_dir(dir)
        .map_err(cannot)?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| ours(path))
        .collect();
    pages.sort();
    voice.note(&format!("{} pages written into {}", pages.len(), dir.display()));
    if out.form() == Form::Json {
        let pages = pages.into_iter().map(RawPath::from).collect();
        out.json(&Pages { pages })?;
    }
    Ok(())
}

fn ours(path: &Path) -> bool {
    let name = path
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or_default();
    name.starts_with("tocli") && name.ends_with(".1")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::out::tests::Page as Paper;

    #[test]
    fn every_command_has_a_page() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut out = Out::to(Paper::default(), Form::Pipe);
        pages(Some(folder.path()), &mut out, &Voice::silent()).expect("written");
        for page in [
            "tocli.1",
            "tocli-detect.1",
            "tocli-workspace-show-location.1",
            "tocli-daemon-logs.1",
        ] {
            assert!(folder.path().join(page).is_file(), "{page}");
        }
    }
}
