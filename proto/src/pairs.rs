//! Names with their figures: an object in JSON, so that `.by_status.pending` finds one; a list of pairs in Rust, in the
//! order of whoever counted.
//!
//! Used by fields with `#[serde(with = "crate::pairs")]`. What must stay true: Postcard writes a map byte for byte as it
//! writes a list of pairs, so that a field with this is on the wire what it was without.

use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::{Deserializer, Serializer};

/// The most entries that are made room for before one was read.
const ROOM: usize = 64;

pub(crate) fn serialize<S: Serializer>(pairs: &[(String, u64)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(pairs.iter().map(|(name, count)| (name, count)))
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<(String, u64)>, D::Error> {
    deserializer.deserialize_map(Pairs)
}

struct Pairs;

impl<'de> Visitor<'de> for Pairs {
    type Value = Vec<(String, u64)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("names with their counts")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut pairs = Vec::with_capacity(map.size_hint().unwrap_or_default().min(ROOM));
        while let Some(pair) = map.next_entry()? {
            pairs.push(pair);
        }
        Ok(pairs)
    }
}

#[cfg(test)]
mod tests {
    use serde::{Deserialize, Serialize};

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Figures {
        #[serde(with = "crate::pairs")]
        by: Vec<(String, u64)>,
        last: u8,
    }

    #[test]
    fn pairs_are_on_the_wire_what_a_list_of_them_is() {
        for by in [vec![], vec![("pending".to_owned(), 300), ("a".to_owned(), 1)]] {
            let plain = postcard::to_allocvec(&(&by, 7_u8)).expect("encoded");
            let figures = Figures { by, last: 7 };
            assert_eq!(postcard::to_allocvec(&figures).expect("encoded"), plain);
            assert_eq!(postcard::from_bytes::<Figures>(&plain).expect("decoded"), figures);
        }
    }

    #[test]
    fn a_length_that_no_message_holds_is_refused_before_room_is_made_for_it() {
        let lie = [0xff, 0xff, 0xff, 0xff, 0x0f, 1];
        assert!(postcard::from_bytes::<Figures>(&lie).is_err());
    }
}
