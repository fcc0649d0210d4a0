#!/usr/bin/env bash
# Says what the stack without Docker runs on, and fails where this machine is none of it, before anything is downloaded.
# The floor is that of the wheels in requirements/runtime.txt: manylinux_2_28 and macosx_13_0.
#
# Usage: requirements/platform.sh [--quiet]      --quiet: prints failures only
set -euo pipefail
supported="Linux on x86_64 or arm64 with glibc 2.28 or later, or macOS 13 or later on Apple silicon"

at_least() { # VERSION MAJOR MINOR
    local major=${1%%.*} minor=${1#*.}
    [ "$minor" != "$1" ] || minor=0
    minor=${minor%%.*}
    [ "$major" -gt "$2" ] || { [ "$major" -eq "$2" ] && [ "$minor" -ge "$3" ]; }
}

refuse() { # FOUND NEXT
    echo "setup: expected $supported, found $1; $2" >&2
    exit 1
}

docker="'make up' runs the full stack wherever Docker does"
system=$(uname -s) machine=$(uname -m)
case "$system" in
Linux)
    # musl's getconf does not know the variable.
    libc=$(getconf GNU_LIBC_VERSION 2>/dev/null) || libc=
    version=${libc#glibc }
    found="Linux on $machine with ${libc:-another C library than glibc}"
    case "$machine" in x86_64 | amd64 | aarch64 | arm64) ;; *) refuse "$found" "$docker" ;; esac
    at_least "${version:-0}" 2 28 || refuse "$found" "$docker"
    ;;
Darwin)
    version=$(sw_vers -productVersion)
    found="macOS $version on $machine"
    if [ "$machine" != arm64 ]; then
        # A shell that was started under Rosetta calls an Apple chip x86_64.
        [ "$(sysctl -n sysctl.proc_translated 2>/dev/null || echo 0)" != 1 ] ||
            refuse "$found, a terminal under Rosetta" "open one without it (Get Info of the terminal), then run this again"
        refuse "$found (Intel)" "$docker"
    fi
    at_least "$version" 13 0 || refuse "$found" "update macOS; $docker"
    ;;
MINGW* | MSYS* | CYGWIN* | Windows*) refuse "Windows" "run it in WSL 2 ('wsl --install', then the same commands in its Linux)" ;;
*) refuse "$system on $machine" "$docker" ;;
esac
[ "${1:-}" = --quiet ] || echo "Runs on $supported; this is $found." >&2
