#!/usr/bin/env bash
# Exit 0 when every service is healthy and every one-shot is done; prints what is not, unless --quiet.
#
# Usage: stack/status.sh [--quiet]
set -euo pipefail
cd "$(dirname "$0")/.."
quiet=${1:-}
one_shots=" roles pipeline metabase-provision "
listed=$(docker compose ps --all --format '{{.Service}} {{.State}} {{if .Health}}{{.Health}}{{else}}-{{end}} {{.ExitCode}}')
bad=$(awk -v one_shots="$one_shots" '{
    done = index(one_shots, " " $1 " ") && $2 == "exited" && $4 == 0
    if (!done && !($2 == "running" && $3 == "healthy")) print
}' <<<"$listed")
missing=$(awk 'NR == FNR {seen[$1]; next} !($1 in seen)' <(printf '%s\n' "$listed") <(docker compose config --services))
# A site is there and the last build succeeded: that is healthy. Done is the build of the newest export, too.
if [ -z "$bad$missing" ] && [ -n "$listed" ]; then
    docker compose exec -T site-build bash /app/frontend/build-loop.sh --current </dev/null && exit 0
    bad="site-build running, - the build of the newest export is under way, 0"
fi
if [ "$quiet" != --quiet ]; then
    [ -z "$bad" ] || awk '{printf "  %-20s %s, health %s, exit code %s\n", $1, $2, $3, $4}' <<<"$bad"
    for name in $missing; do printf '  %-20s not created\n' "$name"; done
fi
exit 1
