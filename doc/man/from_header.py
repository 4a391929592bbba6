#!/usr/bin/env python3
"""Writes the pages of section 3 from include/p2pxfer.h: one page for each group of functions.

    from_header.py [--check] HEADER FOLDER

With --check nothing is written, and a page that differs is an error. p2pxfer.3 is written by hand.
"""

import re
import sys
from pathlib import Path

# A page: what it is about, and its functions; the first one is its name.
GROUPS = [
    ("make and free a handle", ["new", "free"]),
    ("settings for transfers and streams", ["set_user_id", "set_host", "set_port", "set_connect_timeout",
                                            "set_idle_timeout", "set_wait", "set_progress",
                                            "set_output_folder", "set_output_file", "set_overwrite", "set_log"]),
    ("settings for transfers alone", ["set_secret", "set_require_secret", "set_reconnect",
                                      "set_version1_only"]),
    ("judge what a sender offers", ["set_accept", "offer_get", "offer_name"]),
    ("send and receive files, and end a transfer", ["send_file", "send_files", "send_text", "recv_file",
                                                    "cancel"]),
    ("send and receive bytes that are no file", ["send_buffer", "send_stream", "recv_buffer", "recv_stream"]),
    ("what a transfer came to", ["report_get", "received_path", "received_item", "received_text"]),
    ("a connected socket through the relay", ["dial", "listen", "register"]),
    ("a stream through the relay that a secret seals", ["dial_sealed", "listen_sealed", "stream_read",
                                                        "stream_write", "stream_finish", "stream_socket",
                                                        "stream_pending", "stream_free"]),
    ("a relay in the process", ["relay_start", "relay_start_with", "relay_port", "relay_get", "relay_drain",
                                "relay_stop"]),
    ("what went wrong", ["last_error", "strerror"]),
    ("the version of the library", ["version", "version_string"]),
]
# What else of the header a page shows: types and numbers.
SHOWN = {"set_user_id": ["p2pxfer_progress", "p2pxfer_log", "P2PXFER_FOREVER"], "set_secret": ["P2PXFER_SECRET_MAX"],
         "send_buffer": ["p2pxfer_read", "p2pxfer_write"], "relay_start": ["p2pxfer_relay_setting"],
         "set_accept": ["p2pxfer_accept"], "version": ["P2PXFER_VERSION"]}
# The numbers that a page lists, and what its section is called.
LISTED = {"last_error": [("p2pxfer_status", "STATUSES")], "set_accept": [("p2pxfer_offer_number", "NUMBERS")],
          "report_get": [("p2pxfer_report_number", "NUMBERS")],
          "relay_start": [("p2pxfer_relay_option", "OPTIONS"), ("p2pxfer_relay_number", "NUMBERS")]}


def main():
    arguments = sys.argv[1:]
    check = arguments[:1] == ["--check"]
    header_path, folder = map(Path, arguments[check:])
    header = header_path.read_text()
    items = documented(header)
    version = ".".join(re.search(rf"VERSION_{part} (\d+)", header)[1] for part in ("MAJOR", "MINOR", "PATCH"))
    date = re.search(r"^\.TH \S+ \S+ (\S+)", (folder / "p2pxfer.3").read_text())[1]

    functions = {name for name, (_, text) in items.items() if text.endswith(");") and "typedef" not in text}
    grouped = [f"p2pxfer_{name}" for _, names in GROUPS for name in names]
    if sorted(grouped) != sorted(functions):
        wrong = sorted(set(grouped) ^ functions)
        sys.exit(f"{sys.argv[0]}: GROUPS and the header differ, change GROUPS: {', '.join(wrong)}")

    stale = []
    for about, names in GROUPS:
        path = folder / f"p2pxfer_{names[0]}.3"
        text = page(about, names, items, version, date)
        if check and (not path.exists() or path.read_text() != text):
            stale.append(path.name)
        elif not check:
            path.write_text(text)
    if stale:
        sys.exit(f"not what the header says, run 'make man': {', '.join(stale)}")


def documented(header):
    """All that has a comment of its own: name to (paragraphs, code)."""
    items = {}
    for comment, code in re.findall(r"^/\*\*\n(.*?) \*/\n(.*?\n)(?=\n)", header, re.S | re.M):
        lines = [line[3:] for line in comment.splitlines()]
        # The preprocessor's lines are for C++.
        code = "\n".join(line for line in code.splitlines() if not re.match(r"#(ifdef|endif|ifndef)|  : u?int32_t", line))
        name = re.search(r"\bp2pxfer_\w+(?=\()|\(\*(\w+)\)|^enum (\w+)|^#define (\w+)|^typedef struct (\w+) \{|struct (\w+);|(\w+);$", code, re.M)
        items[next(filter(None, name.groups()), name[0])] = ("\n".join(lines).split("\n\n"), code)
    return items


def page(about, names, items, version, date):
    full = [f"p2pxfer_{name}" for name in names]
    shown = SHOWN.get(names[0], [])
    out = [
        '.\\" Made from include/p2pxfer.h by from_header.py; changes belong into ffi/.',
        f'.TH {full[0].upper()} 3 {date} "p2pxfer {version}" "Library Functions"',
        ".SH NAME",
        f"{', '.join(full)} \\- {about}",
        ".SH SYNOPSIS",
        ".nf",
        "#include <p2pxfer.h>",
    ]
    for name in shown + full:
        out += [".PP", prototype(items[name][1])]
    out += [".fi", ".PP", "Link with", ".BR \\-lp2pxfer .", ".SH DESCRIPTION"]
    for name in full + shown:
        paragraphs = items[name][0]
        out += [f".SS {name}" + ("()" if name in full else "")]
        out += prose(paragraphs)
    for name, section in LISTED.get(names[0], []):
        paragraphs, code = items[name]
        out += [f".SH {section}"] + prose(paragraphs) + numbers(code)
    out += [".SH SEE ALSO", ".BR p2pxfer (3)"]
    return "\n".join(out) + "\n"


def prose(paragraphs):
    out = []
    for paragraph in paragraphs:
        sentences = re.sub(r"(?<=[.:]) (?=[A-Z])", "\n", " ".join(paragraph.split()))
        out += [".PP"] * bool(out) + [escape(line) for line in sentences.splitlines()]
    return out


def numbers(code):
    out = []
    for comment, name, number in re.findall(r"/\*\*\n(.*?)\*/\s*(\w+) = (-?\d+),", code, re.S):
        text = " ".join(line.strip(" *") for line in comment.splitlines()).strip()
        out += [".TP", f".BR {name} \" ({escape(number)})\"", escape(text)]
    return out


def prototype(code):
    """A declaration on one line where it fits, and below each other where it does not."""
    code = re.sub(r"/\*\*.*?\*/", "", code, flags=re.S)
    joined = escape(re.sub(r"\s+", " ", code.strip()))
    if len(joined) <= 76 or "(" not in joined:
        return joined
    head, arguments = joined.split("(", 1) if "(*" not in joined else joined.rsplit("(", 1)
    return head + "(" + arguments.replace(", ", ",\n        ")


def escape(text):
    text = text.replace("\\", "\\e").replace("-", "\\-").replace('"', "\\(dq")
    text = re.sub(r"`(\*?\w+)`", r"\\fI\1\\fP", text)
    return "\\&" + text if text.startswith((".", "'")) else text


main()
