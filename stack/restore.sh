#!/usr/bin/env bash
# Puts the databases of a backup in the place of the current ones, then starts the stack. All or nothing per database:
# the old one stays until the new one is whole.
#
# Usage: stack/restore.sh backups/20261120T190000Z        (make restore FROM=backups/20261120T190000Z)
set -euo pipefail
cd "$(dirname "$0")/.."
source stack/checksums.sh
databases=(tokenscope metabase)
from=${1:-}
if [ ! -f "${from:-.}/SHA256SUMS" ]; then
    echo "restore: expected the folder of a backup, found ${from:-none}; name one of:" >&2
    find "${BACKUP_DIR:-backups}" -mindepth 1 -maxdepth 2 -type d -name '[0-9]*Z' 2>/dev/null | sort | sed 's/^/  FROM=/' >&2
    exit 2
fi
sha256_holds "$from" || {
    echo "restore: expected the files that SHA256SUMS lists, found others in $from; take another backup" >&2
    exit 1
}
in_server() { docker compose exec -T portfolio_db "$@"; }
sql() { in_server psql -XAtq -v ON_ERROR_STOP=1 -U postgres -d postgres -c "$1"; }

stack/secrets.sh
docker compose stop scheduler backup metabase forecaster pipeline metabase-provision site-build >/dev/null 2>&1 || true
# The server with its roles, which a dump does not hold.
docker compose up --detach --wait portfolio_db
docker compose run --rm --no-deps -T roles >/dev/null
for database in "${databases[@]}"; do
    owner=$(sql "select pg_get_userbyid(datdba) from pg_database where datname = '$database'")
    sql "drop database if exists ${database}_restored with (force)"
    sql "create database ${database}_restored owner \"$owner\""
    in_server pg_restore -U postgres --exit-on-error --single-transaction -d "${database}_restored" <"$from/$database.dump"
    sql "select pg_terminate_backend(pid) from pg_stat_activity where datname = '$database'" >/dev/null
    sql "alter database $database rename to ${database}_replaced"
    sql "alter database ${database}_restored rename to $database"
    sql "drop database ${database}_replaced with (force)"
    echo "restore: $database is that of $from" >&2
done
# Rights on the database itself are not in a dump either.
docker compose run --rm --no-deps -T roles >/dev/null
exec stack/up.sh
