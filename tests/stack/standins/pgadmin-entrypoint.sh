#!/bin/sh
# The part of the official image's contract that the compose file relies on: PGADMIN_DEFAULT_EMAIL, checked as there,
# PGADMIN_DEFAULT_PASSWORD_FILE, a database made at the first start, port 80 without being root.
set -eu
if [ ! -f /var/lib/pgadmin/pgadmin4.db ]; then
    password=$(cat "${PGADMIN_DEFAULT_PASSWORD_FILE:?You need to define the PGADMIN_DEFAULT_PASSWORD_FILE environment variable}")
    rules="{'CHECK_EMAIL_DELIVERABILITY': False, 'ALLOW_SPECIAL_EMAIL_DOMAINS': [], 'GLOBALLY_DELIVERABLE': True}"
    valid=$(cd pgadmin/utils && /venv/bin/python -c "import sys; from validation_utils import validate_email
print(validate_email(sys.argv[1], $rules))" "$PGADMIN_DEFAULT_EMAIL")
    [ "$valid" = True ] || { echo "'$PGADMIN_DEFAULT_EMAIL' does not appear to be a valid email address." >&2; exit 1; }
    PGADMIN_SETUP_EMAIL=$PGADMIN_DEFAULT_EMAIL PGADMIN_SETUP_PASSWORD=$password /venv/bin/python setup.py setup-db
fi
exec /venv/bin/gunicorn --bind "0.0.0.0:${PGADMIN_LISTEN_PORT:-80}" --workers 1 --threads 25 --no-control-socket run_pgadmin:app
