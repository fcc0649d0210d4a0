#!/usr/bin/env bash
# Dumps the warehouse and Metabase's database into backups/<UTC time>/ while everything runs. Restored by stack/restore.sh.
#
# Usage: stack/backup.sh        environment: BACKUP_DIR (backups)
# Not in it: secrets/ (keep a copy elsewhere: without metabase_encryption_key Metabase's stored connection is unreadable),
# and what the next `make up` makes again (generated files, docs, site).
set -euo pipefail
cd "$(dirname "$0")/.."
source stack/checksums.sh
databases=(tokenscope metabase)
folder=${BACKUP_DIR:-backups}
name=$(date -u +%Y%m%dT%H%M%SZ)
started=$SECONDS

docker compose exec -T portfolio_db pg_isready -q || {
    echo "backup: expected a running portfolio_db, found none; run 'make up' first" >&2
    exit 1
}
mkdir -p "$folder"
chmod 700 "$folder"
staging=$(mktemp -d "$folder/.new-XXXXXX")
trap 'rm -rf "$staging"' EXIT
for database in "${databases[@]}"; do
    docker compose exec -T portfolio_db pg_dump -U postgres -Fc -d "$database" >"$staging/$database.dump"
    # A dump that cannot be listed cannot be restored.
    docker compose exec -T portfolio_db pg_restore --list <"$staging/$database.dump" >/dev/null
done
{
    echo "made_at $name"
    echo "commit $(git describe --always --dirty 2>/dev/null || echo unknown)"
    docker compose exec -T portfolio_db postgres --version
    docker compose config --images | sort -u
} >"$staging/versions.txt"
(cd "$staging" && sha256_of "${databases[@]/%/.dump}" versions.txt >SHA256SUMS)
mv "$staging" "$folder/$name"
trap - EXIT
echo "backup: ${#databases[@]} databases, $(du -sh "$folder/$name" | cut -f1) in $((SECONDS - started)) s" >&2
echo "$folder/$name"
