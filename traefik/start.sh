#!/bin/sh
# Starts Traefik with traefik.yml and the proxies of TRUSTED_PROXIES in it. Traefik reads its start-up settings from one
# source only, and that file knows no variables.
#
# Usage: start.sh      environment: TRUSTED_PROXIES (none): addresses and networks, such as 192.0.2.7,10.0.0.0/8
set -eu
proxies=$(printf '%s' "${TRUSTED_PROXIES:-}" | tr -d ' ' | tr -s ',' | sed 's/^,//; s/,$//')
case ",$proxies," in
    *[!0-9A-Fa-f.:/,]* | */0*)
        echo "traefik: expected TRUSTED_PROXIES as addresses and networks such as 192.0.2.7,10.0.0.0/8, found" \
            "$proxies in .env; name the proxies in front of this server alone" >&2
        exit 2
        ;;
esac
[ -z "$proxies" ] || proxies="\"$(printf '%s' "$proxies" | sed 's/,/", "/g')\""
configuration=${TMPDIR:-/tmp}/traefik.yml
sed "s|trustedIPs: \[\]|trustedIPs: [$proxies]|" "$(dirname "$0")/traefik.yml" >"$configuration"
exec traefik "--configFile=$configuration"
