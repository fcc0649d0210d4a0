"""pgAdmin's settings in the stand-in: a server for several people, everything it keeps in the volume."""

SERVER_MODE = True
DATA_DIR = "/var/lib/pgadmin"
LOG_FILE = "/dev/null"
SQLITE_PATH = "/var/lib/pgadmin/pgadmin4.db"
SESSION_DB_PATH = "/var/lib/pgadmin/sessions"
STORAGE_DIR = "/var/lib/pgadmin/storage"
AZURE_CREDENTIAL_CACHE_DIR = "/var/lib/pgadmin/azurecredentialcache"
KERBEROS_CCACHE_DIR = "/var/lib/pgadmin/kerberoscache"
UPGRADE_CHECK_ENABLED = False
