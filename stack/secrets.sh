#!/usr/bin/env bash
# Makes every secret of the full stack that is not there yet, in secrets/ (mode 0700). Existing ones are never touched.
#
# Usage: stack/secrets.sh
# viewer_users holds what Traefik checks the login of a real domain with: a hash of viewer_password, and whom you add.
# To change one: remove its file, run this and `make up`. Two are different: metabase_encryption_key decrypts what
# Metabase stored, and postgres_password is only read by an empty database (docs/deploy.md says how to change them).
set -euo pipefail
cd "$(dirname "$0")/.."
names=(postgres_password portfolio_owner_password portfolio_reader_password metabase_db_password
    metabase_admin_password metabase_encryption_key pgadmin_password sonarqube_db_password viewer_password)
viewer=tokenscope

command -v openssl >/dev/null || {
    echo "secrets: expected openssl on PATH, found none; install it (Debian: apt-get install openssl)" >&2
    exit 1
}
mkdir -p secrets
# Containers read the files as users of their own, so the files are readable and the folder is closed.
chmod 700 secrets
made=0
for name in "${names[@]}"; do
    [ -s "secrets/$name" ] && continue
    # 256 bits; the suffix satisfies password rules that ask for a digit and a letter.
    (umask 022 && printf '%sA1\n' "$(openssl rand -hex 32)" >"secrets/.new" && mv "secrets/.new" "secrets/$name")
    made=$((made + 1))
done
# Anew as well where the password is: the line of our user is replaced, lines of others stay. Of 256 random bits a fast
# hash tells nobody anything, and it is checked at every request.
if [ ! -s secrets/viewer_users ] || [ secrets/viewer_password -nt secrets/viewer_users ]; then
    hash=$(openssl passwd -apr1 -stdin <secrets/viewer_password)
    others=$(grep -v "^$viewer:" secrets/viewer_users 2>/dev/null || true)
    (umask 022 && printf '%s\n' "$viewer:$hash" ${others:+"$others"} >secrets/.new && mv secrets/.new secrets/viewer_users)
    made=$((made + 1))
fi
if [ ! -s secrets/tls_certificate ] || [ ! -s secrets/tls_key ]; then
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 825 -subj "/CN=localhost" \
        -addext "subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1" -keyout secrets/tls_key -out secrets/tls_certificate 2>/dev/null
    chmod 644 secrets/tls_key secrets/tls_certificate
    made=$((made + 1))
fi
echo "secrets: $made made, $((${#names[@]} + 2 - made)) kept in secrets/" >&2
