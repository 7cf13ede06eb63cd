//! What `detect` found.

use std::io;

use proto::detect::{Detection, Marker};

use super::word;
use crate::out::{Form, Out};
use crate::quote::cell;
use crate::voice::Voice;

pub(super) fn answer(out: &mut Out, voice: &Voice, found: &Detection) -> io::Result<()> {
    if out.form() == Form::Json {
        return out.json(found);
    }
    let mut pairs = vec![("root", out.name(&found.root))];
    if let Some(package) = &found.package {
        pairs.push(("package", out.name(package)));
    }
    pairs.push(("method", word(&found.method).into_bytes()));
    pairs.push(("confidence", found.confidence.to_string().into_bytes()));
    if !found.project_types.is_empty() {
        pairs.push(("types", cell(&found.project_types.join(", "))));
    }
    if !found.markers.is_empty() {
        let markers: Vec<String> = found.markers.iter().map(marker).collect();
        pairs.push(("markers", cell(&markers.join(", "))));
    }
    if let Some(vcs) = &found.vcs {
        let branch = vcs.branch.as_ref().map(|branch| format!(", branch {branch}"));
        pairs.push((
            "vcs",
            cell(&format!("{}{}", vcs.kind, branch.unwrap_or_default())),
        ));
        if let Some(main) = &vcs.main_root {
            pairs.push(("main", out.name(main)));
        }
        if let Some(above) = &vcs.superproject {
            pairs.push(("superproject", out.name(above)));
        }
    }
    if !found.writable {
        pairs.push(("writable", b"no".to_vec()));
    }
    out.pairs(&pairs)?;
    found.warnings.iter().for_each(|warning| voice.warn(warning));
    Ok(())
}

fn marker(marker: &Marker) -> String {
    format!("{} ({})", marker.name, marker.confidence)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::out::tests::written;
    use proto::detect::{Method, Vcs};

    fn found() -> Detection {
        Detection {
            led_from: None,
            root: "/p".into(),
            package: None,
            method: Method::VcsRoot,
            confidence: 8,
            project_types: vec!["rust".into()],
            markers: vec![Marker {
                name: "Cargo.toml".into(),
                project_type: "rust".into(),
                confidence: 9,
            }],
            vcs: Some(Vcs {
                kind: "git".into(),
                branch: Some("main".into()),
                main_root: None,
                superproject: None,
            }),
            writable: true,
            warnings: Vec::new(),
            cached: true,
            micros: 7,
        }
    }

    #[test]
    fn the_fields_that_scripts_read_have_their_names() {
        let json = written(Form::Json, |out| answer(out, &Voice::silent(), &found()));
        let expected = concat!(
            r#"{"schema_version":1,"root":"/p","package":null,"method":"vcs_root","confidence":8,"#,
            r#""project_types":["rust"],"markers":[{"name":"Cargo.toml","type":"rust","confidence":9}],"#,
            r#""vcs":{"kind":"git","branch":"main","main_root":null,"superproject":null},"writable":true,"#,
            r#""warnings":[],"cached":true,"micros":7}"#,
            "\n"
        );
        assert_eq!(json, expected);
    }

    #[test]
    fn a_pipe_gets_the_root_in_the_first_line() {
        let text = written(Form::Pipe, |out| answer(out, &Voice::silent(), &found()));
        assert_eq!(text.lines().next(), Some("root\t/p"));
        assert!(text.contains("vcs\tgit, branch main\n"), "{text}");
    }
}
