#!/usr/bin/env bash
# Frees disk: removes this project's images that lost their tag to a newer build and that no container uses, and the build
# cache. Keeps what runs or has a tag, so the base images too, and every volume. The cache is the engine's, not this
# project's alone: the next build, here or elsewhere, downloads its packages again.
#
# Usage: stack/prune.sh
set -euo pipefail
cd "$(dirname "$0")/.."
project=$(docker compose config | sed -n 's/^name: //p')
# `Total reclaimed space: 1.2GB`, or `Total: 1.2GB` where buildx answers
freed() { sed -n 's/^Total[^0-9]*//p'; }

images=$(docker image prune --force --filter "label=com.docker.compose.project=$project" | freed)
cache=$(docker builder prune --force | freed)
echo "prune: freed ${images:-0B} of old images and ${cache:-0B} of build cache" >&2
