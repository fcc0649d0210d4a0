"""Bytes near those of a corpus: pieces of it cut out, doubled, moved and spiked with what has broken readers before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

SPIKES = [
    b'"', b'""', b'",', b',"', b",", b"\n", b"\r", b"\r\n", b"\0", b"\xff", b"\xed\xa0\x80", b"\xef\xbb\xbf",
    b"\xe2\x80\x83",
    b"\\.", b"\\", b"{", b"}", b"[", b"]", b"[" * 200, b'{"a":' * 200, b"+5", b"-0", b"0x1F", b"1_000",
    b"1e999", b"NaN",
    b"Infinity", b"null", b"true", b"\xd9\xa1", b"9" * 19, b"9" * 5000, b"\\u0000", b"\\ud800", b"now",
    b"epoch", b"yes",
    b"9999-12-31", b"0001-01-01T00:00:00+15:59", b"2025-02-29", b"2025-12-31T23:59:59.9999999Z", b"../x", b"'", b"%s",
]  # fmt: skip


@st.composite
def mutations(draw: Any, seeds: Sequence[bytes]) -> bytes:
    """Draw bytes: a seed after up to eight changes."""
    octets = draw(st.sampled_from(seeds))
    for _ in range(draw(st.integers(0, 8))):
        first, last = sorted(draw(st.tuples(*[st.integers(0, len(octets))] * 2)))
        piece = draw(
            st.sampled_from(SPIKES)
            | st.binary(max_size=4)
            | st.sampled_from(seeds).map(lambda seed: seed[:200])
            | st.just(octets[first:last] * 2)
        )
        octets = octets[:first] + piece + octets[draw(st.sampled_from([first, last])) :]
    return octets[:20_000]
