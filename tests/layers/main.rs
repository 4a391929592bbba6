//! Who imports whom in `src`, against the table of `doc/architecture.md`; and where `unsafe` may stand.

use std::fs;
use std::path::Path;

mod code;
mod table;

use code::{Token, tokens};
use table::Table;

/// A file of `src`: its path below it, with `/`, and its text.
struct Source {
    path: String,
    text: String,
}

/// What is against the rules, a line each; empty when nothing is.
fn check(sources: &[Source], table: &Table) -> Vec<String> {
    let mut wrong = Vec::new();
    for source in sources {
        let module = module(&source.path);
        let code = tokens(&source.text);
        if !may_be_unsafe(&module) {
            let found = code.iter().filter(|token| token.text == "unsafe");
            wrong.extend(
                found.map(|token| {
                    format!("{}:{}: unsafe outside its places", source.path, token.line)
                }),
            );
        }
        let Some(&top) = module.first().filter(|top| **top != "bin") else {
            continue;
        };
        let Some(allowed) = table.of(&module) else {
            wrong.push(format!("{}: '{top}' has no row in the table", source.path));
            continue;
        };
        for (import, line) in imports(&code, module.len()) {
            if import != top && !allowed.has(&import) {
                wrong.push(format!(
                    "{}:{line}: {top} may not import {import}",
                    source.path
                ));
            }
        }
    }
    wrong
}

/// Whether `unsafe` has a place there: in `sys`, in the vector units of `crypto`, and in its wipe.
fn may_be_unsafe(module: &[&str]) -> bool {
    match module {
        ["sys", ..] | ["crypto", "ct"] => true,
        ["crypto", .., file] => matches!(*file, "avx2" | "avx512" | "ifma" | "x86"),
        _ => false,
    }
}

/// `transfer/v1/sender.rs` is `transfer::v1::sender`, and `lib.rs` the root.
fn module(path: &str) -> Vec<&str> {
    let path = path.trim_end_matches(".rs");
    let path = path.strip_suffix("/mod").unwrap_or(path);
    match path {
        "lib" => Vec::new(),
        path => path.split('/').collect(),
    }
}

/// The top modules that the code names through `crate::` or through enough `super::`, and where.
fn imports(code: &[Token], depth: usize) -> Vec<(String, usize)> {
    let mut found = Vec::new();
    // For each open brace, whether it is that of an inline module.
    let mut braces = Vec::new();
    let mut at = 0;
    while at < code.len() {
        match code[at].text {
            "{" => {
                let module = at >= 2 && code[at - 2].text == "mod";
                braces.push(module);
            }
            "}" => {
                braces.pop();
            }
            "crate" if starts_path(code, at) => {
                found.extend(heads(&code[at + 1..]));
            }
            "super" if starts_path(code, at) => {
                let inline = braces.iter().filter(|module| **module).count();
                let chain = code[at..]
                    .chunks(2)
                    .take_while(
                        |pair| matches!(pair, [a, b] if a.text == "super" && b.text == "::"),
                    )
                    .count();
                if chain == depth + inline {
                    found.extend(heads(&code[at + 2 * chain - 1..]));
                }
                at += (2 * chain).max(1) - 1;
            }
            _ => {}
        }
        at += 1;
    }
    found
}

/// Whether a path starts here: neither `pub(crate)` nor the middle of another path.
fn starts_path(code: &[Token], at: usize) -> bool {
    let follows = at > 0 && matches!(code[at - 1].text, "::" | "$");
    !follows && code.get(at + 1).is_some_and(|next| next.text == "::")
}

/// The first names behind a `::`: one, or each of a group in braces.
fn heads(code: &[Token]) -> Vec<(String, usize)> {
    let head = |token: &Token| (token.text.to_owned(), token.line);
    match code {
        [_, open, group @ ..] if open.text == "{" => {
            let mut heads = Vec::new();
            let mut depth = 0;
            let mut first = true;
            for token in group {
                match token.text {
                    "{" => depth += 1,
                    "}" if depth == 0 => break,
                    "}" => depth -= 1,
                    "," => first = depth == 0 || first,
                    _ if first && depth == 0 => {
                        heads.push(head(token));
                        first = false;
                    }
                    _ => {}
                }
            }
            heads
        }
        [_, name, ..] => vec![head(name)],
        _ => Vec::new(),
    }
}

/// All files below a folder, with their paths relative to it.
fn collect(folder: &Path, prefix: &str, sources: &mut Vec<Source>) {
    for entry in fs::read_dir(folder).expect("a folder of ours") {
        let entry = entry.expect("an entry");
        let name = entry.file_name().into_string().expect("our names are text");
        let path = format!("{prefix}{name}");
        if entry.file_type().expect("a type").is_dir() {
            collect(&entry.path(), &format!("{path}/"), sources);
        } else if name.ends_with(".rs") {
            let text = fs::read_to_string(entry.path()).expect("our sources are text");
            sources.push(Source { path, text });
        }
    }
}

#[test]
fn no_module_imports_against_the_table_and_unsafe_stays_in_its_places() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("doc/architecture.md")).expect("the page is there");
    let mut sources = Vec::new();
    collect(&root.join("src"), "", &mut sources);
    assert!(sources.len() > 20, "only {} sources", sources.len());
    let wrong = check(&sources, &Table::read(&page));
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// What the check says of one planted file.
fn planted(path: &str, text: &str) -> Vec<String> {
    let page = "# A page\n\n| a | b |\n|---|---|\n| `wire` | `cli` |\n\n\
                | module | may import |\n|---|---|\n\
                | `crypto`, `sys`, `wire` | nothing of ours |\n\
                | `transfer` | `wire` |\n| `transfer::store` | `wire`, `sys` |\n\
                | `cli` | all but `wire` |\n";
    let source = Source {
        path: path.into(),
        text: text.into(),
    };
    check(&[source], &Table::read(page))
}

#[test]
fn an_upward_arrow_is_found_however_it_is_written() {
    for (path, text) in [
        ("wire/mod.rs", "use crate::cli;"),
        ("wire/mod.rs", "\n\nfn f() { crate::cli::main() }"),
        (
            "wire/hello.rs",
            "use crate::{\n    wire::v1,\n    cli::{a, b},\n};",
        ),
        ("wire/mod.rs", "use super::cli::main;"),
        (
            "wire/hello.rs",
            "mod tests { use super::super::super::cli; }",
        ),
        ("wire/hello.rs", "pub use super::super::{cli, wire};"),
        (
            "wire/hello.rs",
            "let a = '\"'; use crate::cli; let b = '\"';",
        ),
    ] {
        let wrong = planted(path, text);
        assert_eq!(wrong.len(), 1, "{text}: {wrong:?}");
        assert!(wrong[0].ends_with("wire may not import cli"), "{wrong:?}");
    }
    assert_eq!(
        planted("cli/mod.rs", "use crate::wire;"),
        ["cli/mod.rs:1: cli may not import wire"]
    );
    assert_eq!(
        planted("transfer/v1.rs", "\nuse crate::sys;"),
        ["transfer/v1.rs:2: transfer may not import sys"]
    );
    assert_eq!(
        planted("mesh/mod.rs", ""),
        ["mesh/mod.rs: 'mesh' has no row in the table"]
    );
}

#[test]
fn what_the_table_allows_is_not_found() {
    for (path, text) in [
        (
            "transfer/mod.rs",
            "use crate::wire::{YES, NO}; use crate::transfer::v1;",
        ),
        ("transfer/store.rs", "use crate::sys::fs;"),
        ("transfer/store/part.rs", "use crate::sys::fs;"),
        ("cli/mod.rs", "use crate::{sys, transfer};"),
        (
            "wire/mod.rs",
            "// use crate::cli;\n/* crate::cli /* */ crate::cli */",
        ),
        (
            "wire/mod.rs",
            r##"const A: &str = "use crate::cli;"; const B: &str = r#""crate::cli"#;"##,
        ),
        (
            "wire/hello.rs",
            "pub(crate) fn f() {} use super::cli; mod tests { use super::cli; }",
        ),
        ("bin/p2p-relay.rs", "fn main() { crate::cli::main() }"),
        ("lib.rs", "pub use crate::cli::main;"),
    ] {
        assert_eq!(planted(path, text), [""; 0], "{text}");
    }
}

#[test]
fn unsafe_is_found_in_code_and_only_there() {
    assert_eq!(
        planted("wire/mod.rs", "fn f() {\n    unsafe { g() }\n}"),
        ["wire/mod.rs:2: unsafe outside its places"]
    );
    let clean = "// unsafe\n#![deny(unsafe_code)]\nconst A: &str = \"unsafe\"; fn f<'unsafe_>() {}";
    assert_eq!(planted("wire/mod.rs", clean), [""; 0]);
    for path in [
        "sys/mod.rs",
        "crypto/ct.rs",
        "crypto/vector/avx2.rs",
        "crypto/poly1305/ifma.rs",
        "crypto/chacha20/x86.rs",
    ] {
        assert_eq!(planted(path, "unsafe { g() }"), [""; 0], "{path}");
    }
    for path in [
        "crypto/sha2.rs",
        "crypto/chacha20.rs",
        "crypto/avx2/mask.rs",
        "wire/avx2.rs",
    ] {
        assert_eq!(planted(path, "unsafe { g() }").len(), 1, "{path}");
    }
}
