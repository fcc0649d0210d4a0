#!/usr/bin/env bash
# The service `backup`: dumps the warehouse and Metabase's database into a folder of the UTC time when the pipeline asks
# for it, in the form of stack/backup.sh. Answers in .result: the word asked with, then `done` and the folder, or `failed`.
#
# Usage: backup-loop.sh              environment: BACKUP_WANTED_FILE, BACKUP_ROOT, BACKUP_KEEP (14), libpq's variables,
#        TOKENSCOPE_PASSWORD_FILE, METABASE_PASSWORD_FILE
# Each database is dumped by its owner: no superuser's password is in this container.
set -euo pipefail
wanted_file=${BACKUP_WANTED_FILE:-/data/jobs/backup.wanted}
root=${BACKUP_ROOT:-/backups}
keep=${BACKUP_KEEP:-14}
poll_s=${BACKUP_POLL_S:-5}
[ "$keep" -ge 1 ] 2>/dev/null || keep=1 # the one just made is never removed
# The folders are as open as their parent lets them be: it is closed to all but who runs the stack (docs/deploy.md).
umask 000

dump() { # name, database, role, file with the password
    PGPASSWORD=$(cat "$4") pg_dump -U "$3" -Fc -d "$2" >"$staging/$1.dump" || return 1
    # A dump that cannot be listed cannot be restored.
    pg_restore --list <"$staging/$1.dump" >/dev/null || return 1
}

back_up() {
    local name started=$SECONDS old
    name=$(date -u +%Y%m%dT%H%M%SZ)
    rm -rf "$root"/.new-*
    staging=$(mktemp -d "$root/.new-XXXXXX") && chmod 777 "$staging" || return 1
    dump tokenscope "${PGDATABASE:-tokenscope}" portfolio_owner "$TOKENSCOPE_PASSWORD_FILE" || return 1
    dump metabase metabase metabase "$METABASE_PASSWORD_FILE" || return 1
    printf 'made_at %s\ncommit %s\n' "$name" "${STACK_COMMIT:-unknown}" >"$staging/versions.txt"
    pg_dump --version >>"$staging/versions.txt"
    (cd "$staging" && sha256sum -- *.dump versions.txt >SHA256SUMS) || return 1
    mv "$staging" "$root/$name" || return 1
    while read -r old; do rm -rf "${root:?}/$old"; done < <(
        find "$root" -mindepth 1 -maxdepth 1 -type d -name '[0-9]*Z' -exec basename {} \; | sort -r | tail -n "+$((keep + 1))"
    )
    echo "backup: $root/$name, $(du -sh "$root/$name" | cut -f1) in $((SECONDS - started)) s" >&2
    echo "$name" >"$root/.last"
}

trap 'exit 0' TERM INT
alive() { echo "$$ $SECONDS" >"$root/.alive"; }
[ -w "$root" ] || echo "backup: expected a folder to write to, found $root closed to $(id -u); 'make up' sets its rights" >&2
answered=$(cut -d' ' -f1 "$root/.result" 2>/dev/null || true)
while :; do
    alive || true
    word=$(cat "$wanted_file" 2>/dev/null || true)
    if [ -n "$word" ] && [ "$word" != "$answered" ]; then
        back_up &
        job=$!
        while kill -0 "$job" 2>/dev/null; do { alive || true; } && sleep 1; done
        if wait "$job"; then said="done $(cat "$root/.last")"; else said=failed; fi
        { echo "$word $said" >"$root/.result.new" && mv "$root/.result.new" "$root/.result"; } || true
        answered=$word
    fi
    sleep "$poll_s" &
    wait $!
done
