"""What nobody wrote a message for ends in one line and a file with the details, whatever it was."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from warehouse.unexpected import DETAILS_KEPT

REPOSITORY = Path(__file__).resolve().parents[2]


def run_main(
    tmp_path: Path, body: str, stdout: int | None = subprocess.PIPE, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run a command line whose `main` is `body`, guarded, as a process of its own."""
    code = "import sys\nfrom warehouse.unexpected import guarded\ndef main():\n    " + body.replace("\n", "\n    ")
    return subprocess.run(
        [sys.executable, "-c", code + "\nsys.exit(guarded(main, 'things'))"],
        cwd=REPOSITORY,
        env={**os.environ, "TOKENSCOPE_DATA_DIR": str(tmp_path / "data"), **environment},
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
    )


def details(result: subprocess.CompletedProcess[str]) -> Path:
    return Path(result.stderr.rstrip("\n").rsplit("the details are in ", 1)[1])


def test_status_and_output_pass_through(tmp_path: Path) -> None:
    result = run_main(tmp_path, "print('out'); return 3")
    assert (result.returncode, result.stdout, result.stderr) == (3, "out\n", "")


def test_a_fault_is_one_line_that_names_the_place_of_its_details(tmp_path: Path) -> None:
    result = run_main(tmp_path, "raise ValueError('two\\nlines')")
    assert result.returncode == 1
    assert result.stderr.startswith("things: expected no failure, found ValueError: two lines in ")
    assert result.stderr.count("\n") == 1
    text = details(result).read_text()
    assert "Traceback (most recent call last)" in text and "two\nlines" in text
    assert details(result).parent == tmp_path / "data" / "logs"
    assert details(result).stat().st_mode & 0o777 == 0o600


def test_the_line_names_our_own_code_not_a_librarys(tmp_path: Path) -> None:
    result = run_main(tmp_path, "from warehouse.connection import password_of\npassword_of(None)")
    assert "in warehouse/connection.py:" in result.stderr


def test_a_full_disk_is_called_one(tmp_path: Path) -> None:
    result = run_main(tmp_path, "open('/dev/full', 'wb', buffering=0).write(b'x')")
    assert "expected room on the disk, found No space left on device" in result.stderr and result.returncode == 1


def test_output_to_a_full_disk_is_one_line_too(tmp_path: Path) -> None:
    with Path("/dev/full").open("w") as full:
        result = run_main(tmp_path, "print('x' * 100000); return 0", stdout=full.fileno())
    assert result.returncode == 1 and result.stderr.count("\n") == 1
    assert "No space left on device" in result.stderr


def test_a_reader_that_stops_reading_is_no_failure_to_explain(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    result = run_main(tmp_path, "print('x' * 100000); return 0", stdout=writing)
    os.close(writing)
    assert (result.returncode, result.stderr) == (1, "")


def test_an_interrupt_is_named_and_has_its_status(tmp_path: Path) -> None:
    result = run_main(tmp_path, "raise KeyboardInterrupt")
    assert (result.returncode, result.stderr) == (130, "things: interrupted\n")


@pytest.mark.parametrize(
    ("raised", "said"),
    [
        ("errors.DataCorrupted('invalid page')", "expected sound files of the warehouse, found invalid page; restore"),
        ("errors.DiskFull('could not extend')", "expected room in the warehouse, found could not extend; free"),
        ("errors.AdminShutdown('bye')", "expected the warehouse to answer, found bye; check that the server runs"),
        ("OperationalError('gone')", "expected the warehouse to answer, found gone; check that the server runs"),
        ("errors.UndefinedTable('no t')", "expected the warehouse to carry it out, found no t in"),
    ],
)
def test_a_failure_of_the_server_says_what_to_do(tmp_path: Path, raised: str, said: str) -> None:
    result = run_main(tmp_path, f"import psycopg\nfrom psycopg import errors, OperationalError\nraise {raised}")
    assert said in result.stderr and result.stderr.count("\n") == 1


def test_without_a_data_folder_the_details_go_to_the_temporary_one(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file where the folder should be")
    result = run_main(tmp_path, "raise ValueError", TMPDIR=str(tmp_path))
    assert details(result).parent == tmp_path


def test_only_the_newest_details_are_kept(tmp_path: Path) -> None:
    logs = tmp_path / "data" / "logs"
    logs.mkdir(parents=True)
    for number in range(30):
        (logs / f"tokenscope-error-2020010{number:02}.txt").write_text("old")
    result = run_main(tmp_path, "raise ValueError")
    assert len(list(logs.iterdir())) == DETAILS_KEPT and details(result).exists()


def test_a_path_that_is_no_text_is_shown_escaped(tmp_path: Path) -> None:
    result = run_main(tmp_path, "open(b'/no/\\xff')", PYTHONIOENCODING="utf-8:strict")
    assert result.returncode == 1 and "No such file or directory for" in result.stderr
    assert result.stderr.count("\n") == 1
