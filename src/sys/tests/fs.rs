//! What the folder of every platform keeps to.

use std::io::Write;

use super::*;

#[test]
fn a_file_is_made_renamed_and_removed_and_nothing_is_replaced_or_reached_outside() {
    let path = std::env::temp_dir().join(format!("p2pxfer-dir-{}", std::process::id()));
    std::fs::create_dir(&path).unwrap();
    let dir = Dir::open(&path).unwrap();
    let name = OsStr::new;
    let kind = |result: io::Result<()>| result.unwrap_err().kind();
    let mut file = dir.create_private(name("a")).unwrap();
    file.write_all(b"x").unwrap();
    dir.share(&file, name("probe")).unwrap();
    drop(file);
    let again = dir.create_private(name("a")).map(drop);
    assert_eq!(kind(again), io::ErrorKind::AlreadyExists);
    dir.rename_new(name("a"), name("b")).unwrap();
    drop(dir.create_private(name("c")).unwrap());
    let taken = dir.rename_new(name("c"), name("b"));
    assert_eq!(kind(taken), io::ErrorKind::AlreadyExists);
    assert_eq!(std::fs::read(path.join("b")).unwrap(), b"x");
    dir.rename(name("c"), name("b")).unwrap();
    assert_eq!(std::fs::read(path.join("b")).unwrap(), b"");
    for outside in ["", ".", "..", "../x", "/x", "a/b", "a/"] {
        let made = dir.create_private(name(outside)).map(drop);
        assert_eq!(kind(made), io::ErrorKind::InvalidInput, "{outside}");
        assert!(dir.rename_new(name("b"), name(outside)).is_err());
    }
    dir.remove(name("b")).unwrap();
    // Nothing else is left, or this fails.
    std::fs::remove_dir(&path).unwrap();
}
