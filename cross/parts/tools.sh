# shellcheck shell=sh disable=SC2154 # the variables of the script that reads it
# Tools made of Python packages and crates, in the cache and nowhere else on this machine: part of cross/setup and cross/dist.

# python_tools FILE : installs what the requirements file names, and sets $tools to the virtual environment's folder.
python_tools() {
    tools=$cache/tools-$(sha256sum "$1" | cut -c 1-16)
    if [ ! -f "$tools/complete" ]; then
        say "the Python packages of $(basename "$1") into $tools"
        rm -rf "$tools"
        python3 -m venv "$tools"
        "$tools/bin/pip" install --quiet --disable-pip-version-check --requirement "$1" >&2
        touch "$tools/complete"
    fi
}

# cargo_tool NAME VERSION : compiles a program of a crate, and puts its folder in front of PATH.
cargo_tool() {
    folder=$cache/$1-$2
    if [ ! -f "$folder/complete" ]; then
        say "compiling $1 $2 into $folder"
        rm -rf "$folder"
        nice -n 19 cargo install --quiet --locked --root "$folder" --target-dir "$folder/target" \
            ${PICAM_JOBS:+--jobs "$PICAM_JOBS"} "$1@$2" >&2
        rm -rf "$folder/target"
        touch "$folder/complete"
    fi
    PATH=$folder/bin:$PATH
    export PATH
}
