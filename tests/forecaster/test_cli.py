from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from forecaster.cli import parser, run
from forecaster.output import FORECAST_COLUMNS
from forecaster.series import SeriesError
from tests.forecaster.conftest import START


@pytest.fixture
def usage(tmp_path, make_traffic) -> Path:
    """Write 9 days of two workloads in the tuning file's shape."""
    path = tmp_path / "usage.csv"
    rows = ["workload,ds,requests,input_tokens,output_tokens"]
    for seed, workload in enumerate(("chat", "batch")):
        for hour, value in enumerate(make_traffic(216, seed)):
            rows.append(
                f"{workload},{START + timedelta(hours=hour):%Y-%m-%dT%H:%M:%SZ},{value},{value * 300},{value * 20}"
            )
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


def output(*words: str) -> str:
    return run(parser().parse_args([str(word) for word in words]))


def test_forecast_prints_one_row_per_figure(usage, capsys):
    text = output("forecast", "--series", usage, "--workload", "chat", "--metric", "requests", "--origins", 8)
    rows = list(csv.DictReader(io.StringIO(text)))
    assert tuple(rows[0]) == FORECAST_COLUMNS
    kinds = [row["kind"] for row in rows]
    assert (kinds.count("hour"), kinds.count("total_24h"), kinds.count("maximum_24h")) == (48, 2, 2)
    assert rows[0]["starts_at"] == "2025-01-15T00:00:00Z"
    assert all(float(row["low_80"]) <= float(row["forecast"]) <= float(row["high_80"]) for row in rows)
    assert int(rows[0]["coverage_count"]) > 0 and 0 <= float(rows[0]["coverage_80_ratio"]) <= 1
    summary = capsys.readouterr().err
    assert "forecast: chat requests: 216 hours to 2025-01-15T00:00:00Z, calibrated; 24 h error 0." in summary


def test_forecast_prices_tokens_and_reaches_a_month(usage):
    words = (
        "--metric",
        "cost_usd",
        "--usd-per-mtok",
        "2",
        "10",
        "--horizon",
        "720",
        "--origins",
        "3",
        "--format",
        "json",
    )
    (document,) = json.loads(output("forecast", "--series", usage, "--workload", "batch", *words))
    assert document["metric"] == "cost_usd"
    rows = document["rows"]
    assert [row["kind"] for row in rows].count("daily_total") == 28
    values = [float(line.split(",")[2]) for line in usage.read_text().splitlines() if line.startswith("batch")]
    total = next(row["forecast"] for row in rows if row["kind"] == "total_24h")
    assert total == pytest.approx(np.sum(values[-24:]) * (300 * 2 + 20 * 10) / 1e6, rel=0.2)
    assert "beyond 48 hours only 24-hour totals" in " ".join(document["notes"])


def test_forecast_trains_from_a_moment_on(usage, capsys):
    output(
        "forecast",
        "--series",
        usage,
        "--workload",
        "chat",
        "--metric",
        "tokens",
        "--since",
        "2025-01-13",
        "--horizon",
        6,
    )
    assert "chat tokens: 48 hours to 2025-01-15T00:00:00Z" in capsys.readouterr().err


def test_evaluate_prints_series_and_pooled_figures(usage, capsys):
    text = output("evaluate", usage, "--workers", 1, "--metric", "requests", "--metric", "tokens", "--origins", 4)
    lines = text.splitlines()
    assert sum(line.startswith("chat") for line in lines) == 4
    assert any(line.startswith("all series") and " 24 h " in line for line in lines)
    assert any(line.startswith("tokens") for line in lines)
    assert lines[-1].startswith("4 of 4 series scored in ")
    assert "evaluate: 4 of 4 series scored in" in capsys.readouterr().err


def test_evaluate_gives_the_same_in_processes_as_json(usage):
    words = ("evaluate", usage, "--metric", "requests", "--metric", "tokens", "--origins", 3, "--format", "json")
    alone, shared = (json.loads(output(*words, "--workers", n)) for n in (1, 2))
    assert alone["pooled"] == shared["pooled"]
    assert {row["workload"] for row in alone["series"]} == {"chat", "batch"}
    assert alone["pooled"][-1]["series_count"] == 4


def test_evaluate_scores_the_rest_when_one_series_cannot_be(usage):
    with usage.open("a", encoding="utf-8") as lines:
        lines.write("broken,2025-01-06T00:00:00Z,-4,1,1\nempty,2025-01-06T00:00:00Z,,1,1\n")
    text = output("evaluate", usage, "--workers", 1, "--metric", "requests")
    assert "broken" in text and "not scored" in text and "'-4' in line" in text
    assert "chat" in text


def test_evaluate_says_what_is_wrong_when_nothing_can_be_read(tmp_path):
    path = tmp_path / "bad.csv"
    path.write_text("ds,value\n2025-01-06T00:00:00Z,x\n", encoding="utf-8")
    with pytest.raises(SeriesError, match="found 'x' in line 2"):
        output("evaluate", path)


def test_a_thousand_series_are_read_and_labelled(tmp_path, capsys):
    path = tmp_path / "many.csv"
    rows = ["workload,ds,requests"]
    rows += [f"w{one},2025-01-06T{hour:02}:00:00Z,{one + hour}" for one in range(1000) for hour in range(24)]
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    text = output("evaluate", path, "--workers", 1)
    assert text.count("not scored: 24 hours are too few") == 1000
    assert "evaluate: 0 of 1000 series scored" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"\xff\xfe\x00", "expected UTF-8 text"), (None, "expected a readable file, found No such file")],
)
def test_unreadable_files_are_explained(tmp_path, content, message):
    path = tmp_path / "file.csv"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SeriesError, match=message):
        output("forecast", "--series", path)


def command(*words: str, text: str = "") -> subprocess.CompletedProcess[str]:
    words = (sys.executable, "-m", "forecaster", *words)
    return subprocess.run(words, input=text, capture_output=True, text=True, check=False)


def test_command_reads_standard_input_and_keeps_stdout_for_data():
    done = command("forecast", "--series", "-", text="ds,value\n2025-01-06T00:00:00Z,7\n")
    assert (done.returncode, done.stdout.count("\n")) == (0, 53)
    assert "level only" in done.stderr


def test_command_fails_with_one_line_for_a_users_mistake():
    done = command("forecast", "--series", "-", text="ds,value\n2025-01-06T00:00:00Z,-7\n")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert command("forecast", "--horizon", "soon").returncode == 2


def test_help_shows_the_shape_of_files_and_examples():
    done = command("forecast", "--help")
    assert "workload,ds,requests,input_tokens,output_tokens" in done.stdout
    assert "examples:" in done.stdout
