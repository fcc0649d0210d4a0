#!/usr/bin/env bash
# The part of the official image's contract that the compose file relies on: POSTGRES_USER, POSTGRES_PASSWORD(_FILE),
# POSTGRES_DB, POSTGRES_INITDB_ARGS, PGDATA, init scripts, scram-sha-256 for every host; runs as the user it was given.
set -euo pipefail

if [ "${1:-}" != postgres ] && [ "${1#-}" = "$1" ]; then exec "$@"; fi
[ "${1#-}" = "$1" ] || set -- postgres "$@"

user=${POSTGRES_USER:-postgres}
database=${POSTGRES_DB:-$user}
mkdir -p "$PGDATA" && chmod 00700 "$PGDATA"
if [ ! -s "$PGDATA/PG_VERSION" ]; then
    password=${POSTGRES_PASSWORD:-$(cat "${POSTGRES_PASSWORD_FILE:?Database is uninitialized and superuser password is not specified}")}
    # shellcheck disable=SC2086 # the official script splits the variable as well
    initdb --username="$user" --pwfile=<(printf '%s\n' "$password") ${POSTGRES_INITDB_ARGS:-}
    printf '\nhost all all all scram-sha-256\n' >>"$PGDATA/pg_hba.conf"
    pg_ctl -D "$PGDATA" -o "-c listen_addresses='' -k /var/run/postgresql" -w start
    [ "$database" = postgres ] || psql -v ON_ERROR_STOP=1 -U "$user" -d postgres -c "create database \"$database\""
    # shellcheck disable=SC1090
    for script in /docker-entrypoint-initdb.d/*; do
        case "$script" in
            *.sql) psql -v ON_ERROR_STOP=1 -U "$user" -d "$database" -f "$script" ;;
            *.sh) . "$script" ;;
        esac
    done
    pg_ctl -D "$PGDATA" -m fast -w stop
    echo 'PostgreSQL init process complete; ready for start up.'
fi
exec "$@" -c unix_socket_directories=/var/run/postgresql -c listen_addresses='*'
