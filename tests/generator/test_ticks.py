"""`--continue`: the days it appends, that nothing but the seed decides them, and the chains it refuses."""

import csv
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
from collections import Counter
from datetime import date
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from generator.generate_data import main
from generator.manifest import PARTIAL_NAME, data_sha256, listed_tables, read_manifest
from generator.ticks import COMPLETE_NAME, read_chain
from tests.patience import wait_until

SMALL = ["--seed", "7", "--rows", "3000", "--days", "30", "--users", "60"]
REPOSITORY = Path(__file__).resolve().parents[2]
LONG_DAYS = 60

# Of all files of twenty ticks of the small set. A change here changes what every chain of ticks means.
GOLDEN = "3076602c7234bf025894580bb815f875a29e08de70a6878cd9a0e3288a52c8b9"


def generate(out, *options):
    return main([*SMALL, "--out", str(out), *options])


def go_on(folder, *options):
    return main(["--continue", str(folder), *map(str, options)])


def contents(folder):
    """Return the bytes of every file below `folder`, hidden ones included."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def rows_of(path):
    with path.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def changes(folder, table):
    """Return the changed rows of all ticks, in order of days, each with its day."""
    return [(tick.name, row) for tick in sorted((folder / "ticks").iterdir()) for row in rows_of(tick / f"{table}.csv")]


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    out = tmp_path_factory.mktemp("base")
    assert generate(out) == 0
    return out


@pytest.fixture
def folder(base, tmp_path):
    """Return a copy of the small data set."""
    return Path(shutil.copytree(base, tmp_path / "set"))


@pytest.fixture(scope="module")
def long_run(tmp_path_factory):
    """Return the default users with two months of ticks."""
    out = tmp_path_factory.mktemp("long")
    assert main(["--rows", "200000", "--out", str(out)]) == 0
    assert go_on(out, "--days", LONG_DAYS) == 0
    return out


def test_ticks_match_the_golden_checksum(folder):
    assert go_on(folder, "--days", 20) == 0
    assert read_chain(folder).data_sha256 == GOLDEN


@pytest.mark.parametrize("file_format", ["csv", "parquet"])
def test_three_ticks_of_one_day_equal_one_of_three(tmp_path, file_format):
    one, three = tmp_path / "one", tmp_path / "three"
    for out in (one, three):
        assert generate(out, "--format", file_format) == 0
    assert go_on(one, "--days", 3) == 0
    for _ in range(3):
        assert go_on(three) == 0
    assert contents(one) == contents(three)
    assert len(list((one / "ticks").iterdir())) == 3


def test_ticks_touch_no_earlier_file(folder):
    before = contents(folder)
    stamps = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert go_on(folder, "--days", 2) == 0
    first_tick = contents(folder / "ticks" / "2026-01-01")
    assert go_on(folder) == 0
    after = contents(folder)
    assert before.items() <= after.items()
    assert {path: path.stat().st_mtime_ns for path in stamps} == stamps
    assert contents(folder / "ticks" / "2026-01-01") == first_tick


def test_workers_and_chunks_never_change_a_byte(folder, tmp_path):
    other = Path(shutil.copytree(folder, tmp_path / "other"))
    assert go_on(folder, "--rows", 150_000, "--workers", 1) == 0
    assert go_on(other, "--rows", 150_000, "--workers", 4, "--chunk-rows", 1) == 0
    assert contents(folder) == contents(other)


def test_parquet_and_csv_ticks_hold_the_same_rows(folder, tmp_path):
    other = tmp_path / "parquet"
    assert generate(other, "--format", "parquet") == 0
    for out in (folder, other):
        assert go_on(out, "--days", 20, "--rows", 50) == 0
    for tick in sorted((folder / "ticks").iterdir()):
        for name in ("users", "models", "dates"):
            expected = rows_of(tick / f"{name}.csv")
            found = pq.read_table(other / "ticks" / tick.name / f"{name}.parquet").to_pylist()
            assert [{k: _literal(v) for k, v in row.items()} for row in found] == expected
        requests = pq.read_table(other / "ticks" / tick.name / "api_requests.parquet")
        assert requests["request_id"].to_pylist() == [row["request_id"] for row in rows_of(tick / "api_requests.csv")]


def _literal(value):
    return str(value).lower() if isinstance(value, bool) else str(value)


def test_manifests_chain_each_tick_to_the_data_before_it(folder):
    assert go_on(folder, "--days", 2) == 0
    base, first, second = (read_manifest(folder / name) for name in (".", "ticks/2026-01-01", "ticks/2026-01-02"))
    assert (first["day"], first["sequence"]) == ("2026-01-01", 1)
    assert (second["day"], second["sequence"]) == ("2026-01-02", 2)
    assert first["arguments"] == second["arguments"] == base["arguments"]
    assert first["tables"].keys() == {"users", "models", "dates", "api_requests"}
    identity = data_sha256(listed_tables(base))
    assert first["previous_sha256"] == identity
    assert second["previous_sha256"] == data_sha256(listed_tables(first), identity)


def test_a_tick_holds_one_day(long_run):
    for tick in sorted((long_run / "ticks").iterdir()):
        assert [row["full_date"] for row in rows_of(tick / "dates.csv")] == [tick.name]
        requests = rows_of(tick / "api_requests.csv")
        assert {row["requested_at"][:10] for row in requests} == {tick.name}
        ids = [row["request_id"] for row in requests]
        assert ids == sorted(set(ids))


def test_request_counts_follow_the_base_and_the_weekday(long_run):
    counts = {tick.name: len(rows_of(tick / "api_requests.csv")) for tick in (long_run / "ticks").iterdir()}
    weekdays = [n for day, n in counts.items() if date.fromisoformat(day).isoweekday() < 6]
    weekend = [n for day, n in counts.items() if date.fromisoformat(day).isoweekday() >= 6]
    assert sum(weekend) / len(weekend) / (sum(weekdays) / len(weekdays)) == pytest.approx(0.6, abs=0.01)
    expected = 200_000 / (261 + 104 * 0.6)  # a weekday of 2025
    assert min(weekdays) == pytest.approx(expected, rel=0.01)
    assert max(weekdays) == pytest.approx(expected * 1.001**LONG_DAYS, rel=0.01)


def test_rows_sets_the_requests_of_each_day(folder):
    assert go_on(folder, "--days", 2, "--rows", 123) == 0
    assert [len(rows_of(tick / "api_requests.csv")) for tick in (folder / "ticks").iterdir()] == [123, 123]


def test_users_change_tier_company_or_country_one_at_a_time(long_run):
    now = {row["user_id"]: row for row in rows_of(long_run / "users.csv")}
    kinds = Counter()
    for _, row in changes(long_run, "users"):
        old = now.get(row["user_id"])
        if old is not None:
            differing = frozenset(name for name in row if row[name] != old[name])
            kinds[min(differing & {"billing_tier", "company_name", "country_code"}, default="nothing")] += 1
            assert differing <= {"company_name", "industry", "company_size", "email"} or len(differing) == 1
        now[row["user_id"]] = row
    assert kinds.keys() == {"billing_tier", "company_name", "country_code"}
    assert kinds["billing_tier"] > kinds["company_name"] > kinds["country_code"] > 10


def test_companies_keep_one_industry_and_size(long_run):
    everyone = rows_of(long_run / "users.csv") + [row for _, row in changes(long_run, "users")]
    facts = {(row["company_name"], row["industry"], row["company_size"]) for row in everyone}
    assert len(facts) == len({row["company_name"] for row in everyone})


def test_new_users_get_the_next_ids_on_the_day_they_sign_up(long_run):
    new = [(day, row) for day, row in changes(long_run, "users") if int(row["user_id"]) > 2000]
    first_seen = {row["user_id"]: (day, row["signed_up_on"]) for day, row in reversed(new)}
    assert all(day == signed_up_on for day, signed_up_on in first_seen.values())
    ids = sorted(int(user_id) for user_id in first_seen)
    assert ids == list(range(2001, 2001 + len(ids)))
    assert len(ids) / LONG_DAYS == pytest.approx(2000 / 3 / 365, abs=0.4)


def test_addresses_stay_unique(long_run):
    now = {row["user_id"]: row for row in rows_of(long_run / "users.csv")}
    for _, row in changes(long_run, "users"):
        now[row["user_id"]] = row
    assert len({row["email"] for row in now.values()}) == len(now)


def test_requests_come_from_users_and_models_of_their_day_by_tier_weight(long_run):
    tier = {row["user_id"]: row["billing_tier"] for row in rows_of(long_run / "users.csv")}
    off = {row["model_id"] for row in rows_of(long_run / "models.csv") if row["is_deprecated"] == "true"}
    sent, users = Counter(), Counter()
    for tick in sorted((long_run / "ticks").iterdir()):
        tier |= {row["user_id"]: row["billing_tier"] for row in rows_of(tick / "users.csv")}
        off |= {row["model_id"] for row in rows_of(tick / "models.csv") if row["is_deprecated"] == "true"}
        requests = rows_of(tick / "api_requests.csv")
        assert not off & {row["model_id"] for row in requests}
        sent.update(tier[row["user_id"]] for row in requests)
        users.update(tier.values())
    per_user = {name: sent[name] / users[name] for name in sent}
    for name, weight in {"starter": 3, "pro": 8, "enterprise": 20}.items():
        assert per_user[name] / per_user["free"] == pytest.approx(weight, rel=0.2)


def test_some_users_go_silent_for_good(long_run):
    """Of those who send every day: an enterprise user makes about ten requests a day here."""
    last_seen = {}
    senders = Counter()
    for tick in sorted((long_run / "ticks").iterdir()):
        for user in {row["user_id"] for row in rows_of(tick / "api_requests.csv")}:
            last_seen[user] = tick.name
            senders[user] += 1
    heavy = {
        row["user_id"] for row in rows_of(long_run / "users.csv") if row["billing_tier"] == "enterprise"
    } & senders.keys()
    gone = [user for user in heavy if last_seen[user] < "2026-02-15"]
    assert 0 < len(gone) < len(heavy) / 5


def test_models_get_new_prices_and_leave_the_offer_rarely(long_run):
    now = {row["model_id"]: row for row in rows_of(long_run / "models.csv")}
    kinds = Counter()
    for _, row in changes(long_run, "models"):
        old, now[row["model_id"]] = now[row["model_id"]], row
        differing = frozenset(name for name in row if row[name] != old[name])
        kinds[differing] += 1
        assert old["is_deprecated"] == "false"
    assert kinds.keys() <= {frozenset({"input_usd_per_mtok", "output_usd_per_mtok"}), frozenset({"is_deprecated"})}
    assert 1 <= sum(kinds.values()) <= LONG_DAYS / 3


def test_until_appends_what_is_missing_and_then_nothing(folder, capsys):
    assert go_on(folder, "--until", "2026-01-03") == 0
    before = contents(folder)
    assert go_on(folder, "--until", "2026-01-03") == 0
    assert "up to date" in capsys.readouterr().err.splitlines()[-1]
    assert contents(folder) == before
    assert len(list((folder / "ticks").iterdir())) == 3


def test_goal_keeps_a_repeat_from_adding_days_until_it_is_removed(folder, tmp_path):
    goal = tmp_path / "goal"
    assert go_on(folder, "--days", 2, "--rows", 30, "--goal", goal) == 0
    before = contents(folder)
    assert go_on(folder, "--days", 2, "--goal", goal) == 0
    assert contents(folder) == before
    goal.unlink()
    assert go_on(folder, "--days", 1, "--goal", goal) == 0
    assert len(list((folder / "ticks").iterdir())) == 3


def test_noted_goal_of_a_run_killed_before_it_wrote_is_reached(folder, tmp_path):
    undisturbed = Path(shutil.copytree(folder, tmp_path / "undisturbed"))
    assert go_on(undisturbed, "--days", 2, "--rows", 30) == 0
    goal = tmp_path / "goal"
    goal.write_text('{"until": "2026-01-02", "rows": 30}')
    assert go_on(folder, "--days", 1, "--goal", goal) == 0
    assert contents(folder) == contents(undisturbed)


def test_file_that_is_no_goal_is_refused(folder, capsys):
    assert go_on(folder, "--goal", folder / "users.csv") == 1
    assert "expected a day to reach in" in capsys.readouterr().err
    assert not (folder / "ticks").exists()


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--seed", "1", "--force"], ["expected what the data set has, found --seed, --force with --continue"]),
        (["--days", "0"], ["found 0 in --days"]),
        (["--until", "soon"], ["expected a date YYYY-MM-DD, found 'soon' in --until"]),
        (["--until", "2026-01-03", "--days", "2"], ["expected one of --days and --until, found both"]),
        (["--rows", "x", "--format", "csv"], ["found 'x' in --rows", "found --format"]),
    ],
)
def test_wrong_arguments_are_named_all_at_once(folder, capsys, options, expected):
    assert go_on(folder, *options) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert all(part in error for part in expected)
    assert not (folder / "ticks").exists()


def test_until_without_continue_is_misuse(tmp_path, capsys):
    assert generate(tmp_path / "out", "--until", "2026-01-01") == 2
    assert "expected --continue DIR with --until" in capsys.readouterr().err


def damage_hole(folder):
    shutil.rmtree(folder / "ticks" / "2026-01-02")
    return "expected the tick 2026-01-02 next, found 2026-01-03"


def damage_changed_users(folder):
    path = folder / "ticks" / "2026-01-02" / "users.csv"
    path.write_bytes(path.read_bytes().replace(b"free", b"paid"))
    return "expected files as their manifests list them, found others in"


def damage_changed_base(folder):
    (folder / "users.csv").write_bytes((folder / "users.csv").read_bytes() + b"\n")
    return "users.csv"


def damage_cut_requests(folder):
    path = folder / "ticks" / "2026-01-03" / "api_requests.csv"
    os.truncate(path, path.stat().st_size - 5)
    return "2026-01-03/api_requests.csv"


def damage_swapped_tick(folder):
    (folder / "ticks" / "2026-01-02" / "manifest.json").write_bytes(
        (folder / "ticks" / "2026-01-03" / "manifest.json").read_bytes()
    )
    return "expected day 2026-01-02; sequence 2"


def damage_no_manifest(folder):
    (folder / "ticks" / "2026-01-03" / "manifest.json").unlink()
    return "expected a manifest of format 1"


def damage_no_base(folder):
    (folder / "manifest.json").unlink()
    return "expected a data set with manifest.json, found none"


def damage_incomplete_manifest(folder):
    path = folder / "manifest.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    del content["tables"]["users"]
    path.write_text(json.dumps(content), encoding="utf-8")
    return "no file of users"


@pytest.mark.parametrize(
    "damage",
    [
        damage_hole,
        damage_changed_users,
        damage_changed_base,
        damage_cut_requests,
        damage_swapped_tick,
        damage_no_manifest,
        damage_no_base,
        damage_incomplete_manifest,
    ],
)
def test_a_broken_chain_is_refused_in_one_line_and_left_alone(folder, damage, capsys):
    assert go_on(folder, "--days", 3) == 0
    expected = damage(folder)
    before = contents(folder)
    capsys.readouterr()
    assert go_on(folder) == 1
    error = capsys.readouterr().err
    assert expected in error and error.count("\n") == 1
    assert contents(folder) == before


def test_a_folder_that_is_absent_or_a_file_is_refused(tmp_path, capsys):
    assert go_on(tmp_path / "nowhere") == 1
    (tmp_path / "file").write_text("")
    assert go_on(tmp_path / "file") == 1
    assert capsys.readouterr().err.count("expected a folder with one, found none") == 2


def test_days_beyond_the_calendar_are_refused(folder, capsys):
    assert go_on(folder, "--until", "2101-01-01") == 1
    assert "expected days up to 2045-12-01" in capsys.readouterr().err


def test_another_base_removes_the_ticks_of_the_one_before(folder, capsys):
    assert go_on(folder, "--days", 2) == 0
    assert generate(folder, "--force") == 0
    assert len(list((folder / "ticks").iterdir())) == 2  # the same data: they still continue it
    assert generate(folder, "--seed", "8") == 0
    assert "removed the 2 ticks of the data set before" in capsys.readouterr().err
    assert list((folder / "ticks").iterdir()) == []
    assert go_on(folder) == 0


def test_another_base_removes_ticks_that_a_killed_run_had_not_published(folder):
    assert go_on(folder) == 0
    partial = folder / "ticks" / PARTIAL_NAME
    partial.mkdir()
    (folder / "ticks" / "2026-01-01").rename(partial / "2026-01-01")
    (partial / COMPLETE_NAME).write_text('{"days": 1, "until": null, "rows": null}')
    assert generate(folder, "--seed", "8") == 0
    assert list((folder / "ticks").iterdir()) == []


def test_full_disk_leaves_the_ticks_as_they_were(folder):
    assert go_on(folder) == 0
    before = contents(folder)
    run = subprocess.run(
        [sys.executable, "generator/generate_data.py", "--continue", folder, "--days", "3", "--rows", "30000"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, 500_000)),
    )
    assert run.returncode == 1
    assert "found 'File too large' at" in run.stderr and run.stderr.count("\n") == 1
    assert contents(folder) == before


@pytest.mark.parametrize(("end", "status"), [(signal.SIGKILL, -9), (signal.SIGINT, 130)])
def test_stopped_run_shows_no_tick_and_the_next_one_writes_all(folder, tmp_path, end, status):
    undisturbed = Path(shutil.copytree(folder, tmp_path / "undisturbed"))
    command = [sys.executable, "generator/generate_data.py", "--continue", folder, "--days", "400", "--rows", "20000"]
    second = folder / "ticks" / PARTIAL_NAME / "2026-01-02"
    with subprocess.Popen(command, cwd=REPOSITORY, stderr=subprocess.PIPE, text=True) as run:
        wait_until(second.exists, "the second tick", poll_s=0.005)
        run.send_signal(end)
        error = run.communicate()[1]
    assert run.returncode == status
    assert "Traceback" not in error
    assert [path.name for path in (folder / "ticks").iterdir() if not path.name.startswith(".")] == []
    for out in (folder, undisturbed):
        assert go_on(out, "--days", 2) == 0
    assert contents(folder) == contents(undisturbed)


@pytest.mark.parametrize("renamed", [0, 1, 2])
def test_run_killed_while_publishing_is_finished_by_the_same_command(folder, tmp_path, renamed, capsys):
    """Such a run leaves the days it had not renamed, and its command, in the hidden folder."""
    undisturbed = Path(shutil.copytree(folder, tmp_path / "undisturbed"))
    for out in (folder, undisturbed):
        assert go_on(out, "--days", 2) == 0
    partial = folder / "ticks" / PARTIAL_NAME
    partial.mkdir()
    for day in ("2026-01-01", "2026-01-02")[renamed:]:
        (folder / "ticks" / day).rename(partial / day)
    (partial / COMPLETE_NAME).write_text('{"days": 2, "until": null, "rows": null}')
    assert go_on(folder, "--days", 2) == 0
    assert "finished what a killed run of this command had written" in capsys.readouterr().err
    assert contents(folder) == contents(undisturbed)
    assert go_on(folder) == 0
    assert len(list((folder / "ticks").iterdir())) == 3


@pytest.mark.parametrize("note", [b"", b"{", b"[]", b"\xff\xfe", b'{"days": 1}', b"[" * 100_000])
def test_a_corrupt_note_of_a_killed_run_is_refused_in_one_line(folder, capsys, note):
    assert go_on(folder) == 0
    partial = folder / "ticks" / PARTIAL_NAME
    partial.mkdir()
    (folder / "ticks" / "2026-01-01").rename(partial / "2026-01-01")
    (partial / COMPLETE_NAME).write_bytes(note)
    before = contents(folder)
    capsys.readouterr()
    for command in (go_on, generate):
        assert command(folder, *(["--seed", "8"] if command is generate else [])) == 1
        said = capsys.readouterr().err
        assert said.count("\n") == 1
        assert f" in {partial / COMPLETE_NAME}; remove the folder {partial}," in said
    assert {name: octets for name, octets in contents(folder).items() if name in before} == before
    shutil.rmtree(partial)  # as it says
    assert go_on(folder) == 0


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["--until", "9999-12-31"], "days after 2025-12-31 in --until"),
        (["--until", "2101-01-01"], "days after 2025-12-31 in --until"),
        (["--days", "7305"], "found 7,305 days after 2025-12-31 in --days"),
    ],
)
def test_days_beyond_the_calendar_are_refused_in_one_line(folder, capsys, words, found):
    capsys.readouterr()
    assert go_on(folder, *words) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "expected days up to 2045-12-01" in said  # twenty years from the first day
    assert found in said


HOSTILE_ENTRIES = {
    "bytes without end": (("tables", "users", "bytes"), float("inf")),
    "rows as text": (("tables", "users", "rows"), "many"),
    "rows as a truth": (("tables", "users", "rows"), True),
    "a path": (("tables", "users", "file"), "../users.csv"),
    "a NUL": (("tables", "users", "file"), "users\0.csv"),
    "a file that is a list": (("tables", "users", "file"), ["users.csv"]),
    "a table that is a list": (("tables", "users"), []),
    "tables that are a list": (("tables",), []),
    "a start at the end of time": (("arguments", "start"), "9999-12-31"),
    "a start that is a number": (("arguments", "start"), 7),
    "days without end": (("arguments", "days"), float("inf")),
    "days beyond the calendar": (("arguments", "days"), 10**9),
}


@pytest.mark.parametrize(("place", "value"), HOSTILE_ENTRIES.values(), ids=HOSTILE_ENTRIES)
def test_a_manifest_with_an_entry_of_another_shape_is_refused_in_one_line(folder, capsys, place, value):
    path = folder / "manifest.json"
    entry = manifest = json.loads(path.read_text())
    for name in place[:-1]:
        entry = entry[name]
    entry[place[-1]] = value
    path.write_text(json.dumps(manifest))
    capsys.readouterr()
    assert go_on(folder) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "expected a manifest of format 1" in said


def test_a_manifest_nested_100_000_deep_is_none(folder, capsys):
    (folder / "manifest.json").write_text("[" * 100_000)
    capsys.readouterr()
    assert go_on(folder) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "expected a data set with manifest.json" in said


@pytest.mark.parametrize(
    "note", ["[" * 100_000, '{"until": "2026-01-02", "rows": 1.5}', '{"until": 7, "rows": null}', "7"]
)
def test_a_goal_of_another_shape_is_refused_in_one_line(folder, tmp_path, capsys, note):
    goal = tmp_path / "goal"
    goal.write_text(note)
    capsys.readouterr()
    assert go_on(folder, "--days", "1", "--goal", goal) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "expected a day to reach" in said
