# shellcheck shell=sh disable=SC2154,SC2164 # the variables and the `set -e` of cross/setup
# Part of cross/setup: the static libcamera, in a folder of the cache named by everything that goes into it.

# What is left out is what needs libraries that a camera appliance does not have, or dlopen.
libcamera_options="--buildtype=release --wrap-mode=nodownload
    --prefix=/usr --libdir=lib --sysconfdir=/etc
    -Ddefault_library=static -Db_staticpic=true -Dpkgconfig.relocatable=true -Dwerror=false
    -Dandroid=disabled -Dapps-output-dng=disabled -Dcam=disabled -Ddocumentation=disabled -Dgstreamer=disabled
    -Dlc-compliance=disabled -Dlibdw=disabled -Dlibunwind=disabled -Dpycamera=disabled -Dqcam=disabled
    -Drpi-awb-nn=disabled -Dsoftisp-gpu=disabled -Dtest=false -Dtracing=disabled -Dudev=disabled -Dv4l2=disabled"

# Prints the cache key: sources, patches, options, these scripts, and the compiler with its C library.
libcamera_key() {
    {
        echo "$libcamera_tree_sha256"
        [ -z "$libpisp" ] || tree_sha256 "$libpisp"
        [ -z "$libpisp_shared" ] || tree_sha256 "$libpisp_shared/usr/include/libpisp"
        cat "$here/setup" "$here"/parts/debian.sh "$here"/parts/sources.sh "$here"/parts/libcamera.sh \
            "$here"/parts/components.sh "$here/tools.txt" "$here"/patches/*.patch
        "$triplet-g++" --version | head -n 1
        echo '#include <features.h>' | "$triplet-gcc" -E -dM - | grep -E '__GLIBC(_MINOR)?__'
    } | sha256sum | cut -c 1-16
}

machine_file() {
    # Relative paths in messages and nowhere a folder of this machine: the archive is the same wherever it is built.
    flags="'-ffunction-sections', '-fdata-sections', '-ffile-prefix-map=$work/=', '-I$sysroot/usr/include'"
    cat <<EOF
[binaries]
c = ['ccache', '$triplet-gcc']
cpp = ['ccache', '$triplet-g++']
ar = '$triplet-ar'
strip = '$triplet-strip'
ld = '$triplet-ld'
pkg-config = 'pkg-config'
[properties]
sys_root = '$sysroot'
pkg_config_libdir = '$sysroot/usr/lib/$triplet/pkgconfig:$sysroot/usr/share/pkgconfig'
[built-in options]
c_args = [$flags]
cpp_args = [$flags]
c_link_args = ['-L$sysroot/usr/lib/$triplet']
cpp_link_args = ['-L$sysroot/usr/lib/$triplet']
[host_machine]
system = 'linux'
cpu_family = '$machine'
cpu = '$machine'
endian = 'little'
EOF
}

# Builds $archive into $prefix.
build_libcamera() {
    work=$cache/work/libcamera-$machine
    rm -rf "$work" "$prefix" "$prefix.part"
    mkdir -p "$work/source"
    tar --extract --file "$archive" --strip-components=1 --no-same-owner --directory "$work/source"
    [ "$(tree_sha256 "$work/source")" = "$libcamera_tree_sha256" ] ||
        die "$archive: the files have not the SHA-256 $libcamera_tree_sha256"
    for change in "$here"/patches/*.patch; do
        patch --directory "$work/source" --strip=1 --silent --no-backup-if-mismatch <"$change" >&2
    done

    ipas=rpi/vc4
    libpisp_options=""
    if [ -n "$libpisp" ]; then
        ipas=$ipas,rpi/pisp
        cp -a "$libpisp" "$work/source/subprojects/libpisp"
        libpisp_options="-Dlibpisp:logging=disabled -Dlibpisp:werror=false"
    elif [ -n "$libpisp_shared" ]; then
        # The test is for the Pi 5's pipeline alone.
        ipas=rpi/pisp
        unpack_shared_libpisp
    fi
    pipelines=$ipas,virtual

    say "building libcamera $libcamera_version for $machine: $pipelines (about 5 minutes on two cores)"
    machine_file >"$work/machine.ini"
    # shellcheck disable=SC2086 # lists of words
    (
        PATH=$tools/bin:$PATH
        export PATH CCACHE_DIR="$cache/ccache"
        meson setup "$work/build" "$work/source" --cross-file "$work/machine.ini" $libcamera_options $libpisp_options \
            -Dpipelines="$pipelines" -Dipas="$ipas" &&
            nice -n 19 ninja -C "$work/build" -j "$jobs" &&
            DESTDIR=$prefix.part meson install -C "$work/build" --quiet
    ) >"$work/log" 2>&1 || {
        tail -n 40 "$work/log" >&2
        die "libcamera's build failed; all of it is in $work/log"
    }
    complete_prefix
    mv "$prefix.part" "$prefix"
    rm -rf "$work" "$sysroot" "$sysroot.packages" "$libc" "$libc.packages"
}

# Puts the shared libpisp of Debian where libcamera's build looks for it: below $sysroot.
unpack_shared_libpisp() {
    shared=$sysroot/usr/lib/$triplet
    cp -a "$libpisp_shared/usr/include/libpisp" "$sysroot/usr/include/"
    cp -a "$libpisp_shared/usr/lib/$triplet"/libpisp.so* "$shared/"
    # Without what only its static form would need.
    sed '/\.private:/d' "$libpisp_shared/usr/lib/$triplet/pkgconfig/libpisp.pc" >"$shared/pkgconfig/libpisp.pc"
}

# What libcamera's own install does not have: the libraries it is linked with, the headers of its inside (for
# the list of pipelines and the IPA test), the licences of all that ends in the executable.
complete_prefix() {
    part=$prefix.part
    cp "$sysroot/usr/lib/$triplet/libyaml.a" "$sysroot/usr/lib/$triplet/libyuv.a" "$part/usr/lib/"
    # A folder of its own: an executable that is not static must not find it.
    mkdir "$part/libc"
    [ -z "$cross_compiling" ] || cp "$libc/usr/lib/$triplet/libc.a" "$libc/usr/lib/$triplet/libm.a" "$part/libc/"
    if [ -n "$libpisp" ]; then
        # libpisp asks the dynamic section whether it is installed. A static executable that is not position
        # independent has none: let it find an empty one.
        printf '#include <link.h>\n__attribute__((weak)) ElfW(Dyn) _DYNAMIC[1];\n' |
            "$triplet-gcc" -O2 -x c -c -o "$work/no_dynamic_section.o" -
        "$triplet-ar" rD "$part/usr/lib/libpisp.a" "$work/no_dynamic_section.o"
    elif [ -n "$libpisp_shared" ]; then
        cp -a "$shared"/libpisp.so* "$part/usr/lib/"
    fi
    # meson's own names the libraries where the build found them.
    rm -r "$part/usr/lib/pkgconfig"
    mkdir "$part/usr/lib/pkgconfig"
    cat >"$part/usr/lib/pkgconfig/libcamera.pc" <<EOF
prefix=\${pcfiledir}/../..
includedir=\${prefix}/include
libdir=\${prefix}/lib

Name: libcamera
Description: libcamera with its IPA modules compiled in
Version: $libcamera_version
Libs: -L\${libdir} -lcamera ${libpisp:+-lpisp }${libpisp_shared:+-lpisp }-lyaml -lyuv
Cflags: -I\${includedir}/libcamera
EOF

    private=$part/usr/include/libcamera-private
    mkdir -p "$private/libcamera"
    cp "$work/build/config.h" "$private/"
    for tree in "$work/source" "$work/build"; do
        for folder in base internal ipa; do
            [ ! -d "$tree/include/libcamera/$folder" ] ||
                (cd "$tree/include" && find "libcamera/$folder" -name '*.h' -exec cp --parents {} "$private/" \;)
        done
    done

    licences=$part/licences
    mkdir -p "$licences/libcamera"
    cp "$work/source/COPYING.rst" "$work/source/LICENSES/LGPL-2.1-or-later.txt" "$work"/source/LICENSES/*BSD* \
        "$work/source/LICENSES/CC0-1.0.txt" "$licences/libcamera/"
    for library in libyaml libyuv; do
        mkdir "$licences/$library"
        cp "$sysroot/usr/share/doc/$library-dev/copyright" "$licences/$library/"
    done
    if [ -n "$libpisp" ]; then
        mkdir "$licences/libpisp" "$licences/nlohmann-json"
        cp -L "$libpisp/LICENSE" "$licences/libpisp/"
        cp "$sysroot/usr/share/doc/nlohmann-json3-dev/copyright" "$licences/nlohmann-json/"
    fi
    for library in glibc:libc6 gcc:libgcc-s1; do
        mkdir "$licences/${library%:*}"
        cp "/usr/share/doc/${library#*:}/copyright" "$licences/${library%:*}/"
    done

    # What the LGPL asks to hand on with the executable.
    mkdir "$part/source"
    cp "$archive" "$part/source/"

    echo "$pipelines" | tr , '\n' >"$part/pipelines"
    components >"$part/components.tsv"
    build_environment >"$part/env"
}

# Variables of cargo and of the build scripts' crates, by target: the host's own build scripts are not touched.
build_environment() {
    flags="-C target-feature=+crt-static -C link-arg=-L$prefix/libc"
    # A shared libpisp may want a newer C library than the one that it is linked with here; it will find that.
    [ -z "$libpisp_shared" ] || flags='-C target-feature=-crt-static -C link-arg=-Wl,--allow-shlib-undefined'
    target_=$(echo "$rust_target" | tr - _)
    TARGET=$(echo "$target_" | tr '[:lower:]' '[:upper:]')
    cat <<EOF
export PKG_CONFIG_ALLOW_CROSS=1
export PKG_CONFIG_ALL_STATIC=1
export PKG_CONFIG_LIBDIR_$target_='$prefix/usr/lib/pkgconfig'
export PICAM_LIBCAMERA_$TARGET='$prefix'
export CARGO_BUILD_TARGET=$rust_target
export CARGO_TARGET_${TARGET}_LINKER=$triplet-gcc
export CARGO_TARGET_${TARGET}_RUSTFLAGS='$flags'
export CC_$target_=$triplet-gcc
export CXX_$target_=$triplet-g++
export AR_$target_=$triplet-ar
EOF
}
