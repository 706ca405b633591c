# shellcheck shell=sh disable=SC2154,SC2164 # the variables and the `set -e` of cross/setup
# Part of cross/setup: libcamera's and libpisp's source, each verified by SHA-256.

libcamera_version=0.7.2
# The archive as Debian and upstream's GitLab serve it, and the files in it (see tree_sha256).
libcamera_archive=libcamera_$libcamera_version.orig.tar.gz
libcamera_archive_sha256=e27f5670fe9443eebc8e2f24235cd20b533324ef481a3684d34c78f1c3a12afb
libcamera_tree_sha256=366cd3fcf82e19b3e8e46eaa6139d121661cf27aa0d0c37e8fe2323330d7049b
libcamera_git=https://git.libcamera.org/libcamera/libcamera.git

# The version that libcamera 0.7.2's own meson wrap names.
libpisp_version=1.5.0
libpisp_tree_sha256=4dc2fd2a06ec3b1395725d3e4d6bb12e02ee196d10e1f0433206f42f938dbe4b
libpisp_git=https://github.com/raspberrypi/libpisp.git

# Whether file $1 has the SHA-256 $2.
has_sha256() {
    [ -f "$1" ] && [ "$(sha256sum <"$1")" = "$2  -" ]
}

# Prints one SHA-256 over the names and contents of all files and links below a folder: the same for an
# archive and for a git checkout of one release, however each was packed.
tree_sha256() {
    (
        cd "$1"
        {
            find . -type f -not -path './.git/*' -print0 | LC_ALL=C sort -z | xargs -0 sha256sum
            find . -type l -not -path './.git/*' -printf '%p -> %l\n' | LC_ALL=C sort
        } | sha256sum | cut -d ' ' -f 1
    )
}

# Leaves libcamera's verified archive in the cache, as $archive: from PICAM_SOURCES, Debian, or upstream.
fetch_libcamera() {
    mkdir -p "$cache/downloads"
    archive=$cache/downloads/$libcamera_archive
    ! has_sha256 "$archive" "$libcamera_archive_sha256" || return 0
    for from in folder debian upstream; do
        rm -f "$archive.part"
        if "libcamera_from_$from" "$archive.part"; then
            mv "$archive.part" "$archive"
            return 0
        fi
    done
    die "libcamera $libcamera_version: not in PICAM_SOURCES, not in Debian, and not to be had upstream"
}

libcamera_from_folder() {
    file=${PICAM_SOURCES:-$here/sources}/$libcamera_archive
    [ -f "$file" ] || return 1
    has_sha256 "$file" "$libcamera_archive_sha256" || die "$file: not the SHA-256 $libcamera_archive_sha256"
    say "libcamera $libcamera_version from $file"
    cp "$file" "$1"
}

libcamera_from_debian() {
    mirror=$(debian_mirror "^$codename\$")
    [ -n "$mirror" ] || return 1
    for suite in sid testing; do
        private_apt source "deb-src [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $suite main" ||
            continue
        revision=$(APT_CONFIG=$apt_root/apt.conf apt-cache showsrc libcamera 2>/dev/null |
            sed -n "s/^Version: \($libcamera_version-.*\)/\1/p" | head -n 1)
        [ -n "$revision" ] || continue
        say "libcamera $libcamera_version from Debian $suite"
        rm -rf "$apt_root/libcamera"
        mkdir "$apt_root/libcamera"
        (cd "$apt_root/libcamera" &&
            APT_CONFIG=$apt_root/apt.conf apt-get -q source --download-only "libcamera=$revision" >&2) || continue
        if has_sha256 "$apt_root/libcamera/$libcamera_archive" "$libcamera_archive_sha256"; then
            mv "$apt_root/libcamera/$libcamera_archive" "$1"
            return 0
        fi
        say "Debian's $libcamera_archive has not the SHA-256 $libcamera_archive_sha256: not used"
    done
    return 1
}

libcamera_from_upstream() {
    tree=$cache/work/upstream/libcamera
    say "libcamera $libcamera_version from $libcamera_git"
    git_release "$libcamera_git" "v$libcamera_version" "$tree" || return 1
    if [ "$(tree_sha256 "$tree")" != "$libcamera_tree_sha256" ]; then
        say "$libcamera_git: the files of v$libcamera_version have not the SHA-256 $libcamera_tree_sha256: not used"
        return 1
    fi
    tar --create --gzip --file "$1" --sort=name --owner=0 --group=0 --numeric-owner --mtime=@0 --exclude=.git \
        --directory "$cache/work/upstream" libcamera
}

# git_release URL TAG FOLDER: the files of one tag; fails soon where there is no network.
git_release() {
    rm -rf "$3"
    mkdir -p "$(dirname "$3")"
    GIT_TERMINAL_PROMPT=0 timeout 300 git -c http.connectTimeout=20 -c advice.detachedHead=false \
        clone --quiet --depth 1 --branch "$2" "$1" "$3" >&2
}

# Leaves in $libpisp the folder of libpisp's source, or nothing where it cannot be had. The Raspberry Pi 5 needs it.
# In $libpisp_shared is instead the folder with the shared library, where that is what PICAM_LIBPISP names.
find_libpisp() {
    libpisp=""
    libpisp_shared=""
    case ${PICAM_LIBPISP:-} in
    none) ;;
    ?*)
        given=$(CDPATH='' cd -- "$PICAM_LIBPISP" && pwd) || die "PICAM_LIBPISP=$PICAM_LIBPISP: no such folder"
        if [ -f "$given/meson.build" ]; then
            libpisp=$given
        elif [ -d "$given/usr/include/libpisp" ]; then
            libpisp_shared=$given
        else
            die "PICAM_LIBPISP=$PICAM_LIBPISP: neither libpisp's meson.build nor its usr/include/libpisp is there"
        fi
        ;;
    *)
        libpisp=$cache/downloads/libpisp-$libpisp_version
        if [ -d "$libpisp" ]; then
            return 0
        fi
        given=${PICAM_SOURCES:-$here/sources}/libpisp-$libpisp_version
        tree=$cache/work/upstream/libpisp
        if [ -d "$given" ]; then
            rm -rf "$tree"
            mkdir -p "$(dirname "$tree")"
            cp -a "$given" "$tree"
        elif ! git_release "$libpisp_git" "v$libpisp_version" "$tree" 2>/dev/null; then
            libpisp=""
        fi
        if [ -n "$libpisp" ]; then
            [ "$(tree_sha256 "$tree")" = "$libpisp_tree_sha256" ] ||
                die "libpisp $libpisp_version: the files have not the SHA-256 $libpisp_tree_sha256"
            mkdir -p "$cache/downloads"
            mv "$tree" "$libpisp"
        fi
        ;;
    esac
    if [ -z "$libpisp$libpisp_shared" ]; then
        say "WARNING: no rpi/pisp pipeline, this build does NOT RUN ON A RASPBERRY PI 5: libpisp could not be had; set PICAM_LIBPISP=DIR"
    fi
}
