# p2pxfer: `make`, `make demo`, `make test`; `make help` lists the rest.
# Needs cargo and a C compiler; whatever else a test wants is skipped by name when it is missing.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:

CARGO ?= cargo
CBINDGEN ?= cbindgen
PYTHON ?= python3
VECTORS ?= ../shared/vectors

# The version of the workspace; the ABI is named after its first number.
VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
SONAME := libp2pxfer.so.$(firstword $(subst ., ,$(VERSION)))

TARGET := $(abspath $(if $(CARGO_TARGET_DIR),$(CARGO_TARGET_DIR),target))
RELEASE := $(TARGET)/release
DIST := $(TARGET)/dist
HEADER := include/p2pxfer.h
# What the header calls, and nothing else, leaves the static library.
SYMBOLS = $(shell sed -n '/^ *[\/*]/d; s/.*\<\(p2pxfer_[a-z0-9_]*\)\x28.*/\1/p' $(HEADER) | sort -u)

C_WARNINGS := -Wall -Wextra -pedantic -Werror

export DIST TARGET CC CXX CARGO CBINDGEN PYTHON

.PHONY: all build examples demo test bench bench-crypto bench-peers gates crash faults size layers header check-header man check-man fmt check-fmt lint vectors oracle loom ct fuzz windows test-windows test-deb check-targets clean help

all: build ## build everything, into target/dist
	@printf '%s\n' "built, in $(DIST):" '  bin/p2p-relay bin/send_r bin/recv_r' \
		'  lib/libp2pxfer.so lib/libp2pxfer.a include/p2pxfer.h'

build:
	$(CARGO) build --release --workspace --locked --lib --bin send_r --bin recv_r
	$(CARGO) build --profile relay --locked --bin p2p-relay
	@mkdir -p $(DIST)/bin $(DIST)/lib $(DIST)/include
	@install -m 755 $(TARGET)/relay/p2p-relay $(RELEASE)/send_r $(RELEASE)/recv_r $(DIST)/bin/
	@install -m 644 $(HEADER) $(DIST)/include/
	@install -m 755 $(RELEASE)/libp2pxfer.so $(DIST)/lib/libp2pxfer.so.$(VERSION)
	@ln -sf libp2pxfer.so.$(VERSION) $(DIST)/lib/$(SONAME)
	@ln -sf $(SONAME) $(DIST)/lib/libp2pxfer.so
	@$(MAKE) --silent --no-print-directory $(DIST)/lib/libp2pxfer.a

# Two Rust archives in one program clash over symbols of the standard library, so ours keeps its own
# local: one object, without what nothing of ours calls. LLVM's bitcode, which an `ar` with an older LLVM
# beside it would read in place of the symbols, stays out too.
$(DIST)/lib/libp2pxfer.a: $(RELEASE)/libp2pxfer.a $(HEADER)
	@ld -r --gc-sections --force-group-allocation $(addprefix -u ,$(SYMBOLS)) $< -o $@.whole.o
	@objcopy $(addprefix --keep-global-symbol=,$(SYMBOLS)) --strip-debug \
		--remove-section=.llvmbc --remove-section=.llvmcmd $@.whole.o $@.o
	@rm -f $@ $@.whole.o
	@ar rcs $@ $@.o
	@rm -f $@.o

examples: build ## compile the C sender and receiver against libp2pxfer
	@mkdir -p $(DIST)/examples
	@for program in send recv; do \
		$(CC) -std=c99 -O2 $(C_WARNINGS) -I$(DIST)/include tests/c/$$program.c -o $(DIST)/examples/$$program \
			-L$(DIST)/lib -lp2pxfer -Wl,-rpath,'$$ORIGIN/../lib'; \
	done

demo: examples ## move a file of 100 MB across a relay on this machine, twice
	@tests/demo.sh

test: examples ## run the whole suite
	@tests/suite.sh

# Ten thousand pairs are more than twenty thousand descriptors here, and as many in the relay.
# The relay that is measured is the one that `build` makes.
bench: ## measure against HAProxy, nginx, socat, and the design of 2013 (BENCH_ARGS=--check)
	@ulimit -n 65536 2>/dev/null || ulimit -n "$$(ulimit -Hn)"; \
	$(CARGO) bench --profile relay --locked --bench speed -- $(BENCH_ARGS); \
	$(CARGO) bench --locked --bench relay -- $(BENCH_ARGS)

bench-crypto: ## measure the cryptography against OpenSSL and b3sum
	$(CARGO) bench --quiet --locked --bench crypto

# magic-wormhole comes from Python's packages, into an environment of its own.
bench-peers: build ## measure version 2 against magic-wormhole, and small files against tar (BENCH_ARGS=--check)
	@mkdir -p $(TARGET)/bench; \
	peers=$(TARGET)/peers; \
	[ -x $$peers/bin/wormhole ] || { $(PYTHON) -m venv $$peers && $$peers/bin/pip install --quiet \
		magic-wormhole magic-wormhole-mailbox-server magic-wormhole-transit-relay; } || true; \
	BENCH_ARGS="$(BENCH_ARGS)" $(PYTHON) tests/bench/peers.py $(DIST)/bin $(TARGET)/bench $$peers/bin

gates: ## what the relay promises under load and attack, each figure against its limit (minutes)
	$(CARGO) bench --profile relay --locked --bench gates

crash: ## end a transfer by force at 200 points (CRASHES=N); all has to be there afterwards, and memory stays small (minutes)
	$(CARGO) bench --quiet --locked --bench crash
	$(CARGO) test --release --locked --test v2 -- --ignored --nocapture

faults: build ## end, stop or refuse each process of a transfer at each of its system calls (FAULTS="--cells 100"; half an hour)
	@tests/faults/matrix.py $(DIST)/bin --keep $(TARGET)/faults $(FAULTS)

size: build ## the relay's size, memory and start time against their limits
	$(CARGO) bench --quiet --profile relay --locked --bench size -- $(DIST)/bin/p2p-relay

layers: ## check which module imports which
	$(CARGO) test --quiet --locked --test layers

header: ## write include/p2pxfer.h
	mkdir -p include
	cd ffi && $(CBINDGEN) --quiet --output ../$(HEADER)

# Another minor version of cbindgen words the same header differently.
check-header: ## check that include/p2pxfer.h is what ffi says
	@case "$$($(CBINDGEN) --version 2>/dev/null || true)" in \
	"cbindgen 0.29."*) cd ffi && $(CBINDGEN) --quiet --verify --output ../$(HEADER) && echo "$(HEADER) is current" ;; \
	*) echo "SKIP header: cbindgen 0.29 not installed" ;; \
	esac

check-man: ## check that the man pages have no mistake
	@if ! command -v groff >/dev/null; then echo "SKIP man: groff not installed"; exit 0; fi; \
	for page in doc/man/*.[138]; do \
		case "$$(head -n 1 "$$page")" in \
		.so*) test -f "doc/man/$$(sed 's|.*/||' "$$page")" || { echo "$$page names no page"; exit 1; } ;; \
		*) said=$$(groff -man -ww -Tascii -z "$$page" 2>&1); \
			if command -v man >/dev/null; then said+=$$(man --warnings -E UTF-8 -l -Tutf8 -Z "$$page" 2>&1 >/dev/null); fi; \
			test -z "$$said" || { printf '%s\n' "$$said"; exit 1; } ;; \
		esac; \
	done; echo "the man pages are right"; \
	command -v man >/dev/null || echo "SKIP man/warnings: man not installed"
	@if ! command -v $(PYTHON) >/dev/null; then echo "SKIP man/header: $(PYTHON) not installed"; exit 0; fi; \
	doc/man/from_header.py --check $(HEADER) doc/man && echo "section 3 says what $(HEADER) says"

man: ## write section 3 of the manual, from the header
	doc/man/from_header.py $(HEADER) doc/man

fmt: ## format the Rust code
	$(CARGO) fmt --all

check-fmt: ## check the format of the Rust code
	$(CARGO) fmt --all --check

lint: ## clippy, every warning an error
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings
	$(CARGO) clippy --locked --all-targets --no-default-features -- -D warnings

vectors: ## replay the exchanges recorded in 2013, and run the vectors of Wycheproof, BLAKE3, CPace (VECTORS=FOLDER)
	mkdir -p $(TARGET)
	$(PYTHON) tests/legacy/from_json.py $(VECTORS)/v1/transcripts.json > $(TARGET)/exchanges.txt
	P2PXFER_EXCHANGES=$(TARGET)/exchanges.txt $(CARGO) test --release --locked --test legacy
	$(PYTHON) tests/vectors/from_json.py $(VECTORS) > $(TARGET)/vectors.txt
	P2PXFER_VECTORS=$(TARGET)/vectors.txt $(CARGO) test --release --locked --test vectors -- --nocapture

# A workspace of its own, with packages that ours does without.
oracle: ## compare the cryptography with that of others (ORACLE_ARGS="SEED COUNT")
	$(CARGO) run --release --locked --manifest-path tests/oracle/Cargo.toml -- $(ORACLE_ARGS)

# A workspace of its own, too.
loom: ## have the relay's registry met by threads in every order
	RUSTFLAGS="--cfg loom" CARGO_TARGET_DIR=$(TARGET)/loom $(CARGO) run --quiet --release --locked --manifest-path tests/loom/Cargo.toml

# And another. libFuzzer wants what only a nightly compiler gives without being told to.
# Leaks are not looked for: a thread that has just ended still holds what the C library notes of it.
# An input that breaks a promise belongs into tests/fuzz/found/TARGET/, where `make test` runs it.
fuzz: ## search for inputs that break a promise (FUZZ_SECONDS=60 for each target, FUZZ_TARGETS="hello record")
	@if ! $(CARGO) fuzz --version >/dev/null 2>&1; then echo "SKIP fuzz: cargo-fuzz not installed"; exit 0; fi; \
	export RUSTC_BOOTSTRAP=1 CARGO_TARGET_DIR=$(TARGET)/fuzz; \
	$(CARGO) fuzz build --fuzz-dir tests/fuzz; \
	mkdir -p $(TARGET)/fuzz/broken; \
	for target in $(or $(FUZZ_TARGETS),$$($(CARGO) fuzz list --fuzz-dir tests/fuzz)); do \
		echo "== $$target"; \
		mkdir -p $(TARGET)/fuzz/corpus/$$target; \
		found=tests/fuzz/found/$$target; [ -d $$found ] || found=; \
		$(CARGO) fuzz run --fuzz-dir tests/fuzz $$target $(TARGET)/fuzz/corpus/$$target $$found -- \
			-max_total_time=$(or $(FUZZ_SECONDS),60) -rss_limit_mb=2048 -timeout=20 -detect_leaks=0 \
			-print_final_stats=1 -verbosity=0 -artifact_prefix=$(TARGET)/fuzz/broken/$$target-; \
	done

# As it ships, but with the names of its lines, for valgrind to say where.
ct: ## check under valgrind that no branch and no address depends on a secret
	@if ! command -v valgrind >/dev/null; then echo "SKIP ct: valgrind not installed"; exit 0; fi; \
	mkdir -p $(TARGET); \
	CARGO_PROFILE_BENCH_STRIP=none CARGO_PROFILE_BENCH_DEBUG=line-tables-only $(CARGO) bench --quiet --locked \
		--config 'target."cfg(all())".runner = ["valgrind", "-q", "--error-limit=no", "--log-file=$(TARGET)/ct.log"]' \
		--bench ct || { echo "valgrind's reports are in $(TARGET)/ct.log"; exit 1; }

windows: ## build everything for 64-bit Windows, into target/dist/windows
	@deploy/windows/build.sh

test-windows: build ## build for Windows and run that under wine, against the relay of this system
	@tests/windows/run.sh

check-targets: ## check that it compiles for Linux (gnu, musl), macOS and FreeBSD, x86-64 and aarch64
	@deploy/check-targets.sh

test-deb: build ## make the Debian packages, install them in a fresh Debian, and run them there
	@tests/install/deb.sh

include deploy/install.mk

clean: ## remove what was built
	$(CARGO) clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
