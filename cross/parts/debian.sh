# shellcheck shell=sh disable=SC2154,SC2164 # the variables and the `set -e` of cross/setup
# Debian packages, on this machine and unpacked for a target: part of cross/setup, and used by the tests' set-up scripts.

installed() {
    dpkg-query --show --showformat='${db:Status-Status}\n' "$1" 2>/dev/null | grep -qx installed
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        env DEBIAN_FRONTEND=noninteractive "$@"
    else
        sudo env DEBIAN_FRONTEND=noninteractive "$@"
    fi
}

# install_packages PACKAGE... : installs what is missing of them on this machine.
install_packages() {
    missing=""
    for package in "$@"; do
        installed "$package" || missing="$missing $package"
    done
    [ -n "$missing" ] || return 0
    say "installing$missing"
    # shellcheck disable=SC2086 # a list of words
    {
        as_root apt-get -q -o DPkg::Lock::Timeout=300 update
        as_root apt-get -q -o DPkg::Lock::Timeout=300 install --yes --no-install-recommends $missing
    } >&2
}

# Installs the compilers and tools that run on this machine, and only what is missing.
install_host_packages() {
    command -v apt-get >/dev/null || die "needs Debian 12 or newer; elsewhere use \`cross\` with Cross.toml"
    # libclang-dev: bindgen's parser with the compiler's own headers. cmake and nasm: libjpeg-turbo. ccache: libcamera is
    # built anew for each change of these scripts, most of it as before.
    wanted="ca-certificates ccache cmake gcc g++ git libc6-dev libclang-dev make nasm patch pkg-config
        python3 python3-venv util-linux xz-utils"
    if [ -n "$cross_compiling" ]; then
        suffix=$(echo "$triplet" | tr _ -)
        wanted="$wanted gcc-$suffix g++-$suffix"
    fi
    # shellcheck disable=SC2086 # a list of words
    install_packages $wanted
}

# Prints the mirror this machine has configured for a release of Debian, by the pattern of the release's name.
debian_mirror() {
    # shellcheck disable=SC2016 # apt's variables
    apt-get indextargets --format '$(REPO_URI) $(RELEASE)' 'Created-By: Packages' |
        awk -v release="$1" '$2 ~ release && $1 ~ /debian/ { print $1; exit }'
}

# private_apt NAME 'apt source line'... : a package index of its own in the cache, which leaves the machine's
# package lists, sources and architectures alone. Sets APT_CONFIG for the caller; needs no root.
private_apt() {
    apt_root=$cache/apt/$1
    shift
    mkdir -p "$apt_root/state/lists/partial" "$apt_root/cache/archives/partial"
    : >"$apt_root/status"
    printf '%s\n' "$@" >"$apt_root/sources.list"
    cat >"$apt_root/apt.conf" <<EOF
Dir::State "$apt_root/state";
Dir::State::status "$apt_root/status";
Dir::Cache "$apt_root/cache";
Dir::Etc::sourcelist "$apt_root/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
APT::Architectures { "$(dpkg --print-architecture)"; "$debian_arch"; };
APT::Sandbox::User "";
EOF
    APT_CONFIG=$apt_root/apt.conf apt-get -q update >&2
}

# debs FOLDER PACKAGE:ARCH... : downloads packages with the last private_apt and unpacks them below FOLDER. Adds a line
# "name version architecture" for each to FOLDER.packages, for the list of what is inside.
debs() {
    into=$1
    shift
    mkdir -p "$into" "$cache/debs"
    (
        cd "$cache/debs"
        rm -f ./*.deb
        APT_CONFIG=$apt_root/apt.conf apt-get -q download "$@" >&2
        for deb in ./*.deb; do
            dpkg -x "$deb" "$into"
            # shellcheck disable=SC2016 # dpkg's variables
            dpkg-deb --show --showformat '${Package} ${Version} ${Architecture}\n' "$deb" >>"$into.packages"
        done
        rm -f ./*.deb
    )
}

# Packages of the running release, of this machine's and the target's architecture.
release_apt() {
    mirror=$(debian_mirror "^$codename\$")
    [ -n "$mirror" ] || die "apt has no mirror of Debian $codename configured"
    private_apt release "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $codename main"
}

# The libraries that libcamera is built on, from the running release: they must fit its C library.
# libyuv is what the virtual pipeline draws with; nlohmann-json is a header of libpisp's.
# The cross compiler's own C library is the one of the release's first day, without any fix that came later: the
# executable is linked with the target's, kept apart because libcamera's build must not find it.
unpack_target_packages() {
    release_apt
    sysroot=$cache/work/sysroot-$machine
    libc=$cache/work/libc-$machine
    rm -rf "$sysroot" "$sysroot.packages" "$libc" "$libc.packages"
    debs "$sysroot" "libyaml-dev:$debian_arch" "libyuv-dev:$debian_arch" nlohmann-json3-dev
    [ -z "$cross_compiling" ] || debs "$libc" "libc6-dev:$debian_arch"
}
