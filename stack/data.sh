#!/usr/bin/env bash
# Backs up what holds the data, or restores a backup to where it is from; says which.
#
# Usage: stack/data.sh backup | restore FOLDER      (make backup, make restore FROM=FOLDER)
# Environment: BACKUP_DIR (backups); PGHOST and its kin name a server of your own
# backup:  your own server where libpq's variables name one, else the full stack's where it runs or nothing else is here,
#          else the embedded PostgreSQL.
# restore: a backup of the full stack holds Metabase's database as well and goes back to the stack, up or not.
set -euo pipefail
cd "$(dirname "$0")/.."
word=${1:-}
folder=${2:-}
data=${TOKENSCOPE_DATA_DIR:-.data}

is_own() { [ -n "${PGHOST:-}${PGHOSTADDR:-}${PGPORT:-}${PGSERVICE:-}${PGDATABASE:-}" ]; }
is_up() { command -v docker >/dev/null && docker compose exec -T portfolio_db pg_isready -q >/dev/null 2>&1; }
is_embedded() { [ -f "$data/postgres/PG_VERSION" ]; }
is_of_stack() {
    if [ -f "${folder:-.}/SHA256SUMS" ]; then grep -q metabase.dump "$folder/SHA256SUMS"; else is_up || ! is_embedded; fi
}

case "$word" in
    backup) if ! is_own && { is_up || ! is_embedded; }; then exec stack/backup.sh; fi ;;
    restore) if ! is_own && is_of_stack; then exec stack/restore.sh "$folder"; fi ;;
    *) echo "data: expected backup or restore, found ${word:-nothing}; see the head of stack/data.sh" >&2 && exit 2 ;;
esac
[ -x .venv/bin/python ] || {
    echo "$word: expected the tools for the embedded PostgreSQL, found no .venv; run 'make setup' first" >&2
    exit 1
}
if [ "$word" = backup ]; then exec .venv/bin/python -m warehouse backup; fi
exec .venv/bin/python -m warehouse restore -- "$folder"
