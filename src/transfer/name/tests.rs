//! Names that pass, and names that do not.

use super::*;

#[path = "../../../tests/common/names.rs"]
mod table;

#[test]
fn ordinary_names_pass_unchanged() {
    for name in [
        &b"a"[..],
        b"hello.txt",
        b"archive.tar.gz",
        b"with space.txt",
        b" leading space",
        b"-rf",
        b"~",
        b"a..b",
        b"a.b.c.d",
        b"console.txt",
        b"CONx",
        b"acon",
        b"COM",
        b"COM10",
        b"COM1x.txt",
        b"LPT",
        b"NULL",
        b"auxiliary",
        b"x.CON",
        b"$MFT",
        b"%41",
        b"name@#&()[]{}+=,;'!`^",
        "\u{d55c}\u{ae00}.txt".as_bytes(),
        "na\u{ef}ve \u{1f600}.png".as_bytes(),
        b"\xc7\xd1\xb1\xdb.txt",
        b"\xff\xfe",
        // A letter of CP949.
        b"\xb0\xa1\xc2\x9b",
        "\u{a0}".as_bytes(),
        &[b'n'; 255],
    ] {
        let checked = safe_name(name).map(|name| name.as_bytes().to_vec());
        assert_eq!(checked.as_deref(), Ok(name));
    }
}

#[test]
fn each_rule_refuses_what_breaks_it() {
    use NameError::*;
    let table: &[(&[u8], NameError)] = &[
        (b"", Empty),
        (&[b'n'; 256], TooLong),
        (b"/", Path),
        (b"\\", Path),
        (b"../x", Path),
        (b"..\\x", Path),
        (b"a/b", Path),
        (b"a\\b", Path),
        (b"a/", Path),
        (b"/etc/passwd", Path),
        (b"./x", Path),
        (b"C:", Path),
        (b"C:x", Path),
        (b"C:\\x", Path),
        (b"\\\\host\\share\\x", Path),
        (b"//host/share/x", Path),
        (b"\\\\.\\PhysicalDrive0", Path),
        (b"\\\\?\\C:\\x", Path),
        (b"\\??\\C:\\x", Path),
        (b"file.txt:stream", Path),
        (b"file.txt::$DATA", Path),
        (b"CON:", Path),
        (b".", LeadingDot),
        (b"..", LeadingDot),
        (b"...", LeadingDot),
        (b".bashrc", LeadingDot),
        (b".ssh", LeadingDot),
        (b"a.", TrailingDotOrSpace),
        (b"a..", TrailingDotOrSpace),
        (b"a ", TrailingDotOrSpace),
        (b"a. ", TrailingDotOrSpace),
        (b" ", TrailingDotOrSpace),
        (b"CON ", TrailingDotOrSpace),
        (b"a<b", Special),
        (b"a>b", Special),
        (b"a\"b", Special),
        (b"a|b", Special),
        (b"a?b", Special),
        (b"*.txt", Special),
        (b"a\0b", Control),
        (b"\0", Control),
        (b"a\nb", Control),
        (b"a\rb", Control),
        (b"a\x1b[2Jb", Control),
        (b"a\x7f", Control),
        ("a\u{9b}b".as_bytes(), Control),
        ("\u{80}".as_bytes(), Control),
        (b"CON", Reserved),
        (b"con", Reserved),
        (b"Con.txt", Reserved),
        (b"CON .txt", Reserved),
        (b"con   .tar.gz", Reserved),
        (b"PRN", Reserved),
        (b"prn.x", Reserved),
        (b"AUX", Reserved),
        (b"aux.h", Reserved),
        (b"NUL", Reserved),
        (b"nul.dat", Reserved),
        (b"CONIN$", Reserved),
        (b"conout$", Reserved),
        (b"CONOUT$.txt", Reserved),
        (b"COM0", Reserved),
        (b"COM1", Reserved),
        (b"com9.log", Reserved),
        (b"LPT0", Reserved),
        (b"LPT1.txt", Reserved),
        (b"lpt9", Reserved),
        ("COM\u{b9}".as_bytes(), Reserved),
        ("com\u{b2}.txt".as_bytes(), Reserved),
        ("LPT\u{b3} .txt".as_bytes(), Reserved),
        (b"COM\xb9", Reserved),
    ];
    for (name, error) in table {
        assert_eq!(
            safe_name(name),
            Err(*error),
            "{:?}",
            String::from_utf8_lossy(name)
        );
    }
}

#[test]
fn every_control_byte_is_refused_anywhere() {
    for byte in (0..=0x1f).chain([0x7f]) {
        for name in [&[byte][..], &[b'a', byte], &[b'a', byte, b'b']] {
            assert_eq!(safe_name(name), Err(NameError::Control), "{name:?}");
        }
    }
}

#[test]
fn a_name_that_fits_is_sent_as_it_is() {
    for name in [&b"a"[..], &[b'n'; NAME_MAX], b"x.y"] {
        assert_eq!(fit_name(name), name);
    }
}

#[test]
fn a_longer_name_is_cut_in_front_of_its_extension_and_between_characters() {
    let table: &[(&str, &str)] = &[
        (
            "a-name-of-exactly-thirty-two.txt",
            "a-name-of-exactly-thirty-tw.txt",
        ),
        (
            "0123456789012345678901234567890123456789.tar.gz",
            "0123456789012345678901234567.gz",
        ),
        (
            "no-extension-in-this-long-name-at-all",
            "no-extension-in-this-long-name-",
        ),
        (
            ".hidden-0123456789012345678901234567890",
            ".hidden-01234567890123456789012",
        ),
        (
            "short.an-extension-that-is-longer-than-half",
            "short.an-extension-that-is-long",
        ),
        // Nine characters of three bytes, and four bytes of extension, are 31 bytes.
        (
            "\u{d55c}\u{d55c}\u{d55c}\u{d55c}\u{d55c}\u{d55c}\u{d55c}\u{d55c}\u{d55c}\u{d55c}.txt",
            "\u{d55c}\u{d55c}\u{d55c}\u{d55c}\u{d55c}\u{d55c}\u{d55c}\u{d55c}\u{d55c}.txt",
        ),
        // One byte in front leaves room for eight and two thirds.
        (
            "a\u{d55c}\u{d55c}\u{d55c}\u{d55c}\u{d55c}\u{d55c}\u{d55c}\u{d55c}\u{d55c}\u{d55c}.txt",
            "a\u{d55c}\u{d55c}\u{d55c}\u{d55c}\u{d55c}\u{d55c}\u{d55c}\u{d55c}.txt",
        ),
        (
            "                                   x",
            "                              x",
        ),
        (
            "                                  \u{d55c}\u{ae00}",
            "                         \u{d55c}\u{ae00}",
        ),
        (
            "thirty bytes and then a dot 30. and a lot more text",
            "thirty bytes and then a dot 30",
        ),
    ];
    for (name, sent) in table {
        assert!(name.len() > NAME_MAX);
        assert_eq!(String::from_utf8(fit_name(name.as_bytes())).unwrap(), *sent);
    }
    let other = [&[0xc7; 40][..], b".txt"].concat();
    assert_eq!(fit_name(&other), [&[0xc7; 27][..], b".txt"].concat());
}

/// What a check says, in the words of the table.
fn rule(result: Result<(), NameError>) -> Option<String> {
    result.err().map(|error| format!("{error:?}"))
}

#[test]
fn four_hundred_names_are_judged_by_their_rule_first_and_below_in_a_path() {
    let table = table::table();
    assert!(table.len() >= 400, "{} names", table.len());
    for (name, expected) in &table {
        let shown = String::from_utf8_lossy(name);
        let first = rule(safe_name(name).map(drop));
        match &first {
            Some(rule) => assert!(
                expected.is_some_and(|names| names.contains(rule)),
                "{shown:?}: {rule}"
            ),
            None => assert_eq!(*expected, None, "{shown:?}"),
        }
        assert_eq!(rule(safe_path(&[name]).map(drop)), first, "{shown:?}");
        let below = rule(safe_path(&[&b"a"[..], name, b"b"]).map(drop));
        let is_dots = name.iter().all(|&byte| byte == b'.');
        match first.as_deref() {
            Some("LeadingDot") if is_dots => assert_eq!(below, first, "{shown:?}"),
            Some("LeadingDot") => assert_eq!(below, None, "{shown:?}"),
            _ => assert_eq!(below, first, "{shown:?}"),
        }
    }
}

#[test]
fn a_path_has_one_to_sixty_four_components_in_utf_8() {
    let path = |depth| vec!["d"; depth];
    assert_eq!(safe_path(&path(64)).map(|names| names.len()), Ok(64));
    assert_eq!(safe_path(&path(65)), Err(NameError::Depth));
    assert_eq!(safe_path(&path(0)), Err(NameError::Depth));
    assert_eq!(safe_path(&[&b"a"[..], b"\xff"]), Err(NameError::NotUnicode));
    assert_eq!(safe_path(&[b"\xc7\xd1"]), Err(NameError::NotUnicode));
}
