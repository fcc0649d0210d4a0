#!/usr/bin/env bash
# Builds and starts the full stack, waits until everything is healthy and prints the addresses. Safe to run again.
# Ends early, with the last words of the service, where one has failed RESTART_LIMIT times or will not be tried again.
#
# Usage: stack/up.sh        environment: UP_TIMEOUT_S (900), RESTART_LIMIT (3), settings of .env
set -euo pipefail
cd "$(dirname "$0")/.."
timeout_s=${UP_TIMEOUT_S:-900}
restart_limit=${RESTART_LIMIT:-3}
started=$SECONDS

version=$(docker compose version --short 2>/dev/null | sed 's/^v//') || version=
case "$version" in
    "" | 0.* | 1.* | 2.[0-9].* | 2.1[0-9].*)
        echo "up: expected Docker with Compose 2.20 or later, found ${version:-none}; install it (https://docs.docker.com/engine/install)," \
            "or run 'make demo', which needs no Docker" >&2
        exit 1
        ;;
esac
docker info >/dev/null 2>&1 || {
    echo "up: expected a running Docker engine, found none that answers; start it, or run 'make demo', which needs no Docker" >&2
    exit 1
}

# One line per container: id, service, restarts, state, exit code, health, last start, restart policy.
containers() {
    local ids
    ids=$(docker compose ps --all --quiet)
    [ -z "$ids" ] || xargs docker inspect --format '{{.Id}} {{index .Config.Labels "com.docker.compose.service"}} {{.RestartCount}}
        {{- ""}} {{.State.Status}} {{.State.ExitCode}} {{with index .State "Health"}}{{.Status}}{{else}}-{{end}} {{.State.StartedAt}}
        {{- ""}} {{.HostConfig.RestartPolicy.Name}}' <<<"$ids" 2>/dev/null || true
}

# The services that will not get there: since this start began they failed too often, failed for good or are unhealthy.
# One with two containers is being replaced: its old one may fail as it likes. So may a try of an earlier start.
failed_services() {
    awk -v limit="$restart_limit" -v begin="$begin" 'NR == FNR {restarts[$1] = $3; old[$1] = $4; next}
        {seen[$2]++}
        $7 >= begin && $6 != "healthy" && ($3 - restarts[$1] >= limit || $4 == "running" && $6 == "unhealthy") {failed[$2]}
        $7 >= begin && $8 == "on-failure" && $4 == "exited" && $5 != 0 && old[$1] !~ /ing$/ {failed[$2]}
        END {for (service in failed) if (seen[service] == 1) print service}' <(printf '%s\n' "$before") <(containers)
}

give_up() {
    echo "up: expected every service healthy, $1:" >&2
    stack/status.sh >&2 || true
    for service in $(failed_services); do
        echo "up: the last words of $service:" >&2
        docker logs --tail 15 "$(docker compose ps --all --quiet "$service" | head -n 1)" 2>&1 | sed 's/^/  /' >&2
    done
    echo "up: see 'make logs SERVICE=...'; run 'make up' again when the cause is gone" >&2
    exit 1
}

wait_or_give_up() {
    local failed
    failed=$(failed_services | paste -sd ' ')
    [ -z "$failed" ] || give_up "found $failed failing"
    [ $((SECONDS - started)) -le "$timeout_s" ] || give_up "found others after $timeout_s s"
    sleep 2
}

stack/secrets.sh
export BUILDX_NO_DEFAULT_ATTESTATIONS=1
docker compose build --quiet
begin=$(date -u +%Y-%m-%dT%H:%M:%S)
before=$(containers)
# In the background: it waits for the one-shots and the health of those that others need, however often they fail.
docker compose up --detach --remove-orphans --quiet-pull &
up=$!
trap 'kill "$up" 2>/dev/null || true' EXIT
while kill -0 "$up" 2>/dev/null; do wait_or_give_up; done
wait "$up" || { before='' && give_up "found a start that failed"; }
trap - EXIT
until stack/status.sh --quiet; do wait_or_give_up; done

base="https://${DOMAIN:-localhost}"
[ "${HTTPS_PORT:-443}" = 443 ] || base="$base:${HTTPS_PORT}"
cat >&2 <<END
Ready after $((SECONDS - started)) s:
  $base/            the site, with its dashboards
  $base/forecaster  the token forecaster
  $base/docs/       models, columns and lineage
END
docker compose exec -T frontend cat /links/links.json 2>/dev/null | sed -n 's/.*"path": "\([^"]*\)".*/\1/p' |
    while read -r path; do echo "  $base$path  Metabase dashboard" >&2; done
