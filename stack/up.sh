#!/usr/bin/env bash
# Builds and starts the full stack, waits until everything is healthy and prints the addresses. Safe to run again.
# Building and pulling show their progress and take the time they need. The start ends early, with the last words of the
# service, where one has failed RESTART_LIMIT times or will not be tried again, and where nothing has changed for
# UP_TIMEOUT_S: no container's state, no line of a one-shot at work. A slow start that gets on is never ended.
#
# Usage: stack/up.sh        environment: UP_TIMEOUT_S (600), RESTART_LIMIT (3), settings of .env
set -euo pipefail
cd "$(dirname "$0")/.."
timeout_s=${UP_TIMEOUT_S:-600}
restart_limit=${RESTART_LIMIT:-3}

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

# Without --quiet, and on the terminal where there is one: its moving progress there, plain lines elsewhere.
build_images() {
    docker compose build >&2 || {
        echo "up: build: expected every image to build, found the error above; run 'make up' again when its cause is gone" >&2
        exit 1
    }
}

# Images that are there are not asked for again: a start needs no registry.
pull_images() {
    local image
    for image in $(docker compose config --images | sort -u); do
        docker image inspect "$image" >/dev/null 2>&1 || docker pull "$image" >&2 || {
            echo "up: pull: expected to get $image, found the error above; run 'make up' again when its cause is gone" >&2
            exit 1
        }
    done
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
        END {for (service in failed) if (seen[service] == 1) print service}' <(printf '%s\n' "$before") <(printf '%s\n' "$now")
}

# What differs from one look to the next while a start gets on. A service that merely talks is not getting on: the
# lines of one-shots count, those of servers do not.
signs_of_progress() {
    local id
    printf '%s\n' "$now"
    awk '$4 == "running" && $8 == "on-failure" {print $1}' <<<"$now" | while read -r id; do
        docker logs --timestamps --tail 1 "$id" 2>&1 || true
    done
}

give_up() {
    echo "up: start: expected every service healthy, $1:" >&2
    stack/status.sh >&2 || true
    for service in $(failed_services); do
        echo "up: the last words of $service:" >&2
        docker logs --tail 15 "$(docker compose ps --all --quiet "$service" | head -n 1)" 2>&1 | sed 's/^/  /' >&2
    done
    echo "up: see 'make logs SERVICE=...'; run 'make up' again when the cause is gone" >&2
    exit 1
}

wait_or_give_up() {
    local failed signs
    now=$(containers)
    failed=$(failed_services | paste -sd ' ' -)
    [ -z "$failed" ] || give_up "found $failed failing"
    signs=$(signs_of_progress)
    [ "$signs" = "$last_signs" ] || changed=$SECONDS
    last_signs=$signs
    [ $((SECONDS - changed)) -lt "$timeout_s" ] || give_up "found nothing that changed for $timeout_s s"
    sleep 1
}

start_services() {
    local up
    begin=$(date -u +%Y-%m-%dT%H:%M:%S)
    before=$(containers) now=$before last_signs='' changed=$SECONDS
    # In the background: it waits for the one-shots and the health of those that others need, however often they fail.
    docker compose up --detach --remove-orphans --no-build --quiet-pull &
    up=$!
    # shellcheck disable=SC2064 # the number is wanted as it is now: the trap outlives this function
    trap "kill $up 2>/dev/null || true" EXIT
    while kill -0 "$up" 2>/dev/null; do wait_or_give_up; done
    wait "$up" || { before='' now=$(containers) && give_up "found a start that failed"; }
    trap - EXIT
    until stack/status.sh --quiet; do wait_or_give_up; done
}

# Where nobody gives DATA, neither here nor in .env, it is that of the container there is: with another setting it, and all
# that wait for it, would be made anew. One that a `docker compose run` has made does not count.
keep_data() {
    local ids
    case "$(docker compose config | sed -n 's/^ *DATA: //p')" in '' | '""') ;; *) return 0 ;; esac
    ids=$(docker compose ps --all --quiet pipeline)
    [ -n "$ids" ] || return 0
    DATA=$(xargs docker inspect --format '{{.Id}}{{if eq (index .Config.Labels "com.docker.compose.oneoff") "False"}}
        {{- range .Config.Env}}{{println}}{{.}}{{end}}{{end}}' <<<"$ids" 2>/dev/null | sed -nE 's/^DATA=(demo|none)$/\1/p' | tail -n 1) || true
    export DATA
}

stack/secrets.sh
stack/folders.sh
keep_data
STACK_COMMIT=$(git describe --always --dirty 2>/dev/null || echo unknown) # for the scheduled backups' versions.txt
export STACK_COMMIT
# An attestation holds the time, so an image that is built again would be another, and its containers replaced.
export BUILDX_NO_DEFAULT_ATTESTATIONS=1
build_images
pull_images
images_s=$SECONDS
start_services
started_s=$((SECONDS - images_s))

echo "Ready: images in $images_s s, start in $started_s s:" >&2
stack/addresses.sh "$(docker compose exec -T frontend cat /links/links.json 2>/dev/null || true)" >&2
