#!/usr/bin/env bash
# Makes the folders of this clone that containers write to, with the rights they need: inbox/ and backups/scheduled/.
# Their users (10001 and 999) are nobody's on this machine. Safe to run again.
#
# Usage: stack/folders.sh            environment: INBOX_GROUP (10001, used by root only)
# inbox/ is open to everybody who can log in here, unless root makes it: then to the group INBOX_GROUP alone.
# backups/ is closed to all but its owner, and open inside, since only its owner can get that far.
set -euo pipefail
cd "$(dirname "$0")/.."
group=${INBOX_GROUP:-10001}
formats=(azure-llm burstgpt litellm)

mkdir -p backups/scheduled inbox/done inbox/failed "${formats[@]/#/inbox/}"
# Folders that somebody else made are left as they are, and nobody gets a folder elsewhere by a link.
for folder in inbox inbox/done inbox/failed "${formats[@]/#/inbox/}"; do
    [ ! -L "$folder" ] || {
        echo "folders: expected the folder $folder, found a link; remove it and run again" >&2
        exit 1
    }
    if [ "$(id -u)" = 0 ]; then
        chown "10001:$group" "$folder"
        chmod 2770 "$folder"
    else
        chmod 777 "$folder" 2>/dev/null || true
    fi
done
chmod 700 backups
chmod 777 backups/scheduled
