"""Manifests of any shape: the data set they describe, or one line that says what is wrong with them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

WriteSet = Callable[..., Path]
HOSTILE: dict[str, tuple[str, str]] = {
    "nothing": ("", "Expecting value"),
    "a number": ("7", "a int instead of an object"),
    "infinity": ('{"rows": Infinity}', "Infinity, which is no JSON"),
    "a number beyond the doubles": ('{"rows": 1e999}', "Out of range float"),
    "100,000 deep": ("[" * 100_000, "JSON nested 100,000 deep"),
    "100,000 deep and closed": ('{"a":' * 100_000 + "1" + "}" * 100_000, "JSON nested 100,000 deep"),
    "a lone surrogate": ('{"day": "\\ud800"}', "surrogates not allowed"),
    "a NUL": ('{"day": "\\u0000"}', "a NUL character"),
    "long": (json.dumps("x" * 2**20), "expected at most 1,048,576 bytes"),
}


@pytest.mark.parametrize(("text", "reason"), HOSTILE.values(), ids=HOSTILE)
def test_a_manifest_that_is_none_is_refused_and_recorded(
    steady_loader: Any, tmp_path: Path, text: str, reason: str
) -> None:
    (tmp_path / "manifest.json").write_text(text)
    said = steady_loader.fails("load", tmp_path)
    assert reason in said
    assert len(said) < 1000
    status, error = steady_loader.rows(
        "select status, error from raw_staging.load_batches order by batch_id desc limit 1"
    )[0]
    assert status == "failed"
    assert reason in error


def test_a_manifest_of_other_bytes_than_utf_8_is_refused(steady_loader: Any, tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_bytes(b'{"format": "\xff"}')
    assert "can't decode byte" in steady_loader.fails("load", tmp_path)


WRONG: dict[str, tuple[tuple[str, ...], Any, str]] = {
    "tables as a list": (("tables",), [], "a list instead of an object as 'tables'"),
    "a table as text": (("tables", "users"), "users.csv", "a str instead of an object as 'users'"),
    "rows as text": (("tables", "users", "rows"), "2", "'2' instead of a count as 'rows'"),
    "rows as a fraction": (("tables", "users", "rows"), 2.0, "2.0 instead of a count"),
    "rows as a truth": (("tables", "users", "rows"), True, "True instead of a count"),
    "rows below nothing": (("tables", "users", "rows"), -1, "-1 instead of a count"),
    "rows beyond bigint": (("tables", "users", "rows"), 2**63, "instead of a count"),
    "bytes as a list": (("tables", "users", "bytes"), [1], "[1] instead of a count as 'bytes'"),
    "a checksum in capitals": (("tables", "users", "sha256"), "A" * 64, "instead of 64 hexadecimal digits"),
    "a file that is a list": (("tables", "users", "file"), ["users.csv"], "instead of a plain file name"),
    "a file above": (("tables", "users", "file"), "..", "the path '..' instead of a plain file name"),
    "a file without a name": (("tables", "users", "file"), "", "the path '' instead of a plain file name"),
    "arguments as a list": (("arguments",), [1], "a list instead of an object as 'arguments'"),
    "a format as a list": (("format",), [[1]], "format [[1]]"),
    "a long format": (("format",), "x" * 5000, "format 'xxx"),
}


@pytest.mark.parametrize(("place", "value", "reason"), WRONG.values(), ids=WRONG)
def test_a_manifest_with_an_entry_of_another_shape_is_refused(
    steady_loader: Any, write_set: WriteSet, place: tuple[str, ...], value: Any, reason: str
) -> None:
    directory = write_set()
    manifest = json.loads((directory / "manifest.json").read_text())
    entry = manifest
    for name in place[:-1]:
        entry = entry[name]
    entry[place[-1]] = value
    (directory / "manifest.json").write_text(json.dumps(manifest))
    said = steady_loader.fails("load", directory)
    assert reason in said
    assert "manifest.json" in said
    assert len(said) < 1000


@pytest.mark.parametrize(
    ("place", "reason"),
    [
        ({"day": "9999-12-31"}, "the day 9999-12-31 instead of one from 1970 to 2100"),
        ({"day": 20250102}, "20250102 instead of a day"),
        ({"day": "2025-W01-4"}, "'2025-W01-4' instead of a day"),
        ({"day": "2025-02-30"}, "day is out of range"),
        ({"sequence": 1.5}, "1.5 instead of a count as 'sequence'"),
        ({"previous_sha256": None}, "None instead of 64 hexadecimal digits"),
    ],
)
def test_a_tick_with_an_entry_of_another_shape_is_refused(
    steady_loader: Any, write_set: WriteSet, write_tick: Callable[..., Path], place: dict[str, Any], reason: str
) -> None:
    tick = write_tick(write_set(), "2025-01-02")
    manifest = json.loads((tick / "manifest.json").read_text())
    (tick / "manifest.json").write_text(json.dumps(manifest | place))
    assert reason in steady_loader.fails("append", tick)


def test_the_last_day_of_the_calendar_is_one_like_any_other(
    steady_loader: Any, write_set: WriteSet, write_tick: Callable[..., Path]
) -> None:
    tick = write_tick(write_set(), "2100-12-31")
    steady_loader.succeeds("load", "--force", write_set(name="other"))
    assert "append the missing 2025-01-02 to 2100-12-30 first" in steady_loader.fails("append", tick)
