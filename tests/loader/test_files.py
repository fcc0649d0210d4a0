"""Input files: opened once, loaded as they were hashed or not at all; pipes are read, and nothing waits for ever."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from loader import files, load
from loader.errors import LoadError
from loader.files import BLOCK_BYTES, InputFile, held
from loader.sources import synthetic

CHANGED = "expected the file to stay as it is while it is imported, found it changed"
AZURE = "TIMESTAMP,ContextTokens,GeneratedTokens\n"
LINES = [f"2023-11-16 18:17:{i % 60:02}.9799609,{1000 + i % 9000},10\n" for i in range(20_000)]


def overwrite(path: Path) -> None:
    """Change the last line, keeping size and time of modification."""
    before = path.stat()
    with path.open("r+b") as file:
        file.seek(-4, os.SEEK_END)
        file.write(b"9")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def append(path: Path) -> None:
    with path.open("a") as file:
        file.write("2023-11-16 18:17:03,1,1\n")


CHANGES: dict[str, Callable[[Path], object]] = {
    "overwritten": overwrite,
    "appended to": append,
    "cut off": lambda path: os.truncate(path, path.stat().st_size - 30),
    "emptied": lambda path: os.truncate(path, 0),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
@pytest.mark.parametrize("content", [b"abc\n" * 10, b"x" * BLOCK_BYTES, b"abc\n" * BLOCK_BYTES], ids=len)
def test_a_file_that_changes_after_it_was_hashed_is_refused_when_it_is_read(
    tmp_path: Path, change: Callable[[Path], object], content: bytes
) -> None:
    path = tmp_path / "log.csv"
    path.write_bytes(content)
    file = InputFile(path)
    with held(file):
        assert file.sha256 == hashlib.sha256(content).hexdigest()
        with file.stream() as stream:
            assert stream.read() == content
        change(path)
        with pytest.raises(LoadError, match=CHANGED), file.stream() as stream:
            while stream.read(1000):
                pass


def test_a_file_replaced_after_it_was_opened_is_read_as_it_was(tmp_path: Path) -> None:
    path, other = tmp_path / "log.csv", tmp_path / "other.csv"
    path.write_text("old")
    other.write_text("new and longer")
    file = InputFile(path)
    with held(file):
        assert file.sha256 == hashlib.sha256(b"old").hexdigest()
        other.replace(path)
        with file.stream() as stream:
            assert stream.read() == b"old"


@pytest.mark.parametrize("add", [[], ["--add"]], ids=["replace", "add"])
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_an_import_of_a_file_that_changes_on_the_way_loads_nothing(
    loader: Any,
    azure_file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[Path], object],
    add: list[str],
) -> None:
    loader.succeeds("import", "--from", "azure-llm", azure_file)
    path = tmp_path / "changing.csv"
    path.write_text(AZURE + "".join(LINES))
    start = load.start_batch

    def change_and_start(*words: Any) -> int:
        change(path)  # hashed, and not yet loaded
        return start(*words)

    monkeypatch.setattr(load, "start_batch", change_and_start)
    said = loader.fails("import", "--from", "azure-llm", *add, path)
    assert CHANGED in said
    assert "changing.csv" in said
    assert loader.request_count("azure-llm") == 3
    assert loader.rows("select status, rows_loaded from raw_staging.load_batches order by batch_id") == [
        ("done", 3),
        ("failed", 0),
    ]


@pytest.mark.parametrize("has_bad_row", [False, True], ids=["copied", "checked"])
def test_a_load_of_a_file_that_changes_on_the_way_loads_nothing(
    loader: Any,
    write_set: Callable[..., Path],
    request_line: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
    has_bad_row: bool,
) -> None:
    from loader import commands

    lines = [request_line(i, latency_ms=-1 if has_bad_row and i == 7 else 637) for i in range(5000)]
    directory = write_set(lines)
    verify = commands.verify_files

    def verify_and_change(*words: Any, **options: Any) -> None:
        verify(*words, **options)
        overwrite(directory / "api_requests.csv")

    monkeypatch.setattr(commands, "verify_files", verify_and_change)
    assert CHANGED in loader.fails("load", directory)
    assert loader.request_count() == 0
    assert loader.value("select count(*) from raw_staging.users") == 0


def test_parquet_that_changes_on_the_way_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "endpoints.parquet"
    columns = {"path": "/a", "http_method": "GET", "category": "chat"}
    rows = 200_000
    table = pa.table(
        {"endpoint_id": list(range(1, rows + 1))}
        | {name: [text] * rows for name, text in columns.items()}
        | {"is_streaming": [True] * rows}
    )
    pq.write_table(table, path, compression="none", use_dictionary=False)
    file = InputFile(path)
    with held(file):
        assert file.size > 2 * BLOCK_BYTES
        with path.open("r+b") as target:
            target.seek(1000)
            target.write(b"\1")
        with pytest.raises(LoadError, match=CHANGED), file.stream() as stream:
            list(synthetic.read_parquet(stream, "endpoints"))


@pytest.mark.parametrize("name", ["/dev/stdin", "process substitution"])
def test_a_pipe_is_imported_like_a_file(
    loader: Any, database: dict[str, str], azure_file: Path, repo_root: Path, name: str
) -> None:
    command = f"'{sys.executable}' -m loader import --from azure-llm "
    command += f"/dev/stdin < <(cat '{azure_file}')" if name == "/dev/stdin" else f"<(cat '{azure_file}')"
    environment = {**os.environ, **database}
    result = subprocess.run(
        ["bash", "-c", command], cwd=repo_root, env=environment, capture_output=True, text=True, timeout=120
    )
    assert result.returncode == 0, result.stderr
    assert loader.request_count("azure-llm") == 3
    digest = hashlib.sha256(azure_file.read_bytes()).hexdigest()
    assert loader.value("select sha256 from raw_staging.load_batches") == digest


def test_a_pipe_is_read_to_its_end_however_its_writer_pauses(tmp_path: Path) -> None:
    path = tmp_path / "fifo"
    os.mkfifo(path)
    may_end = threading.Event()

    def write() -> None:
        with path.open("wb", buffering=0) as pipe:
            pipe.write(b"a" * 100_000)
            may_end.wait(1)
            pipe.write(b"b")

    writer = threading.Thread(target=write)
    writer.start()
    file = InputFile(path)
    with held(file), file.stream() as stream:
        assert stream.read() == b"a" * 100_000 + b"b"
    may_end.set()
    writer.join()


def test_a_pipe_that_nobody_writes_into_is_refused(
    steady_loader: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "WRITER_WAIT_S", 0.1)
    os.mkfifo(tmp_path / "fifo")
    said = steady_loader.fails("import", "--from", "azure-llm", tmp_path / "fifo")
    assert "expected somebody to write into the pipe" in said


def test_an_empty_pipe_and_a_device_are_told_from_a_file(steady_loader: Any) -> None:
    assert "found a device: /dev/null" in steady_loader.fails("import", "--from", "azure-llm", "/dev/null")
    reader, writer = os.pipe()
    os.close(writer)
    try:
        said = steady_loader.fails("import", "--from", "azure-llm", f"/dev/fd/{reader}")
    finally:
        os.close(reader)
    assert "found an empty file" in said


@pytest.mark.parametrize(
    ("encoding", "found"), [("utf-32", "UTF-32 text"), ("utf-32-be", "binary data"), ("utf-16", "UTF-16 text")]
)
def test_other_encodings_are_named(tmp_path: Path, encoding: str, found: str) -> None:
    path = tmp_path / "log.csv"
    path.write_bytes("TIMESTAMP".encode(encoding))
    with pytest.raises(LoadError, match=found):
        InputFile(path).check_is_text()


def test_a_folder_is_named_by_its_whole_path(
    steady_loader: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert f"found the folder {tmp_path}; name the file in it" in steady_loader.fails(
        "import", "--from", "azure-llm", "."
    )
