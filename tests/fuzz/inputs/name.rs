//! Names from the wire, against the rules written out once more.

use std::path::{Component, Path};

use p2pxfer::transfer::{DEPTH_MAX, fit_name, safe_name, safe_path};
use p2pxfer::wire::Printable;
use p2pxfer::wire::v1::NAME_MAX;

pub(crate) fn run(bytes: &[u8]) {
    let alone = safe_name(bytes);
    if let Ok(name) = &alone {
        assert_eq!(name.as_bytes(), bytes);
        assert_ne!(bytes[0], b'.');
        assert_safe(bytes);
    }
    let fitted = fit_name(bytes);
    assert!(fitted.len() <= NAME_MAX);
    if alone.is_ok() && !fitted.is_empty() {
        assert!(bytes.len() > NAME_MAX || fitted == bytes);
    }
    let components: Vec<&[u8]> = bytes.split(|&byte| byte == b'\n').collect();
    if let Ok(path) = safe_path(&components) {
        assert!(path.len() == components.len() && path.len() <= DEPTH_MAX);
        assert_ne!(components[0][0], b'.');
        for (name, component) in path.iter().zip(&components) {
            assert_eq!(name.as_bytes(), *component);
            assert_safe(component);
        }
    }
    let shown = Printable(bytes).to_string();
    let hidden = |char: char| char.is_control() || p2pxfer::wire::misleads(char);
    assert!(!shown.contains(hidden), "{shown:?}");
}

fn assert_safe(name: &[u8]) {
    assert!((1..=255).contains(&name.len()));
    let forbidden = |byte: &u8| *byte < 0x20 || b"/\\:<>\"|?*\x7f".contains(byte);
    assert!(!name.iter().any(forbidden));
    assert!(!name.ends_with(b".") && !name.ends_with(b" "));
    let lower = name.to_ascii_lowercase();
    assert!(!lower.ends_with(b".p2pxfer-part") && !lower.ends_with(b".p2pxfer-journal"));
    if let Ok(text) = std::str::from_utf8(name) {
        assert!(!text.contains(char::is_control));
        let stem = text
            .split('.')
            .next()
            .unwrap_or_default()
            .trim_end()
            .to_uppercase();
        let devices = ["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"];
        assert!(!devices.contains(&&*stem), "{text}");
        let port = stem.strip_prefix("COM").or(stem.strip_prefix("LPT"));
        let digit = |rest: &str| {
            rest.chars().count() == 1 && rest.chars().all(|char| "0123456789¹²³".contains(char))
        };
        assert!(!port.is_some_and(digit), "{text}");
        let mut parts = Path::new(text).components();
        assert!(matches!(parts.next(), Some(Component::Normal(_))) && parts.next().is_none());
    }
}
