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
    drop(dir);
    // Nothing else is left, or this fails.
    std::fs::remove_dir(&path).unwrap();
}

/// A new, empty folder, gone with its value.
struct Temp(std::path::PathBuf);

impl Temp {
    fn new(name: &str) -> Self {
        let name = format!("p2pxfer-dir-{name}-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }
}

impl Drop for Temp {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn path(names: &[&str]) -> Vec<OsString> {
    names.iter().map(OsString::from).collect()
}

#[test]
fn a_folder_below_is_made_opened_timed_and_synced() {
    let temp = Temp::new("below");
    let root = Dir::open(&temp.0).unwrap();
    root.make_folder(OsStr::new("a")).unwrap();
    let taken = root.make_folder(OsStr::new("a")).unwrap_err();
    assert_eq!(taken.kind(), io::ErrorKind::AlreadyExists);
    let a = root.folder(&path(&["a"])).unwrap();
    a.make_folder(OsStr::new("b")).unwrap();
    let b = root.folder(&path(&["a", "b"])).unwrap();
    drop(b.create_private(OsStr::new("c")).unwrap());
    assert!(temp.0.join("a/b/c").is_file());
    let same = root.folder(&[]).unwrap();
    assert_eq!(
        same.stat(OsStr::new("a")).unwrap().unwrap().kind,
        FileKind::Folder
    );
    assert!(root.stat(OsStr::new("x")).unwrap().is_none());
    let missing = root.folder(&path(&["a", "x", "y"])).unwrap_err();
    assert_eq!(missing.kind(), io::ErrorKind::NotFound);
    if let Some(handle) = b.handle().unwrap() {
        handle.sync_all().unwrap();
        sync_file_system(&handle).unwrap();
    }
    let time = std::time::UNIX_EPOCH + std::time::Duration::new(1_000_000_007, 500);
    if cfg!(unix) {
        b.set_mtime(time).unwrap();
        let stat = a.stat(OsStr::new("b")).unwrap().unwrap();
        assert_eq!(stat.mtime, time);
    }
    for outside in ["..", ".", "", "a/b", "/"] {
        assert!(root.folder(&path(&[outside])).is_err(), "{outside}");
        assert!(root.folder(&path(&["a", outside])).is_err(), "{outside}");
        assert!(root.stat(OsStr::new(outside)).is_err(), "{outside}");
        assert!(root.make_folder(OsStr::new(outside)).is_err(), "{outside}");
    }
}

#[test]
fn a_file_without_a_name_is_nowhere_until_it_gets_one_that_is_free() {
    let temp = Temp::new("nameless");
    let dir = Dir::open(&temp.0).unwrap();
    let at = |name: &str| temp.0.join(name);
    let found = || std::fs::read_dir(&temp.0).unwrap().count();
    if !dir.takes_nameless() {
        // Past the capture of what a test prints.
        let why = "SKIP sys-nameless: this system or file system has no files without a name";
        let _ = writeln!(io::stderr(), "{why}");
        return;
    }
    let file = dir.create_nameless().unwrap();
    let mut open: &std::fs::File = &file;
    open.write_all(b"new").unwrap();
    drop(dir.create_nameless().unwrap());
    assert_eq!(found(), 0);
    std::fs::write(at("taken"), b"old").unwrap();
    let kind = |name: &str| dir.name(&file, OsStr::new(name)).unwrap_err().kind();
    assert_eq!(kind("taken"), io::ErrorKind::AlreadyExists);
    for outside in ["", ".", "..", "../x", "/x", "a/b"] {
        assert_eq!(kind(outside), io::ErrorKind::InvalidInput, "{outside}");
    }
    dir.name(&file, OsStr::new("free")).unwrap();
    drop(file);
    assert_eq!(std::fs::read(at("taken")).unwrap(), b"old");
    assert_eq!(std::fs::read(at("free")).unwrap(), b"new");
    let permissions = |name: &str| at(name).metadata().unwrap().permissions();
    assert_eq!(permissions("free"), permissions("taken"));
    assert_eq!(found(), 2);
}

#[test]
fn a_file_is_looked_at_and_opened_where_its_path_leads_also_when_its_folder_is_another_one_now() {
    let temp = Temp::new("near");
    let at = |name: &str| temp.0.join(name);
    let near = Near::default();
    for (folder, bytes) in [("a", &b"1"[..]), ("b", b"22")] {
        std::fs::create_dir(at(folder)).unwrap();
        std::fs::write(at(folder).join("x"), bytes).unwrap();
    }
    for (path, size) in [("a/x", 1), ("b/x", 2), ("a/x", 1)] {
        assert_eq!(near.stat(&at(path)).unwrap().size, size);
        let (file, stat) = near.open_regular(&at(path)).unwrap();
        assert_eq!((stat.size, stat.kind), (size, FileKind::File));
        assert_eq!(file.metadata().unwrap().len(), size);
    }
    assert_eq!(near.stat(&at("a")).unwrap().kind, FileKind::Folder);
    assert!(near.open_regular(&at("a")).is_err());
    let missing = near.stat(&at("a/y")).unwrap_err();
    assert_eq!(missing.kind(), io::ErrorKind::NotFound);
    near.stat(&at("a/x")).unwrap();
    std::fs::rename(at("a"), at("c")).unwrap();
    std::fs::create_dir(at("a")).unwrap();
    std::fs::write(at("a/y"), b"333").unwrap();
    assert_eq!(near.stat(&at("a/y")).unwrap().size, 3);
    assert_eq!(near.open_regular(&at("a/y")).unwrap().1.size, 3);
}

#[cfg(all(target_os = "linux", feature = "libc"))]
#[test]
fn room_for_descriptors_takes_none_of_them() {
    // Other tests open files meanwhile, but none has so high a number.
    reserve_descriptors(300);
    assert!(!std::path::Path::new("/proc/self/fd/299").exists());
}

#[test]
fn the_start_of_the_machine_has_one_id() {
    assert_eq!(boot_id(), boot_id());
}

#[cfg(unix)]
#[test]
fn a_link_at_any_level_leads_nowhere() {
    use std::os::unix::fs::symlink;
    let (temp, outside) = (Temp::new("links"), Temp::new("outside"));
    std::fs::create_dir_all(outside.0.join("b/c")).unwrap();
    let names = ["a", "b", "c"];
    for level in 0..names.len() {
        let at: std::path::PathBuf = names[..level].iter().collect();
        let folder = temp.0.join(level.to_string());
        std::fs::create_dir_all(folder.join(at)).unwrap();
        for target in [outside.0.clone(), "..".into(), ".".into()] {
            let link: std::path::PathBuf = names[..=level].iter().collect();
            let link = folder.join(link);
            symlink(&target, &link).unwrap();
            let root = Dir::open(&folder).unwrap();
            assert!(root.folder(&path(&names)).is_err(), "{link:?}");
            assert!(root.folder(&path(&names[..=level])).is_err(), "{link:?}");
            std::fs::remove_file(link).unwrap();
        }
    }
}

#[cfg(unix)]
#[test]
fn a_folder_that_is_exchanged_for_a_link_all_the_time_never_leads_out() {
    use std::os::unix::fs::symlink;
    use std::sync::atomic::{AtomicBool, Ordering};
    if cfg!(not(feature = "libc")) {
        // The standard library alone looks first and opens then.
        return;
    }
    let (temp, outside) = (Temp::new("race"), Temp::new("race-outside"));
    std::fs::create_dir_all(outside.0.join("b")).unwrap();
    std::fs::create_dir_all(temp.0.join("real/b")).unwrap();
    symlink(&outside.0, temp.0.join("link")).unwrap();
    let over = AtomicBool::new(false);
    let (mut made, mut refused) = (0, 0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let at = |name: &str| temp.0.join(name);
            while !over.load(Ordering::Relaxed) {
                for name in ["real", "link"] {
                    std::fs::rename(at(name), at("a")).unwrap();
                    std::fs::rename(at("a"), at(name)).unwrap();
                }
            }
        });
        let root = Dir::open(&temp.0).unwrap();
        for number in 0..20_000 {
            let name = OsString::from(format!("f{number}"));
            let folder = root.folder(&path(&["a", "b"]));
            match folder.and_then(|folder| folder.open_private(&name, Access::Create)) {
                Ok(_) => made += 1,
                Err(_) => refused += 1,
            }
        }
        over.store(true, Ordering::Relaxed);
    });
    assert_eq!(std::fs::read_dir(outside.0.join("b")).unwrap().count(), 0);
    let inside = std::fs::read_dir(temp.0.join("real/b")).unwrap().count();
    assert_eq!(inside, made);
    assert!(refused > 0, "nothing was exchanged at the right time");
}

#[cfg(unix)]
#[test]
fn a_private_file_is_regular_ours_alone_locked_and_closed_to_others() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
    let temp = Temp::new("private");
    let dir = Dir::open(&temp.0).unwrap();
    let at = |name: &str| temp.0.join(name);
    let open = |name: &str, access| dir.open_private(OsStr::new(name), access);
    let kind = |name, access| open(name, access).unwrap_err().kind();
    let write = |mut file: &std::fs::File, bytes: &[u8]| file.write_all(bytes);
    let text = |name| open(name, Access::Create).unwrap_err().to_string();
    assert_eq!(kind("p", Access::Existing), io::ErrorKind::NotFound);

    std::fs::write(at("p"), b"old").unwrap();
    std::fs::set_permissions(at("p"), std::fs::Permissions::from_mode(0o644)).unwrap();
    let held = open("p", Access::Create).unwrap();
    assert_eq!(held.metadata().unwrap().mode() & 0o7777, 0o600);
    write(&held, b"new").unwrap();
    assert_eq!(kind("p", Access::Create), io::ErrorKind::WouldBlock);
    // As a process has it that is being started, until its program is there.
    let copy = held.try_clone().unwrap();
    drop(held);
    let again = open("p", Access::ExistingAppend).unwrap();
    write(&again, b"er").unwrap();
    drop((again, copy));
    assert_eq!(std::fs::read(at("p")).unwrap(), b"newer");

    std::fs::hard_link(at("p"), at("second")).unwrap();
    assert!(text("p").contains("hard link"));
    symlink(at("p"), at("link")).unwrap();
    assert!(text("link").contains("symbolic link"));
    symlink("/dev/null", at("null")).unwrap();
    assert!(text("null").contains("symbolic link"));
    std::fs::create_dir(at("folder")).unwrap();
    assert!(open("folder", Access::Create).is_err());
    let made = std::process::Command::new("mkfifo")
        .arg(at("fifo"))
        .status();
    if made.is_ok_and(|status| status.success()) {
        assert!(text("fifo").contains("not a regular file"));
    }
    if cfg!(feature = "libc") {
        std::fs::write(at("theirs"), b"").unwrap();
        if chown(at("theirs"), Some(12345), None).is_ok() {
            assert!(text("theirs").contains("another user"));
        }
    }
    assert!(dir.open_regular(OsStr::new("link")).is_err());
    assert!(Near::default().open_regular(&at("folder")).is_err());
}
