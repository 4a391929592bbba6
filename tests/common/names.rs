//! Names that a sender may send, and the rule each breaks: the words are those of `NameError`.

/// A name, and the rule it breaks; `None` when it breaks none.
pub(crate) type Judged = (Vec<u8>, Option<&'static str>);

/// Names in every place of a path; below the first component a leading dot breaks no rule.
pub(crate) fn table() -> Vec<Judged> {
    let mut table: Vec<Judged> = Vec::new();
    let mut add = |rule, names: &[&[u8]]| {
        table.extend(names.iter().map(|name| (name.to_vec(), rule)));
    };
    add(
        None,
        &[
            b"a",
            b"hello.txt",
            b"archive.tar.gz",
            b"with space.txt",
            b" leading",
            b"-rf",
            b"~",
            b"a..b",
            b"x.CON",
            b"CONx",
            b"console",
            b"COM",
            b"COM10",
            b"COMx",
            b"LPT",
            b"NULL",
            b"auxiliary",
            b"$MFT",
            b"%2e%2e",
            b"&#46;",
            b"name@#&()[]{}+=,;'!`^",
            b"p2pxfer-part",
            b"x.p2pxfer-part.txt",
            b"x.p2pxfer",
            b"x.part",
            "\u{d55c}\u{ae00}.txt".as_bytes(),
            "\u{202e}gpj.exe".as_bytes(),
            "zero\u{200b}width".as_bytes(),
            "\u{2025}".as_bytes(),
            "\u{ff0f}".as_bytes(),
            "\u{2215}etc".as_bytes(),
            "COM\u{2074}".as_bytes(),
            "\u{fe52}\u{fe52}".as_bytes(),
            &[b'n'; 255],
        ],
    );
    add(Some("Empty"), &[b""]);
    add(Some("TooLong"), &[&[b'n'; 256], &[b'.'; 300], &[0; 1000]]);
    add(
        Some("LeadingDot"),
        &[
            b".", b"..", b"...", b"....", b".bashrc", b".ssh", b".git", b".a.b",
        ],
    );
    for dangerous in ["..", "x", "etc", "C:", "CON", ""] {
        for separator in ["/", "\\"] {
            for name in [
                format!("{dangerous}{separator}x"),
                format!("{separator}{dangerous}"),
                format!("x{separator}{dangerous}{separator}x"),
                format!("{separator}{separator}{dangerous}{separator}x"),
                format!("{separator}{separator}?{separator}{dangerous}"),
                format!("{separator}{separator}.{separator}{dangerous}"),
            ] {
                // Of two rules the first byte that breaks one counts.
                table.push((name.into_bytes(), Some("Path")));
            }
        }
    }
    for drive in [
        "C:",
        "c:x",
        "z:y.txt",
        "a:",
        "file:stream",
        "x::$DATA",
        "http:",
        "CON:",
        "\u{e9}:",
    ] {
        table.push((drive.as_bytes().to_vec(), Some("Path")));
    }
    for tail in [".", " ", "..", "  ", ". ", " ."] {
        for stem in ["a", "a.b", "CON", "\u{e9}", "x.p2pxfer-part"] {
            table.push((
                format!("{stem}{tail}").into_bytes(),
                Some("TrailingDotOrSpace"),
            ));
        }
    }
    for special in ["<", ">", "\"", "|", "?", "*"] {
        for name in [
            format!("a{special}b"),
            special.to_string(),
            format!("{special}.txt"),
        ] {
            table.push((name.into_bytes(), Some("Special")));
        }
    }
    for control in (0..0x20).chain([0x7f]) {
        table.push((vec![control], Some("Control")));
        table.push((vec![b'a', control], Some("Control")));
        table.push((vec![b'a', control, b'b'], Some("Control")));
    }
    for control in 0x80..=0x9f_u32 {
        let control = char::from_u32(control).expect("a control character");
        table.push((format!("a{control}").into_bytes(), Some("Control")));
    }
    let classes = ["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"].map(String::from);
    let digits = ["0", "1", "5", "9", "\u{b9}", "\u{b2}", "\u{b3}"];
    let numbered = ["COM", "LPT"].map(|class| digits.map(|digit| format!("{class}{digit}")));
    for device in classes.iter().chain(numbered.as_flattened()) {
        for name in [
            device.clone(),
            device.to_ascii_lowercase(),
            format!("{device}.txt"),
            format!("{}.tar.gz", device.to_ascii_lowercase()),
            format!("{device} .x"),
        ] {
            table.push((name.into_bytes(), Some("Reserved")));
        }
    }
    for ending in ["part", "journal", "PART", "Journal"] {
        for stem in ["", "a", "a.b", "\u{e9}"] {
            let name = format!("{stem}.p2pxfer-{ending}");
            let rule = if stem.is_empty() {
                "LeadingDot or OurEnding"
            } else {
                "OurEnding"
            };
            table.push((name.into_bytes(), Some(rule)));
        }
    }
    table
}
