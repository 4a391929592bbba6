#!/usr/bin/env python3
"""Turns the vectors of Wycheproof, BLAKE3 and CPace into the cases that tests/vectors reads.

    python3 tests/vectors/from_json.py FOLDER > cases.txt
    P2PXFER_VECTORS=cases.txt cargo test --test vectors

FOLDER has wycheproof/*_test.json, each of which must have as many tests as it says,
blake3/test_vectors.json and cpace/testvectors.json.
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
    (
        "wycheproof/x25519_test.json",
        "x25519",
        {"private": "scalar", "public": "u", "shared": "out"},
    ),
]

# The function is defined where a protocol may refuse: such a case must come out as it says.
RESULTS = {"valid": "valid", "acceptable": "valid", "invalid": "invalid"}

# The fields of a session of CPace there and here.
SESSION = {
    "PRS": "prs",
    "CI": "ci",
    "sid": "sid",
    "ya": "a",
    "ADa": "ada",
    "Ya": "ya",
    "yb": "b",
    "ADb": "adb",
    "Yb": "yb",
    "ISK_IR": "isk",
}

# Appendix B.1.10 of the draft: of the points that the file calls invalid, a program must stop at these;
# the others are of high order once bit 255 is cleared.
LOW_ORDER = {"Y0", "Y1", "Y2", "Y3", "Y4", "Y5", "Y7"}
POINTS = 12


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
        yield "\n".join([*lines, f"result {RESULTS[test['result']]}"])


def blake3(path):
    """The cases of BLAKE3: only the length of the input is told, and of the output we have 32 bytes."""
    with open(path, encoding="utf-8") as file:
        tests = json.load(file)["cases"]
    for test in tests:
        size = test["input_len"]
        yield f"blake3 official {size}\nsize {size}\ndigest {test['hash'][:64]}\nresult valid"


def cpace(path):
    """The cases of CPace: a session, and what shares come to."""
    with open(path, encoding="utf-8") as file:
        content = json.load(file)
    fields = {here: content["G_25519"][there] for there, here in SESSION.items()}
    lines = [f"{here} {value}".rstrip() for here, value in fields.items()]
    yield "\n".join(["cpace G_25519", *lines, "result valid"])
    points = content["X25519_points"]
    if len(points) != POINTS:
        sys.exit(f"{path}: {len(points)} points, not {POINTS}")
    for name, share in points.items():
        result = "invalid" if name.split()[-1] in LOW_ORDER else "valid"
        yield f"cpace-share {name}\nshare {share}\nresult {result}"


def main():
    """Reads the folder named on the command line."""
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    folder = pathlib.Path(sys.argv[1])
    for name, kind, fields in FILES:
        for case in cases(folder / name, kind, fields):
            print(f"{case}\n")
    for case in blake3(folder / "blake3/test_vectors.json"):
        print(f"{case}\n")
    for case in cpace(folder / "cpace/testvectors.json"):
        print(f"{case}\n")


if __name__ == "__main__":
    main()
