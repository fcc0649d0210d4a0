#!/usr/bin/env bash
# The official image's contract: no argument, or options, start the server with its log on the console.
set -euo pipefail
if [ "$#" -eq 0 ] || [ "${1:0:1}" = - ]; then
    set -- java -jar lib/sonarqube.jar -Dsonar.log.console=true "$@"
fi
exec "$@"
