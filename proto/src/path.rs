//! Paths as the file system has them: bytes, not text.
//!
//! On the wire a path is its bytes. In JSON it is a string when the bytes are UTF-8 and `{"hex": "…"}` when they are
//! not, so that no two names ever look the same to a script.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::{Path, PathBuf};

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};

/// A path or a single name, as bytes. Never decoded, never normalised.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RawPath(Vec<u8>);

impl RawPath {
    /// The bytes as the file system has them.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The same bytes as a path of this machine.
    #[cfg(unix)]
    #[must_use]
    pub fn as_path(&self) -> &Path {
        use std::os::unix::ffi::OsStrExt;
        Path::new(OsStr::from_bytes(&self.0))
    }

    /// An owned path of this machine.
    #[must_use]
    pub fn to_path_buf(&self) -> PathBuf {
        self.as_path().to_path_buf()
    }

    /// Text for people: bytes that are not UTF-8 become U+FFFD. Never parse it back.
    #[must_use]
    pub fn display(&self) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(&self.0)
    }
}

impl fmt::Debug for RawPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.display())
    }
}

impl From<Vec<u8>> for RawPath {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

impl From<&[u8]> for RawPath {
    fn from(bytes: &[u8]) -> Self {
        Self(bytes.to_vec())
    }
}

impl From<&str> for RawPath {
    fn from(text: &str) -> Self {
        Self(text.as_bytes().to_vec())
    }
}

#[cfg(unix)]
impl From<&Path> for RawPath {
    fn from(path: &Path) -> Self {
        use std::os::unix::ffi::OsStrExt;
        Self(path.as_os_str().as_bytes().to_vec())
    }
}

#[cfg(unix)]
impl From<PathBuf> for RawPath {
    fn from(path: PathBuf) -> Self {
        Self::from(path.into_os_string())
    }
}

#[cfg(unix)]
impl From<OsString> for RawPath {
    fn from(text: OsString) -> Self {
        use std::os::unix::ffi::OsStringExt;
        Self(text.into_vec())
    }
}

impl Serialize for RawPath {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if !serializer.is_human_readable() {
            return serde_bytes::Bytes::new(&self.0).serialize(serializer);
        }
        if let Ok(text) = std::str::from_utf8(&self.0) {
            return serializer.serialize_str(text);
        }
        let hex: String = self.0.iter().map(|byte| format!("{byte:02x}")).collect();
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry("hex", &hex)?;
        map.end()
    }
}

impl<'de> Deserialize<'de> for RawPath {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            return deserializer.deserialize_any(Written);
        }
        serde_bytes::ByteBuf::deserialize(deserializer).map(|bytes| Self(bytes.into_vec()))
    }
}

/// A path as it stands in JSON.
struct Written;

impl<'de> Visitor<'de> for Written {
    type Value = RawPath;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a path, or its bytes as `{\"hex\": \"…\"}`")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<RawPath, E> {
        Ok(RawPath::from(text))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RawPath, A::Error> {
        use serde::de::Error;
        // Owned: from a stream, or from a value, no key can be borrowed.
        let digits = match map.next_entry::<String, String>()? {
            Some((key, digits)) if key == "hex" => digits,
            _ => return Err(Error::custom("a path without `hex`")),
        };
        if map.next_key::<String>()?.is_some() {
            return Err(Error::custom("a path with more than `hex`"));
        }
        let pair = |at: usize| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok();
        let bytes: Option<Vec<u8>> = (0..digits.len()).step_by(2).map(pair).collect();
        bytes
            .map(RawPath)
            .ok_or_else(|| Error::custom("`hex` is not pairs of digits"))
    }
}
