//! The header that never changes: 64 bytes each way before the first frame.
//!
//! ```text
//! Hello                                   Welcome
//!  0..8   magic                            0..8   magic
//!  8..10  lowest protocol spoken           8..10  lowest protocol spoken
//! 10..12  highest protocol spoken         10..12  highest protocol spoken
//! 12..14  control (talk, stop, reboot)    12..14  verdict
//! 14..16  protocol of the first bytes     14..16  protocol chosen, 0 when none
//! 16..20  process id                      16..20  process id
//! 20..24  client                          20..24  generation
//! 24..28  zero                            24..28  schema number of the database
//! 28..60  version, UTF-8, zero-padded     28..60  version, UTF-8, zero-padded
//! 60..64  zero                            60..64  zero
//! ```
//!
//! All numbers are little-endian. It holds no postcard, so any two versions can tell each other what is wrong, and
//! `stop` and `reboot` work across all of them. Bytes that are zero today are ignored by the reader and stay zero from
//! the writer until a later version gives them a meaning that this one may ignore.

use crate::Error;

/// Bytes of a header, each way.
pub const LENGTH: usize = 64;

/// The first eight bytes of each header. The high bit and the line ends catch text and text-mode transports, as PNG's
/// signature does.
pub const MAGIC: [u8; 8] = *b"\x89TOD\r\n\x1a\n";

/// The lowest protocol this build speaks.
pub const LOWEST: u16 = 1;

/// The highest protocol this build speaks.
pub const HIGHEST: u16 = 1;

/// The version of this build.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

const VERSION_AT: usize = 28;
const VERSION_LENGTH: usize = 32;

/// What a client wants of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Control {
    /// Requests follow in the chosen protocol.
    Talk,
    /// The daemon is to drain and stop. The welcome is the only answer; the daemon closes the connection when it has
    /// stopped.
    Stop,
    /// The daemon is to hand over to a newer binary.
    Reboot,
    /// A word of a later version.
    Other(u16),
}

impl Control {
    fn to_wire(self) -> u16 {
        match self {
            Self::Talk => 0,
            Self::Stop => 1,
            Self::Reboot => 2,
            Self::Other(word) => word,
        }
    }

    fn from_wire(word: u16) -> Self {
        match word {
            0 => Self::Talk,
            1 => Self::Stop,
            2 => Self::Reboot,
            other => Self::Other(other),
        }
    }
}

/// The client's side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    /// Lowest protocol spoken.
    pub lowest: u16,
    /// Highest protocol spoken.
    pub highest: u16,
    /// What the connection is for.
    pub control: Control,
    /// The protocol of bytes that follow in the same breath, before the daemon has chosen one; 0 for a client that waits
    /// for the choice. It is the one chosen, or nothing is read.
    pub first: u16,
    /// The client's process id, for the log only: what is believed of a peer comes from the socket.
    pub pid: u32,
    /// Which of the process's clients this is, the same on each of its connections; 0 when it does not say.
    pub client: u32,
    /// The client's version.
    pub version: String,
}

impl Hello {
    /// The protocols that can be chosen: all that are offered, or that of the bytes which have been sent already.
    #[must_use]
    pub fn offered(&self) -> (u16, u16) {
        match self.first {
            0 => (self.lowest, self.highest),
            first => (first.max(self.lowest), first.min(self.highest)),
        }
    }

    /// The header of this build.
    #[must_use]
    pub fn of_this_build(control: Control) -> Self {
        Self {
            lowest: LOWEST,
            highest: HIGHEST,
            control,
            first: 0,
            pid: std::process::id(),
            client: 0,
            version: VERSION.to_owned(),
        }
    }

    /// The bytes on the wire.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; LENGTH] {
        let mut bytes = [0; LENGTH];
        bytes[0..8].copy_from_slice(&MAGIC);
        bytes[8..10].copy_from_slice(&self.lowest.to_le_bytes());
        bytes[10..12].copy_from_slice(&self.highest.to_le_bytes());
        bytes[12..14].copy_from_slice(&self.control.to_wire().to_le_bytes());
        bytes[14..16].copy_from_slice(&self.first.to_le_bytes());
        bytes[16..20].copy_from_slice(&self.pid.to_le_bytes());
        bytes[20..24].copy_from_slice(&self.client.to_le_bytes());
        put_version(&mut bytes, &self.version);
        bytes
    }

    /// Reads a header.
    ///
    /// # Errors
    /// `usage` when the bytes are not a header of this project.
    pub fn from_bytes(bytes: &[u8; LENGTH]) -> Result<Self, Error> {
        check_magic(bytes)?;
        Ok(Self {
            lowest: u16_at(bytes, 8),
            highest: u16_at(bytes, 10),
            control: Control::from_wire(u16_at(bytes, 12)),
            first: u16_at(bytes, 14),
            pid: u32_at(bytes, 16),
            client: u32_at(bytes, 20),
            version: version_of(bytes),
        })
    }
}

/// What the daemon makes of a hello.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Requests may follow.
    Accepted,
    /// The client speaks only protocols that this daemon no longer does.
    ClientTooOld,
    /// The client speaks only protocols that this daemon does not know yet.
    ClientTooNew,
    /// The peer's user is not the daemon's.
    WrongUser,
    /// The daemon is stopping: connect again.
    Stopping,
    /// Too many connections.
    Busy,
    /// The bytes were not a header.
    NotAHello,
    /// The control word is understood and being carried out.
    Obeyed,
    /// The control word is not known or not possible here.
    CannotObey,
    /// A word of a later version.
    Other(u16),
}

const VERDICTS: [Verdict; 9] = [
    Verdict::Accepted,
    Verdict::ClientTooOld,
    Verdict::ClientTooNew,
    Verdict::WrongUser,
    Verdict::Stopping,
    Verdict::Busy,
    Verdict::NotAHello,
    Verdict::Obeyed,
    Verdict::CannotObey,
];

impl Verdict {
    fn to_wire(self) -> u16 {
        if let Self::Other(word) = self {
            return word;
        }
        let place = VERDICTS.iter().position(|verdict| *verdict == self);
        place
            .and_then(|place| u16::try_from(place).ok())
            .unwrap_or(u16::MAX)
    }

    fn from_wire(word: u16) -> Self {
        VERDICTS
            .get(usize::from(word))
            .copied()
            .unwrap_or(Self::Other(word))
    }
}

/// The daemon's side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Welcome {
    /// Lowest protocol spoken.
    pub lowest: u16,
    /// Highest protocol spoken.
    pub highest: u16,
    /// What becomes of the connection.
    pub verdict: Verdict,
    /// The protocol in which both speak from here on; 0 when there is none.
    pub chosen: u16,
    /// The daemon's process id.
    pub pid: u32,
    /// How often this process has handed itself over to a new binary.
    pub generation: u32,
    /// The schema number of the database.
    pub schema: u32,
    /// The daemon's version.
    pub version: String,
}

impl Welcome {
    /// The bytes on the wire.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; LENGTH] {
        let mut bytes = [0; LENGTH];
        bytes[0..8].copy_from_slice(&MAGIC);
        bytes[8..10].copy_from_slice(&self.lowest.to_le_bytes());
        bytes[10..12].copy_from_slice(&self.highest.to_le_bytes());
        bytes[12..14].copy_from_slice(&self.verdict.to_wire().to_le_bytes());
        bytes[14..16].copy_from_slice(&self.chosen.to_le_bytes());
        bytes[16..20].copy_from_slice(&self.pid.to_le_bytes());
        bytes[20..24].copy_from_slice(&self.generation.to_le_bytes());
        bytes[24..28].copy_from_slice(&self.schema.to_le_bytes());
        put_version(&mut bytes, &self.version);
        bytes
    }

    /// Reads a header.
    ///
    /// # Errors
    /// `unavailable` when whatever listens on the socket is not a daemon of this project.
    pub fn from_bytes(bytes: &[u8; LENGTH]) -> Result<Self, Error> {
        check_magic(bytes)?;
        Ok(Self {
            lowest: u16_at(bytes, 8),
            highest: u16_at(bytes, 10),
            verdict: Verdict::from_wire(u16_at(bytes, 12)),
            chosen: u16_at(bytes, 14),
            pid: u32_at(bytes, 16),
            generation: u32_at(bytes, 20),
            schema: u32_at(bytes, 24),
            version: version_of(bytes),
        })
    }
}

/// The protocol two sides have in common: the highest of the overlap of their ranges.
///
/// # Errors
/// The verdict to tell the client when there is no overlap.
pub fn choose(client: (u16, u16), daemon: (u16, u16)) -> Result<u16, Verdict> {
    let common = client.1.min(daemon.1);
    if common >= client.0.max(daemon.0) {
        Ok(common)
    } else if client.1 < daemon.0 {
        Err(Verdict::ClientTooOld)
    } else {
        Err(Verdict::ClientTooNew)
    }
}

fn check_magic(bytes: &[u8; LENGTH]) -> Result<(), Error> {
    if bytes[0..8] == MAGIC {
        return Ok(());
    }
    Err(Error::usage("the first bytes are not a Task Orchestrator header")
        .why("something else speaks on this socket")
        .next("check `TOD_SOCKET`"))
}

fn u16_at(bytes: &[u8; LENGTH], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn u32_at(bytes: &[u8; LENGTH], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

fn put_version(bytes: &mut [u8; LENGTH], version: &str) {
    let length = version.len().min(VERSION_LENGTH);
    bytes[VERSION_AT..VERSION_AT + length].copy_from_slice(&version.as_bytes()[..length]);
}

/// The version as text. It comes from outside and ends up on terminals, so only printable ASCII is taken.
fn version_of(bytes: &[u8; LENGTH]) -> String {
    bytes[VERSION_AT..VERSION_AT + VERSION_LENGTH]
        .iter()
        .take_while(|byte| byte.is_ascii_graphic())
        .map(|byte| char::from(*byte))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hello_comes_back_as_it_was() {
        let hello = Hello {
            lowest: 1,
            highest: 7,
            control: Control::Stop,
            first: 3,
            pid: 42,
            client: 7,
            version: "1.2.3-rc.1".into(),
        };
        assert_eq!(Hello::from_bytes(&hello.to_bytes()), Ok(hello));
    }

    #[test]
    fn every_verdict_comes_back_as_it_was() {
        for (word, verdict) in VERDICTS.iter().enumerate() {
            assert_eq!(usize::from(verdict.to_wire()), word);
            assert_eq!(Verdict::from_wire(verdict.to_wire()), *verdict);
        }
        assert_eq!(Verdict::from_wire(999), Verdict::Other(999));
    }

    #[test]
    fn the_highest_common_protocol_is_chosen() {
        assert_eq!(choose((1, 3), (2, 5)), Ok(3));
        assert_eq!(choose((1, 1), (2, 5)), Err(Verdict::ClientTooOld));
        assert_eq!(choose((6, 9), (2, 5)), Err(Verdict::ClientTooNew));
        assert_eq!(choose((2, 2), (2, 2)), Ok(2));
    }

    #[test]
    fn a_range_that_is_upside_down_has_nothing_in_common() {
        assert!(choose((5, 1), (1, 9)).is_err());
    }

    #[test]
    fn a_version_with_control_bytes_is_cut_at_the_first() {
        let mut bytes = Hello::of_this_build(Control::Talk).to_bytes();
        bytes[28..34].copy_from_slice(b"1.\x1b[2J");
        assert_eq!(
            Hello::from_bytes(&bytes).map(|hello| hello.version),
            Ok("1.".to_owned())
        );
    }
}
