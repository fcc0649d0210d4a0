"""The command line: what it writes, leaves alone, refuses and survives."""

import csv
import fcntl
import hashlib
import json
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from generator.generate_data import main
from generator.manifest import PARTIAL_NAME, Arguments, generator_sha256, is_up_to_date
from tests.patience import wait_until

SMALL = ["--seed", "7", "--rows", "3000", "--days", "30", "--users", "60"]
REPOSITORY = Path(__file__).resolve().parents[2]

# Same on Python 3.11 to 3.13 and NumPy 2.4 and 2.5. A change here changes what every seed means, and every data set
# out there: do it on purpose and say so. users.csv also depends on Faker's word lists, whose version is locked.
GOLDEN = {
    "users.csv": "44b8ba54571fe5de5a24f51587e719da2825f368381e08d78a92b6b85a2fc172",
    "models.csv": "a4aa00acc8b0c82fcf9085888e64f717548beff4d8222374d85c46b73d28109a",
    "endpoints.csv": "eaeac8a775154983f4abcdcbb6dc59067ee96b168b8c8059e13a56a6cef7554b",
    "dates.csv": "a37599ec947742958e425ef9c57442af3ff0f1877c6c8d0fad7bdb120ef3a453",
    "api_requests.csv": "f90b9c42aa8f60693ed3124e36c3584933cf31f5a2594db673c959a5968d8331",
}


def generate(out, *options):
    return main([*SMALL, "--out", str(out), *options])


def digests(folder):
    """Return the checksum of each file that a reader of `folder` sees."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir() if path.is_file()}


def stamps(folder):
    return {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}


@pytest.fixture(scope="module")
def small_set(tmp_path_factory):
    out = tmp_path_factory.mktemp("small")
    assert generate(out) == 0
    return out


def test_files_match_the_golden_checksums(small_set):
    found = digests(small_set)
    found.pop("manifest.json")
    assert found == GOLDEN


def test_manifest_lists_arguments_rows_and_checksums(small_set):
    text = (small_set / "manifest.json").read_text(encoding="utf-8")
    manifest = json.loads(text)
    assert text == json.dumps(manifest, indent=2, sort_keys=True) + "\n"
    assert manifest["arguments"] == {
        "seed": 7, "rows": 3000, "start": "2025-12-02", "days": 30, "users": 60, "format": "csv", "profile": "default",
    }  # fmt: skip
    assert (manifest["format"], manifest["source"]) == (1, "synthetic")
    rows = {name: table["rows"] for name, table in manifest["tables"].items()}
    assert rows == {"users": 60, "models": 12, "endpoints": 8, "dates": 30, "api_requests": 3000}
    for table in manifest["tables"].values():
        content = (small_set / table["file"]).read_bytes()
        assert (len(content), hashlib.sha256(content).hexdigest()) == (table["bytes"], table["sha256"])


def test_headers_name_the_contract_s_columns_in_order(small_set):
    headers = {path.stem: path.read_text(encoding="utf-8").split("\n", 1)[0] for path in small_set.glob("*.csv")}
    assert headers == {
        "users": "user_id,full_name,email,company_name,industry,company_size,country_code,billing_tier,signed_up_on",
        "models": "model_id,model_name,provider,family,context_window,input_usd_per_mtok,output_usd_per_mtok,"
        "released_on,is_deprecated",
        "endpoints": "endpoint_id,path,http_method,category,is_streaming",
        "dates": "date_id,full_date,year,quarter,month,month_name,week_of_year,day_of_month,day_of_week,day_name,"
        "is_weekend,is_month_end",
        "api_requests": "request_id,user_id,model_id,endpoint_id,requested_at,prompt_tokens,completion_tokens,"
        "latency_ms,status_code,is_flagged",
    }


def test_files_hold_whole_numbers_except_for_prices(small_set):
    for path in small_set.glob("*.csv"):
        with path.open(encoding="utf-8", newline="") as lines:
            for row in csv.DictReader(lines):
                assert not [
                    c for c, v in row.items() if v.replace(".", "", 1).isdigit() and "." in v and "usd" not in c
                ]


@pytest.mark.parametrize("file_format", ["csv", "parquet"])
def test_workers_and_chunks_never_change_a_byte(tmp_path, file_format):
    """At 200,000 requests in four blocks, so that there is something to cut."""
    options = ["--rows", "200000", "--format", file_format]
    ways = {
        "one": ["--workers", "1"],
        "many": ["--workers", "5", "--chunk-rows", "1"],
        "lumps": ["--chunk-rows", "150000"],
    }
    for name, way in ways.items():
        assert generate(tmp_path / name, *options, *way) == 0
    assert digests(tmp_path / "one") == digests(tmp_path / "many") == digests(tmp_path / "lumps")


def test_parquet_and_csv_hold_the_same_rows(small_set, tmp_path):
    assert generate(tmp_path, "--format", "parquet") == 0
    for name in ("users", "models", "endpoints", "dates"):
        with (small_set / f"{name}.csv").open(encoding="utf-8", newline="") as lines:
            expected = list(csv.reader(lines))
        table = pq.read_table(tmp_path / f"{name}.parquet")
        assert [table.column_names, *([_literal(v) for v in row.values()] for row in table.to_pylist())] == expected
    requests = pq.read_table(tmp_path / "api_requests.parquet")
    with (small_set / "api_requests.csv").open(encoding="utf-8", newline="") as lines:
        ids = [row["request_id"] for row in csv.DictReader(lines)]
    assert requests["request_id"].to_pylist() == ids


def _literal(value):
    return str(value).lower() if isinstance(value, bool) else str(value)


def test_another_seed_gives_other_files(small_set, tmp_path):
    assert generate(tmp_path, "--seed", "8") == 0
    same = digests(small_set).items() & digests(tmp_path).items()
    assert {name for name, _ in same} == {"models.csv", "endpoints.csv", "dates.csv"}


def test_second_run_is_up_to_date_and_writes_nothing(tmp_path, capsys):
    assert generate(tmp_path) == 0
    before = stamps(tmp_path)
    assert generate(tmp_path, "--workers", "1") == 0
    captured = capsys.readouterr()
    assert "up to date" in captured.err.splitlines()[-1]
    assert captured.out == ""
    assert stamps(tmp_path) == before
    assert generate(tmp_path, "--force") == 0
    assert stamps(tmp_path) != before


@pytest.mark.parametrize("damage", ["truncated", "edited", "missing", "older generator", "no manifest entry"])
def test_damaged_data_set_is_written_again(tmp_path, damage, capsys):
    assert generate(tmp_path) == 0
    whole = digests(tmp_path)
    requests, manifest = tmp_path / "api_requests.csv", tmp_path / "manifest.json"
    text = manifest.read_text(encoding="utf-8")
    if damage == "truncated":
        os.truncate(requests, requests.stat().st_size - 1)
    elif damage == "edited":
        requests.write_bytes(requests.read_bytes().replace(b",200,", b",500,", 1))
    elif damage == "missing":
        requests.unlink()
    elif damage == "older generator":
        manifest.write_text(text.replace(generator_sha256(), "0" * 64), encoding="utf-8")
    else:
        manifest.write_text(text.replace('"tables"', '"other"'), encoding="utf-8")
    assert generate(tmp_path, *(["--force"] if damage == "no manifest entry" else [])) == 0
    assert "wrote" in capsys.readouterr().err.splitlines()[-1]
    assert digests(tmp_path) == whole


def test_other_arguments_replace_the_data_set_and_its_outdated_files(small_set, tmp_path):
    assert generate(tmp_path, "--format", "parquet") == 0
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    assert generate(tmp_path) == 0
    assert (tmp_path / "notes.txt").read_text(encoding="utf-8") == "mine"
    assert digests(tmp_path).keys() - {"notes.txt"} == digests(small_set).keys()


def test_somebody_else_s_files_are_not_replaced(tmp_path, capsys):
    (tmp_path / "users.csv").write_text("mine", encoding="utf-8")
    assert generate(tmp_path) == 1
    assert "found users.csv in" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["users.csv"]
    assert generate(tmp_path, "--force") == 0
    assert is_up_to_date(tmp_path, Arguments(7, 3000, "2025-12-02", 30, 60, "csv"))


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--rows", "0"], ["a whole number from 1 to 10,000,000,000, found 0 in --rows"]),
        (["--rows", "1e6"], ["found '1e6' in --rows"]),
        (["--seed", "-1"], ["found -1 in --seed"]),
        (["--users", "0", "--workers", "0", "--chunk-rows", "x"], ["in --users", "in --workers", "in --chunk-rows"]),
        (["--format", "json"], ["expected csv or parquet, found 'json' in --format"]),
        (["--start", "31.12.2025"], ["expected a date YYYY-MM-DD, found '31.12.2025' in --start"]),
        (["--start", "1972-12-31"], ["expected days from 1973-01-01 to 2100-12-31, found 30 days from 1972-12-31"]),
        (["--start", "2100-12-31"], ["found 30 days from 2100-12-31"]),
        (["--days", "99999"], ["in --days"]),
    ],
)
def test_wrong_arguments_are_named_all_at_once(tmp_path, capsys, options, expected):
    assert generate(tmp_path / "out", *options) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert all(part in error for part in expected)
    assert not (tmp_path / "out").exists()


def test_unknown_option_is_misuse(capsys):
    with pytest.raises(SystemExit) as exit_status:
        main(["--row", "5"])
    assert exit_status.value.code == 2
    assert "--row" in capsys.readouterr().err


def test_help_shows_every_option_and_examples(capsys):
    with pytest.raises(SystemExit) as exit_status:
        main(["--help"])
    assert exit_status.value.code == 0
    text = capsys.readouterr().out
    options = "seed rows start days users out workers chunk-rows format force describe"
    assert all(f"--{option}" in text for option in options.split())
    assert "python generator/generate_data.py --seed 42 --rows 500000" in text


def test_describe_prints_json(capsys):
    assert main(["--describe"]) == 0
    assert {entry["column"] for entry in json.loads(capsys.readouterr().out)} >= {"latency_ms", "requested_at"}


def test_out_that_is_a_file_fails_in_one_line(tmp_path, capsys):
    (tmp_path / "out").write_text("", encoding="utf-8")
    for out in (tmp_path / "out", tmp_path / "out" / "below"):
        assert generate(out) == 1
        error = capsys.readouterr().err
        assert "found a file at" in error and error.count("\n") == 1


def test_folder_that_another_generator_writes_is_refused(tmp_path, capsys):
    holder = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(holder, fcntl.LOCK_EX)
    try:
        assert generate(tmp_path) == 1
    finally:
        os.close(holder)
    assert "found one at work" in capsys.readouterr().err
    assert generate(tmp_path) == 0


def test_both_ways_to_start_write_the_same(small_set, tmp_path):
    by_path = [sys.executable, "generator/generate_data.py"]
    by_name = [sys.executable, "-m", "generator.generate_data"]
    for way, command in {"path": by_path, "name": by_name}.items():
        run = subprocess.run(
            [*command, *SMALL, "--out", tmp_path / way], cwd=REPOSITORY, capture_output=True, text=True, check=True
        )
        assert run.stdout == "" and run.stderr.count("\n") == 1
        assert digests(tmp_path / way) == digests(small_set)


@pytest.mark.parametrize("file_format", ["csv", "parquet"])
def test_full_disk_leaves_the_old_data_set(tmp_path, file_format):
    """A limit on file sizes stands for the full disk: the same system call fails, with another number."""
    assert generate(tmp_path) == 0
    before = digests(tmp_path)
    run = subprocess.run(
        [sys.executable, "generator/generate_data.py", "--rows", "30000", "--format", file_format, "--out", tmp_path],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, 500_000)),
    )
    assert run.returncode == 1
    assert "found 'File too large' at" in run.stderr and run.stderr.count("\n") == 1
    assert digests(tmp_path) == before


@pytest.mark.parametrize(("end", "status"), [(signal.SIGKILL, -9), (signal.SIGINT, 130)])
def test_stopped_run_shows_the_old_data_set_and_the_next_one_succeeds(tmp_path, end, status):
    assert generate(tmp_path) == 0
    before = digests(tmp_path)
    command = [sys.executable, "generator/generate_data.py", "--rows", "20000000", "--workers", "1", "--out", tmp_path]
    with subprocess.Popen(command, cwd=REPOSITORY, stderr=subprocess.PIPE, text=True) as run:
        growing = tmp_path / PARTIAL_NAME / "api_requests.csv"
        wait_until(lambda: growing.exists() and growing.stat().st_size > 0, "the first rows", poll_s=0.01)
        run.send_signal(end)
        error = run.communicate()[1]
    assert run.returncode == status
    assert "Traceback" not in error
    assert digests(tmp_path) == before
    assert generate(tmp_path, "--seed", "8") == 0
    assert not (tmp_path / PARTIAL_NAME).exists()


def test_run_killed_between_the_renames_does_not_block_the_next_one(tmp_path):
    """In a fresh folder such a run leaves the tables in place, no manifest, and the hidden folder."""
    assert generate(tmp_path) == 0
    whole = digests(tmp_path)
    (tmp_path / PARTIAL_NAME).mkdir()
    (tmp_path / "manifest.json").rename(tmp_path / PARTIAL_NAME / "manifest.json")
    assert generate(tmp_path) == 0
    assert digests(tmp_path) == whole
