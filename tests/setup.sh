#!/bin/sh
# Installs what picam's build and tests need, and only what is missing. Run by make:
#   tests/setup.sh build    a C compiler, cmake and nasm, for libjpeg-turbo
#   tests/setup.sh test     that, the real clients the tests start, and .venv with the Python packages
set -eu
cd "$(dirname "$0")/.."

build="gcc libc6-dev make cmake nasm"

# ros-* and libnodelet*: ROS 1's image_publisher node as Debian ships it, and what starts and observes it.
# mate-backgrounds: photographs. vlc-plugin-base: the decoder and the outputs without a screen.
# chromium-sandbox: Chromium's sandbox where a user may not make namespaces, as in most containers.
test="python3-venv busybox curl ffmpeg iproute2 libjpeg-turbo-progs mate-backgrounds shellcheck util-linux
    vlc-bin vlc-plugin-base chromium chromium-driver chromium-sandbox
    ros-image-publisher ros-core python3-rospy python3-rostopic python3-roslaunch python3-sensor-msgs python3-numpy
    libnodeletlib-dev libnodeletlib-tools libnodelet-dev libimage-publisher-dev"

# Unpacked into .venv and not installed: installing them would start them as services.
proxies="nginx caddy"

say() { echo "tests/setup.sh: $*" >&2; }
# shellcheck source=cross/parts/debian.sh
. cross/parts/debian.sh

what=${1:-}
case $what in
build) wanted=$build ;;
test) wanted="$build $test" ;;
*)
    echo "usage: tests/setup.sh build|test" >&2
    exit 2
    ;;
esac

if command -v apt-get >/dev/null && command -v dpkg-query >/dev/null; then
    # shellcheck disable=SC2086 # a list of words
    install_packages $wanted
elif [ "$what" = test ]; then
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

if [ "$what" = test ] && ! cmp -s tests/requirements.txt .venv/installed; then
    python3 -m venv .venv
    .venv/bin/pip install --quiet --disable-pip-version-check --requirement tests/requirements.txt
    cp tests/requirements.txt .venv/installed
fi

if [ "$what" = test ] && command -v apt-get >/dev/null && [ ! -e .venv/proxies/complete ]; then
    download=$(mktemp --directory)
    # shellcheck disable=SC2086 # a list of words
    (cd "$download" && apt-get -q -o APT::Sandbox::User=root download $proxies)
    for package in "$download"/*.deb; do
        dpkg-deb --extract "$package" .venv/proxies
    done
    rm -r "$download"
    touch .venv/proxies/complete
fi
