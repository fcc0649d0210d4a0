"""Generated sets of nothing but extremes: every row is valid, and at an end of what its columns take.

Statuses, methods, tiers, addresses and what is always filled in are as the generator's: others are what the models'
tests are there to find.
"""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from loader.kinds import INT_MAX, NAME_CHARACTERS, TOKENS_MAX
from loader.tables import TABLES

Row = Sequence[object]
PRICE_MAX = "4999.9999"


def longest(start: str) -> str:
    """Return a name as long as one may be, of characters of four bytes, no two names alike."""
    digest = hashlib.sha256(start.encode()).digest()
    own = "".join(chr(0x1F300 + octet) for octet in (digest * 10))
    return (own + start)[-NAME_CHARACTERS:].rjust(NAME_CHARACTERS, "\U0001f980")


def longest_of(number: int, *names: str) -> list[str]:
    """Return the longest names of the columns `names` of a row."""
    return [longest(f"{name}{number}") for name in names]


@dataclass(frozen=True)
class Extreme:
    """The rows of a set, and the days it is of."""

    requests: Sequence[Row]
    users: Sequence[Row] = ((1, "Ada", "ada@example.com", "Acme", "energy", "11-50", "DE", "pro", "2024-03-01"),)
    models: Sequence[Row] = ((1, "small-1", "acme", "small", 1000, "0.15", "0.6", "2024-01-01", "false"),)
    endpoints: Sequence[Row] = ((1, "/v1/chat", "POST", "chat", "true"),)
    first_day: date = date(2025, 6, 1)
    days: int = 1


def request(number: int, *fields: object) -> Row:
    """Return a row of api_requests: its id, and user, model, endpoint, time, tokens, latency, status, flag."""
    return (f"01941f29-db00-7000-8000-{number:012x}", *fields)


def noon(number: int, day: str = "2025-06-01") -> Row:
    """Return an ordinary request of an hour."""
    return request(number, 1, 1, 1, f"{day}T12:{number // 60 % 60:02}:{number % 60:02}Z", 9, 5, 637, 200, "false")


NOTHING = ("",) * 5
ENDS = date(2100, 12, 31) - timedelta(days=7304)
EXTREMES: dict[str, Extreme] = {
    "one request": Extreme([noon(1)]),
    "one hour of one user": Extreme([noon(number) for number in range(3000)]),
    "nothing that may be left out": Extreme(
        [request(i, "", "", "", f"2025-06-01T{i:02}:00:00Z", *NOTHING) for i in range(24)]
        + [request(99, 1, 1, 1, "2025-06-01T00:00:00Z", *NOTHING)],
        users=[(1, "A", "a@b.c", "", "", "", "", "free", "2025-06-01")],
        models=[(1, "m", "p", "", "", "", "", "", "false")],
    ),
    "zeros": Extreme([request(i, 1, 1, 1, f"2025-06-01T{i:02}:00:00Z", 0, 0, 0, 200, "true") for i in range(24)]),
    "failures alone": Extreme(
        [request(i, 1, 1, 1, "2025-06-01T00:00:07Z", 9, 0, 1, (401, 429, 500)[i % 3], "false") for i in range(200)]
    ),
    "ends of every range": Extreme(
        [
            request(0, 1, 1, 1, f"{ENDS}T00:00:00Z", TOKENS_MAX, TOKENS_MAX, INT_MAX, 200, "true"),
            request(1, INT_MAX, INT_MAX, INT_MAX, "2100-12-31T23:59:59.999999Z", TOKENS_MAX, 0, 0, 500, "false"),
            request(2, INT_MAX, INT_MAX, INT_MAX, "2100-12-31T23:59:59.999999Z", 0, TOKENS_MAX, INT_MAX, 200, ""),
            request(2**48 - 1, 1, INT_MAX, 1, "2100-12-31T00:00:00Z", TOKENS_MAX, TOKENS_MAX, 1, 200, "false"),
        ],
        users=[
            (1, "A", "a@b.c", "C", "i", "s", "AA", "free", "1970-01-01"),
            (INT_MAX, "Z", "z@b.c", "D", "i", "s", "ZZ", "enterprise", "2100-12-31"),
        ],
        models=[
            (1, "low", "p", "f", 1, "0", "0", "1970-01-01", "true"),
            (INT_MAX, "high", "p", "f", INT_MAX, PRICE_MAX, PRICE_MAX, "2100-12-31", "false"),
        ],
        endpoints=[(1, "/", "GET", "c", "false"), (INT_MAX, "/z", "POST", "c", "true")],
        first_day=ENDS,
        days=7305,
    ),
    "longest texts": Extreme(
        [request(i, i % 2 + 1, i % 2 + 1, i % 2 + 1, f"2025-06-01T{i:02}:00:00Z", 9, 5, 1, 200, "") for i in range(24)],
        users=[
            (i, longest(f"full{i}"), longest(f"{i}@b.c"), *longest_of(i, "company", "industry", "size"), "DE", "pro",
             "2025-01-01")
            for i in (1, 2)
        ],
        models=[
            (i, *longest_of(i, "model", "provider", "family"), 1, "1", "1", "2025-01-01", "false") for i in (1, 2)
        ],
        endpoints=[(i, "/" + longest(f"path{i}")[1:], "POST", longest(f"category{i}"), "true") for i in (1, 2)],
    ),
    "texts of marks": Extreme(
        [noon(1)],
        users=[(1, "<script>alert(1)</script>", "'@b.c", '"', "a,b\nc", "\\N", "DE", "pro", "2024-03-01")],
        models=[(1, "{{ ref('x') }} $1 %s", "\u202e\u200b", " ", "", "1", "1", "2025-01-01", "false")],
        endpoints=[(1, "/../%00?a=b#c", "POST", "NULL", "true")],
    ),
}  # fmt: skip


def write_set(directory: Path, extreme: Extreme) -> Path:
    """Write a set with its manifest; return its folder."""
    directory.mkdir(parents=True)
    days = [extreme.first_day + timedelta(days=number) for number in range(extreme.days)]
    tables: dict[str, Sequence[Row]] = {
        "users": extreme.users,
        "models": extreme.models,
        "endpoints": extreme.endpoints,
        "dates": [_date_row(day) for day in days],
        "api_requests": extreme.requests,
    }
    entries = {}
    for name, rows in tables.items():
        path = directory / f"{name}.csv"
        with path.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.writer(stream, lineterminator="\n")
            writer.writerow([column.name for column in TABLES[name]])
            writer.writerows(rows)
        octets = path.read_bytes()
        digest = hashlib.sha256(octets).hexdigest()
        entries[name] = {"file": path.name, "rows": len(rows), "bytes": len(octets), "sha256": digest}
    arguments = {"start": extreme.first_day.isoformat(), "days": extreme.days}
    manifest = {"format": 1, "source": "synthetic", "arguments": arguments, "tables": entries}
    (directory / "manifest.json").write_text(json.dumps(manifest))
    return directory


def _date_row(day: date) -> Row:
    is_last = (day + timedelta(days=1)).day == 1
    return (
        f"{day:%Y%m%d}", day, day.year, (day.month + 2) // 3, day.month, f"{day:%B}", day.isocalendar().week, day.day,
        day.isoweekday(), f"{day:%A}", day.isoweekday() >= 6, is_last,
    )  # fmt: skip
