"""Entry point of the stand-in for Metabase's image: the contract double, its state kept where Metabase keeps its own.

Metabase stores everything in its application database. So does this: the state file is read from there at the start
and written back whenever it changes, which also proves role, password file and network of that database.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import psycopg

STATE = Path("/tmp/state.json")
POLL_S = 0.3


def application_database() -> psycopg.Connection:
    env = os.environ
    return psycopg.connect(
        host=env["MB_DB_HOST"],
        port=env["MB_DB_PORT"],
        dbname=env["MB_DB_DBNAME"],
        user=env["MB_DB_USER"],
        password=Path(env["MB_DB_PASS_FILE"]).read_text().strip(),
        autocommit=True,
        connect_timeout=10,
    )


def load() -> None:
    with application_database() as connection:
        connection.execute("create table if not exists double_state (id int primary key, state text not null)")
        row = connection.execute("select state from double_state").fetchone()
    if row is not None:
        STATE.write_text(row[0])


def keep_saving() -> None:
    saved = STATE.read_text() if STATE.exists() else ""
    while True:
        time.sleep(POLL_S)
        state = STATE.read_text() if STATE.exists() else ""
        if state == saved:
            continue
        try:
            with application_database() as connection:
                connection.execute(
                    "insert into double_state values (1, %s) on conflict (id) do update set state = excluded.state",
                    [state],
                )
            saved = state
        except psycopg.Error as error:
            print(f"stand-in: {error}", file=sys.stderr, flush=True)


def main() -> int:
    if len(os.environ.get("MB_ENCRYPTION_SECRET_KEY", "")) < 16:
        print("stand-in: expected MB_ENCRYPTION_SECRET_KEY of 16 characters or more, found less", file=sys.stderr)
        return 1
    load()
    threading.Thread(target=keep_saving, daemon=True).start()
    double = ["-m", "tests.metabase.double", "--host", "0.0.0.0", "--state", str(STATE)]
    return subprocess.run([sys.executable, *double], cwd="/app/double").returncode


if __name__ == "__main__":
    sys.exit(main())
