//! The store's own files: what they say, whole or cut, and who may read them.

use super::*;

#[test]
fn network_file_systems_are_known_by_their_numbers() {
    assert_eq!(network_file_system(0x6969), Some("NFS"));
    assert_eq!(network_file_system(0xFF53_4D42), Some("SMB"));
    // As a signed 32-bit field shows it.
    assert_eq!(
        network_file_system(0xFF53_4D42_u32.cast_signed().into()),
        Some("SMB")
    );
    for local in [0xEF53, 0x0102_1994, 0x9123_683E, 0x5846_5342] {
        assert_eq!(network_file_system(local), None);
    }
}

#[test]
fn a_file_that_was_removed_cannot_be_synced() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let file = File::create(&path).unwrap();
    RealDisk.sync(&file).unwrap();
    fs::remove_file(&path).unwrap();
    assert!(RealDisk.sync(&file).is_err());
}

#[test]
fn a_mark_that_was_cut_or_altered_says_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let places = Places::new(folder.path());
    places.make().unwrap();
    assert_eq!(places.mark().unwrap(), 0);
    let mark = places.open_mark(7).unwrap();
    write_mark(&mark, 900).unwrap();
    assert_eq!(places.mark().unwrap(), 900);
    let path = places.db.join("tod.mark");
    let whole = fs::read(&path).unwrap();
    for at in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        fs::write(&path, &bytes).unwrap();
        assert_eq!(places.mark().unwrap(), 0, "byte {at}");
        fs::write(&path, &whole[..at]).unwrap();
        assert_eq!(places.mark().unwrap(), 0, "cut to {at}");
    }
}

#[test]
fn folders_and_files_are_private_whatever_the_umask() {
    let folder = tempfile::tempdir().unwrap();
    let places = Places::new(&folder.path().join("state"));
    places.make().unwrap();
    fs::write(places.log(), "x").unwrap();
    fs::set_permissions(places.log(), fs::Permissions::from_mode(0o644)).unwrap();
    places.make_private().unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(
        (mode(&places.state), mode(&places.db), mode(&places.log())),
        (0o700, 0o700, 0o600)
    );
}
