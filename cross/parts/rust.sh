# shellcheck shell=sh disable=SC2154,SC2164 # the variables and the `set -e` of cross/setup
# Part of cross/setup: a Rust that has the target's standard library.

# Debian's newest Rust for its oldest supported release, for machines where rustup cannot download: unpacked in
# the cache, never installed. It is built against Debian 12's C library and runs on any newer one.
debian_rust_release=bookworm-security
debian_rust_major=1.96
debian_rust_llvm=libllvm22

has_target() {
    [ -d "$("${1:-rustc}" --print target-libdir --target "$rust_target" 2>/dev/null)" ]
}

# Sets $rust to the path of a rustc, or to nothing where the machine's own will do.
find_rust() {
    rust=""
    command -v cargo >/dev/null || die "cargo is missing: install Rust first (https://rustup.rs)"
    has_target && return 0
    if command -v rustup >/dev/null; then
        say "rustup target add $rust_target"
        # Inside the checkout, for its rust-toolchain.toml if there is one.
        (cd "$here" && timeout 120 rustup target add "$rust_target" >&2) && has_target && return 0
    fi
    rust=$cache/rust-$debian_rust_major/rustc
    if [ ! -x "$rust" ] || ! has_target "$rust"; then
        unpack_debian_rust
    fi
}

unpack_debian_rust() {
    folder=$(dirname "$rust")
    host_arch=$(dpkg --print-architecture)
    mirror=$(debian_mirror '-security$')
    [ -n "$mirror" ] || die "no standard library of Rust for $rust_target: rustup could not download, and apt has no mirror of Debian"
    say "Rust $debian_rust_major for $rust_target from Debian"
    private_apt rust "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $debian_rust_release main"
    debs "$folder" "rustc-web:$host_arch" "libstd-rust-web-$debian_rust_major:$host_arch" \
        "libstd-rust-web-dev:$host_arch" "libstd-rust-web-dev:$debian_arch" "$debian_rust_llvm:$host_arch"
    cat >"$rust" <<EOF
#!/bin/sh
export LD_LIBRARY_PATH='$folder/usr/lib/$(uname -m)-linux-gnu'\${LD_LIBRARY_PATH:+:\$LD_LIBRARY_PATH}
exec '$folder/usr/bin/rustc' "\$@"
EOF
    chmod +x "$rust"
    has_target "$rust" || die "Debian's rustc in $folder has no $rust_target, or does not run here"
}

rust_environment() {
    [ -z "$rust" ] || echo "export RUSTC='$rust'"
}
