//! For which machine a program file is, by its first bytes. Pure.
//!
//! Asked by `image`. What must stay true: whatever is not known to be a program for this machine is none.

/// How much of a file has to be read.
pub(super) const HEAD: usize = 4096;

/// A kind of machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Machine {
    /// Class, byte order and architecture of an ELF file (ELF specification, `e_ident` and `e_machine`).
    Elf([u8; 4]),
    /// The kind of processor of a Mach-O file (Apple's `mach-o/loader.h`, `cputype`).
    Mach(u32),
}

/// More than any file for several processors has; a Java class begins as those do, with a larger number here.
const MOST: u32 = 16;

/// The machines that a file of these first bytes is for; none when it is no program.
pub(super) fn machines(head: &[u8]) -> Vec<Machine> {
    let word = |at: usize| -> Option<[u8; 4]> { head.get(at..at + 4)?.try_into().ok() };
    match word(0) {
        Some([0x7f, b'E', b'L', b'F']) => elf(head).into_iter().collect(),
        Some([0xcf, 0xfa, 0xed, 0xfe]) => word(4)
            .map(|cpu| Machine::Mach(u32::from_le_bytes(cpu)))
            .into_iter()
            .collect(),
        Some([0xca, 0xfe, 0xba, 0xbe]) => {
            let count = word(4).map_or(0, u32::from_be_bytes);
            let count = if count > MOST { 0 } else { count };
            // `mach-o/fat.h`: five words for each, the processor first.
            let cpus = (0..count as usize).map_while(|each| word(8 + 20 * each));
            cpus.map(|cpu| Machine::Mach(u32::from_be_bytes(cpu))).collect()
        }
        _ => Vec::new(),
    }
}

fn elf(head: &[u8]) -> Option<Machine> {
    Some(Machine::Elf([
        *head.get(4)?,
        *head.get(5)?,
        *head.get(18)?,
        *head.get(19)?,
    ]))
}

#[cfg(test)]
mod tests {
    use super::*;

    const X86: u32 = 0x0100_0007;
    const ARM: u32 = 0x0100_000c;

    fn thin(cpu: u32) -> Vec<u8> {
        [
            vec![0xcf, 0xfa, 0xed, 0xfe],
            cpu.to_le_bytes().to_vec(),
            vec![0; 24],
        ]
        .concat()
    }

    fn fat(cpus: &[u32]) -> Vec<u8> {
        let count = u32::try_from(cpus.len()).unwrap().to_be_bytes().to_vec();
        let each = cpus
            .iter()
            .flat_map(|cpu| [cpu.to_be_bytes().to_vec(), vec![0; 16]].concat());
        [vec![0xca, 0xfe, 0xba, 0xbe], count, each.collect()].concat()
    }

    #[test]
    fn a_program_says_for_which_processors_it_is() {
        assert_eq!(machines(&thin(ARM)), [Machine::Mach(ARM)]);
        assert_eq!(
            machines(&fat(&[X86, ARM])),
            [Machine::Mach(X86), Machine::Mach(ARM)]
        );
        let mut own = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        own.truncate(HEAD);
        assert_eq!(machines(&own).len(), 1);
    }

    #[test]
    fn what_is_cut_off_or_something_else_is_no_program() {
        let class = [0xca, 0xfe, 0xba, 0xbe, 0, 0, 0, 61, 0, 20];
        for bytes in [
            &b""[..],
            b"\x7fEL",
            b"\x7fELF\x02\x01",
            b"#!/bin/sh\n",
            &class,
            &thin(ARM)[..7],
            &fat(&[]),
        ] {
            assert_eq!(machines(bytes), [], "{bytes:?}");
        }
        assert_eq!(machines(&fat(&[X86, ARM])[..20]), [Machine::Mach(X86)]);
    }
}
