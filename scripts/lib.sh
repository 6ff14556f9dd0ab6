#!/usr/bin/env bash
# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Shared by the shell scripts of this folder: where things are, and which Python to use. To be sourced.

# What is set here is read by the scripts that source this file.
# shellcheck disable=SC2034
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cache=$root/.cache
venv=$root/.venv
newest_core=2.19

say() { printf '%s\n' "$*"; }

die() {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
    exit 1
}

# Run a command as root: directly, or through sudo.
as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo -- "$@"
    else
        die "root is needed for: $* (run it as root, or install sudo)"
    fi
}

# find_python 3.6: print the path of an interpreter of that version, from PATH or pyenv; fail when there is none.
# A pyenv shim on PATH may exist and yet refuse to run, so each candidate is asked for its version.
find_python() {
    local version=$1 candidate
    local candidates=("python$version")
    if command -v pyenv >/dev/null; then
        candidates+=("$(pyenv root)/versions/$version".*/bin/python)
    elif [ -d "${PYENV_ROOT:-$HOME/.pyenv}/versions" ]; then
        candidates+=("${PYENV_ROOT:-$HOME/.pyenv}/versions/$version".*/bin/python)
    fi
    candidates+=("/usr/bin/python$version" "/usr/local/bin/python$version")
    for candidate in "${candidates[@]}"; do
        "$candidate" -c '
import sys
if "%d.%d" % sys.version_info[:2] != sys.argv[1]:
    sys.exit(1)
print(sys.executable)' "$version" 2>/dev/null && return 0
    done
    return 1
}

# Take a lock named after the script and its argument, so that two runs do not build the same thing at once.
lock() {
    mkdir -p "$cache/locks"
    exec 9>"$cache/locks/$1"
    flock 9
}

# fingerprint WORD FILE...: a hash of the word and of the files' bytes; changes when a product has to be made again.
fingerprint() {
    local word=$1
    shift
    { printf '%s\n' "$word"; cat -- "$@"; } | sha256sum | cut -d ' ' -f 1
}

# with_engine COMMAND...: run what drives the container engine, as this user where that is allowed, else through sudo. What it made
# in .cache as root is handed back, so that the user's own commands can go on with it.
with_engine() {
    local code=0
    if [ "$(id -u)" -eq 0 ] || docker version >/dev/null 2>&1; then
        "$@"
        return
    fi
    as_root env "PATH=$PATH:/usr/sbin:/sbin" PYTHONDONTWRITEBYTECODE=1 "$@" || code=$?
    as_root chown -R "$(id -u):$(id -g)" "$cache"
    return "$code"
}

# tested NAME COMMAND...: run a command that is pytest. Where a few tests fail, those run once more, from nothing: what waits for real hosts
# and programs fails at times on a machine that is busy with something else. What failed is then in the output twice, or named as unsteady.
tested() {
    local seen=$cache/tested/$1 code=0 failed
    shift
    rm -rf "$seen"
    # The last failures are kept for the run that follows, and for no other.
    "$@" -o "cache_dir=$seen" || code=$?
    failed=$("$venv/bin/python" -c 'import json, sys; print("\n".join(json.load(open(sys.argv[1]))))' "$seen/v/cache/lastfailed" 2>/dev/null) || true
    if [ "$code" -ne 1 ] || [ -z "$failed" ] || [ "$(wc -l <<<"$failed")" -gt 20 ]; then
        return "$code"
    fi
    say "== once more, what failed:" "$failed"
    "$@" -o "cache_dir=$seen" --last-failed || return
    say "== unsteady (failed, then passed):" "$failed"
}
