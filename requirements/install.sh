#!/usr/bin/env bash
# Makes .venv in the repository's root and installs requirements/<group>.txt into it, hashes checked. Safe to re-run.
set -euo pipefail
cd "$(dirname "$0")/.."
group=$1
requirements/platform.sh --quiet

# The second condition: a Python for Intel Macs runs on an Apple chip too, and would ask for the wrong wheels.
is_suitable() {
    "$1" -c 'import platform, sys
intel_on_mac = sys.platform == "darwin" and platform.machine() != "arm64"
sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13) or intel_on_mac)' 2>/dev/null
}

find_python() {
    local candidate
    for candidate in "${PYTHON:-python3}" python3.13 python3.12 python3.11; do
        if is_suitable "$candidate"; then
            echo "$candidate"
            return
        fi
    done
    echo "setup: expected Python 3.11, 3.12 or 3.13, on a Mac for Apple silicon, found $(python3 --version 2>&1) as python3;" \
        "install one (macOS: brew install python@3.13) or set PYTHON=" >&2
    return 1
}

make_environment() {
    local python
    python=$(find_python)
    "$python" -m venv .venv 2>/dev/null && return
    rm -rf .venv
    # Debian ships Python without the module that puts pip into a new environment.
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        echo "setup: installing Debian's python3-venv" >&2
        apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq python3-venv >/dev/null
        "$python" -m venv .venv && return
    fi
    echo "setup: expected '$python -m venv' to work, it failed; install it (Debian: apt-get install python3-venv) and run again" >&2
    return 1
}

if ! [ -x .venv/bin/python ] || ! .venv/bin/python -m pip --version >/dev/null 2>&1; then
    rm -rf .venv
    make_environment
fi
echo "setup: installing requirements/$group.txt into .venv (a minute or two the first time)" >&2
.venv/bin/python -m pip install --quiet --disable-pip-version-check --no-input --require-hashes -r "requirements/$group.txt"
touch ".venv/.installed-$group"
