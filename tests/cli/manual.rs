//! The manual pages and `--help` name the same options and exit statuses.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

fn help(program: &str) -> String {
    let output = Command::new(program).arg("--help").output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap()
}

fn page(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("doc/man")
        .join(name);
    let text = std::fs::read_to_string(path).unwrap();
    match text.strip_prefix(".so man1/") {
        Some(other) => page(other.trim()),
        None => text,
    }
}

/// The options that a text begins lines with, as `-o` and `--output`.
fn options<'a>(lines: impl Iterator<Item = &'a str>) -> BTreeSet<String> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let mut found = BTreeSet::new();
    for line in lines {
        for word in line.split(|c: char| !is_part(c)) {
            let name = word.trim_start_matches('-');
            let dashes = word.len() - name.len();
            if !name.is_empty() && (dashes == 2 || (dashes == 1 && name.len() == 1)) {
                found.insert(word.to_string());
            }
        }
    }
    found
}

/// The tags of a page's list of options, without its fonts.
fn tags(page: &str) -> Vec<String> {
    let (_, rest) = page.split_once(".SH OPTIONS\n").unwrap();
    let (section, _) = rest.split_once("\n.SH ").unwrap();
    let lines: Vec<_> = section.lines().collect();
    let tags = lines.windows(2).filter(|pair| pair[0] == ".TP");
    tags.map(|pair| {
        let mut text = pair[1].replace("\\-", "-");
        for font in ["\\fB", "\\fI", "\\fR", "\\fP"] {
            text = text.replace(font, " ");
        }
        text
    })
    .collect()
}

#[test]
fn the_manual_pages_name_the_options_that_help_names() {
    for (program, name) in [
        (env!("CARGO_BIN_EXE_send_r"), "send_r.1"),
        (env!("CARGO_BIN_EXE_recv_r"), "recv_r.1"),
        (env!("CARGO_BIN_EXE_p2p-relay"), "p2p-relay.8"),
    ] {
        let help = help(program);
        // An option begins its line, and what is said of it stands behind two spaces.
        let lines = help.lines().filter_map(|line| {
            let text = line.strip_prefix("  ")?.trim_start();
            text.starts_with('-')
                .then(|| text.split("  ").next())
                .flatten()
        });
        let helped = options(lines);
        let tags = tags(&page(name));
        let paged = options(tags.iter().map(String::as_str));
        assert!(helped.len() > 10, "{helped:?}");
        // A page may name a short form that help leaves out for brevity.
        assert!(helped.is_subset(&paged), "{name}: {helped:?} {paged:?}");
        let extra: Vec<_> = paged.difference(&helped).collect();
        assert!(
            extra.iter().all(|name| name.len() == 2),
            "{name}: {extra:?}"
        );
    }
}

#[test]
fn the_manual_page_and_the_readme_have_the_exit_statuses_that_help_has() {
    let help = help(env!("CARGO_BIN_EXE_send_r"));
    let (_, table) = help.split_once("exit status:\n").unwrap();
    assert!(
        table
            .lines()
            .all(|line| !line.starts_with(char::is_numeric) || line.starts_with("128"))
    );
    let first = |line: &str| line.split_whitespace().next().map(str::to_string);
    let numbers = |words: Vec<String>| -> Vec<String> {
        let is_number = |word: &String| word.starts_with(|c: char| c.is_ascii_digit());
        words.into_iter().filter(is_number).collect()
    };
    let helped = numbers(table.lines().filter_map(first).collect());
    assert!(helped.len() > 15, "{helped:?}");
    let page = page("send_r.1");
    let (_, section) = page.split_once(".SH EXIT STATUS\n").unwrap();
    let (section, _) = section.split_once("\n.SH ").unwrap();
    let tags: Vec<_> = section
        .lines()
        .filter_map(|line| line.strip_prefix(".B"))
        .collect();
    let paged = tags.iter().map(|tag| {
        let tag = tag.strip_prefix("I").unwrap_or(tag);
        tag.replace(' ', "")
    });
    assert_eq!(helped, numbers(paged.collect()));
    let readme = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md"));
    let readme = readme.unwrap();
    let (_, table) = readme.split_once("| exit status | |\n").unwrap();
    let rows = table.lines().take_while(|line| line.starts_with('|'));
    let cells = rows.filter_map(|row| Some(row.split('|').nth(1)?.trim().to_string()));
    let told: BTreeSet<_> = numbers(cells.collect()).into_iter().collect();
    let missing = helped
        .iter()
        .filter(|number| !number.contains('+') && !told.contains(*number));
    assert_eq!(missing.collect::<Vec<_>>(), Vec::<&String>::new());
}
