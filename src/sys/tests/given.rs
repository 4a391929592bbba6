//! What every platform's `given` has to do.

use super::*;

#[cfg(unix)]
#[test]
fn a_descriptor_is_given_by_its_number_and_one_that_is_not_open_is_an_error() {
    use std::io::Read;
    use std::os::fd::AsRawFd;
    let ours = File::open("/dev/zero").unwrap();
    let number = u32::try_from(ours.as_raw_fd()).unwrap();
    let mut byte = [1];
    inherited(number).unwrap().read_exact(&mut byte).unwrap();
    assert_eq!(byte, [0]);
    for number in [999_999, u32::MAX] {
        assert!(inherited(number).is_err());
    }
}

#[cfg(unix)]
#[test]
fn a_file_of_ours_that_others_may_read_is_told_from_one_that_they_may_not() {
    use std::os::unix::fs::PermissionsExt;
    let path = std::env::temp_dir().join(format!("p2pxfer-given-{}", std::process::id()));
    let file = File::create(&path).unwrap();
    for (mode, open) in [(0o600, false), (0o400, false), (0o640, true), (0o604, true)] {
        let permissions = std::fs::Permissions::from_mode(mode);
        file.set_permissions(permissions).unwrap();
        assert_eq!(others_may_read(&file).unwrap(), open, "{mode:o}");
    }
    std::fs::remove_file(path).unwrap();
    let device = File::open("/dev/null").unwrap();
    assert!(!others_may_read(&device).unwrap());
}

#[test]
fn the_room_on_a_disk_is_told_or_not_known() {
    if let Some(room) = free_space(Path::new(".")) {
        assert!(room < u64::MAX / 2);
    }
    assert_eq!(free_space(Path::new("/no/such/folder")), None);
    assert_eq!(free_space(Path::new("a\0b")), None);
}
