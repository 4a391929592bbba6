#!/bin/bash
# readme.sh NUMBER: prints a program of the README, the first one being 1.
set -euo pipefail
awk -v wanted="$1" '/^```c$/ { number++; inside = 1; next } /^```$/ { inside = 0 } inside && number == wanted' \
    "$(dirname "$0")/../../README.md"
