#!/usr/bin/env python3
"""Turns recorded exchanges of the programs of 2013 into the lines that tests/legacy reads.

    python3 tests/legacy/from_json.py transcripts.json > exchanges.txt
    P2PXFER_EXCHANGES=exchanges.txt cargo test --test legacy

The JSON is a list of exchanges: name, userid, filename, length in bytes, content (hex) or
content_rule, sender_exit, receiver_exit, and the messages in order, each a pair of who speaks to
whom and the bytes in hex; for the data only its length and SHA-256, which are checked here.
"""

import hashlib
import json
import re
import sys


def content(exchange):
    """The line for the content, and the content."""
    if exchange["content"] is not None:
        return exchange["content"] or "-", bytes.fromhex(exchange["content"])
    rule = re.fullmatch(r"byte i = \(i\*(\d+)\+(\d+)\) mod 256", exchange["content_rule"])
    if not rule:
        sys.exit(f"{exchange['name']}: unknown rule {exchange['content_rule']!r}")
    factor, offset = map(int, rule.groups())
    data = bytes((i * factor + offset) % 256 for i in range(exchange["length"]))
    return f"rule {factor} {offset}", data


def lines(exchange):
    """The lines of one exchange."""
    text, data = content(exchange)
    if len(data) != exchange["length"]:
        sys.exit(f"{exchange['name']}: {len(data)} bytes, not {exchange['length']}")
    yield f"exchange {exchange['name']}"
    for key in ("userid", "filename", "length"):
        yield f"{key} {exchange[key]}"
    yield f"content {text}"
    for way, message in exchange["exchange"]:
        if way == "sender>receiver data":
            told = f"{len(data)} bytes, sha256 {hashlib.sha256(data).hexdigest()}"
            if message != told:
                sys.exit(f"{exchange['name']}: data is {message!r}, content is {told!r}")
            yield way
        else:
            yield f"{way} {message}"
    yield f"exits {exchange['sender_exit']} {exchange['receiver_exit']}"


def main():
    """Reads the file named on the command line."""
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    with open(sys.argv[1], encoding="utf-8") as file:
        exchanges = json.load(file)
    print("# Exchanges between the programs of 2013, as they went over the wire.")
    print("# exchange NAME, then: userid, filename, length (bytes), content (hex; - for none; or")
    print("# rule F O: byte i = (i*F+O) mod 256), the messages in order, exits SENDER RECEIVER.")
    for exchange in exchanges:
        print()
        print("\n".join(lines(exchange)))


if __name__ == "__main__":
    main()
