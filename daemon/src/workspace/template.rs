//! `workspace create --template`: the settings and roles that a new workspace begins with.
//!
//! Asked by the door. The templates are the kits of `role/kits.rs`. What must stay true: what a template writes is read
//! back without a warning (a test reads all).

use proto::{Error, error::Result};

use super::config::FILE;
use super::role;
use super::role::kits::{self, KITS, Kit};

/// The files of a template: name within the project's folder, and bytes.
///
/// # Errors
/// `not found` with the nearest name.
pub(super) fn files(name: &str) -> Result<Vec<(String, Vec<u8>)>> {
    let kit = kits::find(name).ok_or_else(|| {
        let names: Vec<&str> = KITS.iter().map(|kit| kit.name).collect();
        let hint = super::tree::hint(name, names.iter().copied());
        Error::not_found(format!(
            "there is no template `{}`{hint}",
            super::tree::shortened(name)
        ))
        .next(format!("choose one of `{}`", names.join("`, `")))
    })?;
    Ok(vec![
        (FILE.to_owned(), settings(kit).into_bytes()),
        (role::file_of(kit), role::text_of(kit)?.into_bytes()),
    ])
}

fn settings(kit: &Kit) -> String {
    let ignores = serde_json::Value::from(kit.ignores.to_vec());
    format!(
        "# Settings of this project; `tocli config list --origin` shows all that there are and what set them.\n\
         workspace:\n  project_type: {}\n\
         watch:\n  # What tools make again: never watched, whatever git is told.\n  extra_ignores: {ignores}\n",
        kit.name
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_template_is_read_back_as_it_was_meant() {
        for kit in KITS {
            let files = files(kit.name).expect("a template");
            let text = String::from_utf8(files[0].1.clone()).expect("UTF-8");
            let entries = super::super::config::whole_file(&text).expect(kit.name);
            assert_eq!(entries[0].value, kit.name);
            assert_eq!(entries[1].value, serde_json::Value::from(kit.ignores.to_vec()));
        }
        assert!(files("rst").expect_err("none").what.contains("`rust`"));
    }
}
