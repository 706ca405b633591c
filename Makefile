# picam. `make run` serves the test picture, `make test` runs every test; both install what is missing first.

PYTHON := .venv/bin/python
SHELL_SCRIPTS := .ci/run tests/setup.sh cross/setup cross/dist $(wildcard cross/parts/*.sh tests/dist/*.sh)
SHELL_SCRIPTS += tests/image/setup.sh $(wildcard tests/image/guest/init tests/image/guest/S*) \
	$(wildcard rootfs-overlay/etc/init.d/* rootfs-overlay/usr/bin/* rootfs-overlay/usr/lib/picam/*)
VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
ARGS ?=

.PHONY: help run test bench dist test-dist test-distro image test-image test-image-full

help:
	@echo 'make run [ARGS=...]  build and start picam, on http://localhost:8000/stream'
	@echo 'make test            install what the tests need, then run them all'
	@echo 'make test-distro     check the Buildroot and Yocto trees; more of it with BUILDROOT=DIR, OE_LAYERS=DIR'
	@echo 'make bench           print processor time, latency and memory figures'
	@echo 'make dist            make dist/picam-$(VERSION)-aarch64.tar.xz: one static executable with libcamera inside'
	@echo 'make test-dist       make it, look into it, run it under qemu, and build it once more to compare'
	@echo 'make image           make a disk and a bundle for qemu in dist/image, from the tarball of make dist'
	@echo 'make test-image      boot it, update it, cut its power; test-image-full does so more often'

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

test-distro:
	@BUILDROOT='$(BUILDROOT)' OE_LAYERS='$(OE_LAYERS)' tests/distro/run

image:
	@tests/image/setup.sh
	@cd tests && python3 -m image.lab

test-image test-image-full:
	@tests/setup.sh test
	@tests/image/setup.sh
	$(PYTHON) tests/image/lanes.py $(if $(filter %-full,$@),full)
