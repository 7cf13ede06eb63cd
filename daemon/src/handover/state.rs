//! What one image of the daemon tells the next: everything that is not in the database and not a descriptor.
//!
//! Written by the old image into a sealed memory file, read by a rehearsal and by the new image. What must stay true: a
//! reader refuses what it does not know, before it has changed anything.

use proto::daemon::Reboot;
use proto::{Error, RawPath, error::Result};
use serde::{Deserialize, Serialize};

use crate::server::carry::Carried;
use crate::server::clients::Counts;
use crate::world::socket::Owner;

const MAGIC: &[u8; 8] = b"TODSTATE";

/// The shape of [`State`]. A new shape is a new number, and the old one stays readable for one release.
const VERSION: u16 = 1;

/// What one image tells the next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// The reboot under way, as far as it is known.
    pub reboot: Reboot,
    /// When the process began to serve, in nanoseconds of the system's monotonic clock, which goes on across `exec`.
    pub started: u64,
    /// When the last byte was read from a client, on the same clock.
    pub paused: u64,
    /// When the reboot was asked for, on the same clock.
    pub asked: u64,
    /// The socket's path.
    pub socket: RawPath,
    /// Who removes it.
    pub socket_owner: Owner,
    /// Where the old image was found.
    pub old_image: RawPath,
    /// The process that watches over the hand-over.
    pub guardian: u32,
    /// Somebody asked for the daemon's end when it could not be heeded any more.
    pub stop: bool,
    /// The backup to put back when the new image fails; none when the schema does not change.
    pub backup: Option<RawPath>,
    /// Exit after this many milliseconds without clients; 0 for never.
    pub idle_exit_ms: u64,
    /// The roots being watched.
    pub trees: Vec<RawPath>,
    /// The workspaces recognised: tree, id and root of each.
    pub workspaces: Vec<(RawPath, String, RawPath)>,
    /// Connections, in the order of their descriptors.
    pub connections: Vec<Carried>,
    /// Who has connected.
    pub clients: Counts,
    /// The state folder.
    pub state_dir: RawPath,
    /// What whoever asks for the status should know.
    pub warnings: Vec<String>,
}

impl State {
    /// The bytes for the memory file.
    ///
    /// # Errors
    /// `bug` when it cannot be written.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        let mut bytes = postcard::to_extend(self, bytes)
            .map_err(|error| Error::bug("the state cannot be written").why(error))?;
        let digest = blake3::hash(&bytes);
        bytes.extend_from_slice(digest.as_bytes());
        Ok(bytes)
    }

    /// Puts the database back as it was before the next image began, if that may have changed it.
    ///
    /// # Errors
    /// What [`crate::db::put_back`] says.
    pub fn put_backup_back(&self) -> Result<()> {
        let Some(backup) = &self.backup else { return Ok(()) };
        crate::db::put_back(self.state_dir.as_path(), backup.as_path(), self.reboot.at).map(drop)
    }

    /// Reads what another image has written.
    ///
    /// # Errors
    /// `refused` for another shape, or bytes that are not whole.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let refuse = |why: &str| Error::refused("the state of the running daemon cannot be read").why(why);
        let (body, digest) = bytes
            .split_last_chunk::<{ blake3::OUT_LEN }>()
            .ok_or_else(|| refuse("it is too short"))?;
        if blake3::hash(body) != *digest {
            return Err(refuse("its digest is not that of its contents"));
        }
        let body = body
            .strip_prefix(MAGIC)
            .ok_or_else(|| refuse("it is something else"))?;
        let (version, body) = body
            .split_first_chunk::<2>()
            .ok_or_else(|| refuse("it is too short"))?;
        if u16::from_le_bytes(*version) != VERSION {
            return Err(refuse("it has a shape that this build does not know"));
        }
        match postcard::take_from_bytes(body) {
            Ok((state, [])) => Ok(state),
            _ => Err(refuse("it is not whole")),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use proto::daemon::Outcome;

    use super::*;

    pub(crate) fn sample() -> State {
        State {
            reboot: Reboot {
                at: 1,
                outcome: Outcome::Done,
                why: None,
                reason: Some("a test".to_owned()),
                binary: "/bin/tod".into(),
                from_version: "0.1.0".to_owned(),
                to_version: "0.2.0".to_owned(),
                from_schema: 1,
                to_schema: 2,
                pid: 7,
                generation: 3,
                connections: 1,
                pause_us: 0,
                took_ms: 0,
            },
            started: 1,
            paused: 2,
            asked: 3,
            socket: "/run/tod.sock".into(),
            socket_owner: Owner::Ours,
            old_image: "/bin/tod".into(),
            guardian: 8,
            stop: false,
            backup: None,
            idle_exit_ms: 0,
            trees: vec!["/project".into()],
            workspaces: vec![("/project".into(), "ws_1".to_owned(), "/project".into())],
            clients: Counts::default(),
            state_dir: "/state".into(),
            connections: vec![Carried {
                inbox: vec![1, 2, 3],
                ..Carried::default()
            }],
            warnings: Vec::new(),
        }
    }

    #[test]
    fn a_state_comes_back_as_it_was() {
        let state = sample();
        assert_eq!(State::from_bytes(&state.to_bytes().expect("written")), Ok(state));
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_refused() {
        let bytes = sample().to_bytes().expect("written");
        for at in 0..bytes.len() {
            let mut bad = bytes.clone();
            bad[at] ^= 1;
            assert!(State::from_bytes(&bad).is_err(), "flipped at {at}");
            assert!(State::from_bytes(&bytes[..at]).is_err(), "cut at {at}");
        }
    }

    #[test]
    fn another_shape_is_refused_although_it_is_whole() {
        let mut bytes = sample().to_bytes().expect("written");
        bytes.truncate(bytes.len() - blake3::OUT_LEN);
        bytes[8] = 2;
        let digest = blake3::hash(&bytes);
        bytes.extend_from_slice(digest.as_bytes());
        assert!(State::from_bytes(&bytes).is_err());
    }
}
