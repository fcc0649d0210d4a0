#!/usr/bin/env bash
# Keeps the site that of the newest export: builds it at the start, when the pipeline asks for it and when Metabase's
# links change. Answers in /site/.result: the word asked with, then `done` and the release, or `failed`.
#
# Usage: build-loop.sh               run for ever
#        build-loop.sh --healthy     exit 0 where a site is there and the last build succeeded
#        build-loop.sh --current     exit 0 where the site is that of the newest export and links
set -euo pipefail
wanted_file=${SITE_WANTED_FILE:-/data/jobs/site.wanted}
links=${METABASE_LINKS_FILE:-}
site=${SITE_ROOT:-/site}
poll_s=${SITE_POLL_S:-3}
retry_s=${SITE_RETRY_S:-60}
hasher=(sha256sum)
command -v sha256sum >/dev/null || hasher=(shasum -a 256)

wanted() { cat "$wanted_file" 2>/dev/null || echo none; }
# What a site is built from: the export asked for, and the sum of the links.
asked() { echo "$(wanted) $([ -z "$links" ] || "${hasher[@]}" <"$links" 2>/dev/null || true)"; }
answer() { cat "$site/.result" 2>/dev/null || true; }

case "${1:-}" in
--healthy)
    [ -f "$site/current/index.html" ] || exit 1
    case "$(answer)" in *" done"*) exit 0 ;; *) exit 1 ;; esac
    ;;
--current)
    [ "$(asked)" = "$(cat "$site/.built" 2>/dev/null)" ] || exit 1
    case "$(answer)" in "$(wanted) done"*) exit 0 ;; *) exit 1 ;; esac
    ;;
esac

trap 'exit 0' TERM INT
alive() { echo "$$ $SECONDS" >"$site/.alive"; }
# A child in the background lets the trap work at once, and the sign of life go on.
waited() {
    while kill -0 "$1" 2>/dev/null; do { alive || true; } && sleep 1; done
    wait "$1"
}
built=
tried_at=0
while :; do
    alive
    word=$(wanted)
    asked=$(asked)
    if [ "$asked" != "$built" ] && { [ "$asked" != "${failed:-}" ] || [ $((SECONDS - tried_at)) -ge "$retry_s" ]; }; then
        bash "$(dirname "$0")/build-release.sh" &
        if waited $!; then
            built=$asked said="done $(basename "$(readlink "$site/current")")"
        else
            failed=$asked tried_at=$SECONDS said=failed
            echo "site-build: failed; next try in $retry_s s, or when there is a new export" >&2
        fi
        echo "$built" >"$site/.built"
        echo "$word $said" >"$site/.result.new"
        mv "$site/.result.new" "$site/.result"
    fi
    sleep "$poll_s" &
    wait $!
done
