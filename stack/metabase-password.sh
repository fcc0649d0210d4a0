#!/usr/bin/env bash
# Gives Metabase's admin the password in secrets/metabase_admin_password (a new one where that file is gone), for when
# Metabase was set up with another that nobody knows. Metabase keeps running; its own program makes the token for it.
#
# Usage: stack/metabase-password.sh
set -euo pipefail
cd "$(dirname "$0")/.."
email=admin@tokenscope.local # the provisioner's, metabase/settings.py

[ -n "$(docker compose ps --quiet --status running metabase)" ] || {
    echo "metabase-password: expected a running metabase, found none; run 'make up' first (it may end with the provisioner's login)" >&2
    exit 1
}
stack/secrets.sh
# Two words as one argument: Metabase's entry point gives the first one on to a shell. Token and log lines go through
# the pipe only; the secret is read from its file by the program at the other end.
docker compose run --rm --no-deps -T metabase "reset-password $email" |
    docker compose run --rm --no-deps -T metabase-provision password
docker compose run --rm --no-deps -T metabase-provision apply
