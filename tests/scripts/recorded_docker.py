"""Answers `docker ...` as a real one did, so that a script's handling of text can be run with other userlands.

It proves nothing about Docker: the same scripts run against a real engine in tests/stack. A call that is not recorded
fails and is noted in $REFUSED_CALLS. Calls go to $DOCKER_CALLS, one a line; with $DOCKER_EMPTY nothing runs yet.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

FOLDER = Path.cwd()
EMPTY = bool(os.environ.get("DOCKER_EMPTY"))
OLD, NEW = "1" * 64, "2" * 64
SERVICES = {
    "forecaster": "tokenscope/forecaster:local",
    "frontend": "tokenscope/frontend:local",
    "metabase": f"metabase/metabase:v0.58.34@sha256:{NEW}",
    "portfolio_db": f"mirror.example:5000/postgres:18.6-trixie@sha256:{NEW}",
    "roles": "tokenscope/pipeline:local",
}
RUNNING = {**SERVICES, "metabase": f"metabase/metabase:v0.58.34@sha256:{OLD}"}
CONFIG = "name: tokenscope\nservices:\n" + "".join(
    f"  {name}:\n    environment:\n      image: none\n    image: {image}\n    restart: always\n"
    for name, image in SERVICES.items()
)
JSON = f"""{{
  "name": "tokenscope",
  "secrets": {{
    "tls_key": {{
      "name": "tokenscope_tls_key",
      "file": "{FOLDER}/secrets/tls_key"
    }}
  }}
}}
"""
STATES = "".join(f"{name} {'exited -' if name == 'roles' else 'running healthy'} 0\n" for name in SERVICES)
STARTS = "".join(
    f"id-{name} {name} 0 {'exited 0 -' if name == 'roles' else 'running 0 healthy'} 2026-11-21T10:00:00.0Z"
    f" {'on-failure' if name == 'roles' else 'unless-stopped'}\n"
    for name in SERVICES
)
USED = "".join(f"{name} id-{name} {image}\n" for name, image in RUNNING.items())
DF = "Filesystem     1024-blocks     Used Available Capacity Mounted on\n"
DF += "/dev/vda         263174212 30000000 220000000      13% /var/lib/postgresql\n"
LINKS = '{\n  "dashboards": [\n    {\n      "path": "/metabase/public/dashboard/11111111-2222-3333"\n    }\n  ]\n}\n'

ANSWERS: list[tuple[str, str]] = [
    (r"compose version --short", "2.40.3-3\n"),
    (r"info", ""),
    (r"compose (-f - )?build", ""),
    (r"compose config --images", "".join(sorted(f"{image}\n" for image in SERVICES.values()))),
    (r"compose config --services", "".join(f"{name}\n" for name in SERVICES)),
    (r"compose config --quiet", ""),
    (r"compose config --format json", JSON),
    (r"compose( --profile \*)? config", CONFIG),
    (r"compose ps --all --quiet( [a-z_-]+)?", "" if EMPTY else "".join(f"id-{name}\n" for name in SERVICES)),
    (r"compose ps --all --format .*", "" if EMPTY else STATES),
    (r"compose (--profile dev )?up .*", ""),
    (r"compose ps --quiet --status running metabase", "" if EMPTY else "id-metabase\n"),
    (r"buildx imagetools inspect --raw \S+", '{"schemaVersion": 2, "manifests": []}'),
    (r"compose (stop|run) .*", ""),
    (r"inspect --format \{\{\.Id\}\}.*( id-[a-z_-]+){5}", STARTS),
    (r"inspect --format \{\{index .*( id-[a-z_-]+){5}", USED),
    (r"image inspect --format .* id-forecaster", '["sha256:old"] {}\n'),
    (r"image inspect --format .*", '["sha256:same"] {}\n'),
    (r"image inspect (tokenscope|mirror)\S*", "[]\n"),
    (r"image rm .*", ""),
    (r"pull metabase/\S*", "v0.58.34: Pulling from metabase/metabase\n"),
    (r"image prune --force --filter label=com.docker.compose.project=tokenscope", "Total reclaimed space: 1.25GB\n"),
    (r"builder prune --force", "ID\tRECLAIMABLE\tSIZE\tLAST ACCESSED\nTotal:\t310.5MB\n"),
    (r"compose exec -T portfolio_db pg_isready -q", ""),
    (r"compose exec -T portfolio_db pg_dump .*", "a dump\n"),
    (r"compose exec -T portfolio_db pg_restore .*", ""),
    (r"compose exec -T portfolio_db postgres --version", "postgres (PostgreSQL) 18.6\n"),
    (r"compose exec -T portfolio_db psql .*server_version_num.*", "18\n"),
    (r"compose exec -T portfolio_db psql .*", "postgres\n"),
    (r"compose exec -T portfolio_db df -Pk \S+", DF),
    (r"compose exec -T portfolio_db du -sk /var/lib/postgresql", "612340\t/var/lib/postgresql\n"),
    (r"compose exec -T site-build bash /app/frontend/build-loop.sh --current", ""),
    (r"compose exec -T frontend cat /links/links.json", LINKS),
]


def main(words: list[str]) -> int:
    """Print the recorded answer to `docker WORDS...`."""
    call = " ".join(words).replace("\n", " ")
    with Path(os.environ["DOCKER_CALLS"]).open("a") as calls:
        calls.write(call + "\n")
    if words[:3] == ["compose", "-f", "-"] or "pg_restore" in words:
        sys.stdin.read()
    if EMPTY and call.startswith("compose exec"):
        return 1
    for pattern, answer in ANSWERS:
        if re.fullmatch(pattern, call, re.DOTALL):
            sys.stdout.write(answer)
            return 0
    if call.startswith("image inspect "):
        return 1  # metabase: not there yet
    with Path(os.environ["REFUSED_CALLS"]).open("a") as refused:
        refused.write(f"recorded docker: no answer to: {call}\n")
    return 97


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
