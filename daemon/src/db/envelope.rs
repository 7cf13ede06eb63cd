//! The form of every record: one version byte, then postcard.
//!
//! Asked by every room's `store.rs`. postcard is positional and silent about left-over bytes, so a record of another
//! shape would be read as garbage: the version byte says which shape it is, and bytes left over are an error.

use proto::error::{Error, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::batch::Space;

/// A record's shape as it is stored today. A new shape is a new version and a migration from the old one.
pub trait Record: Serialize + DeserializeOwned {
    /// The space its records live in.
    const SPACE: Space;
    /// The version byte.
    const VERSION: u8;

    /// The bytes to store.
    ///
    /// # Errors
    /// `Bug` when postcard cannot write it (a type whose length is not known).
    fn encode(&self) -> Result<Vec<u8>> {
        postcard::to_extend(self, vec![Self::VERSION]).map_err(|error| {
            Error::bug(format!("a record of `{}` cannot be written", Self::SPACE.name())).why(error)
        })
    }

    /// The record stored at `key` as `bytes`.
    ///
    /// # Errors
    /// `Unavailable`, naming room and key, when the version is another one, the bytes do not fit or some are left over.
    fn decode(key: &[u8], bytes: &[u8]) -> Result<Self> {
        let refuse = |why: String| {
            let what = format!(
                "the record `{}` of `{}` cannot be read",
                key.escape_ascii(),
                Self::SPACE.name()
            );
            Err(Error::unavailable(what).why(why).next("run `tocli doctor`"))
        };
        match bytes.split_first() {
            None => refuse("it is empty".to_owned()),
            Some((&version, _)) if version != Self::VERSION => refuse(format!(
                "it has version {version} where {} is known",
                Self::VERSION
            )),
            Some((_, body)) => match postcard::take_from_bytes(body) {
                Ok((record, [])) => Ok(record),
                Ok((_, rest)) => refuse(format!("{} bytes are left over", rest.len())),
                Err(error) => refuse(error.to_string()),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Sample {
        name: String,
        size: u32,
    }

    impl Record for Sample {
        const SPACE: Space = Space::new("sample");
        const VERSION: u8 = 3;
    }

    #[test]
    fn a_record_is_its_version_and_then_postcard() {
        let sample = Sample {
            name: "ab".to_owned(),
            size: 300,
        };
        let bytes = sample.encode().unwrap();
        assert_eq!(bytes, [3, 2, b'a', b'b', 0xAC, 2]);
        assert_eq!(Sample::decode(b"k", &bytes).unwrap(), sample);
    }

    #[test]
    fn a_record_of_another_shape_is_refused_by_name() {
        for (bytes, why) in [
            (&[][..], "empty"),
            (&[2, 2, b'a', b'b', 1], "version 2 where 3"),
            (&[4, 2, b'a', b'b', 1], "version 4 where 3"),
            (&[3, 2, b'a', b'b', 1, 0], "1 bytes are left over"),
            (&[3, 2, b'a'], ""),
            (&[3, 2, 0xFF, 0xFF, 1], ""),
            (&[3, 0xFF, 0xFF, 0xFF, 0xFF, 0x0F, 1], ""),
        ] {
            let error = Sample::decode(b"k\n", bytes).unwrap_err();
            assert_eq!(error.kind, proto::Kind::Unavailable);
            assert!(error.what.contains("`k\\n` of `sample`"), "{error}");
            assert!(error.why.unwrap().contains(why));
        }
    }
}
