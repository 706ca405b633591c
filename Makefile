# picam. `make run` serves the test picture, `make test` runs every test; both install what is missing first.

PYTHON := .venv/bin/python
SHELL_SCRIPTS := .ci/run tests/setup.sh cross/setup cross/dist $(wildcard cross/parts/*.sh tests/dist/*.sh)
VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
ARGS ?=

.PHONY: help run test bench dist test-dist image test-image

help:
	@echo 'make run [ARGS=...]  build and start picam, on http://localhost:8000/stream'
	@echo 'make test            install what the tests need, then run them all'
	@echo 'make bench           print processor time, latency and memory figures'
	@echo 'make dist            make dist/picam-$(VERSION)-aarch64.tar.xz: one static executable with libcamera inside'
	@echo 'make test-dist       make it, look into it, run it under qemu, and build it once more to compare'

run:
	@tests/setup.sh build
	cargo run --release -- $(ARGS)

test:
	@tests/setup.sh test
	cargo fmt --check
	shellcheck -x $(SHELL_SCRIPTS)
	$(PYTHON) tests/licences.py
	cargo clippy --all-targets --locked -- -D warnings
	cargo test --locked
	cargo build --release --locked
	$(PYTHON) -m pytest tests
	@echo 'make test: formatting, shellcheck, licences, clippy, cargo test and pytest passed'

bench:
	@tests/setup.sh test
	cargo build --release --locked
	@$(PYTHON) tests/bench/bench.py

dist:
	cross/dist aarch64

test-dist: dist
	@tests/setup.sh test
	@tests/dist/setup.sh
	PICAM_DIST_ARCHIVE=dist/picam-$(VERSION)-aarch64.tar.xz $(PYTHON) -m pytest tests/dist

image test-image:
	@echo 'make $@ comes with a later release of picam' >&2; exit 1
