"""Checks lines of --json on standard input against the tables of the page that is the argument."""

import json
import re
import sys

TYPES = {"string": str, "integer": int, "number": (int, float), "boolean": bool, "list": list}


def read_page(path):
    events, members = {}, None
    for line in open(path, encoding="utf-8"):
        heading = re.fullmatch(r"## `(\w+)`\n", line)
        row = re.fullmatch(r"\| `(\w+)` \| ((?:optional )?)(\w+)((?: or null)?) \|.*\n", line)
        if line.startswith("## "):
            members = events.setdefault(heading[1], {}) if heading else None
        elif row and members is not None and row[3] in TYPES:
            members[row[1]] = (row[3], bool(row[2]), bool(row[4]))
    return events


def check(value, event, members):
    for name, (kind, optional, nullable) in members.items():
        if name not in value:
            assert optional, f"{event} has no {name}"
        elif value[name] is None:
            assert nullable, f"{event}.{name} is null"
        else:
            right = isinstance(value[name], TYPES[kind])
            right = right and (kind == "boolean" or not isinstance(value[name], bool))
            assert right, f"{event}.{name} is no {kind}"
    for name in value:
        known = name == "event" or name in members or name.removesuffix("_hex") in members
        assert known, f"{event}.{name} is not in the page"


def unique(pairs):
    assert len(dict(pairs)) == len(pairs), f"a member is there twice: {pairs}"
    return dict(pairs)


ITEMS = {
    "items": {"kind", "name", "files", "bytes", "complete"},
    "received": {"name", "local", "renamed"},
}
events = read_page(sys.argv[1])
assert len(events) == 10, sorted(events)
seen = []
for line in sys.stdin:
    value = json.loads(line, object_pairs_hook=unique)
    event = value["event"]
    check(value, event, events[event])
    for name, allowed in ITEMS.items():
        for item in value.get(name, []):
            assert {key.removesuffix("_hex") for key in item} <= allowed, item
    seen.append(event)
assert not seen or seen[-1] in ("done", "error"), f"the last is {seen[-1]}"
print(" ".join(seen))
