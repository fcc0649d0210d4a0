"""Entry point of the stand-in for Metabase's image: the contract double, its state kept where Metabase keeps its own.

Metabase stores everything in its application database. So does this: the state file is read from there at the start
and written back whenever it changes, which also proves role, password file and network of that database. With the
argument `reset-password EMAIL` it leaves a token there and prints it, as Metabase's program does beside a running one.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from pathlib import Path

import psycopg

sys.path.insert(0, "/app/double")

from tests.metabase.double.__main__ import main as serve
from tests.metabase.double.reset import make_token

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
        connection.execute("create table if not exists double_tokens (token text primary key, email text not null)")
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


def reset_tokens() -> dict[str, str]:
    with application_database() as connection:
        return dict(connection.execute("select token, email from double_tokens").fetchall())


def reset_password(email: str) -> int:
    with application_database() as connection:
        row = connection.execute("select state from double_state").fetchone()
        token, printed = make_token(json.loads(row[0])["users"] if row else [], email)
        if token is not None:
            connection.execute("insert into double_tokens values (%s, %s)", [token, email])
    print(printed, flush=True)
    return 0 if token else 255


def main() -> int:
    if len(os.environ.get("MB_ENCRYPTION_SECRET_KEY", "")) < 16:
        print("stand-in: expected MB_ENCRYPTION_SECRET_KEY of 16 characters or more, found less", file=sys.stderr)
        return 1
    load()
    if sys.argv[1:2] == ["reset-password"]:
        return reset_password(sys.argv[2])
    plugins = Path(os.environ["MB_PLUGINS_DIR"])
    (plugins / "stand-in.metabase-driver.jar").write_bytes(b"unpacked at every start")
    threading.Thread(target=keep_saving, daemon=True).start()
    return serve(["--host", "0.0.0.0", "--state", str(STATE)], reset_tokens)


if __name__ == "__main__":
    sys.exit(main())
