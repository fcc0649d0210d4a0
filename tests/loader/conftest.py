"""Hand-made data sets, and the loader's command line run in this process against the test's own database."""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from loader.__main__ import main
from tests.patience import wait_until

REQUEST_HEADER = (
    "request_id,user_id,model_id,endpoint_id,requested_at,"
    "prompt_tokens,completion_tokens,latency_ms,status_code,is_flagged"
)
SMALL_TABLES = {
    "users": "user_id,full_name,email,company_name,industry,company_size,country_code,billing_tier,signed_up_on\n"
    "1,Ada Ng,ada@example.com,Acme,energy,11-50,DE,pro,2024-03-01\n"
    '2,"Ng, Bo",bo@example.com,,,,,free,2024-05-01\n',
    "models": "model_id,model_name,provider,family,context_window,input_usd_per_mtok,output_usd_per_mtok,released_on,"
    "is_deprecated\n1,small-1,acme,small,128000,0.1500,0.6000,2024-01-01,false\n",
    "endpoints": "endpoint_id,path,http_method,category,is_streaming\n1,/v1/chat,POST,chat,true\n",
    "dates": "date_id,full_date,year,quarter,month,month_name,week_of_year,day_of_month,day_of_week,day_name,"
    "is_weekend,is_month_end\n20250101,2025-01-01,2025,1,1,January,1,1,3,Wednesday,false,false\n",
}


def wait_while_running(connection: psycopg.Connection, condition: str, process: subprocess.Popen[str]) -> None:
    """Wait until the SQL condition holds while `process` runs."""

    def holds() -> bool:
        assert process.poll() is None, "the load ended before it was caught"
        return connection.execute(f"select {condition}".encode()).fetchone() == (True,)

    wait_until(holds, condition, poll_s=0.002)


def line_of(number: int, **fields: object) -> str:
    """Return one good line of api_requests.csv, changed by `fields`."""
    values: dict[str, object] = {
        "request_id": f"01941f29-db00-7000-8000-{number:012x}",
        "user_id": number % 2 + 1,
        "model_id": 1,
        "endpoint_id": 1,
        "requested_at": "2025-01-01T00:00:24.320827Z",
        "prompt_tokens": 100 + number,
        "completion_tokens": 50,
        "latency_ms": 637,
        "status_code": 200,
        "is_flagged": "false",
    }
    return ",".join(str(value) for value in (values | fields).values())


def request_file(lines: list[str]) -> str:
    """Return the text of api_requests.csv."""
    return "".join(f"{line}\n" for line in [REQUEST_HEADER, *lines])


@pytest.fixture
def request_line() -> Callable[..., str]:
    """Return the function that makes one line of api_requests.csv."""
    return line_of


@pytest.fixture
def write_set(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes a data set with its manifest: the small tables above, and given requests.

    A keyword replaces a table's text; bytes are written as they are. `rows` are the manifest's counts, where they are
    not those of the lines.
    """

    def write(
        requests: list[str] | None = None, rows: dict[str, int] | None = None, name: str = "set", **texts: str | bytes
    ) -> Path:
        directory = tmp_path / name
        directory.mkdir(parents=True, exist_ok=True)
        lines = [line_of(i) for i in range(10)] if requests is None else requests
        contents: dict[str, str | bytes] = {**SMALL_TABLES, "api_requests": request_file(lines), **texts}
        tables = {}
        for table, text in contents.items():
            octets = text if isinstance(text, bytes) else text.encode()
            (directory / f"{table}.csv").write_bytes(octets)
            count = (rows or {}).get(table, max(octets.count(b"\n") - 1, 0))
            digest = hashlib.sha256(octets).hexdigest()
            tables[table] = {"file": f"{table}.csv", "rows": count, "bytes": len(octets), "sha256": digest}
        manifest = {"format": 1, "source": "synthetic", "arguments": {"seed": 1}, "tables": tables}
        (directory / "manifest.json").write_text(json.dumps(manifest))
        return directory

    return write


def data_sha256(directory: Path) -> str:
    """Return the identity that the manifest's contract gives the data of a set or tick."""
    manifest = json.loads((directory / "manifest.json").read_text())
    previous = f"previous {manifest['previous_sha256']}\n" if "day" in manifest else ""
    lines = [f"{name} {table['sha256']}\n" for name, table in sorted(manifest["tables"].items())]
    return hashlib.sha256((previous + "".join(lines)).encode()).hexdigest()


def day_lines(day: str, numbers: range) -> list[str]:
    """Return good lines of api_requests.csv of one day."""
    return [line_of(i, requested_at=f"{day}T12:00:00.{i % 1000:03}Z") for i in numbers]


@pytest.fixture
def write_tick(write_set: Callable[..., Path]) -> Callable[..., Path]:
    """Return a function that writes a tick into DIR/ticks, continuing the newest there, of ten requests of its day.

    `users` and `models` are lines without a header; `place` replaces entries of the manifest.
    """

    def write(
        directory: Path,
        day: str,
        requests: list[str] | None = None,
        users: str = "",
        models: str = "",
        dates: str | None = None,
        **place: object,
    ) -> Path:
        ticks = sorted((directory / "ticks").glob("*"))
        sequence = len(ticks) + 1
        lines = day_lines(day, range(1000 * sequence, 1000 * sequence + 10)) if requests is None else requests
        number = day.replace("-", "")
        texts = {
            "users": users,
            "models": models,
            "dates": f"{number},{day},2025,1,1,January,1,1,3,Thursday,false,false\n" if dates is None else dates,
        }
        tick = write_set(
            lines,
            name=f"{directory.name}/ticks/{day}",
            **{table: SMALL_TABLES[table].partition("\n")[0] + "\n" + text for table, text in texts.items()},
        )
        (tick / "endpoints.csv").unlink()
        manifest = json.loads((tick / "manifest.json").read_text())
        del manifest["tables"]["endpoints"]
        previous = data_sha256(ticks[-1] if ticks else directory)
        manifest |= {"day": day, "sequence": sequence, "previous_sha256": previous} | place
        (tick / "manifest.json").write_text(json.dumps(manifest))
        return tick

    return write


class Loader:
    """The loader's command line, and what it leaves in the database."""

    def __init__(self, connection: psycopg.Connection, capsys: pytest.CaptureFixture[str]) -> None:
        self.connection = connection
        self._capsys = capsys

    def __call__(self, *words: object) -> tuple[int, str]:
        """Run a command; return its exit status and what it said on stderr."""
        self._capsys.readouterr()
        status = main([str(word) for word in words])
        return status, self._capsys.readouterr().err

    def fails(self, *words: object) -> str:
        """Run a command that must fail with status 1 and one line; return the line."""
        status, text = self(*words)
        assert status == 1, text
        assert text.count("\n") == 1, text
        return text

    def succeeds(self, *words: object) -> str:
        """Run a command that must succeed with one line; return the line."""
        status, text = self(*words)
        assert status == 0, text
        assert text.count("\n") == 1, text
        return text

    def rows(self, statement: str, *values: object) -> list[tuple[object, ...]]:
        """Return the rows of a query."""
        return self.connection.execute(statement.encode(), values or None).fetchall()

    def value(self, statement: str, *values: object) -> object:
        """Return the single value of a query."""
        ((value,),) = self.rows(statement, *values)
        return value

    def request_count(self, source: str = "synthetic") -> object:
        """Return how many requests readers see."""
        return self.value("select count(*) from raw_staging.api_requests where source = %s", source)

    def partitions(self) -> list[str]:
        """Return the tables in raw_staging that are or were to be partitions."""
        found = self.rows(
            "select relname from pg_class where relnamespace = 'raw_staging'::regnamespace and relkind = 'r'"
            " and relname like 'api\\_requests\\_%%' order by relname"
        )
        return [str(name) for (name,) in found]


@pytest.fixture
def loader(
    database: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Loader]:
    """Return the loader bound to a fresh database with empty raw tables."""
    for name, value in database.items():
        monkeypatch.setenv(name, value)
    with psycopg.connect("", autocommit=True) as connection:
        yield Loader(connection, capsys)


@pytest.fixture(scope="module")
def steady_database(databases: Any, raw_template: dict[str, str]) -> Iterator[dict[str, str]]:
    """Return a database for the tests of a module that need no fresh one each."""
    clone = databases.create(raw_template["PGDATABASE"])
    yield clone
    databases.drop(clone)


@pytest.fixture
def steady_loader(
    steady_database: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Loader]:
    """Return the loader bound to the module's database."""
    for name, value in steady_database.items():
        monkeypatch.setenv(name, value)
    with psycopg.connect("", autocommit=True) as connection:
        yield Loader(connection, capsys)


@pytest.fixture
def azure_file(tmp_path: Path) -> Path:
    """Return an Azure trace of three rows as published: CRLF, seven digits, no final line end."""
    path = tmp_path / "azure.csv"
    path.write_bytes(
        b"TIMESTAMP,ContextTokens,GeneratedTokens\r\n2023-11-16 18:17:03.9799609,4808,10\r\n"
        b"2023-11-16 18:17:04.0319600,3180,8\r\n2023-11-16 23:59:59.9999999,110,27"
    )
    return path
