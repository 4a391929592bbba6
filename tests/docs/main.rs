//! What the documents name exists: the tests behind the quirks, the make targets of the README.

mod example;

use std::fs;
use std::path::Path;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn text(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// All Rust code below a folder.
fn code(folder: &Path, into: &mut String) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.ends_with("target") {
            code(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push_str(&fs::read_to_string(&path).unwrap());
        }
    }
}

/// What stands between backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

#[test]
fn every_quirk_of_2013_names_tests_that_exist() {
    let mut all = String::new();
    for folder in ["src", "tests"] {
        code(&root().join(folder), &mut all);
    }
    let protocol = text("doc/protocol.md");
    let (_, quirks) = protocol.split_once("\n## 3. The quirks").unwrap();
    let (quirks, _) = quirks.split_once("\n## 4. ").unwrap();
    let rows = quirks.lines().filter(|line| line.starts_with("| ")).skip(1);
    let mut named = 0;
    for row in rows {
        let tests = row.trim_end_matches(" |").rsplit(" | ").next().unwrap();
        for test in quoted(tests) {
            assert!(all.contains(&format!("fn {test}(")), "no test {test}");
            named += 1;
        }
        assert!(
            tests == "none" || tests.contains('`'),
            "a quirk without a test: {row}"
        );
    }
    assert!(named > 20, "only {named} tests are named");
}

#[test]
fn every_defence_against_a_lying_relay_names_tests_that_exist() {
    let mut all = String::new();
    for folder in ["src", "tests"] {
        code(&root().join(folder), &mut all);
    }
    let defences = text("doc/security-tests.md");
    let (_, lies) = defences.split_once("\n## A relay or a wire").unwrap();
    let rows = lies.lines().filter(|line| line.starts_with("| ")).skip(1);
    let mut named = 0;
    for row in rows {
        let tests = row.trim_end_matches(" |").rsplit(" | ").next().unwrap();
        // A module, or what a user types, is not a test.
        for test in quoted(tests).filter(|name| name.contains('_')) {
            assert!(all.contains(&format!("fn {test}(")), "no test {test}");
            named += 1;
        }
    }
    assert!(named > 20, "only {named} tests are named");
}

#[test]
fn every_make_target_that_the_readme_names_exists() {
    let makefile = text("Makefile") + &text("deploy/install.mk");
    let readme = text("README.md");
    let mut named = 0;
    for line in readme.lines() {
        for (_, rest) in line
            .match_indices("make ")
            .map(|(at, found)| line.split_at(at + found.len()))
        {
            let target: String = rest
                .chars()
                .take_while(|c| c.is_ascii_lowercase() || *c == '-')
                .collect();
            if line.trim_start().starts_with("make ") || line.contains(&format!("`make {target}")) {
                let defined = target.is_empty() || makefile.contains(&format!("\n{target}:"));
                assert!(defined, "no target {target}: {line}");
                named += 1;
            }
        }
    }
    assert!(named >= 3, "only {named} targets are named");
}
