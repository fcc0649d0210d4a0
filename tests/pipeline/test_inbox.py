"""The watched folder: which files are complete, which are refused, and where they end."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from loader.sources import FORMATS
from pipeline import inbox

NOW = datetime(2026, 11, 21, 3, 15, 7, tzinfo=UTC)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("azure-llm", "litellm", "done", "failed"):
        (tmp_path / name).mkdir()
    return tmp_path


def test_file_that_grows_or_changes_between_two_looks_is_not_complete(folder: Path) -> None:
    paths = [folder / "litellm" / name for name in ("same", "grown", "touched", "replaced", "gone")]
    for path in paths:
        path.write_text("a\n")
    before = inbox.look(folder)
    paths[1].write_text("a\nb\n")
    os.utime(paths[2], ns=(1, 1))
    state = paths[3].stat()
    (folder / "other").write_text("b\n")
    (folder / "other").rename(paths[3])
    os.utime(paths[3], ns=(state.st_atime_ns, state.st_mtime_ns))
    paths[4].unlink()
    (folder / "litellm" / "new").write_text("a\n")
    assert inbox.complete(before, inbox.look(folder)) == [paths[0]]


def test_second_look_waits_until_the_newest_file_has_been_left_alone(folder: Path) -> None:
    assert inbox.pause(inbox.look(folder), 10) == 1  # nothing there
    old = folder / "litellm" / "old"
    old.write_text("a\n")
    os.utime(old, ns=(1, 1))  # a copy that keeps its original's time is new all the same
    assert 1 < inbox.pause(inbox.look(folder), 3600) <= 3600
    size, changed, inode = inbox.look(folder)[old]
    assert inbox.pause({old: (size, changed - 3600 * 10**9, inode)}, 3600) == 1
    assert inbox.pause({old: (size, changed + 3600 * 10**9, inode)}, 5) == 5  # a clock ahead of ours


def test_file_renamed_in_is_complete_after_two_looks(folder: Path) -> None:
    (folder.parent / "ready.csv").write_text("a\n")
    path = (folder.parent / "ready.csv").rename(folder / "azure-llm" / "ready.csv")
    assert inbox.complete({}, inbox.look(folder)) == []
    assert inbox.complete(inbox.look(folder), inbox.look(folder)) == [path]


@pytest.mark.parametrize("name", [".hidden", "trace.csv.part", "trace.csv.tmp", "trace.csv~", "x.filepart"])
def test_unfinished_file_is_not_looked_at(folder: Path, name: str) -> None:
    (folder / "azure-llm" / name).write_text("a\n")
    assert inbox.look(folder) == {}


def test_files_that_were_dealt_with_are_not_looked_at(folder: Path) -> None:
    (folder / "done" / "x").write_text("a\n")
    (folder / "failed" / "x").write_text("a\n")
    assert inbox.look(folder) == {} == inbox.look(folder / "absent")


def test_file_without_a_format_is_told_where_it_belongs(folder: Path) -> None:
    for path in (folder / "trace.csv", folder / "excel" / "trace.csv"):
        path.parent.mkdir(exist_ok=True)
        path.write_text("a\n")
        assert "names the format (azure-llm, burstgpt, litellm)" in inbox.judged(folder, path, FORMATS).problem


def test_link_pipe_and_folder_are_refused(folder: Path) -> None:
    (folder / "litellm" / "link").symlink_to("/etc/passwd")
    os.mkfifo(folder / "litellm" / "pipe")
    (folder / "litellm" / "sub").mkdir()
    found = {path.name: inbox.judged(folder, path, FORMATS).problem for path in inbox.look(folder)}
    assert set(found) == {"link", "pipe", "sub"}
    assert all(problem.startswith("expected a file, found") for problem in found.values())


def test_file_is_put_away_under_its_time_and_never_over_another(folder: Path) -> None:
    places = []
    for text in ("first", "second"):
        path = folder / "litellm" / "spend log.csv"
        path.write_text(text)
        places.append(inbox.put_away(inbox.Found(path, "litellm"), folder / "done", NOW, f"report of {text}\n"))
    assert [place.name for place in places] == ["20261121T031507Z-spend log.csv", "20261121T031507Z-2-spend log.csv"]
    assert [place.read_text() for place in places] == ["first", "second"]
    assert inbox.report_path(places[1]).read_text() == "report of second\n"


def test_report_lies_beside_the_file_before_the_file_is_moved(folder: Path) -> None:
    path = folder / "litellm" / "gone.csv"
    with pytest.raises(FileNotFoundError):
        inbox.put_away(inbox.Found(path, "litellm"), folder / "done", NOW, "report\n")
    assert [found.name for found in (folder / "done").iterdir()] == ["20261121T031507Z-gone.csv.report.txt"]


def test_file_that_cannot_be_moved_leaves_no_report(folder: Path) -> None:
    place = folder / "excel" / "failed"  # no folder can be moved into itself
    place.mkdir(parents=True)
    with pytest.raises(OSError, match="Invalid argument"):
        inbox.put_away(inbox.Found(folder / "excel", ""), place, NOW, "report\n")
    assert list(place.iterdir()) == []
