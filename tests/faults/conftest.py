"""The proxy in front of the session's server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.faults.proxy import Proxy, proxy

Environment = dict[str, str]


@pytest.fixture(scope="session")
def front(server_env: Environment) -> Iterator[Proxy]:
    """Return the proxy in front of the session's server."""
    with proxy(server_env) as listening:
        yield listening
