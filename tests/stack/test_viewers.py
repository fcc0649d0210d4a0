"""A hundred people on the site and on the forecaster's start page, and one who opens the app for real."""

from __future__ import annotations

import asyncio
import re
import ssl
import time
from collections.abc import Callable

import pytest

from tests.patience import HANG_S
from tests.stack.client import Client
from tests.stack.project import Project
from tests.stack.viewers import Crowd, quantile

RecordFigure = Callable[[str, str, str], None]
VIEWERS = 100
DURATION_S = 60


def site_pages(client: Client) -> list[str]:
    """Return the paths of all pages in the site's own sitemap."""
    index = client.fetch("/sitemap-0.xml").text
    return sorted(set(re.findall(r"<loc>https://localhost(/[^<]*)</loc>", index)))


def test_a_hundred_viewers_see_no_error(stack: Project, client: Client, record_figure: RecordFigure) -> None:
    pages = [*site_pages(client), "/forecaster/"]
    assert len(pages) >= 3
    crowd = Crowd(pages, stack.folder / "secrets" / "tls_certificate")
    end = time.monotonic() + DURATION_S
    asyncio.run(crowd.browse(VIEWERS, lambda: time.monotonic() > end))
    failed = [visit for visit in crowd.visits if visit.status != 200]
    assert failed == []
    static_ms = [visit.seconds * 1000 for visit in crowd.visits if not visit.path.startswith("/forecaster")]
    page_ms = [visit.seconds * 1000 for visit in crowd.visits if visit.path in pages and visit.path != "/forecaster/"]
    app_ms = [visit.seconds * 1000 for visit in crowd.visits if visit.path == "/forecaster/"]
    record_figure(
        f"{VIEWERS} viewers, {DURATION_S} s: requests, errors", f"{len(crowd.visits)}, {len(failed)}", "0 errors"
    )
    record_figure("p95 of static pages through TLS", f"{quantile(page_ms, 0.95):.1f} ms", "50 ms on 2 idle cores")
    record_figure("p95 of static pages and their files", f"{quantile(static_ms, 0.95):.1f} ms", "-")
    record_figure("p95 of the forecaster's start page", f"{quantile(app_ms, 0.95):.1f} ms", "-")


def test_app_runs_over_its_websocket(stack: Project) -> None:
    sync = pytest.importorskip("websockets.sync.client")
    proto = pytest.importorskip("streamlit.proto.BackMsg_pb2")
    forward = pytest.importorskip("streamlit.proto.ForwardMsg_pb2")
    context = ssl.create_default_context(cafile=str(stack.folder / "secrets" / "tls_certificate"))
    kinds: set[str] = set()
    address = "wss://localhost/forecaster/_stcore/stream"
    with sync.connect(
        address, ssl=context, origin="https://localhost", subprotocols=["streamlit"], open_timeout=HANG_S
    ) as socket:
        message = proto.BackMsg()
        message.rerun_script.query_string = ""
        socket.send(message.SerializeToString())
        while "script_finished" not in kinds:
            received = forward.ForwardMsg()
            received.ParseFromString(socket.recv(timeout=HANG_S))
            kinds.add(received.WhichOneof("type"))
            if received.WhichOneof("type") == "delta":
                assert received.delta.new_element.WhichOneof("type") != "exception", (
                    received.delta.new_element.exception
                )
    assert {"new_session", "delta", "script_finished"} <= kinds


def test_websocket_refuses_other_sites(stack: Project) -> None:
    sync = pytest.importorskip("websockets.sync.client")
    exceptions = pytest.importorskip("websockets.exceptions")
    context = ssl.create_default_context(cafile=str(stack.folder / "secrets" / "tls_certificate"))
    with (
        pytest.raises((exceptions.InvalidStatus, exceptions.ConnectionClosed)),
        sync.connect(
            "wss://localhost/forecaster/_stcore/stream",
            ssl=context,
            origin="https://evil.example",
            subprotocols=["streamlit"],
            open_timeout=HANG_S,
        ) as socket,
    ):
        socket.recv(timeout=HANG_S)
