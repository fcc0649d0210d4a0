"""The batch on a real small warehouse: whole runs or none, once per data and code, compared with what came."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

import numpy as np
import psycopg
import pytest

from forecaster import batch
from forecaster.data import read_histories, read_latest_run, read_outlook, read_usage_span
from forecaster.metrics import ALL, METRICS, Segment
from warehouse.connection import READER, connect

Database = dict[str, str]
Run = Callable[..., subprocess.CompletedProcess[str]]


def count(table: str) -> int:
    with connect(user=READER) as connection:
        row = connection.execute(f"select count(*) from forecast.{table}").fetchone()
        assert row is not None
        return int(row[0])


def test_run_holds_every_metric_of_all_traffic_and_its_parts(forecast_warehouse: Database) -> None:
    with connect(user=READER) as connection:
        rows = connection.execute(
            "select segment_kind, count(distinct metric) from forecast.series group by 1"
        ).fetchall()
        kinds = connection.execute("select distinct kind from forecast.points order by 1").fetchall()
    assert dict(rows) == dict.fromkeys(("all", "model", "tier", "company"), len(METRICS))
    assert [kind for (kind,) in kinds] == ["daily_total", "hour", "maximum_24h", "total_24h"]
    assert count("backtests") > 0


def test_stored_outlook_is_what_was_computed(forecast_warehouse: Database) -> None:
    with connect(user=READER) as connection:
        run = read_latest_run(connection)
        assert run is not None
        history = read_histories(connection, read_usage_span(connection), [ALL])[ALL]
        stored = read_outlook(connection, run, ALL, "cost_usd")
    assert stored is not None
    computed = next(one for one in batch.segment_outlooks(history)[0] if one.metric.name == "cost_usd")
    assert (stored.state, stored.notes, stored.as_of) == (computed.state, computed.notes, computed.as_of)
    for kind in ("hour", "total_24h", "maximum_24h", "daily_total"):
        for column in ("forecast", "low_80", "high_95", "coverage_count"):
            np.testing.assert_allclose(stored.of_kind(kind)[column], computed.of_kind(kind)[column])
    assert stored.paths is not None and computed.paths is not None
    np.testing.assert_allclose(stored.paths, computed.paths, rtol=1e-5, atol=1e-6)
    assert list(stored.scores["label"]) and set(stored.scores["method"]) == set(computed.scores["method"])


def test_second_run_on_the_same_data_does_nothing(forecast_warehouse: Database) -> None:
    assert "is up to date" in batch.run_batch(models=1, companies=1, workers=1)
    assert count("runs") == 1


def test_failure_leaves_no_part_of_a_run(small_warehouse: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise psycopg.errors.DiskFull("no space left")

    monkeypatch.setattr(batch, "read_segments", lambda *_: [ALL])
    monkeypatch.setattr(batch, "write_actuals", fail)
    with pytest.raises(psycopg.errors.DiskFull):
        batch.run_batch(workers=1)
    with connect(user=READER) as connection:
        assert read_latest_run(connection) is None


def test_accuracy_compares_a_run_with_the_hours_that_came(
    forecast_warehouse: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert count("accuracy") == 0
    with connect() as connection:
        connection.execute("""
            insert into public_marts.usage_hourly
            select (u).* from (
                select jsonb_populate_record(u, jsonb_build_object('hour_at', u.hour_at + interval '24 hours')) as u
                from public_marts.usage_hourly as u
                where hour_at > (select max(hour_at) - interval '24 hours' from public_marts.usage_hourly)
            ) as later
        """)
    monkeypatch.setattr(batch, "read_segments", lambda *_: [ALL])
    assert "1 skipped" not in batch.run_batch(workers=1)
    with connect(user=READER) as connection:
        rows = connection.execute("""
            select lead_hours, forecast, actual, is_inside_80, low_80, high_80
            from forecast.accuracy where segment_kind = 'all' and metric = 'requests' order by lead_hours
        """).fetchall()
    assert [row[0] for row in rows] == list(range(1, 25))
    assert all((low <= actual <= high) == inside for _, _, actual, inside, low, high in rows)
    assert count("runs") == 2


def test_old_runs_make_room(forecast_warehouse: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch, "KEPT_RUNS", 0)
    with connect() as connection:
        batch.create_tables(connection)
        batch.remove_old_runs(connection)
    assert (count("runs"), count("series"), count("points"), count("backtests")) == (0, 0, 0, 0)


def test_fingerprint_changes_with_a_single_value(forecast_warehouse: Database) -> None:
    with connect(user=READER) as connection:
        histories = read_histories(connection, read_usage_span(connection), [ALL])
    before = batch.fingerprint_of(histories)
    assert before == batch.fingerprint_of(histories)
    histories[ALL].values["output_tokens"][-1] += 1
    assert batch.fingerprint_of(histories) != before


def test_forecast_command_reads_the_warehouse_by_tier(forecast_warehouse: Database, run_command: Run) -> None:
    words = ("-m", "forecaster", "forecast", "--metric", "tokens", "--by", "tier", "--horizon", 24, "--origins", 6)
    result = run_command(*words)
    lines = result.stdout.splitlines()
    assert lines[0].startswith("workload,metric,kind,starts_at")
    assert {line.split(",")[0] for line in lines[1:]} == {Segment("tier", "enterprise").key}
    assert "1 of 1 series" in result.stderr


def test_batch_command_without_usage_says_what_to_do(database: Database, run_command: Run) -> None:
    result = run_command("-m", "forecaster", "batch", env=database, check=False)
    assert result.returncode == 1
    assert "run `make pipeline` first" in result.stderr and "Traceback" not in result.stderr
