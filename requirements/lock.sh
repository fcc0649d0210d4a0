#!/usr/bin/env bash
# Compiles every dependency group of pyproject.toml to requirements/<group>.txt: universal, pinned, hashed, no index
# address. `dev` holds every group, so it is solved first and constrains the rest: one version of a package everywhere.
set -euo pipefail
cd "$(dirname "$0")/.."
uv=${UV:-.venv/bin/uv}
compile() {
    "$uv" pip compile pyproject.toml --group "$1" --universal --generate-hashes --python-version 3.11 \
        --only-binary :all: --emit-build-options --no-emit-index-url --no-emit-find-links --no-strip-extras --no-annotate --no-header --quiet "${@:2}" -o "requirements/$1.txt" >/dev/null
}
compile dev "$@"
for group in generator loader dbt_project embedded forecaster metabase runtime installer; do
    compile "$group" -c requirements/dev.txt
done
wc -l requirements/*.txt
