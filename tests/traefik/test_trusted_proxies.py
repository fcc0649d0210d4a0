"""Limits count visitors: behind a trusted proxy each has their own, and nobody else can claim to be another."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from embedded.paths import REPOSITORY
from embedded.proxy import traefik_program
from tests.traefik.front_door import Proxy, filled, full_front_door

PROXY, SECOND_PROXY, STRANGER = "127.0.0.2", "127.0.1.9", "127.0.0.7"
PATH = filled("/metabase/api/public/dashboard/{uuid}")
FEW = {"average: 30, burst: 240": "average: 1, period: 1h, burst: 5"}


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Proxy]:
    with full_front_door(tmp_path, {"TRUSTED_PROXIES": f"{PROXY}, 127.0.1.0/24"}, FEW) as found:
        yield found


def ask(door: Proxy, source: str, claimed: str | None, count: int = 8) -> list[int]:
    headers = {} if claimed is None else {"X-Forwarded-For": claimed, "X-Real-Ip": claimed.split(",")[0]}
    return [door.fetch(PATH, headers=headers, source=source)[0] for _ in range(count)]


def test_visitors_behind_a_trusted_proxy_have_limits_of_their_own(door: Proxy) -> None:
    first = ask(door, PROXY, "203.0.113.1")
    assert first[0] == 200 and first[-1] == 429
    assert ask(door, PROXY, "203.0.113.2", 1) == [200]
    assert ask(door, PROXY, "2001:db8::2", 1) == [200]
    assert ask(door, PROXY, "203.0.113.1", 1) == [429]


def test_chain_of_trusted_proxies_leads_to_the_visitor(door: Proxy) -> None:
    assert ask(door, PROXY, "203.0.113.1")[-1] == 429
    assert ask(door, SECOND_PROXY, f"203.0.113.1, {PROXY}", 1) == [429]
    assert ask(door, SECOND_PROXY, f"203.0.113.3, {PROXY}", 1) == [200]


def test_visitor_cannot_prepend_an_address_of_their_own(door: Proxy) -> None:
    statuses = [ask(door, PROXY, f"198.51.100.{number}, 203.0.113.1", 1)[0] for number in range(8)]
    assert statuses[0] == 200 and statuses[-1] == 429


def test_stranger_cannot_claim_to_be_another(door: Proxy) -> None:
    statuses = [ask(door, STRANGER, f"203.0.113.{number}", 1)[0] for number in range(8)]
    assert statuses[0] == 200 and statuses[-1] == 429
    assert ask(door, PROXY, "203.0.113.7", 1) == [200]


def test_without_the_setting_nobody_is_believed(tmp_path: Path) -> None:
    with full_front_door(tmp_path, routes=FEW) as door:
        statuses = [ask(door, PROXY, f"203.0.113.{number}", 1)[0] for number in range(8)]
        assert statuses[0] == 200 and statuses[-1] == 429
        assert ask(door, STRANGER, None, 1) == [200]
        assert ask(door, SECOND_PROXY, "203.0.113.1", 1) == [200]
        told = {name.lower(): value for name, value in door.backends["metabase"].headers.items()}
        assert told["x-forwarded-for"] == SECOND_PROXY


@pytest.mark.parametrize("value", ["everybody", "10.0.0.0/8;127.0.0.1", "0.0.0.0/0", "10.0.0.0/8,::/0", '"]'])
def test_setting_that_is_no_list_of_addresses_is_refused(tmp_path: Path, value: str) -> None:
    programs = f"{Path(traefik_program()).parent}:{os.environ['PATH']}"
    environment = {"PATH": programs, "TMPDIR": str(tmp_path), "TRUSTED_PROXIES": value}
    command = ["sh", str(REPOSITORY / "traefik" / "start.sh")]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert result.returncode == 2
    assert f"expected TRUSTED_PROXIES as addresses and networks such as 192.0.2.7,10.0.0.0/8, found {value}" in (
        result.stderr
    )
