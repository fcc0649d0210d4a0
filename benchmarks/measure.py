"""Times a command as its user would, and says what machine it ran on."""

from __future__ import annotations

import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psycopg

from embedded.paths import REPOSITORY

MEBIBYTE = 2**20
PYTHON = REPOSITORY / ".venv" / "bin" / "python"


@dataclass(frozen=True)
class Measurement:
    """One row of the table: seconds of wall time and the peak memory of the largest process, in MiB."""

    name: str
    seconds: float
    peak_mib: float | None = None
    note: str = ""


def run_command(name: str, command: Sequence[object], environment: Mapping[str, str], note: str = "") -> Measurement:
    """Run a command to its end and measure it; raises RuntimeError with its last words when it fails."""
    words = [str(word) for word in command]
    started = time.perf_counter()
    process = subprocess.Popen(
        words,
        cwd=REPOSITORY,
        env={**os.environ, **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    said = process.stderr.read() if process.stderr else b""
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.perf_counter() - started
    if process.returncode != 0:
        raise RuntimeError(f"{' '.join(words)} exited with {process.returncode}: {said.decode()[-2000:]}")
    return Measurement(name, seconds, _maximum_rss_bytes(usage) / MEBIBYTE, note)


def run_function(name: str, function: Callable[[], object], note: str = "") -> Measurement:
    """Call a function in a process of its own (so that its peak memory is its own) and measure the call alone."""
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            started = time.perf_counter()
            function()
            os.write(write_end, f"{time.perf_counter() - started}".encode())
            os._exit(0)
        except BaseException as error:
            print(f"{name}: {error!r}", file=sys.stderr)
            os._exit(1)
    os.close(write_end)
    with os.fdopen(read_end) as answer:
        text = answer.read()
    _, status, usage = os.wait4(child, 0)
    if status != 0:
        raise RuntimeError(f"{name} failed")
    return Measurement(name, float(text), _maximum_rss_bytes(usage) / MEBIBYTE, note)


def table_text(title: str, rows: Sequence[Measurement]) -> str:
    """Return the measurements as a Markdown table under a heading."""
    lines = [f"### {title}", "", "| what | seconds | peak memory | note |", "|---|---:|---:|---|"]
    for row in rows:
        memory = "" if row.peak_mib is None else f"{row.peak_mib:,.0f} MiB"
        lines.append(f"| {row.name} | {row.seconds:,.2f} | {memory} | {row.note} |")
    return "\n".join(lines)


def machine_text(connection: psycopg.Connection) -> str:
    """Return one line that names the machine and the versions of what was measured."""
    from importlib.metadata import version

    model = next(
        (line.split(":", 1)[1].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")),
        platform.processor() or platform.machine(),
    )
    memory_gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    row = connection.execute("show server_version").fetchone()
    packages = ", ".join(f"{name} {version(name)}" for name in ("numpy", "pyarrow", "psycopg", "dbt-core"))
    return (
        f"{os.cpu_count()} cores ({model}), {memory_gib:.0f} GiB, {platform.system()} {platform.release()}, "
        f"Python {platform.python_version()}, PostgreSQL {row[0] if row else '?'}, {packages}"
    )


def _maximum_rss_bytes(usage: resource.struct_rusage) -> int:
    return usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text().splitlines()
    except OSError:
        return []
