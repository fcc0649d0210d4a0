#!/usr/bin/env bash
# Says where the full stack is found, and who gets in.
#
# Usage: stack/addresses.sh [LINKS]     LINKS: the public dashboards as Metabase's provisioner writes them (links.json)
# Environment: DOMAIN, HTTPS_PORT, ALLOWED_HOSTS, PUBLIC, AUTH_FORWARD_URL, as in .env
set -euo pipefail
base="https://${DOMAIN:-localhost}"
[ "${HTTPS_PORT:-443}" = 443 ] || base="$base:$HTTPS_PORT"
cat <<END
  $base/            the site, with its dashboards
  $base/forecaster  the token forecaster
  $base/docs/       models, columns and lineage
END
sed -n 's/.*"path": "\([^"]*\)".*/\1/p' <<<"${1:-}" | while read -r path; do echo "  $base$path  Metabase dashboard"; done

# The same question as in traefik/dynamic.yml: is there a name beyond this machine?
beyond=$(printf '%s,%s' "${DOMAIN:-}" "${ALLOWED_HOSTS:-}" | tr -d ' ' | tr ',' '\n' | grep -vixF -e localhost -e 127.0.0.1 -e '[::1]' -e '' || true)
if [ -z "$beyond" ]; then
    echo "Open to whoever reaches this machine; with a DOMAIN in .env visitors need a login."
elif [ "${PUBLIC:-}" = 1 ]; then
    cat <<END
PUBLIC=1: open to everybody, without a login. That is every page of the site with its figures, the models' documentation,
the Metabase dashboards with their data, and the forecaster, which takes files of up to 20 MB from anybody.
END
elif [ -n "${AUTH_FORWARD_URL:-}" ]; then
    echo "Visitors need the login of $AUTH_FORWARD_URL."
else
    echo "Visitors need a login: user tokenscope, password in secrets/viewer_password."
fi
