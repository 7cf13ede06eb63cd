//! The least that a client can be: connects, sends bytes it was given, reads one answer, and ends. What `tocli detect`
//! costs as a whole process is measured against this, linked the same way.
//!
//! usage: minimal SOCKET FILE    where FILE holds the header and one framed request

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

fn main() -> std::io::Result<()> {
    let mut words = std::env::args_os().skip(1);
    let (Some(socket), Some(file)) = (words.next(), words.next()) else {
        return Err(std::io::Error::other("usage: minimal SOCKET FILE"));
    };
    let asked = std::fs::read(file)?;
    let mut stream = UnixStream::connect(socket)?;
    stream.write_all(&asked)?;
    let mut head = [0_u8; 64 + 4];
    stream.read_exact(&mut head)?;
    let length = u32::from_le_bytes([head[64], head[65], head[66], head[67]]);
    let mut answer = Vec::new();
    stream.take(u64::from(length)).read_to_end(&mut answer)?;
    std::io::stdout().write_all(b"ok\n")
}
