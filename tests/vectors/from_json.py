#!/usr/bin/env python3
"""Turns the vectors of Wycheproof into the cases that tests/vectors reads.

    python3 tests/vectors/from_json.py FOLDER > cases.txt
    P2PXFER_VECTORS=cases.txt cargo test --test vectors

FOLDER has wycheproof/*_test.json. Each file must have as many tests as it says.
"""

import json
import pathlib
import sys

# The file, what its cases are of, and the names of their fields there and here.
FILES = [
    (
        "wycheproof/chacha20_poly1305_test.json",
        "aead",
        {"key": "key", "iv": "nonce", "aad": "aad", "msg": "msg", "ct": "ct", "tag": "tag"},
    ),
    (
        "wycheproof/hkdf_sha512_test.json",
        "hkdf-sha512",
        {"ikm": "ikm", "salt": "salt", "info": "info", "size": "size", "okm": "okm"},
    ),
    (
        "wycheproof/hmac_sha512_test.json",
        "hmac-sha512",
        {"key": "key", "msg": "msg", "tag": "tag"},
    ),
]


def cases(path, kind, fields):
    """The cases of one file, each as its lines."""
    with open(path, encoding="utf-8") as file:
        content = json.load(file)
    tests = [test for group in content["testGroups"] for test in group["tests"]]
    if len(tests) != content["numberOfTests"]:
        sys.exit(f"{path}: {len(tests)} tests, not {content['numberOfTests']}")
    for test in tests:
        lines = [f"{kind} {path.stem} {test['tcId']}"]
        lines += [f"{here} {test[there]}".rstrip() for there, here in fields.items()]
        yield "\n".join([*lines, f"result {test['result']}"])


def main():
    """Reads the folder named on the command line."""
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    folder = pathlib.Path(sys.argv[1])
    for name, kind, fields in FILES:
        for case in cases(folder / name, kind, fields):
            print(f"{case}\n")


if __name__ == "__main__":
    main()
