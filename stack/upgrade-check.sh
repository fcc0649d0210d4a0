#!/usr/bin/env bash
# Says whether `make up` with the files as they are now is a safe step from what runs. Changes nothing that runs.
#
# Usage: stack/upgrade-check.sh        environment: BACKUP_DIR (backups), BACKUP_MAX_AGE_H (24)
# Exit 0: go on. Exit 1: something must be done first; every such thing is named.
# Whether an image of ours changes cannot be told from its tag, which is always `local`, nor from a commit, which also
# changes with files no image holds. So the images are built as `make up` would, under the tag `upgrade-check`, and layers
# and settings are compared with those of the running containers. That costs the time of the build, proves that it works
# while everything still runs, and leaves it in the cache for `make up`; the tags are removed again.
set -euo pipefail
cd "$(dirname "$0")/.."
source stack/checksums.sh
folder=${BACKUP_DIR:-backups}
images_kb=$((3 * 1024 * 1024))
export BUILDX_NO_DEFAULT_ATTESTATIONS=1 # as `make up` builds
problems=0
problem() {
    echo "upgrade-check: $*" >&2
    problems=$((problems + 1))
}
in_database() { docker compose exec -T portfolio_db "$@" 2>/dev/null; }

# `service image` for each service of the compose file.
wanted_images() {
    docker compose --profile '*' config | awk '/^[a-z]/ {block = $1}
        block == "services:" && /^  [^ ]/ {service = $1; sub(/:$/, "", service)}
        block == "services:" && /^    image: / {print service, $2}'
}

check_secrets() {
    local file
    for file in $(docker compose config --format json | sed -n 's/.*"file": "\(.*\/secrets\/[^"]*\)".*/\1/p'); do
        [ -s "$file" ] || problem "secrets: expected $file, found none; run 'make secrets'"
    done
}

# Asks the server; where it does not answer, the file that says with which version it was made.
data_version() {
    in_database psql -XAtq -U postgres -c "select current_setting('server_version_num')::int / 10000" ||
        in_database sh -c "cat \"\$PGDATA/PG_VERSION\""
}

check_postgres() {
    local wanted found
    # postgres:18.6-trixie@sha256:... -> 18, whatever registry stands before it
    wanted=$(wanted_images | sed -n 's/^portfolio_db //p' | sed 's/@.*//; s/.*://; s/[^0-9].*//')
    found=$(data_version) || found=
    if [ -z "$found" ]; then
        problem "postgres: expected a running portfolio_db to read its version from, found none; run 'make up' with the old files"
    elif [ "$found" != "$wanted" ]; then
        problem "postgres: expected data of version $wanted, found $found; docs/deploy.md, 'A new major version of PostgreSQL'"
    fi
}

check_backup() {
    local hours=${BACKUP_MAX_AGE_H:-24}
    newest=$(find "$folder" -mindepth 1 -maxdepth 2 -type d -name '[0-9]*Z' -mmin "-$((hours * 60))" 2>/dev/null |
        awk -F/ '{print $NF, $0}' | sort | tail -n 1 | cut -d ' ' -f 2-)
    if [ -z "$newest" ]; then
        problem "backup: expected one of the last $hours h in $folder, found none; run 'make backup'"
    elif ! sha256_holds "$newest"; then
        problem "backup: expected $newest whole, found damaged files; run 'make backup'"
    fi
}

# Free KiB and size of the disk that holds a path of the database's container. Docker's disk need not be this folder's,
# and on macOS it is in a virtual machine.
disk_of() { in_database df -Pk "$1" | awk 'NR == 2 {print $4, $2}'; }

expect_free() {
    [ "$2" -ge "$3" ] || problem "disk: expected $(($3 / 1024)) MiB free on $1, found $(($2 / 1024)) MiB;" \
        "free some ('make prune' removes old images) or move Docker's data"
}

# The volumes need room for a second copy of the data and for the work of the build, the images for their successors.
check_disk() {
    local volumes images data_kb need_kb
    volumes=$(disk_of /var/lib/postgresql) images=$(disk_of /) || true
    [ -n "$volumes" ] && [ -n "$images" ] || return 0 # no database: check_postgres has said so
    data_kb=$(in_database du -sk /var/lib/postgresql | cut -f 1) || true
    need_kb=$((${data_kb:-0} * 2 + 2 * 1024 * 1024))
    if [ "${volumes#* }" = "${images#* }" ]; then
        expect_free "Docker's disk (twice the database, 2 GiB to work, 3 GiB of images)" "${volumes% *}" $((need_kb + images_kb))
    else
        expect_free "the disk of Docker's volumes (twice the database, 2 GiB to work)" "${volumes% *}" "$need_kb"
        expect_free "the disk of Docker's images" "${images% *}" "$images_kb"
    fi
}

remove_tags() {
    wanted_images | sed -n 's|^[^ ]* \(tokenscope/[a-z-]*\):local$|\1:upgrade-check|p' | sort -u |
        xargs docker image rm --no-prune >/dev/null 2>&1 || true
}

build_aside() {
    trap remove_tags EXIT
    docker compose config | sed 's|^\( *image: tokenscope/[a-z-]*\):local$|\1:upgrade-check|' | docker compose -f - build >&2 ||
        problem "images: expected every image to build, found the error above; go back to the old files or mend it"
}

# What an image holds, without its name and the time it was made.
content() { docker image inspect --format '{{json .RootFS.Layers}} {{json .Config}}' "$1" 2>/dev/null || echo "none of $1"; }

# A digest to its twelfth digit, other references as they are.
short() {
    local digest=${1#*@sha256:}
    if [ "$digest" = "$1" ]; then echo "$1"; else echo "${1%@sha256:*}@sha256:${digest:0:12}"; fi
}

name_changes() {
    local ids service id running now wanted
    ids=$(docker compose ps --all --quiet)
    [ -n "$ids" ] || return 0
    wanted=$(wanted_images)
    xargs docker inspect --format '{{index .Config.Labels "com.docker.compose.service"}} {{.Image}} {{.Config.Image}}' <<<"$ids" |
        sort | while read -r service id running; do
        now=$(awk -v service="$service" '$1 == service {print $2}' <<<"$wanted")
        if [ -z "$now" ]; then
            echo "upgrade-check: $service is removed" >&2
        elif [ "$now" != "$running" ]; then
            echo "upgrade-check: $service goes from $(short "$running") to $(short "$now")" >&2
        elif [ "${now%:local}" != "$now" ] && [ "$(content "$id")" != "$(content "${now%:local}:upgrade-check")" ]; then
            echo "upgrade-check: $service gets a new image of ours" >&2
        fi
    done
}

docker compose config --quiet || {
    echo "upgrade-check: expected a valid compose file, found the error above; mend it" >&2
    exit 1
}
check_secrets
check_postgres
check_backup
check_disk
build_aside
name_changes
[ "$problems" = 0 ] || {
    echo "upgrade-check: $problems things to do first" >&2
    exit 1
}
echo "upgrade-check: ready; newest backup $newest" >&2
