#!/usr/bin/env bash
# Builds and starts the full stack, waits until everything is healthy and prints the addresses. Safe to run again.
#
# Usage: stack/up.sh        environment: UP_TIMEOUT_S (900), settings of .env
set -euo pipefail
cd "$(dirname "$0")/.."
timeout_s=${UP_TIMEOUT_S:-900}
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

stack/secrets.sh
docker compose build --quiet
# `up` returns when the one-shots that others wait for are done; what went wrong is in their logs.
docker compose up --detach --remove-orphans --quiet-pull || {
    stack/status.sh >&2 || true
    exit 1
}
until stack/status.sh --quiet; do
    if [ $((SECONDS - started)) -gt "$timeout_s" ]; then
        echo "up: expected every service healthy within $timeout_s s, found:" >&2
        stack/status.sh >&2 || true
        echo "up: see 'make logs'" >&2
        exit 1
    fi
    sleep 1
done

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
