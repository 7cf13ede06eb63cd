//! Linux' file systems, by the number that `statfs` gives.
//!
//! Asked by `filesystem`. What must stay true: see there.

use rustix::fs::StatFs;

use super::FileSystem;

/// Every change passes through this kernel, which tells of it. From Linux' `include/uapi/linux/magic.h`, `statfs(2)`, and
/// for those that keep their number to themselves their own sources. An overlay may be changed from below and zfs rolled
/// back without a word: both say in their manuals that this is not to be done to one in use.
const TELLING: [(u32, &str); 27] = [
    (0x0000_137f, "minix"),
    (0x0000_3434, "nilfs2"),
    (0x0000_4244, "hfs"),
    (0x0000_482b, "hfsplus"),
    (0x0000_4d44, "vfat"),
    (0x0000_4d5a, "minix"),
    (0x0000_72b6, "jffs2"),
    (0x0000_9660, "iso9660"),
    (0x0000_ef53, "ext4"),
    (0x0000_f15f, "ecryptfs"),
    (0x0102_1994, "tmpfs"),
    (0x1501_3346, "udf"),
    (0x2011_bab0, "exfat"),
    (0x2405_1905, "ubifs"),
    (0x28cd_3d45, "cramfs"),
    (0x2fc1_2fc1, "zfs"),
    (0x3153_464a, "jfs"),
    (0x5265_4973, "reiserfs"),
    (0x5846_5342, "xfs"),
    (0x7366_746e, "ntfs3"),
    (0x7371_7368, "squashfs"),
    (0x794c_7630, "overlay"),
    (0x8584_58f6, "ramfs"),
    (0x9123_683e, "btrfs"),
    (0xca45_1a4e, "bcachefs"),
    (0xe0f5_e1e2, "erofs"),
    (0xf2f5_2010, "f2fs"),
];

/// Others may change these without this kernel knowing: other machines, or a process of this one. For their names only:
/// whatever is in neither table is treated as these are.
const SILENT: [(u32, &str); 19] = [
    (0x0000_517b, "smb"),
    (0x0000_564c, "ncp"),
    (0x0000_6969, "nfs"),
    (0x00c3_6400, "ceph"),
    (0x0102_1997, "9p"),
    (0x0116_1970, "gfs2"),
    (0x0bd0_0bd0, "lustre"),
    (0x1983_0326, "fhgfs"),
    (0x2003_0528, "orangefs"),
    (0x4750_4653, "gpfs"),
    (0x5346_414f, "afs"),
    (0x6573_5546, "fuse"),
    (0x6b41_4653, "kafs"),
    (0x7375_7245, "coda"),
    (0x7461_636f, "ocfs2"),
    (0x786f_4256, "vboxsf"),
    (0xbacb_acbc, "vmhgfs"),
    (0xfe53_4d42, "smb2"),
    (0xff53_4d42, "cifs"),
];

/// Those that live on another machine, or in a program that may speak for one: a lock or a sync that is granted there proves
/// too little for a database.
const ELSEWHERE: [(u32, &str); 10] = [
    (0x6969, "nfs"),
    (0x517b, "smb"),
    (0xff53_4d42, "cifs"),
    (0xfe53_4d42, "smb2"),
    (0x00c3_6400, "ceph"),
    (0x0102_1997, "9p"),
    (0x5346_414f, "afs"),
    (0x0bd0_0bd0, "lustre"),
    (0x7375_7245, "coda"),
    (0x6573_5546, "fuse"),
];

pub(super) fn judge(found: &StatFs) -> FileSystem {
    by_magic(magic(found))
}

pub(super) fn name_elsewhere(found: &StatFs) -> Option<String> {
    let magic = magic(found);
    let is_known = |(number, _): &&(u32, &str)| *number == magic;
    ELSEWHERE
        .iter()
        .find(is_known)
        .map(|(_, name)| (*name).to_owned())
}

fn magic(found: &StatFs) -> u32 {
    // The field is signed on some systems; the magic numbers are 32 bits wide everywhere.
    let magic = u64::from_ne_bytes(found.f_type.to_ne_bytes()) & 0xffff_ffff;
    u32::try_from(magic).unwrap_or(0)
}

fn by_magic(magic: u32) -> FileSystem {
    let name = |table: &[(u32, &str)]| {
        let at = table.binary_search_by_key(&magic, |(number, _)| *number).ok()?;
        Some(table[at].1.to_owned())
    };
    if let Some(name) = name(&TELLING) {
        return FileSystem { name, tells: true };
    }
    FileSystem {
        name: name(&SILENT).unwrap_or_else(|| format!("unknown ({magic:#x})")),
        tells: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_are_sorted_for_the_search_and_no_type_is_in_both() {
        let numbers = |table: &[(u32, &str)]| table.iter().map(|(number, _)| *number).collect::<Vec<_>>();
        assert!(numbers(&TELLING).is_sorted() && numbers(&SILENT).is_sorted());
        assert!(numbers(&SILENT).iter().all(|number| !by_magic(*number).tells));
    }

    #[test]
    fn a_type_that_nobody_has_judged_is_not_trusted_to_tell() {
        assert!(by_magic(0xef53).tells);
        assert!(!by_magic(0x6573_5546).tells);
        assert_eq!(
            by_magic(0x1234),
            FileSystem {
                name: "unknown (0x1234)".into(),
                tells: false
            }
        );
    }
}
