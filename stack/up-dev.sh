#!/usr/bin/env bash
# Starts pgAdmin and SonarQube (profile `dev`) beside the stack, on 127.0.0.1 of the host, and waits until they answer.
#
# Usage: stack/up-dev.sh        environment: MAP_COUNT_FILE (/proc/sys/vm/max_map_count), PGADMIN_PORT, SONARQUBE_PORT
set -euo pipefail
cd "$(dirname "$0")/.."
map_count_file=${MAP_COUNT_FILE:-/proc/sys/vm/max_map_count}
map_count_needed=262144

# The Elasticsearch in SonarQube refuses to start with less, minutes later and in its log only. The setting is the
# kernel's, so the host's; where Docker runs in a virtual machine (macOS) there is no such file, and that machine sets it.
found=$(cat "$map_count_file" 2>/dev/null || echo "$map_count_needed")
[ "$found" -ge "$map_count_needed" ] || {
    echo "up-dev: expected vm.max_map_count of $map_count_needed or more for SonarQube, found $found in $map_count_file;" \
        "run 'sudo sysctl -w vm.max_map_count=524288' (docs/deploy.md says how to keep it)" >&2
    exit 1
}
stack/secrets.sh
# Named, not the whole project: `up --wait` takes a one-shot that is done for a failure.
docker compose --profile dev up --detach --wait pgadmin sonarqube
cat >&2 <<END
Ready:
  http://localhost:${PGADMIN_PORT:-5050}/  pgAdmin
  http://localhost:${SONARQUBE_PORT:-9000}/  SonarQube
END
