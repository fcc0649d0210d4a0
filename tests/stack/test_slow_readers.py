"""Many readers at once, slow ones, with every compression offered: the proxy stays within its own memory limit."""

from __future__ import annotations

import subprocess
from collections import Counter
from collections.abc import Callable

import pytest

from tests.stack.project import Project

RecordFigure = Callable[[str, str, str], None]
READERS = 60
RATE = "200k"
GIVE_UP_S = 600
SERVICES = ["traefik", "frontend", "error-pages", "forecaster", "portfolio_db"]


def read_at_once(paths: list[str], *words: str) -> tuple[Counter[str], dict[str, set[int]]]:
    """Let READERS connections read one of `paths` each to its end; return how often each status and protocol was
    answered, and the sizes that were read of each path. Fails where a transfer breaks off."""
    command = ["curl", "--silent", "--insecure", "--limit-rate", RATE, "--max-time", str(GIVE_UP_S), *words]
    command += ["--output", "/dev/null", "--write-out", "%{http_code} %{http_version} %{size_download}"]
    urls = [f"https://localhost{paths[number % len(paths)]}" for number in range(READERS)]
    readers = [subprocess.Popen([*command, url], stdout=subprocess.PIPE, text=True) for url in urls]
    answers: Counter[str] = Counter()
    sizes: dict[str, set[int]] = {path: set() for path in paths}
    for number, reader in enumerate(readers):
        status, protocol, size = reader.communicate()[0].split()
        assert reader.returncode == 0, f"curl exited with {reader.returncode} after {size} bytes"
        answers[f"{status} {protocol}"] += 1
        sizes[paths[number % len(paths)]].add(int(size))
    return answers, sizes


def lives(stack: Project) -> dict[str, tuple[str, int, bool]]:
    """Return of each service when it started, how often it was restarted and whether memory ended it."""
    states = {name: stack.inspect(name) for name in SERVICES}
    return {
        name: (found["State"]["StartedAt"], found["RestartCount"], found["State"]["OOMKilled"])
        for name, found in states.items()
    }


def peak_mib(stack: Project, service: str) -> str:
    """Return the most memory that a service's container has had, as its control group says."""
    code = "cat /sys/fs/cgroup/memory.peak 2>/dev/null || cat /sys/fs/cgroup/memory/memory.max_usage_in_bytes"
    said = stack.compose("exec", "-T", service, "sh", "-c", code, check=False).strip()
    return f"{int(said) / 2**20:.0f} MiB" if said.isdigit() else "unknown"


@pytest.mark.parametrize("encoding", ["zstd", "br", "gzip", "identity"])
@pytest.mark.parametrize("http", ["1.1", "2"])
def test_readers_of_the_largest_pages_end_no_container(
    stack: Project, record_figure: RecordFigure, encoding: str, http: str
) -> None:
    before = lives(stack)
    words = [f"--http{http}", "--header", f"Accept-Encoding: {encoding}"]
    answered, sizes = read_at_once(["/docs/", "/docs/", "/", "/pipeline/", "/quality/"], *words)
    assert answered == {f"200 {http}": READERS}
    assert all(len(found) == 1 and min(found) > 0 for found in sizes.values()), sizes
    assert lives(stack) == before
    what = f"proxy's memory after {READERS} slow readers, {encoding}, HTTP/{http}"
    record_figure(what, peak_mib(stack, "traefik"), "survives its limit of 256 MiB")
