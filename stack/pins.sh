#!/usr/bin/env bash
# Writes behind every image tag of docker-compose.yml and the Dockerfiles the digest that its registry has for it now,
# and shows the difference. A digest is that of the index for all platforms. All tags or none: what cannot be resolved
# is named, and no file is touched. To take a newer version write its tag, then run this.
#
# Usage: stack/pins.sh [--check]     --check: only show; exit 1 when a pin is missing or old
# Environment: PINS_MIRROR           registry, with or without a path, in front of Docker Hub's names
# Needs docker with buildx, but no running engine.
set -euo pipefail
cd "$(dirname "$0")/.."
mode=${1:-}
[ -z "$mode" ] || [ "$mode" = --check ] || { echo "pins: expected --check or nothing, found $mode; see the head of stack/pins.sh" >&2 && exit 2; }
files=(docker-compose.yml */Dockerfile)
line='^([[:space:]]*(image:|FROM)[[:space:]]+)'
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# A name without a host is Docker Hub's, one without a folder is below library/ there.
address() {
    case "${1%%/*}" in *.* | localhost) [ "$1" = "${1%%/*}" ] || { echo "$1" && return; } ;; esac
    local name=$1
    [ "$name" != "${name#*/}" ] || name=library/$name
    echo "${PINS_MIRROR:+$PINS_MIRROR/}${name}"
}

tags=$(sed -nE "s#$line([a-z][a-z0-9._/-]*:[A-Za-z0-9._-]+).*#\3#p" "${files[@]}" | grep -v '^tokenscope/' | sort -u)
problems=0
: >"$scratch/rules"
for tag in $tags; do
    if ! docker buildx imagetools inspect --raw "$(address "$tag")" >"$scratch/index" 2>"$scratch/error"; then
        echo "pins: expected $tag in its registry, found: $(tail -n 1 "$scratch/error")" >&2
    elif ! grep -q '"manifests"' "$scratch/index"; then
        echo "pins: expected an index for all platforms behind $tag, found an image for one" >&2
    else
        digest=$(openssl dgst -sha256 -r "$scratch/index" | cut -d' ' -f1)
        # shellcheck disable=SC2016 # the dollar is the expression's
        printf 's#%s%s(@sha256:[0-9a-f]*)?([[:space:]]|$)#\\1%s@sha256:%s\\4#\n' "$line" "${tag//./\\.}" "$tag" "$digest" >>"$scratch/rules"
        continue
    fi
    problems=$((problems + 1))
done
[ "$problems" = 0 ] || { echo "pins: $problems tags without a digest, no file touched; correct the tags or the network and run it again" >&2 && exit 1; }

changed=0
for file in "${files[@]}"; do
    sed -E -f "$scratch/rules" "$file" >"$scratch/new"
    git --no-pager diff --no-index --no-color --unified=0 "$file" "$scratch/new" && continue
    changed=$((changed + 1))
    [ "$mode" = --check ] || cat "$scratch/new" >"$file"
done
echo "pins: $(wc -w <<<"$tags" | tr -d ' ') tags, $changed files ${mode:+to be }changed" >&2
[ "$mode" != --check ] || [ "$changed" = 0 ]
