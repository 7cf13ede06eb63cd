//! Where the files of old artifacts really are.
//!
//! What must stay true: a file is looked for beneath the old project and nowhere else; what is below one folder is looked
//! at in bounded number and depth.

use std::collections::HashSet;
use std::path::{Component, Path, PathBuf};

use migrations::legacy::OldArtifact;

use super::find::{FOLDER, Source};
use super::report::Kind;
use crate::artifact;
use crate::world::{FileKind, World};

/// The most names that are looked at below one folder, and how deep.
const MOST: usize = 5_000;
const DEPTH: usize = 8;
/// The most bytes of a file of particulars.
const PARTICULARS: usize = 1 << 20;

/// One that is to come.
pub(super) struct Wanted<'a> {
    pub(super) kind: Kind,
    /// What it is remembered by.
    pub(super) key: String,
    /// Its own id, where it has one.
    pub(super) id: Option<String>,
    pub(super) task: Option<&'a str>,
    pub(super) name: String,
    pub(super) sort: String,
    pub(super) summary: String,
    pub(super) time: Option<i64>,
    pub(super) bytes: Bytes<'a>,
}

/// Where its bytes are.
pub(super) enum Bytes<'a> {
    Here(&'a str),
    At(PathBuf),
    /// Nowhere, and why.
    Lost(String),
}

/// The old project's files.
pub(super) struct Folder<'a> {
    pub(super) world: &'a dyn World,
    pub(super) source: &'a Source,
}

/// `artifact_0f66675e` of `….task_orchestrator/artifacts/x/artifact_0f66675e.md`.
pub(super) fn stem(path: &str) -> Option<String> {
    let stem = Path::new(path).file_stem()?.to_str()?;
    let at = stem.rfind("artifact_")?;
    Some(stem[at..].to_owned()).filter(|id| crate::task::rules::id(id).is_ok())
}

impl Folder<'_> {
    pub(super) fn wanted<'a>(
        &self,
        (task, path): (&'a str, &str),
        id: Option<String>,
        time: Option<i64>,
    ) -> Wanted<'a> {
        let particulars = id
            .as_deref()
            .and_then(|id| self.particulars(task, id))
            .unwrap_or_default();
        let text = |name: &str| {
            particulars
                .get(name)
                .and_then(|value| value.as_str())
                .unwrap_or_default()
        };
        let found = self.real(task, path, (id.as_deref(), text("relative_path")));
        let bytes = match found {
            Some(path) => Bytes::At(path),
            None if !self.source.project => {
                Bytes::Lost("the database stands alone: name the project folder to find its files".to_owned())
            }
            None => Bytes::Lost("its file is not there".to_owned()),
        };
        Wanted {
            kind: Kind::Artifact,
            key: format!("{task}: {path}"),
            name: name_of(&bytes, path),
            id,
            task: Some(task),
            sort: text("artifact_type").to_owned(),
            summary: text("summary").to_owned(),
            time,
            bytes,
        }
    }

    pub(super) fn of_row<'a>(&self, row: &'a OldArtifact) -> Wanted<'a> {
        let path = row.path.as_deref().unwrap_or_default();
        let bytes = match (&row.content, path) {
            (Some(text), _) if !text.is_empty() => Bytes::Here(text),
            (_, "") => self.flat(&row.task, &row.id),
            (_, path) => match self.real(&row.task, path, (Some(&row.id), "")) {
                Some(path) => Bytes::At(path),
                None => self.flat(&row.task, &row.id),
            },
        };
        let name = if row.name.is_empty() { &row.id } else { &row.name };
        Wanted {
            kind: Kind::Artifact,
            key: row.id.clone(),
            id: Some(row.id.clone()).filter(|id| crate::task::rules::id(id).is_ok()),
            task: Some(row.task.as_str()).filter(|task| !task.is_empty()),
            name: name_of(&bytes, name),
            sort: row.kind.clone(),
            summary: String::new(),
            time: row.created,
            bytes,
        }
    }

    /// Where 2.0 put a file: `artifacts/<task>_<artifact>.txt`.
    fn flat<'b>(&self, task: &str, id: &str) -> Bytes<'b> {
        let start = format!("{task}_{id}.");
        let artifacts = Path::new(FOLDER).join("artifacts");
        let found = self
            .names(&artifacts)
            .into_iter()
            .find(|name| name.starts_with(&start));
        match found
            .map(|name| artifacts.join(name))
            .filter(|path| self.is_file(path))
        {
            Some(path) => Bytes::At(path),
            None => Bytes::Lost("neither its content nor its file is there".to_owned()),
        }
    }

    fn is_file(&self, relative: &Path) -> bool {
        let plain = relative
            .components()
            .all(|part| matches!(part, Component::Normal(_)));
        plain
            && self.source.project
            && self
                .world
                .stat_beneath(&self.source.base, relative)
                .is_ok_and(|stat| stat.kind == FileKind::File)
    }

    fn names(&self, relative: &Path) -> Vec<String> {
        let entries = self
            .world
            .list_beneath(&self.source.base, relative, MOST)
            .unwrap_or_default();
        let mut names: Vec<String> = entries
            .into_iter()
            .filter_map(|entry| entry.name.into_string().ok())
            .collect();
        names.sort();
        names
    }

    /// What stands beside an artifact of 1.5 and later.
    fn particulars(&self, task: &str, id: &str) -> Option<serde_json::Map<String, serde_json::Value>> {
        let path = Path::new(FOLDER)
            .join("artifacts")
            .join(task)
            .join(format!("{id}_metadata.json"));
        if !self.is_file(&path) {
            return None;
        }
        let bytes = self
            .world
            .read_beneath(&self.source.base, &path, PARTICULARS)
            .ok()?;
        serde_json::from_slice(&bytes).ok()
    }

    /// The file of an artifact: where it was said to be, where its particulars say, or below `mirrored` where it was put
    /// when paths had been given.
    fn real(&self, task: &str, path: &str, (id, said): (Option<&str>, &str)) -> Option<PathBuf> {
        // An absolute path points at where the project once was.
        let inner = path.find(FOLDER).map_or(path, |at| &path[at..]);
        let direct = PathBuf::from(inner.trim_start_matches("./"));
        let artifacts = Path::new(FOLDER).join("artifacts");
        let mut places = vec![direct];
        if !said.is_empty() {
            places.push(artifacts.join(said));
        }
        if let Some(found) = places.into_iter().find(|place| self.is_file(place)) {
            return Some(found);
        }
        let (id, task) = (id?, Path::new(task));
        if !task.components().all(|part| matches!(part, Component::Normal(_))) {
            return None;
        }
        let end = format!("_{id}.md");
        self.below(&artifacts.join(task).join("mirrored"))
            .into_iter()
            .find(|path| path.to_str().is_some_and(|path| path.ends_with(&end)))
    }

    /// All files below a folder, at most [`MOST`].
    fn below(&self, folder: &Path) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut open = vec![(folder.to_path_buf(), 0)];
        while let Some((folder, depth)) = open.pop() {
            for name in self.names(&folder) {
                let path = folder.join(name);
                let kind = self
                    .world
                    .stat_beneath(&self.source.base, &path)
                    .map(|stat| stat.kind);
                match kind {
                    Ok(FileKind::Dir) if depth < DEPTH => open.push((path, depth + 1)),
                    Ok(FileKind::File) => found.push(path),
                    _ => {}
                }
                if found.len() + open.len() >= MOST {
                    return found;
                }
            }
        }
        found.sort();
        found
    }

    /// Files of the old program that no record names: its own names only, for the folder is also ours.
    pub(super) fn unlisted<'b>(&self, seen: &HashSet<PathBuf>) -> Vec<Wanted<'b>> {
        if !self.source.project {
            return Vec::new();
        }
        let artifacts = Path::new(FOLDER).join("artifacts");
        let mut found = Vec::new();
        for path in self
            .below(&artifacts)
            .into_iter()
            .filter(|path| !seen.contains(path))
        {
            let Some(inner) = path.strip_prefix(&artifacts).ok().and_then(Path::to_str) else {
                continue;
            };
            if !theirs(inner) {
                continue;
            }
            let bytes = Bytes::At(path.clone());
            found.push(Wanted {
                kind: Kind::UnlistedFile,
                key: inner.to_owned(),
                id: None,
                task: None,
                name: name_of(&bytes, inner),
                sort: String::new(),
                summary: "of the older program; no record of it names this file".to_owned(),
                time: None,
                bytes,
            });
        }
        found
    }
}

/// Whether a name is one that the old program gave: `<task>_artifact_<8 hex>.txt` at the top (2.0),
/// `<task>/artifact_<8 hex>.md` and `<task>/mirrored/…_artifact_<8 hex>.md` (1.5 to 1.8).
fn theirs(inner: &str) -> bool {
    let parts: Vec<&str> = inner.split('/').collect();
    let Some((name, folders)) = parts.split_last() else {
        return false;
    };
    let Some((stem, _)) = name.rsplit_once('.') else {
        return false;
    };
    let Some((before, number)) = stem.rsplit_once("artifact_") else {
        return false;
    };
    let numbered = number.len() == 8 && number.bytes().all(|byte| byte.is_ascii_hexdigit());
    let placed = match folders {
        [] => before.ends_with('_'),
        [_] => before.is_empty(),
        [_, second, ..] => *second == "mirrored" && before.ends_with('_'),
    };
    numbered && placed
}

/// The name of the file, as one may be called here.
fn name_of(bytes: &Bytes<'_>, said: &str) -> String {
    let last = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned());
    let name = match bytes {
        Bytes::At(path) => last(path),
        _ => last(Path::new(said)),
    };
    let legal = |letter: char| !letter.is_control() && !"/\\:*?\"<>|".contains(letter);
    let name: String = name
        .unwrap_or_default()
        .chars()
        .map(|letter| if legal(letter) { letter } else { '-' })
        .collect();
    let (name, _) = crate::task::rules::cut(name.trim_start_matches(['.', ' ']), 150);
    let name = name.trim_end_matches(['.', ' ']);
    if artifact::rules::name(name).is_ok() {
        return name.to_owned();
    }
    "artifact".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_the_old_program_count_as_its_files() {
        for name in [
            "task_a664139d_artifact_2183ec6a.txt",
            "coder_1/artifact_0f66675e.md",
            "coder_1/mirrored/src/api.py_artifact_f720c671.md",
        ] {
            assert!(theirs(name), "{name}");
        }
        for name in [
            "coder_1/task_index.json",
            "coder_1/artifact_0f66675e_metadata.json",
            "coder_1/api.py_artifact_f720c671.md",
            "coder_1/result.md",
            "artifact_0f66675e",
            "x/y/artifact_0f66675e.md",
        ] {
            assert!(!theirs(name), "{name}");
        }
    }

    #[test]
    fn the_stem_of_a_path_is_the_artifacts_id() {
        let id = Some("artifact_0f66675e".to_owned());
        assert_eq!(stem(".task_orchestrator/artifacts/x/artifact_0f66675e.md"), id);
        assert_eq!(stem("/gone/x/api.py_artifact_0f66675e.md"), id);
        assert_eq!(stem("src/api.py"), None);
    }
}
