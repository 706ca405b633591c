#!/bin/sh
# Installs what picam's build and tests need, and only what is missing. Run by make:
#   tests/setup.sh build    a C compiler, cmake and nasm, for libjpeg-turbo
#   tests/setup.sh audit    .venv with the Python packages
#   tests/setup.sh test     both, the real clients the tests start
#   tests/setup.sh bench    what make bench needs besides: a server that picam is compared with, a library for plots
set -eu
cd "$(dirname "$0")/.."

build="gcc libc6-dev make cmake nasm"

# ros-* and libnodelet*: ROS 1's image_publisher node as Debian ships it, and what starts and observes it.
# mate-backgrounds: photographs. vlc-plugin-base: the decoder and the outputs without a screen.
# chromium-sandbox: Chromium's sandbox where a user may not make namespaces, as in most containers.
# golang-go: a client of Go's own library.
test="python3-venv busybox curl dbus-daemon dbus-bin ffmpeg iproute2 libimage-exiftool-perl libjpeg-turbo-progs mate-backgrounds shellcheck util-linux
    dosfstools e2fsprogs g++ systemd
    vlc-bin vlc-plugin-base chromium chromium-driver chromium-sandbox firefox-esr
    webkit2gtk-driver xvfb golang-go
    gstreamer1.0-tools gstreamer1.0-plugins-base gstreamer1.0-plugins-good
    ros-image-publisher ros-core python3-rospy python3-rostopic python3-roslaunch python3-sensor-msgs python3-numpy
    libnodeletlib-dev libnodeletlib-tools libnodelet-dev libimage-publisher-dev"

# Unpacked into .venv and not installed: installing them would start them as services. The libraries of those that have any,
# whose names differ between releases, are unpacked beside them.
unpacked="nginx caddy prometheus motion avahi-daemon"

bench=ustreamer

# Read and not installed: Home Assistant wants some hundred packages, its camera's functions two.
home_assistant="homeassistant==2024.3.3"

say() { echo "tests/setup.sh: $*" >&2; }
# shellcheck source=cross/parts/debian.sh
. cross/parts/debian.sh

what=${1:-}
case $what in
build) wanted=$build ;;
audit) wanted=python3-venv ;;
test) wanted="$build $test" ;;
bench) wanted=$bench ;;
*)
    echo "usage: tests/setup.sh build|audit|test|bench" >&2
    exit 2
    ;;
esac

if command -v apt-get >/dev/null && command -v dpkg-query >/dev/null; then
    # shellcheck disable=SC2086 # a list of words
    install_packages $wanted
elif [ "$what" != build ]; then
    echo "not Debian or Ubuntu: the tests need your system's equivalents of $wanted" >&2
else
    for tool in cc cmake nasm; do
        command -v $tool >/dev/null || {
            echo "not Debian or Ubuntu: install a C compiler, cmake and nasm first ($tool is missing)" >&2
            exit 1
        }
    done
fi

command -v cargo >/dev/null || {
    echo "cargo is missing: install Rust 1.94 or newer first (https://rustup.rs)" >&2
    exit 1
}

if [ "$what" != build ] && ! cmp -s tests/requirements.txt .venv/installed; then
    python3 -m venv .venv
    .venv/bin/pip install --quiet --disable-pip-version-check --requirement tests/requirements.txt
    cp tests/requirements.txt .venv/installed
fi

if [ "$what" = bench ]; then
    .venv/bin/pip install --quiet --disable-pip-version-check --requirement tests/bench/requirements.txt
fi

if [ "$what" = test ] && [ "$(cat .venv/home-assistant/complete 2>/dev/null)" != "$home_assistant" ]; then
    rm -rf .venv/home-assistant
    .venv/bin/pip download --quiet --disable-pip-version-check --no-deps --dest .venv/home-assistant "$home_assistant"
    echo "$home_assistant" >.venv/home-assistant/complete
fi

if [ "$what" = test ] && command -v apt-get >/dev/null && [ "$(cat .venv/unpacked/complete 2>/dev/null)" != "$unpacked" ]
then
    say "unpacking $unpacked"
    rm -rf .venv/unpacked
    libraries=$(apt-get --simulate --no-install-recommends install motion avahi-daemon | sed -n 's/^Inst \(lib[^ ]*\) .*/\1/p')
    download=$(mktemp --directory)
    # shellcheck disable=SC2086 # lists of words
    (cd "$download" && apt-get -q -o APT::Sandbox::User=root download $unpacked $libraries) >&2
    for package in "$download"/*.deb; do
        dpkg-deb --extract "$package" .venv/unpacked
    done
    rm -r "$download"
    echo "$unpacked" >.venv/unpacked/complete
fi
