#!/usr/bin/env bash
# Says whether `make up` with the files as they are now is a safe step from what runs. Changes nothing.
#
# Usage: stack/upgrade-check.sh        environment: BACKUP_DIR (backups), BACKUP_MAX_AGE_H (24)
# Exit 0: go on. Exit 1: something must be done first; every such thing is named.
set -euo pipefail
cd "$(dirname "$0")/.."
folder=${BACKUP_DIR:-backups}
problems=0
problem() { echo "upgrade-check: $1" >&2 && problems=$((problems + 1)); }

docker compose config --quiet || { echo "upgrade-check: the compose file is not valid, see above" >&2 && exit 1; }

for file in $(docker compose config --format json | sed -n 's/.*"file": "\(.*\/secrets\/[^"]*\)".*/\1/p'); do
    [ -s "$file" ] || problem "secrets: expected $file, found none; run 'make secrets'"
done

wanted_major=$(docker compose config --images | sed -n 's/^postgres:\([0-9]*\).*/\1/p' | head -n 1)
found_major=$(docker compose exec -T portfolio_db cat /var/lib/postgresql/18/docker/PG_VERSION 2>/dev/null || true)
if [ -z "$found_major" ]; then
    found_major=$(docker compose exec -T portfolio_db psql -XAtq -U postgres -c 'show server_version_num' 2>/dev/null | cut -c1-2 || true)
fi
if [ -z "$found_major" ]; then
    problem "postgres: expected a running portfolio_db to read its version from, found none; run 'make up' with the old files"
elif [ "$found_major" != "$wanted_major" ]; then
    problem "postgres: expected data of version $wanted_major, found $found_major; docs/deploy.md, 'A new major version of PostgreSQL'"
fi

newest=$(find "$folder" -mindepth 1 -maxdepth 1 -type d ! -name '.*' -mmin "-$((${BACKUP_MAX_AGE_H:-24} * 60))" 2>/dev/null | sort | tail -n 1)
if [ -z "$newest" ]; then
    problem "backup: expected one of the last ${BACKUP_MAX_AGE_H:-24} h in $folder, found none; run 'make backup'"
elif ! (cd "$newest" && sha256sum --check --quiet SHA256SUMS); then
    problem "backup: expected $newest whole, found damaged files; run 'make backup'"
fi

data_kb=$(docker compose exec -T portfolio_db du -sk /var/lib/postgresql 2>/dev/null | cut -f1 || echo 0)
free_kb=$(df -Pk . | awk 'NR == 2 {print $4}')
[ "$free_kb" -gt $((data_kb * 2 + 2097152)) ] ||
    problem "disk: expected twice the database and 2 GiB free, found $((free_kb / 1024)) MiB; free some or move the volumes"

while read -r service running; do
    now=$(docker compose config --format json "$service" 2>/dev/null | sed -n 's/^ *"image": "\([^"]*\)".*/\1/p' | head -n 1)
    [ -z "$now" ] || [ "$now" = "$running" ] || echo "upgrade-check: $service goes from $running to $now" >&2
done < <(docker compose ps --all --format '{{.Service}} {{.Image}}')

[ "$problems" = 0 ] || { echo "upgrade-check: $problems things to do first" >&2 && exit 1; }
echo "upgrade-check: ready; newest backup $newest" >&2
