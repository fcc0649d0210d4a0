"""One command whose n-th request to the server is cut off, for n = 1, ... until a run passes; what must hold then."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

from tests.conftest import Databases
from tests.faults.proxy import BEFORE, Proxy

Environment = dict[str, str]
POINTS = int(os.environ.get("FAULT_POINTS", "10"))
LAST = 3
LEDGER_DIFFERS = """
select source, coalesce(held.n, 0) as held, coalesce(noted.n, 0) as noted
from (select source, count(*) as n from raw_staging.api_requests group by source) as held
full join (select source, sum(rows_loaded) as n from raw_staging.live_batches group by source) as noted using (source)
where coalesce(held.n, 0) <> coalesce(noted.n, 0)
"""
LEFT_BEHIND = """
select 'batch ' || batch_id from raw_staging.load_batches where status = 'running'
union all
select relname from pg_class
where relnamespace = 'raw_staging'::regnamespace and relkind = 'r' and relname ~ '^api_requests_' and not relispartition
union all
select pipeline_id || ' without an end' from ops.pipeline_events as s
where event_name = 'pipeline_run_start' and not exists (
    select from ops.pipeline_events as e where e.run_id = s.run_id and e.event_name = 'pipeline_run_end'
)
"""
Main = Callable[[], int]


class Trial:
    """One command against fresh copies of one database, behind the proxy."""

    def __init__(
        self,
        databases: Databases,
        template: Environment,
        front: Proxy,
        main: Main,
        state: str,
        monkeypatch: Any,
        capsys: Any,
    ) -> None:
        self._databases, self._template, self._front = databases, template, front
        self._main, self._state, self._monkeypatch, self._capsys = main, state, monkeypatch, capsys

    def sweep(self, when: str, points: int = POINTS) -> None:
        """Run undisturbed to know the state after, and how many requests that takes; then with a fault in each."""
        with self._copy() as connection:
            old = self._seen(connection)
            status, said = self._run(0, when)
            assert status == 0, said
            count, new = self._front.requests, self._seen(connection)
            assert new != old
        step = max(count // points, 1) if points else 1
        first = 1 if when == BEFORE else 1 + step // 2
        last = range(max(count - LAST, 0) + 1, count + 1)  # where the state changes
        numbers = sorted({*range(first, count + 1, step), *last})
        statuses = [self._status_at(number, when, old, new) for number in numbers]
        assert 1 in statuses  # the proxy does cut
        assert self._status_at(count + 1, when, old, new) == 0

    def _status_at(self, number: int, when: str, old: str, new: str) -> int:
        """Return how the command ended with a fault at request `number`; what must hold afterwards is checked."""
        with self._copy() as connection:
            with self._reader() as seen:
                ended, said = self._run(number, when)
            place = f"request {number}, cut {when} it: status {ended}, {said}"
            found = self._settled(connection)
            assert seen <= {old, new}, place
            assert found == new if ended == 0 else found in (old, new), place
            assert ended in (0, 1) and "Traceback" not in said and said.count("\n") <= 2, place
            assert connection.execute(LEDGER_DIFFERS.encode()).fetchall() == [], place
            status, said = self._run(0, when)
            assert status == 0 or found == new, f"{place}; then {said}"
            assert self._settled(connection) == new, place
            assert connection.execute(LEDGER_DIFFERS.encode()).fetchall() == [], place
            assert connection.execute(LEFT_BEHIND.encode()).fetchall() == [], place
            return ended

    def _run(self, number: int, when: str) -> tuple[int, str]:
        self._capsys.readouterr()
        self._front.arm(number, when)
        status = self._main()
        return status, self._capsys.readouterr().err

    @contextmanager
    def _copy(self) -> Iterator[psycopg.Connection]:
        database = self._databases.create(self._template["PGDATABASE"])
        self._direct = _parameters(database)
        behind = {"PGHOST": "127.0.0.1", "PGPORT": str(self._front.port), "PGSSLMODE": "disable"}
        for name, value in {**database, **behind, "PGGSSENCMODE": "disable", "WAREHOUSE_LOCK_WAIT_S": "30"}.items():
            self._monkeypatch.setenv(name, value)
        with psycopg.connect(autocommit=True, **self._direct) as connection:  # type: ignore[arg-type]
            yield connection
        self._databases.drop(database)

    def _seen(self, connection: psycopg.Connection) -> str:
        row = connection.execute(self._state.encode()).fetchone()
        assert row is not None
        return str(row[0])

    def _settled(self, connection: psycopg.Connection) -> str:
        """Return the state once no server process of the command is left; one may still carry out its last request."""
        others = "select count(*) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
        pause = threading.Event()
        for _ in range(600):
            row = connection.execute(f"{others} and backend_type = 'client backend'".encode()).fetchone()
            if row == (0,):
                return self._seen(connection)
            pause.wait(0.05)
        raise AssertionError("a server process of a command that has ended does not end")

    @contextmanager
    def _reader(self) -> Iterator[set[str]]:
        """Yield the states that a reader sees meanwhile."""
        seen: set[str] = set()
        failures: list[Exception] = []
        stop = threading.Event()

        def read() -> None:
            try:
                with psycopg.connect(autocommit=True, **self._direct) as connection:  # type: ignore[arg-type]
                    while not stop.wait(0.01):
                        seen.add(self._seen(connection))
            except psycopg.Error as error:
                failures.append(error)

        thread = threading.Thread(target=read)
        thread.start()
        try:
            yield seen
        finally:
            stop.set()
            thread.join()
        assert failures == []


def _parameters(environment: Environment) -> dict[str, str]:
    names = {"PGHOST": "host", "PGPORT": "port", "PGUSER": "user", "PGDATABASE": "dbname"}
    return {names[name]: value for name, value in environment.items() if name in names}
