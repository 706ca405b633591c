# shellcheck shell=sh disable=SC2154 # the variables of cross/setup
# Part of cross/setup: which C and C++ libraries end in the executable. libjpeg-turbo is not here: it is a crate's.

# Prints a line for each: name, version, SPDX licence, purl, SHA-256 and of what that is; separated by tabs.
components() {
    component libcamera "$libcamera_version" LGPL-2.1-or-later "pkg:generic/libcamera@$libcamera_version" \
        "$libcamera_archive_sha256" "$libcamera_archive"
    [ -z "$libpisp" ] ||
        component libpisp "$libpisp_version" BSD-2-Clause "pkg:github/raspberrypi/libpisp@v$libpisp_version" \
            "$(tree_sha256 "$libpisp")" "all files of the source"
    archive_component libyaml MIT "$part/usr/lib/libyaml.a" "$(unpacked_package libyaml-dev)"
    archive_component libyuv BSD-3-Clause "$part/usr/lib/libyuv.a" "$(unpacked_package libyuv-dev)"
    [ -z "$libpisp" ] ||
        archive_component nlohmann-json MIT "$sysroot/usr/include/nlohmann/json.hpp" "$(unpacked_package nlohmann-json3-dev)"
    if [ -n "$cross_compiling" ]; then
        archive_component glibc LGPL-2.1-or-later "$part/libc/libc.a" "$(unpacked_package libc6-dev)"
    else
        compiler_component glibc LGPL-2.1-or-later libc.a
    fi
    compiler_component libstdc++ "GPL-3.0-or-later WITH GCC-exception-3.1" libstdc++.a
    compiler_component libgcc "GPL-3.0-or-later WITH GCC-exception-3.1" libgcc.a
}

component() {
    printf '%s\t%s\t%s\t%s\t%s\t%s\n' "$@"
}

# archive_component NAME LICENCE FILE "PACKAGE VERSION ARCHITECTURE": a file of a Debian package.
archive_component() {
    # shellcheck disable=SC2086 # three words
    set -- "$1" "$2" "$3" $4
    [ $# -eq 6 ] || die "no Debian package is known of $1"
    component "$1" "$5" "$2" "pkg:deb/debian/$4@$(percent "$5")?arch=$6&distro=$codename" \
        "$(sha256sum <"$3" | cut -d ' ' -f 1)" "$(basename "$3")"
}

# compiler_component NAME LICENCE FILE : a library that the compiler finds by itself.
compiler_component() {
    file=$(realpath "$("$triplet-gcc" -print-file-name="$3")")
    owner=$(dpkg-query --search "$file" | cut -d ' ' -f 1)
    archive_component "$1" "$2" "$file" \
        "$(dpkg-query --show --showformat '${Package} ${Version} ${Architecture}' "${owner%:}")"
}

# "PACKAGE VERSION ARCHITECTURE" of a package that was unpacked for the target.
unpacked_package() {
    cat "$sysroot.packages" "$libc.packages" 2>/dev/null | grep "^$1 "
}

# A version as a purl wants it.
percent() {
    echo "$1" | sed 's/%/%25/g; s/:/%3A/g; s/+/%2B/g'
}
